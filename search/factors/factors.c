#include "search/factors/factors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "search/factors/factors_readers.h"

void factor_entry_complete(struct factor_entry *entry) {
    for (int64_t i = 0; i < entry->pairs; i++) {
        if (entry->composed) {
            entry->factors[i] = entry->finetuned[i] * entry->searched[i];
        } else {
            entry->finetuned[i] = 1.0;
            entry->searched[i] = entry->factors[i];
        }
    }
}

static struct factor_entry entry_of_pair(const char *name, const struct factors_pair *pair, const double *factors,
                                         int64_t max_length) {
    struct factor_entry entry = {.max_length = max_length,
                                 .scale = (double)max_length / (double)pair->original_length,
                                 .pairs = pair->pairs,
                                 .whole = true,
                                 .attention_factor = pair->attention_factor,
                                 .perplexity = NAN};
    snprintf(entry.name, sizeof entry.name, "%s", name);
    memcpy(entry.factors, factors, (size_t)pair->pairs * sizeof *factors);
    factor_entry_complete(&entry);
    return entry;
}

int factors_from_pair(const struct factors_pair *pair, struct factor_file *out, struct error *error) {
    out->tables = calloc(2, sizeof *out->tables);
    if (!out->tables) return error_memory(error, 2.0 * sizeof *out->tables, "the factor tables");
    out->count = 2;
    out->original_length = pair->original_length;
    out->rope_theta = pair->rope_theta;
    int64_t longest = pair->window > pair->original_length ? pair->window : pair->original_length + 1;
    out->tables[0] = entry_of_pair("short", pair, pair->short_factors, pair->original_length);
    out->tables[1] = entry_of_pair("long", pair, pair->long_factors, longest);
    return STATUS_OK;
}

/* ---- files ---- */

/* Factor files are small. A file of weights that was named by mistake is not read. */
enum { LARGEST = 64 << 20 };

/* Reads a file into a string, which the caller frees. */
static int read_file(const char *path, char **text, size_t *size, struct error *error) {
    struct stat info;
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > LARGEST) {
        return error_set(error, STATUS_INPUT, "%s: is not a factor file: it is larger than %d MiB", path,
                         LARGEST >> 20);
    }
    unsigned char *bytes = NULL;
    int status = file_read(path, &bytes, size, error);
    if (status != STATUS_OK) return status;
    char *string = realloc(bytes, *size + 1);
    if (!string) {
        free(bytes);
        return error_memory(error, (double)*size, "a factor file");
    }
    string[*size] = '\0';
    *text = string;
    return STATUS_OK;
}

/* Reads only the first bytes, because a GGUF can be larger than memory. */
static bool is_gguf(const char *path) {
    char magic[4] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool read_all = file >= 0 && read(file, magic, sizeof magic) == sizeof magic;
    if (file >= 0) close(file);
    return read_all && memcmp(magic, "GGUF", sizeof magic) == 0;
}

static int read_path(const char *path, struct factor_file *out, struct error *error) {
    if (is_gguf(path)) return factors_read_gguf(path, out, error);
    char *text = NULL;
    size_t size;
    int status = read_file(path, &text, &size, error);
    if (status != STATUS_OK) return status;
    status = file_recognise(path, text, size, error);
    if (status != STATUS_OK) {
        free(text);
        return status;
    }
    if (text[strspn(text, " \t\r\n")] == '{') {
        status = factors_read_json(path, text, size, out, error);
    } else if (memchr(text, '\0', size)) {
        status = error_set(error, STATUS_INPUT, "%s: is neither JSON nor GGUF nor text with numbers", path);
    } else {
        status = factors_read_text(path, text, out, error);
    }
    free(text);
    return status;
}

/* The folder of a model: its config.json is read. */
static int read_folder(const char *dir, struct factor_file *out, struct error *error) {
    char *path = NULL;
    if (asprintf(&path, "%s/config.json", dir) < 0) return error_memory(error, 0, "a path");
    int status = access(path, F_OK) == 0
                     ? read_path(path, out, error)
                     : error_set(error, STATUS_INPUT,
                                 "%s: is a folder without config.json and without a run that has begun; name a "
                                 "factor file, a model's folder or a run",
                                 dir);
    free(path);
    return status;
}

