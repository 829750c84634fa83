#include "search/recipe/stage.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/model/model.h"
#include "eval/perplexity.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/recipe/scorer.h"
#include "search/recipe/stage_base.h"
#include "search/recipe/stage_settings.h"
#include "search/recipe/stage_windows.h"
#include "search/run/run_view.h"

/* ---- what a stage works with ---- */

struct stage {
    const struct search_context *context;
    const struct stage_config *config; /* its part of context->config */
    const char *folder;                /* of the model */
    struct stage_record record;
    bool stored; /* the store knows the stage already */
    struct model *model;
    struct stage_base rope;
    struct stage_windows windows;
    struct scoring scoring; /* on all of them */
    struct scorer *scorer;
    double *window_nats; /* [scoring.count] of the table under way */
    double *rival_nats;  /* [scoring.count] of individual `rival` */
    int64_t rival;       /* EVOLVE_NO_PARENT before any is read */
    struct progress progress;
    struct evolve *evolve;
    double best_baseline; /* nats a token; infinite before any is scored */
};

static void stage_close(struct stage *stage) {
    evolve_free(stage->evolve);
    free(stage->rival_nats);
    free(stage->window_nats);
    scorer_free(stage->scorer);
    stage_windows_close(&stage->windows);
    model_free(stage->model);
}

/* ---- opening: model, text, search space ---- */

static void table_advanced(void *state, double fraction) {
    struct stage *stage = state;
    progress_within(&stage->progress, fraction);
}

static int load_model(struct stage *stage, struct error *error) {
    signals_end_at_once("longrope: stopped while a model was being loaded; everything scored is saved; go on with "
                        "--resume\n");
    int status = model_load(stage->folder, stage->config->type, &stage->model, error);
    signals_end_at_once(NULL);
    return status;
}

static int open_scoring(struct stage *stage, struct error *error) {
    struct model_config model;
    int status = model_read_config(stage->folder, &model, error);
    if (status != STATUS_OK) return status;
    status = stage_windows_open(stage->config, stage->folder, model.vocabulary, &stage->windows, error);
    if (status != STATUS_OK) return status;
    stage->scoring = stage_windows_scoring(&stage->windows);
    size_t count = stage->scoring.count;
    stage->window_nats = calloc(count, sizeof *stage->window_nats);
    stage->rival_nats = calloc(count, sizeof *stage->rival_nats);
    if (!stage->window_nats || !stage->rival_nats) {
        return error_memory(error, 2.0 * (double)count * sizeof(double), "the samples' scores");
    }
    return load_model(stage, error); /* last: it may take minutes */
}

/* The best table without start tokens of a stage that is done: what models are fine-tuned with, and engines read. */
static int table_of_stage(struct stage *stage, const char *name, struct factor_entry *out, struct error *error) {
    bool found = false;
    int status = run_exportable_table(stage->context->store, name, out, &found, error);
    if (status != STATUS_OK || found) return status;
    return error_set(error, STATUS_INPUT, "stage '%s': '%s', whose table it needs, is not done; run that one first",
                     stage->config->name, name);
}

/* Engines multiply cosine and sine by one number for both the long and the short table, so the short table is
 * searched with the attention factor of the longest before it. */
static int long_attention_factor(struct stage *stage, double *out, struct error *error) {
    const struct stage_config *longest = NULL;
    for (const struct stage_config *s = stage->context->config->stages; s < stage->config; s++) {
        if (s->kind == STAGE_EXTEND && (!longest || s->target_length > longest->target_length)) longest = s;
    }
    struct rope_table own;
    rope_model_table(&own, &stage->rope.own, stage->rope.own.original_length + 1);
    *out = own.own_attention_factor;
    if (!longest) return STATUS_OK;
    struct factor_entry table;
    int status = table_of_stage(stage, longest->name, &table, error);
    if (status == STATUS_OK) *out = table.attention_factor;
    return status;
}

