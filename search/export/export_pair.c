#include "search/export/export_pair.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/model/model_config.h"

/* ---- the source's tables ---- */

static const char *name_of(const struct factor_entry *entry) { return *entry->name ? entry->name : "without a name"; }

static const struct factor_entry *entry_named(const struct factor_file *file, const char *name) {
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tables[i].name, name) == 0) return &file->tables[i];
    }
    return NULL;
}

/* "a, b and c", cut where that is long */
static void list_names(const struct factor_file *file, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < file->count && used < size; i++) {
        const char *between = i == 0 ? "" : i + 1 == file->count ? " and " : ", ";
        int printed = snprintf(out + used, size - used, "%s'%s'", between, file->tables[i].name);
        used += printed > 0 ? (size_t)printed : 0;
    }
}

static int choose_named(const struct factor_file *file, const char *source, const char *name,
                        const struct factor_entry **out, struct error *error) {
    *out = entry_named(file, name);
    if (*out) return STATUS_OK;
    char names[300];
    list_names(file, names, sizeof names);
    return error_set(error, STATUS_INPUT, "%s: has no table '%s' of a stage that is done; it has %s", source, name,
                     names);
}

static int choose_long(const struct factor_file *file, const char *source, const struct export_choice *choice,
                       const struct factor_entry **out, struct error *error) {
    if (choice->stage) return choose_named(file, source, choice->stage, out, error);
    *out = factors_for_length(file->tables, file->count, choice->length ? choice->length : INT64_MAX);
    if ((*out)->max_length == 0 || (*out)->max_length >= choice->length) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "--length %" PRId64 ": the longest table of %s reaches %" PRId64 " tokens",
                     choice->length, source, (*out)->max_length);
}

/* The best of a stage without start tokens, which engines know nothing of. */
static int find_used(const struct factor_file *file, const char *source, const struct factor_entry *best,
                     const struct factor_entry **out, struct error *error) {
    *out = best;
    if (best->start_tokens == 0) return STATUS_OK;
    for (size_t i = 0; i < file->exportable_count; i++) {
        const struct factor_entry *other = &file->exportable[i];
        if (other->start_tokens || other->max_length != best->max_length) continue;
        *out = other;
        if (strcmp(other->name, best->name) == 0) return STATUS_OK;
    }
    if (*out != best) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: table '%s' leaves its first %" PRId64
                     " tokens as they are, which no engine can, and no table "
                     "for %" PRId64 " tokens without start tokens is beside it; search with start_tokens: [0], or "
                     "export as json for this program",
                     source, name_of(best), best->start_tokens, best->max_length);
}

static int choose_table(const struct factor_file *file, const char *source, const struct factor_entry *best,
                        struct export_table *out, struct error *error) {
    *out = (struct export_table){.best = best, .max_length = best->max_length};
    return find_used(file, source, best, &out->used, error);
}

/* ---- with the model ---- */

/* The window that attention factors are computed from, as eval has it. */
static int64_t original_length_of(const struct factor_file *file, const struct model_config *model) {
    return file->original_length > 0 || !model ? file->original_length : model->window;
}

/* Where the short table ends if nobody says: where the model's own longrope scaling switches, or that window. */
static int64_t usual_switch(const struct factor_file *file, const struct model_config *model) {
    bool own = file->original_length == 0 && model->rope.type == ROPE_TYPE_LONGROPE;
    return own ? model->rope.original_length : original_length_of(file, model);
}

/* m of a table that does not say it: LongRoPE's, or 0 where it is not known what from. */
static double attention_of(const struct factor_entry *entry, int64_t max_length, int64_t original_length) {
    if (entry->attention_factor > 0.0) return entry->attention_factor;
    double scale = entry->scale;
    if (scale == 0.0 && original_length) scale = fmax(1.0, (double)max_length / (double)original_length);
    return scale > 0.0 && original_length ? rope_longrope_attention_factor(scale, original_length) : 0.0;
}

/* Multiplies the table by what the model does of itself to inputs of `length` tokens, where it is not whole. */
static void fill_table(struct export_table *table, const struct model_config *model, int64_t length,
                       int64_t original_length) {
    const struct factor_entry *entry = table->used;
    double attention_factor = attention_of(entry, table->max_length, original_length);
    memcpy(table->factors, entry->factors, sizeof table->factors);
    table->attention_factor = attention_factor;
    if (!model) return;
    struct rope_table whole;
    factor_entry_table(entry, &model->rope, length, attention_factor, &whole);
    for (int64_t i = 0; i < entry->pairs; i++) table->factors[i] = whole.own_factors[i] * whole.factors[i];
    table->attention_factor = whole.own_attention_factor * whole.attention_factor;
}

