#include "search/recipe/stage_settings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/forward.h"

/* The strings of an item are NULL where memory ran out. */
__attribute__((format(printf, 3, 4))) static void add(struct stage_settings *settings, const char *key,
                                                      const char *format, ...) {
    assert(settings->count < STAGE_SETTINGS_MOST);
    va_list args;
    char *value = NULL;
    va_start(args, format);
    if (vasprintf(&value, format, args) < 0) value = NULL;
    va_end(args);
    settings->items[settings->count++] = (struct setting){strdup(key), value};
}

void stage_settings_free(struct stage_settings *settings) {
    for (size_t i = 0; i < settings->count; i++) free(settings->items[i].key), free(settings->items[i].value);
    settings->count = 0;
}

static void add_start_tokens(struct stage_settings *settings, const struct stage_config *config) {
    char text[GENOME_MAX_STARTS * 24] = "";
    for (size_t i = 0; i < config->start_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? "," : "", config->start_tokens[i]);
    }
    add(settings, "search.start_tokens", "%s", text);
}

/* A file by the fingerprint of its table: it may be renamed or written in another format. */
static void add_initial(struct stage_settings *settings, const struct stage_initial *initial) {
    char text[CONFIG_MAX_INITIAL * 32] = "";
    for (size_t i = 0; i < initial->count; i++) {
        size_t used = strlen(text);
        bool file = initial->genomes[i].origin == ORIGIN_FILE;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "",
                                 origin_name(initial->genomes[i].origin));
        if (file) snprintf(text + used, sizeof text - used, " %016" PRIx64, initial->fingerprints[i]);
    }
    add(settings, "search.initial", "%s", text);
}

static void add_attention_factor(struct stage_settings *settings, const struct stage_config *config) {
    if (config->attention_rule == ATTENTION_NUMBER) {
        add(settings, "attention_factor", "%.17g", config->attention_factor);
    } else {
        add(settings, "attention_factor", "%s", attention_rule_name(config->attention_rule));
    }
}

static void add_lambda_max(struct stage_settings *settings, const struct stage_config *config) {
    if (config->lambda_max > 0.0) {
        add(settings, "search.lambda_max", "%.17g", config->lambda_max);
    } else {
        add(settings, "search.lambda_max", "%s", config->critical_rule == CRITICAL_NONE ? "1.25 s" : "2 s");
    }
}

/* Nothing of a space without a critical pair, of which runs begun before there was one say nothing. */
static void add_critical_pair(struct stage_settings *settings, const struct stage_config *config) {
    if (config->critical_rule == CRITICAL_NUMBER) {
        add(settings, "search.critical_pair", "%" PRId64, config->critical_pair);
    } else if (config->critical_rule != CRITICAL_NONE) {
        add(settings, "search.critical_pair", "%s", critical_rule_name(config->critical_rule));
    }
}

static void add_data(struct stage_settings *settings, const struct stage_config *config, const struct model *model,
                     const struct documents *text) {
    const struct kernels *kernels = model->kernels;
    add(settings, "target_length", "%" PRId64, config->target_length);
    add(settings, "model (weights and config.json)", "%016" PRIx64, model->fingerprint);
    int64_t sliding = model_searched_window(&model->config);
    if (sliding > 0 && sliding < config->target_length) add(settings, STORE_SLIDING_WINDOW, "%" PRId64, sliding);
    add(settings, "data (tokens)", "%016" PRIx64, documents_fingerprint(text));
    add(settings, "data.samples", "%zu", config->samples);
    /* what dtype came to, and whose kernels: their last bits differ */
    add(settings, "dtype (LONGROPE_KERNELS)", "%s (%s)", number_type_name(kernels->type), kernels->name);
    add(settings, "evaluator", "%d", FORWARD_REVISION);
}

/* The prompts themselves, too, whose words are this program's: another version of it may have others. Their key comes
 * behind those of all that they are made of, since the first that differs is the one that is named. */
static void add_objective(struct stage_settings *settings, const struct stage_config *config,
                          const struct documents *needles) {
    add(settings, STORE_OBJECTIVE, "%s", objective_name(config->objective));
    if (config->objective != OBJECTIVE_NEEDLE) return;
    add(settings, "needle.prompt", "%s", needle_form_name(config->needle.prompt));
    add(settings, "needle.digits", "%" PRId64, config->needle.digits);
    add(settings, "needle.seed", "%lu", config->needle.seed);
    add(settings, "windows (needles in the text)", "%016" PRIx64, documents_fingerprint(needles));
}

static void add_search(struct stage_settings *settings, const struct stage_config *config,
                       const struct stage_initial *initial) {
    const struct evolve_settings *search = &config->search;
    add(settings, "search.algorithm", "%s", algorithm_name(search->algorithm));
    add(settings, "search.population", "%zu", search->population);
    add(settings, "search.parents", "%zu", search->parents);
    add(settings, "search.mutations", "%zu", search->mutations);
    add(settings, "search.crossovers", "%zu", search->crossovers);
    add(settings, STORE_ITERATIONS, "%zu", search->iterations);
    if (search->evaluations) add(settings, STORE_EVALUATIONS, "%zu", search->evaluations);
    if (search->first_windows) add(settings, "search.first_windows", "%zu", search->first_windows);
    if (search->knots) add(settings, "search.knots", "%zu", search->knots);
    add(settings, "search.mutation_probability", "%.17g", search->mutation_probability);
    add(settings, "search.seed", "%lu", search->seed);
    add(settings, "search.lambda_step", "1/%d", (int)config->lattice_unit);
    add_lambda_max(settings, config);
    add_critical_pair(settings, config);
    add_start_tokens(settings, config);
    add_initial(settings, initial);
    add(settings, "search.racing", "%s", racing_name(config->racing));
    if (racing_risks(config->racing)) add(settings, "search.racing_risk", "%.17g", config->racing_risk);
}

/* Nothing of a stage that extends the model as it is, of which runs begun before there were others say nothing. */
static void add_recipe(struct stage_settings *settings, const struct stage_config *config) {
    if (config->kind != STAGE_EXTEND) add(settings, "kind", "%s", stage_kind_name(config->kind));
    if (config->base != CONFIG_NO_STAGE) add(settings, "base", "stage %d", config->base);
}

int stage_settings_read(const struct stage_config *config, const struct model *model,
                        const struct stage_windows *windows, const struct stage_initial *initial,
                        struct stage_settings *out, struct error *error) {
    *out = (struct stage_settings){.count = 0};
    add_data(out, config, model, &windows->text);
    /* held-out windows do not affect scores */
    const struct documents scored = {windows->needles.count ? windows->count : 0, windows->needles.items};
    add_objective(out, config, &scored);
    add_recipe(out, config);
    add_attention_factor(out, config);
    add_search(out, config, initial);
    for (size_t i = 0; i < out->count; i++) {
        if (out->items[i].key && out->items[i].value) continue;
        return error_set(error, STATUS_FAILED, "out of memory: the settings of stage '%s'", config->name);
    }
    return STATUS_OK;
}
