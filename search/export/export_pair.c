#include "search/export/export_pair.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/base/trace.h"
#include "eval/model/model_config.h"

/* ---- notes ---- */

void export_note(struct export_notes *notes, const char *format, ...) {
    if (notes->count == EXPORT_NOTES_MAX) return;
    char *out = notes->items[notes->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, EXPORT_NOTE_SIZE, format, arguments);
    va_end(arguments);
    for (char *c = out; *c; c++) { /* names of tables can contain control characters */
        if ((unsigned char)*c < ' ' || *c == 127) *c = ' ';
    }
}

void export_notes_print(const struct export_notes *notes) {
    for (size_t i = 0; i < notes->count; i++) fprintf(stderr, "longrope: %s\n", notes->items[i]);
}

/* ---- the source's tables ---- */

static const char *name_of(const struct factor_entry *entry) { return *entry->name ? entry->name : "without a name"; }

/* STATUS_INPUT that lists the names of the tables. */
static int unknown_stage(const struct factor_file *file, const char *source, const char *name, struct error *error) {
    const char *names[64]; /* of more, the first */
    size_t count = file->count < sizeof names / sizeof *names ? file->count : sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++) names[i] = file->tables[i].name;
    return name_unknown(source, "finished stage", name, names, count, error);
}

static int choose_stage(const struct factor_file *file, const char *source, const char *name,
                        const struct factor_entry **out, struct error *error) {
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tables[i].name, name) != 0) continue;
        *out = &file->tables[i];
        TRACE(TRACE_EXPORT, "long table: '%s', by --stage", name);
        return STATUS_OK;
    }
    return unknown_stage(file, source, name, error);
}

static int choose_long(const struct factor_file *file, const char *source, const struct export_choice *choice,
                       const struct factor_entry **out, struct error *error) {
    if (choice->stage) return choose_stage(file, source, choice->stage, out, error);
    *out = factors_for_length(file->tables, file->count, choice->length ? choice->length : INT64_MAX);
    TRACE(TRACE_EXPORT, "long table: '%s' for %" PRId64 " tokens, %s of %zu", name_of(*out), (*out)->max_length,
          choice->length ? "the shortest that reaches --length" : "the longest", file->count);
    if ((*out)->max_length == 0 || (*out)->max_length >= choice->length) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "--length %" PRId64 ": the longest table of %s reaches %" PRId64 " tokens",
                     choice->length, source, (*out)->max_length);
}

/* Inference engines do not support start tokens. */
static int find_used(const struct factor_file *file, const char *source, const struct factor_entry *best,
                     const struct factor_entry **out, struct error *error) {
    *out = factors_without_start_tokens(file, best);
    if (*out == best) return STATUS_OK;
    if (*out) {
        TRACE(TRACE_EXPORT, "'%s' has %" PRId64 " start tokens; the best without replaces it: perplexity %g, not %g",
              name_of(best), best->start_tokens, (*out)->perplexity, best->perplexity);
        return STATUS_OK;
    }
    return error_set(error, STATUS_INPUT,
                     "%s: table '%s' has %" PRId64
                     " start tokens, which inference engines do not support, and there is no table without start "
                     "tokens for %" PRId64 " tokens; search with start_tokens: [0], or export as json",
                     source, name_of(best), best->start_tokens, best->max_length);
}

static int choose_table(const struct factor_file *file, const char *source, const struct factor_entry *best,
                        struct export_table *out, struct error *error) {
    *out = (struct export_table){.best = best, .max_length = best->max_length};
    return find_used(file, source, best, &out->used, error);
}

/* ---- with the model ---- */

/* The window from which attention factors are computed, as in longrope eval. */
static int64_t original_length_of(const struct factor_file *file, const struct model_config *model) {
    return file->original_length > 0 || !model ? file->original_length : model->window;
}

/* The default end of the short table: where the model's own longrope scaling changes tables, or that window. */
static int64_t usual_switch(const struct factor_file *file, const struct model_config *model) {
    bool own = file->original_length == 0 && model->rope.type == ROPE_TYPE_LONGROPE;
    return own ? model->rope.original_length : original_length_of(file, model);
}

/* The attention factor: the table's, else by LongRoPE's formula; 0 if the formula's inputs are unknown. */
static double attention_of(const struct factor_entry *entry, int64_t max_length, int64_t original_length) {
    if (entry->attention_factor > 0.0) return entry->attention_factor;
    double scale = entry->scale;
    if (scale == 0.0 && original_length) scale = fmax(1.0, (double)max_length / (double)original_length);
    return scale > 0.0 && original_length ? rope_longrope_attention_factor(scale, original_length) : 0.0;
}

/* Multiplies a table that is not whole by the model's own scaling for inputs of `length` tokens. */
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

/* Engines have one block of rotary settings, so the table and the model's own scaling must be one product. */
static int check_own(const struct export_pair *pair, const struct export_table *table, const struct model_config *model,
                     struct error *error) {
    if (table->used->whole || !model) return STATUS_OK;
    if (rope_type_varies(model->rope.type)) {
        return error_set(error, STATUS_INPUT,
                         "table '%s' multiplies the model's own \"%s\" scaling, which depends on the length; no "
                         "engine supports both: remove that scaling from config.json and search again",
                         name_of(table->used), rope_type_name(model->rope.type));
    }
    if (model->rope.type != ROPE_TYPE_LONGROPE || pair->switch_length == model->rope.original_length) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "table '%s' multiplies the model's own longrope scaling, which changes tables above %" PRId64
                     " tokens, not above %" PRId64 "; use --short-length %" PRId64,
                     name_of(table->used), model->rope.original_length, pair->switch_length,
                     model->rope.original_length);
}

