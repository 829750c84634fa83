#include "search/stage.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/model.h"
#include "eval/perplexity.h"
#include "search/progress.h"

/* ---- what a stage works with ---- */

struct stage {
    const struct stage_config *config;
    struct store *store;
    struct stage_record record;
    bool stored; /* the store knows the stage already */
    struct model *model;
    struct documents documents;
    struct sample *samples;
    struct scoring scoring;
    struct forward *forward;
    double *sample_nats;   /* [scoring.count] */
    size_t samples_scored; /* of the evaluation under way */
    struct progress progress;
    struct evolve *evolve;
    double best_baseline; /* nats a token; infinite before any is scored */
};

static void stage_close(struct stage *stage) {
    evolve_free(stage->evolve);
    free(stage->sample_nats);
    forward_free(stage->forward);
    free(stage->samples);
    documents_free(&stage->documents);
    model_free(stage->model);
}

void stage_rescale(const struct stage_record *stage, const struct genome *genome, struct rope_table *table) {
    table->pairs = stage->space.pairs;
    genome_apply(&stage->space, genome, table);
    table->attention_factor = stage->attention_factor;
}

static bool better(const struct individual *a, const struct individual *b) {
    return !b || a->score < b->score || (isnan(b->score) && !isnan(a->score));
}

struct stage_best stage_best(const struct stage_record *stage, const struct individual *individuals, size_t count) {
    struct stage_best best = {NULL, NULL};
    for (size_t i = 0; i < count; i++) {
        const struct individual *one = &individuals[i];
        if (better(one, best.any)) best.any = one;
        bool exportable = stage->space.start_tokens[one->genome.start] == 0;
        if (exportable && better(one, best.exportable)) best.exportable = one;
    }
    return best;
}

/* ---- opening: model, text, search space ---- */

static void sample_scored(void *state, size_t samples) {
    struct stage *stage = state;
    stage->samples_scored = samples;
}

static void pass_advanced(void *state, double fraction) {
    struct stage *stage = state;
    progress_within(&stage->progress, ((double)stage->samples_scored + fraction) / (double)stage->scoring.count);
}

static int read_documents(const struct stage_config *config, int64_t vocabulary, struct documents *out,
                          struct error *error) {
    if (config->tokens.count) return documents_read_npy(config->tokens.items, config->tokens.count, out, error);
    struct tokenizer tokenizer;
    int status = tokenizer_open(config->tokenizer, config->model, vocabulary, &tokenizer, error);
    if (status != STATUS_OK) return status;
    status = documents_read_text(config->text.items, config->text.count, &tokenizer, out, error);
    tokenizer_close(&tokenizer);
    return status;
}

static int open_scoring(struct stage *stage, struct error *error) {
    const struct stage_config *config = stage->config;
    struct model_config model;
    int status = model_read_config(config->model, &model, error);
    if (status != STATUS_OK) return status;
    status = read_documents(config, model.vocabulary, &stage->documents, error);
    if (status != STATUS_OK) return status;
    status = documents_check(&stage->documents, model.vocabulary, error);
    if (status != STATUS_OK) return status;
    size_t count = 0;
    status = samples_choose(&stage->documents, config->target_length, config->samples, &stage->samples, &count, error);
    if (status != STATUS_OK) return status;
    stage->scoring = (struct scoring){.documents = &stage->documents,
                                      .samples = stage->samples,
                                      .count = count,
                                      .progress = sample_scored,
                                      .progress_state = stage};
    stage->sample_nats = calloc(count, sizeof *stage->sample_nats);
    if (!stage->sample_nats) return error_memory(error, (double)count * sizeof(double), "the samples' scores");
    return model_load(config->model, config->type, &stage->model, error); /* last: it may take minutes */
}

static double attention_factor_of(const struct stage_config *config, double scale, int64_t original_length) {
    switch (config->attention_rule) {
    case ATTENTION_LONGROPE:
        return rope_longrope_attention_factor(scale, original_length);
    case ATTENTION_YARN:
        return rope_yarn_attention_factor(scale);
    case ATTENTION_NONE:
        return 1.0;
    case ATTENTION_NUMBER:
        return config->attention_factor;
    }
    return 1.0;
}

/* The largest gene: the largest factor, 1.25 s as published, rounded down to the lattice. */
static int largest_gene(const struct stage_config *config, double scale, int32_t *out, struct error *error) {
    double largest = config->lambda_max > 0.0 ? config->lambda_max : 1.25 * scale;
    double steps = floor(largest * config->lattice_unit + 1e-6); /* 1.2 x 100 is a little under 120 */
    if (steps > INT32_MAX / 2) {
        return error_set(error, STATUS_INPUT,
                         "stage '%s': factors up to %g in steps of 1/%d are too many; raise lambda_step or lower "
                         "lambda_max",
                         config->name, largest, (int)config->lattice_unit);
    }
    *out = steps < config->lattice_unit ? config->lattice_unit : (int32_t)steps;
    return STATUS_OK;
}