static int attention_factor_of(struct stage *stage, double scale, double *out, struct error *error) {
    const struct stage_config *config = stage->config;
    switch (config->attention_rule) {
    case ATTENTION_LONGROPE:
    case ATTENTION_SEARCH: /* the middle of what is searched */
        if (config->kind == STAGE_RECOVER) return long_attention_factor(stage, out, error);
        *out = rope_longrope_attention_factor(scale, stage->rope.window);
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

static int resolve_rope(struct stage *stage, struct error *error) {
    const struct stage_config *config = stage->config;
    struct factor_entry base;
    bool based = config->base != CONFIG_NO_STAGE;
    int status =
        based ? table_of_stage(stage, stage->context->config->stages[config->base].name, &base, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    return stage_base_resolve(config, &stage->model->config, based ? &base : NULL, &stage->rope, error);
}

/* What searched tables rescale. */
static void describe_model(struct stage *stage) {
    struct stage_record *record = &stage->record;
    const struct stage_config *config = stage->config;
    struct rope_table base;
    rope_model_table(&base, &stage->rope.searched, config->target_length);
    record->kind = config->kind;
    record->pretrained_length = stage->rope.pretrained_length;
    record->composed = stage->rope.searched.type != ROPE_TYPE_DEFAULT;
    record->base_attention_factor = base.own_attention_factor;
    for (int64_t i = 0; i < ROPE_MAX_PAIRS; i++) record->base_factors[i] = i < base.pairs ? base.own_factors[i] : 1.0;
    if (config->base != CONFIG_NO_STAGE) strcpy(record->base, stage->context->config->stages[config->base].name);
    char *folder = realpath(stage->folder, NULL);
    snprintf(record->model, sizeof record->model, "%s", folder ? folder : stage->folder);
    free(folder);
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
    describe_model(stage);
    record->objective = config->objective;
    record->target_length = config->target_length;
    record->original_length = stage->rope.window;
    record->scale = fmax(1.0, (double)config->target_length / (double)stage->rope.window);
    record->rope_theta = model->rope.theta;
    int status = attention_factor_of(stage, record->scale, &record->attention_factor, error);
    if (status != STATUS_OK) return status;
    record->iterations = (int64_t)config->search.iterations;
    record->planned = (int64_t)evolve_planned(&config->search, config->initial_count);
    struct genome_space *space = &record->space;
    *space = (struct genome_space){
        .pairs = model->rope.pairs, .unit = config->lattice_unit, .start_count = (int32_t)config->start_count};
    memcpy(space->start_tokens, config->start_tokens, sizeof space->start_tokens);
    if (config->attention_rule == ATTENTION_SEARCH) {
        /* 0.8 to 1.2 times the formula's */
        space->attention_unit = 1000;
        space->attention_low = (int32_t)lround(0.8 * record->attention_factor * space->attention_unit);
        space->attention_high = (int32_t)lround(1.2 * record->attention_factor * space->attention_unit);
    }
    return largest_gene(config, record->scale, &space->largest, error);
}

/* ---- the store ---- */

static int enter_in_store(struct stage *stage, struct error *error) {
    struct stage_settings settings;
    int status = stage_settings_read(stage->config, stage->model, &stage->windows, &settings, error);
    if (status == STATUS_OK && stage->stored) {
        status = store_check_settings(stage->context->store, stage->record.id, settings.items, settings.count, error);
        if (status == STATUS_OK) status = store_check_stage(stage->context->store, &stage->record, error);
    } else if (status == STATUS_OK) {
        status = store_put_configuration(stage->context->store, stage->context->configuration, error);
        if (status == STATUS_OK) {
            status = store_add_stage(stage->context->store, &stage->record, settings.items, settings.count,
                                     stage->windows.records, stage->windows.count, error);
        }
    }
    stage_settings_free(&settings);
    return status;
}

/* ---- baselines ---- */

static struct rope_setting rope_setting_of(const struct stage *stage, const struct rope_model *model) {
    const struct stage_record *record = &stage->record;
    return (struct rope_setting){.model = model,
                                 .original_length = record->original_length,
                                 .scale = record->scale,
                                 .length = record->target_length};
}

/* What scores are called. */
static const char *perplexity_of(const struct stage *stage) {
    return stage->config->objective == OBJECTIVE_NEEDLE ? "answers' perplexity" : "perplexity";
}

static int score_baseline(struct stage *stage, enum rope_method method, const struct rope_setting *setting,
                          struct error *error) {
    struct baseline_record baseline = {.method = method};
    rope_closed_form(&baseline.table, method, setting);
    int status = scorer_score(stage->scorer, &baseline.table, NULL, stage->window_nats, &baseline.nats_per_token,
                              &baseline.scored, error);
    if (status != STATUS_OK) return status;
    status = store_add_baseline(stage->context->store, stage->record.id, &baseline, stage->window_nats, error);
    if (status != STATUS_OK) return status;
    stage->best_baseline = fmin(stage->best_baseline, baseline.nats_per_token);
    progress_clear(&stage->progress);
    fprintf(stderr, "%s: baseline %s: %s %.4f\n", stage->record.name, rope_method_name(method), perplexity_of(stage),
            exp(baseline.nats_per_token));
    progress_step(&stage->progress, stage->progress.done + 1, "", false);
    return STATUS_OK;
}

/* At a short window the closed forms do nothing; what a search has to better is the model as it is. */
int stage_baselines(enum stage_kind kind) { return kind == STAGE_RECOVER ? ROPE_NONE + 1 : ROPE_METHODS; }

static int score_baselines(struct stage *stage, struct error *error) {
    struct baseline_record *known = NULL;
    size_t count = 0;
    int status = store_baselines(stage->context->store, stage->record.id, &known, &count, error);
    if (status != STATUS_OK) return status;
    bool scored[ROPE_METHODS] = {false};
    int wanted = stage_baselines(stage->config->kind);
    progress_begin(&stage->progress, stage->record.name, "baselines", count, (size_t)wanted);
    for (size_t i = 0; i < count; i++) {
        scored[known[i].method] = true;
        stage->best_baseline = fmin(stage->best_baseline, known[i].nats_per_token);
    }
    free(known);
    struct rope_setting setting = rope_setting_of(stage, &stage->rope.own);
    for (int m = 0; m < wanted && status == STATUS_OK; m++) {
        if (!scored[m]) status = score_baseline(stage, (enum rope_method)m, &setting, error);
    }
    progress_clear(&stage->progress);
    return status;
}

/* ---- the search ---- */

/* The closed forms that a search begins with. At a short window, which is no extension, their scale is what the
 * largest factor would be published for. */
static struct rope_setting initial_setting_of(const struct stage *stage) {
    struct rope_setting setting = rope_setting_of(stage, &stage->rope.searched);
    if (stage->config->kind == STAGE_RECOVER) setting.scale = fmax(1.0, stage->config->lambda_max / 1.25);
    return setting;
}

/* The factors of a table that the first population begins with. */
static void initial_table(const struct stage *stage, enum origin origin, const struct rope_setting *setting,
                          struct rope_table *table) {
    static const enum rope_method methods[] = {[ORIGIN_PI] = ROPE_PI,
                                               [ORIGIN_NTK] = ROPE_NTK,
                                               [ORIGIN_YARN] = ROPE_YARN,
                                               [ORIGIN_DYNAMIC_NTK] = ROPE_DYNAMIC_NTK,
                                               [ORIGIN_NONE] = ROPE_NONE};
    if (origin == ORIGIN_YARN_LAMBDA) {
        rope_yarn_lambda(table, setting);
    } else if (origin == ORIGIN_OWN) {
        rope_model_table(table, &stage->rope.own, stage->rope.own.original_length + 1); /* the long one */
        memcpy(table->factors, table->own_factors, sizeof table->factors);
    } else {
        rope_closed_form(table, methods[origin], setting);
    }
}

/* On top of a table that the model has already, that table is nothing to begin with. */
static int check_initial(const struct stage *stage, struct error *error) {
    for (size_t i = 0; i < stage->config->initial_count; i++) {
        if (stage->config->initial[i] != ORIGIN_OWN || stage->config->kind == STAGE_RECOVER) continue;
        return error_set(error, STATUS_INPUT,
                         "stage '%s': 'initial: own' goes with 'kind: recover'; what a stage that extends searches "
                         "multiplies the model's own table, so that 'none' begins there",
                         stage->config->name);
    }
    return STATUS_OK;
}

static int make_driver(struct stage *stage, struct error *error) {
    const struct stage_config *config = stage->config;
    struct initial_genome seeds[CONFIG_MAX_INITIAL];
    const struct genome_space *space = &stage->record.space;
    struct rope_setting setting = initial_setting_of(stage);
    int32_t none = 0; /* start_tokens always holds a 0 */
    while (space->start_tokens[none] != 0) none++;
    for (size_t i = 0; i < config->initial_count; i++) {
        struct rope_table table;
        initial_table(stage, config->initial[i], &setting, &table);
        seeds[i].origin = config->initial[i];
        genome_from_factors(space, table.factors, none, stage->record.attention_factor, &seeds[i].genome);
    }
    stage->evolve = evolve_new(&config->search, space, seeds, config->initial_count);
    if (!stage->evolve) {
        return error_memory(error, (double)stage->record.planned * sizeof(struct individual), "the populations");
    }
    return STATUS_OK;
}

/* The driver proposes what it proposed then, or the store is not of this search. */
static bool tell_known(struct evolve *evolve, const struct individual *known) {
    const struct individual *asked = evolve_ask(evolve);
    if (!asked || asked->id != known->id || !genome_equal(&asked->genome, &known->genome)) return false;
    if (!known->stopped) {
        evolve_tell(evolve, known->score);
    } else if (evolve_rival(evolve)) {
        evolve_tell_stopped(evolve);
    } else {
        return false;
    }
    return true;
}

/* Tells the driver what the store holds. */
static int replay(struct stage *stage, struct error *error) {
    struct individual_record *known = NULL;
    size_t count = 0;
    int status = store_individuals(stage->context->store, &stage->record, &known, &count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (tell_known(stage->evolve, &known[i].individual)) continue;
        status = error_set(error, STATUS_FAILED,
                           "stage '%s': individual %" PRId64 " of the database is not the one that this search "
                           "proposes; the run was made by another version of longrope: go on with that one, or "
                           "begin a new run with -o",
                           stage->record.name, known[i].individual.id);
    }
    free(known);
    return status;
}

static int read_rival_nats(struct stage *stage, int64_t rival, struct error *error) {
    if (stage->rival == rival) return STATUS_OK;
    size_t count = 0, windows = stage->scoring.count;
    int status =
        store_window_nats(stage->context->store, stage->record.id, rival, stage->rival_nats, windows, &count, error);
    if (status != STATUS_OK) return status;
    if (count < windows) {
        return error_set(error, STATUS_FAILED,
                         "stage '%s': individual %" PRId64 " of the database has nats of %zu windows where %zu are "
                         "due; put back a copy of the run, or begin a new one with -o",
                         stage->record.name, rival, count, windows);
    }
    stage->rival = rival;
    return STATUS_OK;
}

/* The race of the individual last asked for; *out is RACING_NONE where its whole score is wanted. */
static int enter_race(struct stage *stage, struct racing_test *out, struct error *error) {
    const struct individual *rival = evolve_rival(stage->evolve);
    *out = (struct racing_test){.racing = RACING_NONE};
    if (!rival || stage->config->racing == RACING_NONE) return STATUS_OK;
    *out = (struct racing_test){.racing = stage->config->racing,
                                .risk = stage->config->racing_risk,
                                .rival_score = rival->score,
                                .rival_nats = stage->rival_nats};
    return out->racing == RACING_STATISTICAL ? read_rival_nats(stage, rival->id, error) : STATUS_OK;
}

static int score_individual(struct stage *stage, const struct individual *asked, struct error *error) {
    struct individual individual = *asked;
    struct rope_table table;
    struct racing_test race;
    struct scored scored;
    rope_model_table(&table, &stage->rope.searched, stage->record.target_length);
    stage_record_table(&stage->record, &asked->genome, &table);
    int status = enter_race(stage, &race, error);
    if (status != STATUS_OK) return status;
    status = scorer_score(stage->scorer, &table, &race, stage->window_nats, &individual.score, &scored, error);
    if (status != STATUS_OK) return status;
    individual.scored = true;
    individual.stopped = scored.windows < stage->scoring.count;
    status =
        store_add_individual(stage->context->store, &stage->record, &individual, &scored, stage->window_nats, error);
    if (status != STATUS_OK) return status;
    if (individual.stopped) {
        evolve_tell_stopped(stage->evolve);
    } else {
        evolve_tell(stage->evolve, individual.score);
    }
    return STATUS_OK;
}

static void report_progress(struct stage *stage, bool milestone) {
    const struct individual *best = evolve_best(stage->evolve);
    char text[160];
    snprintf(text, sizeof text, "iteration %" PRId64 "/%" PRId64 ", best %s %.4f (baselines %.4f)",
             evolve_generation(stage->evolve), stage->record.iterations, perplexity_of(stage),
             best ? exp(best->score) : NAN, exp(stage->best_baseline));
    progress_step(&stage->progress, evolve_scored(stage->evolve), text, milestone);
}

/* An option that may lose something says so where it is used. */
static void warn_of_risk(const struct stage *stage) {
    if (stage->config->racing != RACING_STATISTICAL) return;
    fprintf(stderr,
            "%s: racing: statistical gives a candidate up, after each window from the second on, where it would "
            "beat the last parent with a probability of less than %g; 'bound' loses none\n",
            stage->record.name, stage->config->racing_risk);
}

static int search(struct stage *stage, struct error *error) {
    warn_of_risk(stage);
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

static int run_open(struct stage *stage, struct error *error) {
    int status = check_initial(stage, error);
    if (status == STATUS_OK) status = open_scoring(stage, error);
    if (status == STATUS_OK) status = resolve_rope(stage, error);
    if (status == STATUS_OK) status = describe(stage, error);
    if (status == STATUS_OK) status = enter_in_store(stage, error);
    if (status != STATUS_OK || stage->record.state == STAGE_DONE) return status;

    struct scorer_options scorer = {.model = stage->model,
                                    .scoring = &stage->scoring,
                                    .cache = stage->context->cache,
                                    .threads = stage->context->threads,
                                    .stop = stage->context->stop,
                                    .progress = table_advanced,
                                    .progress_state = stage};
    status = scorer_new(&scorer, &stage->scorer, error);
    if (status == STATUS_OK) status = store_set_state(stage->context->store, stage->record.id, STAGE_RUNNING, error);
    if (status == STATUS_OK) status = score_baselines(stage, error);
    if (status == STATUS_OK) status = make_driver(stage, error);
    if (status == STATUS_OK) status = replay(stage, error);
    if (status == STATUS_OK) status = search(stage, error);
    if (status == STATUS_OK) status = store_set_state(stage->context->store, stage->record.id, STAGE_DONE, error);
    return status;
}

int stage_run(const struct search_context *context, size_t index, const char *model, struct error *error) {
    struct stage stage = {.context = context,
                          .config = &context->config->stages[index],
                          .folder = model,
                          .rival = EVOLVE_NO_PARENT,
                          .best_baseline = INFINITY};
    int status = store_find_stage(context->store, stage.config->name, &stage.record, &stage.stored, error);
    if (status == STATUS_OK) {
        if (!stage.stored) stage.record = (struct stage_record){.id = (int64_t)index, .state = STAGE_PENDING};
        status = run_open(&stage, error);
    }
    stage_close(&stage);
    return status;
}
