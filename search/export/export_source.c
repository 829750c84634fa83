#include "search/export/export_source.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/base/text.h"
#include "search/run/run_tables.h"
#include "search/store/store.h"

/* ---- a run ---- */

static bool has_table(const struct factor_file *file, const char *name) {
    size_t i = 0;
    while (i < file->count && strcmp(file->tables[i].name, name) != 0) i++;
    return i < file->count;
}

/* The tables of the run's final model. If `stage` was found on another model, that table *alone. */
static int read_tables(struct store *store, const char *run_dir, const char *stage, struct factor_file *out,
                       bool *alone, struct error *error) {
    int status = run_tables_read(store, NULL, out, error);
    *alone = status == STATUS_OK && stage && out->count && !has_table(out, stage);
    if (!*alone) return status;
    TRACE(TRACE_EXPORT, "'%s' was found on another model than the run's final tables: it is read alone", stage);
    factors_free(out);
    status = run_tables_read(store, stage, out, error);
    if (status != STATUS_OK || out->count) return status;
    return error_set(error, STATUS_INPUT, "%.300s: stage '%.100s' is not done; longrope show prints its progress",
                     run_dir, stage);
}

static int read_run(const char *run_dir, const char *stage, struct factor_file *out, struct error *error) {
    struct store *store = NULL;
    bool alone;
    int status = store_open(run_dir, STORE_READ, &store, error);
    if (status == STATUS_OK) status = read_tables(store, run_dir, stage, out, &alone, error);
    store_close(store);
    if (status != STATUS_OK || out->count) return status;
    return run_tables_none(run_dir, error);
}

static int read_run_model(const char *run_dir, const char *stage, char out[STORE_PATH_SIZE], struct error *error) {
    struct store *store = NULL;
    struct factor_file file = {0};
    bool alone;
    int status = store_open(run_dir, STORE_READ, &store, error);
    if (status == STATUS_OK) status = read_tables(store, run_dir, stage, &file, &alone, error);
    if (status == STATUS_OK) status = run_tables_model(store, alone ? stage : NULL, out, error);
    factors_free(&file);
    store_close(store);
    return status;
}

/* ---- LENGTH=FILE ---- */

/* A source of the form LENGTH=FILE that is not itself the name of a file. */
struct listed {
    int64_t length;
    const char *path;
};

static bool listed_parse(const char *source, struct listed *out) {
    const char *equals = strchr(source, '=');
    char number[24];
    if (!equals || equals - source >= (ptrdiff_t)sizeof number || access(source, F_OK) == 0) return false;
    memcpy(number, source, (size_t)(equals - source));
    number[equals - source] = '\0';
    out->path = equals + 1;
    return text_to_integer(number, &out->length) && out->length > 0;
}

/* The file's name without folders and extension. */
static void name_entry(struct factor_entry *entry, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    char whole[NAME_MAX + 1]; /* it was opened, so it is no longer */
    snprintf(whole, sizeof whole, "%.*s", (int)length, name);
    text_copy_name(whole, entry->name, sizeof entry->name);
}

/* Of the tables that engines can read, keeps that of table 0 alone; none if table 0 is one itself. */
static void keep_exportable(struct factor_file *file) {
    const struct factor_entry *kept = factors_without_start_tokens(file, &file->tables[0]);
    bool other = kept && kept != &file->tables[0];
    if (other) memmove(file->exportable, kept, sizeof *kept);
    file->exportable_count = other;
}

static int listed_read(const struct listed *listed, struct factor_file *out, struct error *error) {
    int status = factors_read(listed->path, out, error);
    if (status != STATUS_OK) return status;
    struct factor_entry *entry = &out->tables[0];
    if (out->count > 1) {
        return error_set(error, STATUS_INPUT, "%s: holds %zu tables; LENGTH=FILE requires a file of one table",
                         listed->path, out->count);
    }
    if (entry->max_length && entry->max_length != listed->length) {
        return error_set(error, STATUS_INPUT, "%s: its table was found for %" PRId64 " tokens, not %" PRId64,
                         listed->path, entry->max_length, listed->length);
    }
    keep_exportable(out);
    entry->max_length = listed->length;
    if (!*entry->name) name_entry(entry, listed->path);
    for (size_t i = 0; i < out->exportable_count; i++) {
        out->exportable[i].max_length = entry->max_length;
        strcpy(out->exportable[i].name, entry->name);
    }
    return STATUS_OK;
}

/* False if two files of a list contradict each other; 0 is unknown. */
static bool agree(double *known, double value) {
    if (*known == 0.0) *known = value;
    return value == 0.0 || *known == value;
}

/* Adds the table of `one`, read from `path`, to `all`, which has room for it. */
static int add_table(struct factor_file *all, const struct factor_file *one, const char *path, struct error *error) {
    double original = (double)all->original_length;
    const struct factor_entry *entry = &one->tables[0];
    if (!agree(&original, (double)one->original_length) || !agree(&all->rope_theta, one->rope_theta)) {
        return error_set(
            error, STATUS_INPUT,
            "%s: was found for another model than the tables before it; original_length or rope_theta differs", path);
    }
    all->original_length = (int64_t)original;
    for (size_t i = 0; i < all->count; i++) {
        const struct factor_entry *other = &all->tables[i];
        if (other->pairs != entry->pairs) {
            return error_set(error, STATUS_INPUT,
                             "%s: holds %" PRId64 " factors, '%s' holds %" PRId64 "; they are not of one model", path,
                             entry->pairs, other->name, other->pairs);
        }
        if (other->max_length == entry->max_length) {
            return error_set(error, STATUS_INPUT,
                             "%s: is a second table for %" PRId64 " tokens, after '%s'; give one per length", path,
                             entry->max_length, other->name);
        }
    }
    all->tables[all->count++] = *entry;
    if (one->exportable_count) all->exportable[all->exportable_count++] = one->exportable[0];
    return STATUS_OK;
}