static int describe(struct stage *stage, struct error *error) {
    const struct stage_config *config = stage->config;
    const struct model_config *model = &stage->model->config;
    struct stage_record *record = &stage->record;
    if (strlen(config->name) >= sizeof record->name) {
        return error_set(error, STATUS_INPUT, "stage '%s': the name is too long; %zu letters are the most",
                         config->name, sizeof record->name - 1);
    }
    strcpy(record->name, config->name);
    record->target_length = config->target_length;
    record->original_length = model->window;
    record->scale = fmax(1.0, (double)config->target_length / (double)model->window);
    record->rope_theta = model->rope.theta;
    record->attention_factor = attention_factor_of(config, record->scale, model->window);
    record->iterations = (int64_t)config->search.iterations;
    record->planned = (int64_t)evolve_planned(&config->search);
    struct genome_space *space = &record->space;
    space->pairs = model->rope.pairs;
    space->unit = config->lattice_unit;
    space->start_count = (int32_t)config->start_count;
    memcpy(space->start_tokens, config->start_tokens, sizeof space->start_tokens);
    return largest_gene(config, record->scale, &space->largest, error);
}

/* ---- what a resume must find unchanged ---- */

enum { SETTINGS_MOST = 32 };

struct setting_list {
    struct setting items[SETTINGS_MOST];
    size_t count;
    bool failed; /* out of memory, or room */
};

__attribute__((format(printf, 3, 4))) static void setting_add(struct setting_list *list, const char *key,
                                                              const char *format, ...) {
    va_list args;
    char *value = NULL;
    va_start(args, format);
    bool made = vasprintf(&value, format, args) >= 0;
    va_end(args);
    char *copy = strdup(key);
    if (!made || !copy || list->count == SETTINGS_MOST) {
        list->failed = true;
        free(copy);
        if (made) free(value);
        return;
    }
    list->items[list->count++] = (struct setting){copy, value};
}

static void settings_free(struct setting_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->items[i].key), free(list->items[i].value);
}

static void add_start_tokens(struct setting_list *list, const struct stage_config *config) {
    char text[GENOME_MAX_STARTS * 24] = "";
    for (size_t i = 0; i < config->start_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? "," : "", config->start_tokens[i]);
    }
    setting_add(list, "search.start_tokens", "%s", text);
}

static void add_attention_factor(struct setting_list *list, const struct stage_config *config) {
    static const char *const rules[] = {
        [ATTENTION_LONGROPE] = "longrope", [ATTENTION_YARN] = "yarn", [ATTENTION_NONE] = "none"};
    if (config->attention_rule == ATTENTION_NUMBER) {
        setting_add(list, "attention_factor", "%.17g", config->attention_factor);
    } else {
        setting_add(list, "attention_factor", "%s", rules[config->attention_rule]);
    }
}

static void add_lambda_max(struct setting_list *list, const struct stage_config *config) {
    if (config->lambda_max > 0.0) {
        setting_add(list, "search.lambda_max", "%.17g", config->lambda_max);
    } else {
        setting_add(list, "search.lambda_max", "1.25 s");
    }
}

/* As the configuration says it, not what follows: a changed target length alters the attention
 * factor, too, and the one to be named is what somebody changed. */
static void settings_of(const struct stage *stage, struct setting_list *out) {
    const struct stage_config *config = stage->config;
    const struct evolve_settings *search = &config->search;
    *out = (struct setting_list){.count = 0};
    setting_add(out, "target_length", "%" PRId64, config->target_length);
    setting_add(out, "model (weights and config.json)", "%016" PRIx64, stage->model->fingerprint);
    setting_add(out, "data (tokens)", "%016" PRIx64, documents_fingerprint(&stage->documents));
    setting_add(out, "data.samples", "%zu", config->samples);
    add_attention_factor(out, config);
    /* what dtype came to, and whose kernels: their last bits differ */
    const struct kernels *kernels = stage->model->kernels;
    setting_add(out, "dtype (LONGROPE_KERNELS)", "%s (%s)", number_type_name(kernels->type), kernels->name);
    setting_add(out, "search.population", "%zu", search->population);
    setting_add(out, "search.parents", "%zu", search->parents);
    setting_add(out, "search.mutations", "%zu", search->mutations);
    setting_add(out, "search.crossovers", "%zu", search->crossovers);
    setting_add(out, "search.iterations", "%zu", search->iterations);
    setting_add(out, "search.mutation_probability", "%.17g", search->mutation_probability);
    setting_add(out, "search.seed", "%lu", search->seed);
    setting_add(out, "search.lambda_step", "1/%d", (int)config->lattice_unit);
    add_lambda_max(out, config);
    add_start_tokens(out, config);
}

