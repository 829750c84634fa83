#include "search/recipe/stage_space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/run/run_view.h"

/* ---- the stage's base ---- */

/* The best table without start tokens of a stage that is done: models are fine-tuned with it, and engines read it. */
static int table_of_stage(const struct search_context *context, const struct stage_config *config, const char *name,
                          struct factor_entry *out, struct error *error) {
    bool found = false;
    int status = run_exportable_table(context->store, name, out, &found, error);
    if (status != STATUS_OK || found) return status;
    return error_set(error, STATUS_INPUT,
                     "stage '%s': it needs the table of stage '%s', which is not done; run that first", config->name,
                     name);
}

int stage_space_base(const struct search_context *context, const struct stage_config *config,
                     const struct model_config *model, struct stage_base *out, struct error *error) {
    if (config->base == CONFIG_NO_STAGE) return stage_base_resolve(config, model, NULL, out, error);
    struct factor_entry base;
    int status = table_of_stage(context, config, context->config->stages[config->base].name, &base, error);
    return status == STATUS_OK ? stage_base_resolve(config, model, &base, out, error) : status;
}

/* ---- the attention factor ---- */

const struct stage_config *stage_space_longest(const struct config *config, const struct stage_config *stage) {
    const struct stage_config *longest = NULL;
    for (const struct stage_config *s = config->stages; s < stage; s++) {
        if (s->kind == STAGE_EXTEND && (!longest || s->target_length > longest->target_length)) longest = s;
    }
    return longest;
}

const struct stage_config *stage_space_attention_from(const struct config *config, const struct stage_config *stage) {
    bool shares = stage->attention_rule == ATTENTION_LONGROPE || stage->attention_rule == ATTENTION_SEARCH;
    return stage->kind == STAGE_RECOVER && shares ? stage_space_longest(config, stage) : NULL;
}

/* Engines multiply cosine and sine by one number for both the long and the short table, so the short table is
 * searched with the attention factor of the longest stage before it. */
static int long_attention_factor(const struct search_context *context, const struct stage_config *config,
                                 const struct stage_base *base, double *out, struct error *error) {
    const struct stage_config *longest = stage_space_attention_from(context->config, config);
    struct rope_table own;
    stage_base_own_table(base, config->target_length, &own);
    *out = own.own_attention_factor;
    if (!longest) return STATUS_OK;
    struct factor_entry table;
    int status = table_of_stage(context, config, longest->name, &table, error);
    if (status == STATUS_OK) *out = table.attention_factor;
    return status;
}

static int find_attention_factor(const struct search_context *context, const struct stage_config *config,
                                 const struct stage_base *base, double scale, double *out, struct error *error) {
    switch (config->attention_rule) {
    case ATTENTION_LONGROPE:
    case ATTENTION_SEARCH: /* the middle of its range */
        if (config->kind == STAGE_RECOVER) return long_attention_factor(context, config, base, out, error);
        *out = rope_longrope_attention_factor(scale, base->window);
        break;
    case ATTENTION_YARN:
        *out = rope_yarn_attention_factor(scale);
        break;
    case ATTENTION_NONE:
        *out = 1.0;
        break;
    case ATTENTION_NUMBER:
        *out = config->attention_factor;
        break;
    }
    return STATUS_OK;
}

/* ---- the lattice ---- */

/* The largest gene: the largest factor, 1.25 s as published, or LongRoPE2's 2 s, rounded down to the lattice. */
static int largest_gene(const struct stage_config *config, double scale, int32_t *out, struct error *error) {
    double standard = config->critical_rule == CRITICAL_NONE ? 1.25 * scale : 2.0 * scale;
    double largest = config->lambda_max > 0.0 ? config->lambda_max : standard;
    double steps = floor(largest * config->lattice_unit + 1e-6); /* 1.2 x 100 is a little under 120 */
    if (steps > INT32_MAX / 2) {
        return error_set(error, STATUS_INPUT,
                         "stage '%s': factors up to %g in steps of 1/%d are too many steps; raise lambda_step or lower "
                         "lambda_max",
                         config->name, largest, (int)config->lattice_unit);
    }
    *out = steps < config->lattice_unit ? config->lattice_unit : (int32_t)steps;
    return STATUS_OK;
}

/* That of the window before any extension. */
static int32_t theoretical_critical(const struct stage_record *record, int64_t pairs) {
    const struct rope_model plain = rope_model_plain(pairs, record->rope_theta);
    struct rope_table table;
    rope_model_table(&table, &plain, record->pretrained_length);
    return (int32_t)rope_critical_pair(&table, record->pretrained_length);
}