static int by_length(const void *a, const void *b) {
    int64_t x = ((const struct factor_entry *)a)->max_length, y = ((const struct factor_entry *)b)->max_length;
    return (x > y) - (x < y);
}

static int read_list(char *const *sources, size_t count, struct factor_file *out, struct error *error) {
    out->tables = calloc(count, sizeof *out->tables);
    out->exportable = calloc(count, sizeof *out->exportable);
    if (!out->tables || !out->exportable) {
        return error_memory(error, 2.0 * (double)count * sizeof *out->tables, "the factor tables");
    }
    for (size_t i = 0; i < count; i++) {
        struct listed listed;
        struct factor_file one = {0};
        int status = listed_parse(sources[i], &listed)
                         ? listed_read(&listed, &one, error)
                         : error_set(error, STATUS_INPUT,
                                     "'%s': several sources must have the form LENGTH=FILE, for example 4096=short.csv",
                                     sources[i]);
        if (status == STATUS_OK) status = add_table(out, &one, listed.path, error);
        factors_free(&one);
        if (status != STATUS_OK) return status;
    }
    qsort(out->tables, out->count, sizeof *out->tables, by_length);
    return STATUS_OK;
}

/* ---- all ---- */

static bool is_list(char *const *sources, size_t count) {
    struct listed listed;
    return count > 1 || listed_parse(sources[0], &listed);
}

static int read_sources(char *const *sources, size_t count, const char *stage, double max_factor,
                        struct factor_file *out, struct error *error) {
    bool several = is_list(sources, count);
    if (max_factor > 0.0 && (several || store_exists(sources[0]))) {
        return error_set(error, STATUS_INPUT,
                         "--max-factor: requires the folder of a CLEX model as the only SOURCE; '%s' is %s", sources[0],
                         several ? "of a list" : "a run");
    }
    if (max_factor > 0.0) return factors_read_clex(sources[0], max_factor, out, error);
    if (several) return read_list(sources, count, out, error);
    if (store_exists(sources[0])) return read_run(sources[0], stage, out, error);
    return factors_read(sources[0], out, error);
}

static int add_origin(const char *source, const struct export_origin *origin, struct factor_file *file,
                      struct error *error) {
    if (origin->original_length && file->original_length && origin->original_length != file->original_length) {
        return error_set(error, STATUS_INPUT, "--original-length %" PRId64 ": contradicts %s, which says %" PRId64,
                         origin->original_length, source, file->original_length);
    }
    if (origin->rope_theta > 0.0 && file->rope_theta > 0.0 && origin->rope_theta != file->rope_theta) {
        return error_set(error, STATUS_INPUT, "--rope-theta %g: contradicts %s, which says %g", origin->rope_theta,
                         source, file->rope_theta);
    }
    if (origin->original_length) file->original_length = origin->original_length;
    if (origin->rope_theta > 0.0) file->rope_theta = origin->rope_theta;
    return STATUS_OK;
}

/* The window of a model with its own longrope scaling is the extended one, so it is not the default. */
static int ask_model(const char *source, const struct model_config *model, struct factor_file *file,
                     struct error *error) {
    if (!model) return STATUS_OK;
    int status = factors_check(file, source, &model->rope, error);
    if (file->rope_theta == 0.0) file->rope_theta = model->rope.theta;
    if (file->original_length == 0 && model->rope.type != ROPE_TYPE_LONGROPE) file->original_length = model->window;
    return status;
}

/* The scales of the tables of a list. */
static void add_scales(struct factor_file *file) {
    if (file->original_length == 0) return;
    for (size_t i = 0; i < file->count; i++) {
        struct factor_entry *entry = &file->tables[i];
        if (entry->scale > 0.0 || entry->max_length == 0) continue;
        entry->scale = fmax(1.0, (double)entry->max_length / (double)file->original_length);
    }
}

int export_source_read(char *const *sources, size_t count, const char *stage, const struct export_origin *origin,
                       struct factor_file *out, struct error *error) {
    *out = (struct factor_file){0};
    int status = read_sources(sources, count, stage, origin->max_factor, out, error);
    if (status == STATUS_OK) status = add_origin(sources[0], origin, out, error);
    if (status == STATUS_OK) status = ask_model(sources[0], origin->model, out, error);
    if (status == STATUS_OK && is_list(sources, count)) add_scales(out);
    return status;
}

/* A path that leads nowhere states no model, and the path is what is wrong. Numbers are no path. */
static int check_exists(const char *source, struct error *error) {
    bool numbers = source[strspn(source, "0123456789.eE+-, ")] == '\0';
    if (numbers || access(source, F_OK) == 0 || errno != ENOENT) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: does not exist; name a run, a factor file or the folder of a CLEX model",
                     source);
}

int export_source_model(char *const *sources, size_t count, const char *stage, char **out, struct error *error) {
    char model[STORE_PATH_SIZE] = "";
    *out = NULL;
    if (is_list(sources, count)) return STATUS_OK;
    if (!store_exists(sources[0])) return check_exists(sources[0], error);
    int status = read_run_model(sources[0], stage, model, error);
    if (status == STATUS_OK && !*model) { /* where no stage is done, that is what is missing */
        struct factor_file tables;
        status = run_tables_source(sources[0], &tables, error);
        if (status == STATUS_OK) factors_free(&tables);
        return status;
    }
    if (status != STATUS_OK) return status;
    *out = strdup(model);
    return *out ? STATUS_OK : error_memory(error, (double)strlen(model), "a path");
}