static int add_to_store(struct stage *stage, const struct setting_list *settings, struct error *error) {
    struct sample_record *samples = calloc(stage->scoring.count, sizeof *samples);
    if (!samples) return error_memory(error, (double)stage->scoring.count * sizeof *samples, "the samples");
    for (size_t i = 0; i < stage->scoring.count; i++) {
        const struct sample *sample = &stage->samples[i];
        const char *path = stage->documents.items[sample->document].name;
        const char *slash = strrchr(path, '/'); /* a run is the same wherever its text lies */
        samples[i] = (struct sample_record){slash ? slash + 1 : path, sample->start, sample->length};
    }
    int status = store_add_stage(stage->store, &stage->record, settings->items, settings->count, samples,
                                 stage->scoring.count, error);
    free(samples);
    return status;
}

static int enter_in_store(struct stage *stage, struct error *error) {
    struct setting_list settings;
    settings_of(stage, &settings);
    int status;
    if (settings.failed) {
        status = error_set(error, STATUS_FAILED, "out of memory: the settings of stage '%s'", stage->config->name);
    } else if (stage->stored) {
        status = store_check_settings(stage->store, stage->record.id, settings.items, settings.count, error);
    } else {
        status = add_to_store(stage, &settings, error);
    }
    settings_free(&settings);
    return status;
}

/* ---- baselines ---- */

static int score(struct stage *stage, const struct rope_table *table, double *nats_per_token, double *seconds,
                 struct error *error) {
    double began = seconds_now();
    stage->samples_scored = 0;
    int status = perplexity_score(stage->forward, table, &stage->scoring, stage->sample_nats, NULL, error);
    if (status != STATUS_OK) return status;
    *nats_per_token = perplexity_mean_nats(&stage->scoring, stage->sample_nats);
    *seconds = seconds_now() - began;
    return STATUS_OK;
}

static struct rope_setting rope_setting_of(const struct stage *stage) {
    const struct stage_record *record = &stage->record;
    return (struct rope_setting){.model = &stage->model->config.rope,
                                 .original_length = record->original_length,
                                 .scale = record->scale,
                                 .length = record->target_length};
}

static int score_baseline(struct stage *stage, enum rope_method method, const struct rope_setting *setting,
                          struct error *error) {
    struct baseline_record baseline = {.method = method};
    rope_closed_form(&baseline.table, method, setting);
    int status = score(stage, &baseline.table, &baseline.nats_per_token, &baseline.seconds, error);
    if (status != STATUS_OK) return status;
    status = store_add_baseline(stage->store, stage->record.id, &baseline, error);
    if (status != STATUS_OK) return status;
    stage->best_baseline = fmin(stage->best_baseline, baseline.nats_per_token);
    progress_clear(&stage->progress);
    fprintf(stderr, "%s: baseline %s: perplexity %.4f\n", stage->record.name, rope_method_name(method),
            exp(baseline.nats_per_token));
    progress_step(&stage->progress, stage->progress.done + 1, "", false);
    return STATUS_OK;
}

static int score_baselines(struct stage *stage, struct error *error) {
    struct baseline_record *known = NULL;
    size_t count = 0;
    int status = store_baselines(stage->store, stage->record.id, &known, &count, error);
    if (status != STATUS_OK) return status;
    bool scored[ROPE_METHODS] = {false};
    progress_begin(&stage->progress, stage->record.name, "baselines", count, ROPE_METHODS);
    for (size_t i = 0; i < count; i++) {
        scored[known[i].method] = true;
        stage->best_baseline = fmin(stage->best_baseline, known[i].nats_per_token);
    }
    free(known);
    struct rope_setting setting = rope_setting_of(stage);
    for (int m = 0; m < ROPE_METHODS && status == STATUS_OK; m++) {
        if (!scored[m]) status = score_baseline(stage, (enum rope_method)m, &setting, error);
    }
    progress_clear(&stage->progress);
    return status;
}

/* ---- the search ---- */

static int make_driver(struct stage *stage, struct error *error) {
    static const struct {
        enum origin origin;
        enum rope_method method;
    } first[] = {{ORIGIN_PI, ROPE_PI}, {ORIGIN_NTK, ROPE_NTK}, {ORIGIN_YARN, ROPE_YARN}};
    enum { FIRST = sizeof first / sizeof *first };
    struct seed_genome seeds[FIRST];
    const struct genome_space *space = &stage->record.space;
    struct rope_setting setting = rope_setting_of(stage);
    int32_t none = 0; /* start_tokens always holds a 0 */
    while (space->start_tokens[none] != 0) none++;
    for (size_t i = 0; i < FIRST; i++) {
        struct rope_table table;
        rope_closed_form(&table, first[i].method, &setting);
        seeds[i].origin = first[i].origin;
        genome_from_factors(space, table.factors, none, &seeds[i].genome);
    }
    stage->evolve = evolve_new(&stage->config->search, space, seeds, FIRST);
    if (!stage->evolve) {
        return error_memory(error, (double)stage->record.planned * sizeof(struct individual), "the populations");
    }
    return STATUS_OK;
}