static int check_numbers(const struct export_table *table, struct error *error) {
    static const double least = 1e-15, most = 1e15; /* the range that model_config_parse() accepts */
    for (int64_t i = 0; i < table->used->pairs; i++) {
        if (table->factors[i] >= least && table->factors[i] <= most) continue;
        return error_set(error, STATUS_INPUT, "table '%s': factor %" PRId64 " is %g; the supported range is %g to %g",
                         name_of(table->used), i, table->factors[i], least, most);
    }
    if (table->attention_factor == 0.0) return STATUS_OK;
    if (table->attention_factor >= least && table->attention_factor <= most) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "table '%s': its attention factor is %g; the supported range is %g to %g",
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

/* Engines have one key for the end of the short table and for the steps in which a model's queries grow. */
static int check_growth(const struct export_pair *pair, const struct model_config *model, struct error *error) {
    if (model->query_growth_length == 0 || model->query_growth_length == pair->switch_length) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "the model scales its queries by their position in steps of %" PRId64
                     " tokens (original_max_position_embeddings), where engines change tables, too, not above %" PRId64
                     " tokens; use --short-length %" PRId64,
                     model->query_growth_length, pair->switch_length, model->query_growth_length);
}

static int check_lengths(const struct export_pair *pair, const char *source, struct error *error) {
    int64_t longest = pair->long_table.max_length;
    if (longest == 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: the maximum length of its table is unknown; give --length N, the extended window",
                         source);
    }
    if (longest > MODEL_WINDOW_MAX) {
        return error_set(error, STATUS_INPUT,
                         "%s: its table is for %" PRId64 " tokens; the largest supported length is %d", source, longest,
                         (int)MODEL_WINDOW_MAX);
    }
    if (pair->switch_length < longest) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "the short table would serve inputs of up to %" PRId64
                     " tokens, but the long table ends at %" PRId64
                     "; give --short-length N, the model's window before the extension",
                     pair->switch_length, longest);
}

/* The table for switch_length tokens; the long table if no shorter one exists. */
static int choose_short(const struct factor_file *file, const char *source, struct export_pair *pair,
                        struct error *error) {
    const struct factor_entry *best = factors_for_length(file->tables, file->count, pair->switch_length);
    pair->short_table = pair->long_table;
    pair->recovered =
        best != pair->long_table.best && best->max_length && best->max_length < pair->long_table.max_length;
    TRACE(TRACE_EXPORT, "short table, up to %" PRId64 " tokens: '%s' for %" PRId64 " tokens, %s", pair->switch_length,
          name_of(pair->recovered ? best : pair->long_table.best),
          pair->recovered ? best->max_length : pair->long_table.max_length,
          pair->recovered ? "the shortest that reaches them" : "the long table, because none is shorter");
    return pair->recovered ? choose_table(file, source, best, &pair->short_table, error) : STATUS_OK;
}

/* Puts one table into both places, as the user chose. */
static int choose_places(const char *source, const struct export_choice *choice, struct export_pair *pair,
                         struct error *error) {
    pair->places = choice->places;
    if (choice->places == EXPORT_TWO_TABLES) return STATUS_OK;
    if (choice->places == EXPORT_SHORT_TWICE && !pair->recovered) {
        return error_set(error, STATUS_INPUT,
                         "--one-table short: %s has no table for up to %" PRId64
                         " tokens; search one in a stage of 'kind: recover', or use --one-table long",
                         source, pair->switch_length);
    }
    int64_t longest = pair->long_table.max_length;
    if (choice->places == EXPORT_SHORT_TWICE) pair->long_table = pair->short_table;
    pair->long_table.max_length = longest;
    pair->short_table = pair->long_table;
    pair->recovered = false;
    return STATUS_OK;
}

int export_pair_choose(const struct factor_file *file, const char *source, const struct export_choice *choice,
                       const struct model_config *model, struct export_pair *out, struct error *error) {
    int status = begin(file, source, choice, model, out, error);
    if (status != STATUS_OK) return status;
    out->switch_length = choice->short_length ? choice->short_length : usual_switch(file, model);
    status = check_lengths(out, source, error);
    if (status == STATUS_OK) status = check_growth(out, model, error);
    if (status == STATUS_OK) status = choose_short(file, source, out, error);
    if (status == STATUS_OK) status = choose_places(source, choice, out, error);
    if (status == STATUS_OK) status = finish_table(out, &out->short_table, model, out->switch_length, error);
    return status == STATUS_OK ? finish_table(out, &out->long_table, model, out->long_table.max_length, error) : status;
}

void export_pair_note(const struct export_pair *pair, struct export_notes *notes) {
    double m = pair->long_table.attention_factor, own = pair->short_table.attention_factor;
    if (fabs(own / m - 1.0) < 1e-7) return; /* equal in float32 */
    export_note(notes,
                "engines use one attention factor for both tables: that of '%s', %.6g, also applies to '%s', which was "
                "found with %.6g; to search the short table with it, set attention_factor: %.6g in its stage",
                pair->long_table.used->name, m, pair->short_table.used->name, own, m);
}