/* Engines have one block of rotary settings, so a table on top of the model's own must be one product with it. */
static int check_own(const struct export_pair *pair, const struct export_table *table, const struct model_config *model,
                     struct error *error) {
    if (table->used->whole || !model) return STATUS_OK;
    if (model->rope.type == ROPE_TYPE_DYNAMIC) {
        return error_set(error, STATUS_INPUT,
                         "table '%s' multiplies the model's own \"dynamic\" scaling, which changes with every length; "
                         "no engine can have both: take that scaling out of config.json and search again",
                         name_of(table->used));
    }
    if (model->rope.type != ROPE_TYPE_LONGROPE || pair->switch_length == model->rope.original_length) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "table '%s' multiplies the model's own longrope scaling, which changes beyond %" PRId64
                     " tokens and not beyond %" PRId64 "; say --short-length %" PRId64,
                     name_of(table->used), model->rope.original_length, pair->switch_length,
                     model->rope.original_length);
}

static int check_numbers(const struct export_table *table, struct error *error) {
    static const double least = 1e-15, most = 1e15; /* what config.json is believed within */
    for (int64_t i = 0; i < table->used->pairs; i++) {
        if (table->factors[i] >= least && table->factors[i] <= most) continue;
        return error_set(error, STATUS_INPUT,
                         "table '%s': factor %" PRId64 " is %g; engines compute in float32, %g to %g is exported",
                         name_of(table->used), i, table->factors[i], least, most);
    }
    if (table->attention_factor == 0.0) return STATUS_OK;
    if (table->attention_factor >= least && table->attention_factor <= most) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "table '%s': its attention factor is %g; %g to %g is exported",
                     name_of(table->used), table->attention_factor, least, most);
}

static int finish_table(const struct export_pair *pair, struct export_table *table, const struct model_config *model,
                        int64_t length, struct error *error) {
    int status = check_own(pair, table, model, error);
    if (status != STATUS_OK) return status;
    fill_table(table, model, length, pair->original_length);
    return check_numbers(table, error);
}

static int begin(const struct factor_file *file, const char *source, const struct export_choice *choice,
                 const struct model_config *model, struct export_pair *out, struct error *error) {
    const struct factor_entry *best = NULL;
    *out = (struct export_pair){.theta = file->rope_theta};
    int status = choose_long(file, source, choice, &best, error);
    if (status == STATUS_OK) status = choose_table(file, source, best, &out->long_table, error);
    if (status != STATUS_OK) return status;
    out->pairs = best->pairs;
    out->original_length = original_length_of(file, model);
    if (model) out->theta = model->rope.theta;
    if (out->long_table.max_length == 0) out->long_table.max_length = choice->length;
    return STATUS_OK;
}

int export_pair_choose_one(const struct factor_file *file, const char *source, const struct export_choice *choice,
                           const struct model_config *model, struct export_pair *out, struct error *error) {
    int status = begin(file, source, choice, model, out, error);
    if (status != STATUS_OK) return status;
    if (model) out->switch_length = choice->short_length ? choice->short_length : usual_switch(file, model);
    return finish_table(out, &out->long_table, model, out->long_table.max_length, error);
}

static int check_lengths(const struct export_pair *pair, const char *source, struct error *error) {
    int64_t longest = pair->long_table.max_length;
    if (longest == 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: does not say how long inputs its table is for; say --length N, the extended window",
                         source);
    }
    if (longest > MODEL_WINDOW_MAX) {
        return error_set(error, STATUS_INPUT, "%s: its table is for %" PRId64 " tokens; at most %d are exported",
                         source, longest, (int)MODEL_WINDOW_MAX);
    }
    if (pair->switch_length < longest) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "the short table is to serve inputs of up to %" PRId64 " tokens, the long one ends at %" PRId64
                     "; say --short-length N, the model's window before it was extended",
                     pair->switch_length, longest);
}

/* The source's table for the short window, or the long one where it has none that ends before that. */
static int choose_short(const struct factor_file *file, const char *source, struct export_pair *pair,
                        struct error *error) {
    const struct factor_entry *best = factors_for_length(file->tables, file->count, pair->switch_length);
    pair->short_table = pair->long_table;
    pair->recovered =
        best != pair->long_table.best && best->max_length && best->max_length < pair->long_table.max_length;
    return pair->recovered ? choose_table(file, source, best, &pair->short_table, error) : STATUS_OK;
}

int export_pair_choose(const struct factor_file *file, const char *source, const struct export_choice *choice,
                       const struct model_config *model, struct export_pair *out, struct error *error) {
    int status = begin(file, source, choice, model, out, error);
    if (status != STATUS_OK) return status;
    out->switch_length = choice->short_length ? choice->short_length : usual_switch(file, model);
    status = check_lengths(out, source, error);
    if (status == STATUS_OK) status = choose_short(file, source, out, error);
    if (status == STATUS_OK) status = finish_table(out, &out->short_table, model, out->switch_length, error);
    return status == STATUS_OK ? finish_table(out, &out->long_table, model, out->long_table.max_length, error) : status;
}

void export_pair_note(const struct export_pair *pair, struct export_notes *notes) {
    double m = pair->long_table.attention_factor, own = pair->short_table.attention_factor;
    if (fabs(own / m - 1.0) < 1e-7) return; /* float32 cannot tell them apart */
    export_note(notes,
                "engines have one attention factor for both tables: that of '%s', %.6g, is used with '%s', too, which "
                "was found with %.6g; to search the short table for it, give its stage attention_factor: %.6g",
                pair->long_table.used->name, m, pair->short_table.used->name, own, m);
}