/* Tells the driver what the store holds. The driver proposes what it proposed then, or the store is
 * not of this search. */
static int replay(struct stage *stage, struct error *error) {
    struct individual *known = NULL;
    size_t count = 0;
    int status = store_individuals(stage->store, &stage->record, &known, &count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        const struct individual *asked = evolve_ask(stage->evolve);
        if (!asked || asked->id != known[i].id || !genome_equal(&asked->genome, &known[i].genome)) {
            status = error_set(error, STATUS_FAILED,
                               "stage '%s': individual %" PRId64 " of the database is not the one that this search "
                               "proposes; the run was made by another version of longrope: go on with that one, or "
                               "begin a new run with -o",
                               stage->record.name, known[i].id);
            break;
        }
        evolve_tell(stage->evolve, known[i].score);
    }
    free(known);
    return status;
}

static int score_individual(struct stage *stage, const struct individual *asked, struct error *error) {
    struct rope_table table;
    rope_base(&table, &stage->model->config.rope, stage->record.target_length);
    stage_rescale(&stage->record, &asked->genome, &table);
    struct individual scored = *asked;
    double seconds;
    int status = score(stage, &table, &scored.score, &seconds, error);
    if (status != STATUS_OK) return status;
    scored.scored = true;
    status = store_add_individual(stage->store, stage->record.id, &scored, stage->sample_nats, stage->scoring.count,
                                  seconds, error);
    if (status == STATUS_OK) evolve_tell(stage->evolve, scored.score);
    return status;
}

static void report_progress(struct stage *stage, bool milestone) {
    const struct individual *best = evolve_best(stage->evolve);
    char text[160];
    snprintf(text, sizeof text, "iteration %" PRId64 "/%" PRId64 ", best perplexity %.4f (baselines %.4f)",
             evolve_generation(stage->evolve), stage->record.iterations, best ? exp(best->score) : NAN,
             exp(stage->best_baseline));
    progress_step(&stage->progress, (size_t)(best ? evolve_scored(stage->evolve) : 0), text, milestone);
}

static int search(struct stage *stage, struct error *error) {
    progress_begin(&stage->progress, stage->record.name, "evaluations", evolve_scored(stage->evolve),
                   (size_t)stage->record.planned);
    int status = STATUS_OK;
    int64_t generation = evolve_generation(stage->evolve);
    for (const struct individual *asked; (asked = evolve_ask(stage->evolve)) != NULL;) {
        bool next = asked->generation != generation;
        if (next) report_progress(stage, true);
        generation = asked->generation;
        status = score_individual(stage, asked, error);
        if (status != STATUS_OK) break;
        report_progress(stage, false);
    }
    if (status == STATUS_OK) report_progress(stage, true);
    progress_end(&stage->progress);
    return status;
}

static int run_open(struct stage *stage, const struct stage_options *options, struct error *error) {
    int status = open_scoring(stage, error);
    if (status == STATUS_OK) status = describe(stage, error);
    if (status == STATUS_OK) status = enter_in_store(stage, error);
    if (status != STATUS_OK || stage->record.state == STAGE_DONE) return status;

    struct forward_options forward = {
        .threads = options->threads, .stop = options->stop, .progress = pass_advanced, .progress_state = stage};
    status = forward_new(stage->model, &forward, &stage->forward, error);
    if (status == STATUS_OK) status = store_set_state(stage->store, stage->record.id, STAGE_RUNNING, error);
    if (status == STATUS_OK) status = score_baselines(stage, error);
    if (status == STATUS_OK) status = make_driver(stage, error);
    if (status == STATUS_OK) status = replay(stage, error);
    if (status == STATUS_OK) status = search(stage, error);
    if (status == STATUS_OK) status = store_set_state(stage->store, stage->record.id, STAGE_DONE, error);
    return status;
}

int stage_run(struct store *store, const struct config *config, size_t index, const struct stage_options *options,
              struct error *error) {
    struct stage stage = {.config = &config->stages[index], .store = store, .best_baseline = INFINITY};
    int status = store_find_stage(store, stage.config->name, &stage.record, &stage.stored, error);
    if (status == STATUS_OK) {
        if (!stage.stored) stage.record = (struct stage_record){.id = (int64_t)index, .state = STAGE_PENDING};
        status = run_open(&stage, options, error);
    }
    stage_close(&stage);
    return status;
}