static int read_inline(const char *numbers, struct factor_file *out, struct error *error) {
    char *text = strdup(numbers);
    if (!text) return error_memory(error, (double)strlen(numbers), "a factor table");
    int status = factors_read_text("inline factors", text, out, error);
    free(text);
    return status;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Inline numbers, unless a file has that name. */
static bool is_inline(const char *source) {
    bool numbers = source[strspn(source, "0123456789.eE+-, ")] == '\0' && source[strcspn(source, "0123456789")];
    return numbers && access(source, F_OK) != 0;
}

/* Numbers in another form, which would be looked for as a file. nan and inf are numbers to the C library. */
static bool is_almost_inline(const char *source) {
    char *end;
    strtod(source, &end);
    bool number = end > source && (*end == ',' || *end == ';');
    return source[strcspn(source, ",;[")] && (number || strchr("0123456789[.,;+-", *source)) && !strchr(source, '/') &&
           access(source, F_OK) != 0;
}

int factors_read(const char *source, struct factor_file *out, struct error *error) {
    *out = (struct factor_file){0};
    if (is_almost_inline(source) && !is_inline(source)) {
        return error_set(error, STATUS_INPUT,
                         "'%.80s': is neither a file nor numbers separated by commas, as in 1.0,1.2", source);
    }
    int status = is_inline(source)   ? read_inline(source, out, error)
                 : is_folder(source) ? read_folder(source, out, error)
                                     : read_path(source, out, error);
    if (status != STATUS_OK) factors_free(out);
    return status;
}

void factors_free(struct factor_file *file) {
    free(file->tables), free(file->exportable);
    *file = (struct factor_file){0};
}

/* A table without a max_length serves any length. */
static int64_t reach_of(const struct factor_entry *entry) {
    return entry->max_length > 0 ? entry->max_length : INT64_MAX;
}

const struct factor_entry *factors_for_length(const struct factor_entry *tables, size_t count, int64_t length) {
    const struct factor_entry *chosen = NULL, *longest = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct factor_entry *entry = &tables[i];
        if (reach_of(entry) >= length && (!chosen || reach_of(entry) < reach_of(chosen))) chosen = entry;
        if (!longest || reach_of(entry) > reach_of(longest)) longest = entry;
    }
    return chosen ? chosen : longest;
}

const struct factor_entry *factors_without_start_tokens(const struct factor_file *file,
                                                        const struct factor_entry *best) {
    const struct factor_entry *found = NULL;
    if (best->start_tokens == 0) return best;
    for (size_t i = 0; i < file->exportable_count; i++) {
        const struct factor_entry *other = &file->exportable[i];
        if (other->start_tokens || other->max_length != best->max_length) continue;
        found = other;
        if (strcmp(other->name, best->name) == 0) break;
    }
    return found;
}

/* ---- tables of a model ---- */

int factors_check(const struct factor_file *file, const char *source, const struct rope_model *model,
                  struct error *error) {
    for (size_t i = 0; i < file->count + file->exportable_count; i++) {
        const struct factor_entry *entry = i < file->count ? &file->tables[i] : &file->exportable[i - file->count];
        if (entry->pairs == model->pairs) continue;
        return error_set(error, STATUS_INPUT,
                         "%.200s: holds %" PRId64 " factors, but the model has %" PRId64
                         " rotary pairs; was it made for another model?",
                         source, entry->pairs, model->pairs);
    }
    if (file->rope_theta > 0.0 && file->rope_theta != model->theta) {
        return error_set(
            error, STATUS_INPUT,
            "%.200s: was made for rope_theta %g, but the model has %g; its factors do not apply to this model", source,
            file->rope_theta, model->theta);
    }
    return STATUS_OK;
}

void factor_entry_table(const struct factor_entry *entry, const struct rope_model *model, int64_t length,
                        double attention_factor, struct rope_table *out) {
    struct rope_model plain = rope_model_plain(model->pairs, model->theta);
    rope_model_table(out, entry->whole ? &plain : model, length);
    if (entry->composed) rope_compose(out, entry->finetuned);
    memcpy(out->factors, entry->searched, sizeof out->factors);
    out->start_tokens = entry->start_tokens;
    out->attention_factor = entry->attention_factor > 0.0 ? entry->attention_factor : attention_factor;
}