/* The bounds of the critical pair, and the smallest gene: s, rounded up to the lattice. */
static int find_critical(const struct stage_config *config, const struct stage_record *record,
                         struct genome_space *space, struct error *error) {
    if (config->critical_rule == CRITICAL_NONE) return STATUS_OK;
    int32_t theoretical = theoretical_critical(record, space->pairs);
    space->critical_low = space->critical_high = theoretical;
    if (config->critical_rule == CRITICAL_SEARCHED) {
        space->critical_low = theoretical > STAGE_CRITICAL_REACH ? theoretical - STAGE_CRITICAL_REACH : 1;
    } else if (config->critical_rule == CRITICAL_NUMBER) {
        space->critical_low = space->critical_high = (int32_t)config->critical_pair;
    }
    if (space->critical_high >= space->pairs) {
        return error_set(error, STATUS_INPUT,
                         "stage '%s': 'critical_pair' is %d, but the model has only %d rotary pairs, and at least the "
                         "last one must be searched; the theoretical critical pair is %d",
                         config->name, (int)space->critical_high, (int)space->pairs, (int)theoretical);
    }
    space->smallest = (int32_t)ceil(record->scale * space->unit - 1e-6);
    int64_t needed = space->pairs - space->critical_low, steps = (int64_t)space->largest - space->smallest + 1;
    if (steps >= needed) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "stage '%s': %d pairs from the critical pair %d on must increase strictly from %g to %g, where "
                     "the lattice has %d values; %s",
                     config->name, (int)needed, (int)space->critical_low, record->scale,
                     (double)space->largest / space->unit, (int)(steps > 0 ? steps : 0),
                     config->lambda_max > 0.0 ? "raise lambda_max or lower lambda_step" : "lower lambda_step");
}

int stage_space_lattice(const struct stage_config *config, int64_t pairs, const struct stage_record *record,
                        struct genome_space *out, struct error *error) {
    *out = (struct genome_space){
        .pairs = pairs, .unit = config->lattice_unit, .start_count = (int32_t)config->start_count};
    memcpy(out->start_tokens, config->start_tokens, sizeof out->start_tokens);
    if (config->attention_rule == ATTENTION_SEARCH) {
        /* 0.8 to 1.2 times the formula's */
        out->attention_unit = 1000;
        out->attention_low = (int32_t)lround(0.8 * record->attention_factor * out->attention_unit);
        out->attention_high = (int32_t)lround(1.2 * record->attention_factor * out->attention_unit);
    }
    int status = largest_gene(config, record->scale, &out->largest, error);
    return status == STATUS_OK ? find_critical(config, record, out, error) : status;
}

/* ---- the record ---- */

/* What searched tables rescale. */
static void describe_model(const struct search_context *context, const struct stage_config *config, const char *folder,
                           const struct stage_base *base, struct stage_record *record) {
    struct rope_table table;
    rope_model_table(&table, &base->searched, config->target_length);
    record->kind = config->kind;
    record->original_length = base->window;
    record->pretrained_length = base->pretrained_length;
    record->composed = base->searched.type != ROPE_TYPE_DEFAULT;
    record->base_attention_factor = table.own_attention_factor;
    for (int64_t i = 0; i < ROPE_MAX_PAIRS; i++) record->base_factors[i] = i < table.pairs ? table.own_factors[i] : 1.0;
    if (config->base != CONFIG_NO_STAGE) strcpy(record->base, context->config->stages[config->base].name);
    char *absolute = realpath(folder, NULL);
    snprintf(record->model, sizeof record->model, "%s", absolute ? absolute : folder);
    free(absolute);
}

static int check_name(const struct stage_config *config, struct error *error) {
    const size_t most = sizeof((struct stage_record *)NULL)->name - 1;
    if (strlen(config->name) <= most) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "stage '%s': the name is longer than %zu characters; shorten it",
                     config->name, most);
}

static double scale_of(const struct stage_config *config, int64_t window) {
    return fmax(1.0, (double)config->target_length / (double)window);
}

int stage_space_check(const struct stage_config *config, const struct model_config *model, int64_t base_length,
                      struct error *error) {
    const struct stage_record record = {.scale = scale_of(config, stage_window(config->kind, model, base_length)),
                                        .pretrained_length = stage_pretrained_length(model),
                                        .rope_theta = model->rope.theta,
                                        .attention_factor = 1.0};
    struct genome_space space;
    int status = check_name(config, error);
    return status == STATUS_OK ? stage_space_lattice(config, model->rope.pairs, &record, &space, error) : status;
}

int stage_space_record(const struct search_context *context, const struct stage_config *config, const char *folder,
                       const struct model_config *model, const struct stage_base *base, struct stage_record *record,
                       struct error *error) {
    int checked = check_name(config, error);
    if (checked != STATUS_OK) return checked;
    strcpy(record->name, config->name);
    describe_model(context, config, folder, base, record);
    record->objective = config->objective;
    record->target_length = config->target_length;
    record->scale = scale_of(config, base->window);
    record->rope_theta = model->rope.theta;
    record->iterations = (int64_t)config->search.iterations;
    record->evaluations = (int64_t)config->search.evaluations;
    record->planned = (int64_t)evolve_planned(&config->search, config->initial_count);
    int status = find_attention_factor(context, config, base, record->scale, &record->attention_factor, error);
    return status == STATUS_OK ? stage_space_lattice(config, model->rope.pairs, record, &record->space, error) : status;
}

struct rope_setting stage_space_setting(const struct stage_record *record, const struct rope_model *model) {
    return (struct rope_setting){.model = model,
                                 .original_length = record->original_length,
                                 .scale = record->scale,
                                 .length = record->target_length};
}
