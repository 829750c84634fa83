#include "search/recipe/old_window.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "search/recipe/recipe_paths.h"
#include "search/recipe/stage_state.h"
#include "search/run/run_tables.h"
#include "search/run/short_window.h"
#include "search/store/store_measurements.h"

enum { MOST_WINDOWS = 32 /* of text: enough to tell a per cent */ };

struct old_window {
    struct short_window window;
    struct stage_config config; /* of the stage that found the table, with the length and windows of the measurement */
    struct stage stage;         /* with that configuration; it is not in the store */
    char model[STORE_PATH_SIZE];
};

/* Windows of the old length: about as many tokens as one table of the stage is scored on. Each window of the stage
 * holds so many, so the text has them. */
static size_t windows_of(const struct stage_config *found, int64_t length) {
    double windows = found->samples ? (double)found->samples : 1.0; /* 0: one per document, of which there is one */
    double each = floor((double)found->target_length / (double)length);
    return (size_t)fmin(fmax(windows * each, 1.0), MOST_WINDOWS);
}

/* NULL: the configuration has changed. */
static const struct stage_config *config_of(const struct search_context *context, const char *stage) {
    const struct config *config = context->config;
    for (size_t i = 0; i < config->stage_count; i++) {
        if (strcmp(config->stages[i].name, stage) == 0) return &config->stages[i];
    }
    return NULL;
}

struct stage_config old_window_config(const struct stage_config *found, int64_t length) {
    struct stage_config config = *found;
    config.target_length = length;
    config.samples = windows_of(found, length);
    config.objective = OBJECTIVE_PERPLEXITY;
    config.held_out = 0;
    return config;
}

static int begin_elsewhere(struct old_window *old, const struct stage_config *found, struct error *error) {
    const struct config *config = old->stage.context->config;
    struct stage_order order;
    memset(&order, 0, sizeof order); /* all of it is sent */
    order.number = (int64_t)config->stage_count;
    order.index = found - config->stages;
    order.old_window = old->window.length;
    strcpy(order.model, old->model);
    return stage_begin_elsewhere(&old->stage, &order, error);
}

static int open_stage(struct old_window *old, const struct search_context *context, const struct stage_config *found,
                      struct error *error) {
    old->config = old_window_config(found, old->window.length);
    fprintf(stderr, "%s: evaluating its table within the old window of %" PRId64 " tokens\n", found->name,
            old->window.length);
    old->stage = (struct stage){.context = context, .config = &old->config, .folder = old->model};
    int status = begin_elsewhere(old, found, error);
    if (status != STATUS_OK) return status;
    status = stage_load_or_end(&old->stage, error);
    const struct scorer_options options = {.scoring = &old->stage.scoring};
    return status == STATUS_OK ? stage_make_scorer(&old->stage, options, error) : status;
}

static int measure_table(struct old_window *old, const char *label, const struct rope_table *table,
                         struct length_record *out, struct error *error) {
    struct stage *stage = &old->stage;
    struct scored scored;
    const struct kernels *kernels = stage->model->kernels;
    window_nats_clear(&stage->window_nats);
    int status =
        scorer_score(stage->scorer, table, NULL, stage_all_windows(stage), &stage->window_nats, &scored, error);
    if (status != STATUS_OK) return status;
    double mean = perplexity_mean_nats(&stage->scoring, stage->window_nats.nats);
    *out = (struct length_record){.measurement = {.length = old->window.length,
                                                  .scale = 1.0,
                                                  .attention_factor = table->attention_factor,
                                                  .pairs = table->pairs,
                                                  .seconds = scored.seconds},
                                  .windows = (int64_t)stage->scoring.count,
                                  .tokens = scoring_tokens(&stage->scoring),
                                  .nats_per_token = isfinite(mean) ? mean : NAN}; /* infinite: it overflowed */
    struct measurement *m = &out->measurement;
    memcpy(m->factors, table->factors, (size_t)table->pairs * sizeof *table->factors);
    snprintf(m->label, sizeof m->label, "%s", label);
    snprintf(m->model, sizeof m->model, "%s", old->model);
    snprintf(m->dtype, sizeof m->dtype, "%s", number_type_name(kernels->type));
    snprintf(m->kernels, sizeof m->kernels, "%s", kernels->name);
    snprintf(m->angles, sizeof m->angles, "%s", rope_angles_name(ROPE_ANGLES_F64));
    return STATUS_OK;
}

static int expect(const struct old_window *old, const struct rope_table *table, struct error *error) {
    const struct stage *stage = &old->stage;
    return scorer_expect(stage->scorer, table, stage_all_windows(stage), 0, SCORER_NO_TAG, error);
}

/* The run's table is stored with the factors that the run has, so that a reader can compare them. */
static int measure(struct old_window *old, struct error *error) {
    const struct rope_model *rope = &old->stage.model->config.rope;
    const struct factor_entry *entry = &old->window.table;
    struct length_record own, found;
    struct rope_table own_table, found_table;
    rope_model_table(&own_table, rope, old->window.length);
    factor_entry_table(entry, rope, old->window.length, 1.0, &found_table);
    int status = expect(old, &own_table, error);
    if (status == STATUS_OK) status = expect(old, &found_table, error);
    if (status == STATUS_OK) status = measure_table(old, SHORT_WINDOW_OWN, &own_table, &own, error);
    if (status == STATUS_OK) status = measure_table(old, SHORT_WINDOW_FOUND, &found_table, &found, error);
    if (status != STATUS_OK) return status;
    if (!isfinite(own.nats_per_token) || !isfinite(found.nats_per_token)) {
        fprintf(stderr, "%s: not measured: the model's numbers overflow in the old window\n", entry->name);
        return STATUS_OK;
    }
    found.measurement.attention_factor = entry->attention_factor;
    memcpy(found.measurement.factors, entry->factors, (size_t)entry->pairs * sizeof *entry->factors);
    status = store_put_length(old->stage.context->store, &own, error);
    return status == STATUS_OK ? store_put_length(old->stage.context->store, &found, error) : status;
}

int old_window_measure(const struct search_context *context, struct error *error) {
    struct old_window old = {.stage = {.context = context}};
    int status = short_window_read(context->store, &old.window, error);
    if (status != STATUS_OK || old.window.length == 0 || old.window.measured) return status;
    const struct stage_config *found = config_of(context, old.window.table.name);
    if (!found) return STATUS_OK;
    status = run_tables_model(context->store, NULL, old.model, error);
    if (status == STATUS_OK) status = open_stage(&old, context, found, error);
    if (status == STATUS_OK) status = measure(&old, error);
    stage_close(&old.stage);
    return status;
}
