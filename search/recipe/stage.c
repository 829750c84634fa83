/* Opening a stage (model, text, search space, record in the store) and running it. */
#include "search/recipe/stage.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/trace.h"
#include "search/base/signals.h"
#include "search/base/text.h"
#include "search/recipe/held_out.h"
#include "search/recipe/machine.h"
#include "search/recipe/stage_space.h"
#include "search/recipe/stage_state.h"
#include "search/store/store_ranks.h"

/* ---- opening ---- */

int stage_load(struct stage *stage, struct error *error) {
    struct model_config model;
    int status = model_read_config(stage->folder, &model, error);
    if (status != STATUS_OK) return status;
    status = stage_windows_open(stage->config, stage->context->config->stages, stage->folder, model.vocabulary,
                                &stage->windows, error);
    if (status != STATUS_OK) return status;
    stage->scoring = stage_windows_scoring(&stage->windows);
    stage->all_scoring = stage_windows_all(&stage->windows);
    status = window_nats_open(&stage->window_nats, &stage->scoring, error);
    if (status == STATUS_OK) status = window_nats_open(&stage->rival.nats, &stage->scoring, error);
    if (status == STATUS_OK) status = window_nats_open(&stage->later_rival.nats, &stage->scoring, error);
    if (status != STATUS_OK) return status;
    status = model_load(stage->folder, stage->config->type, &stage->model, error); /* last: it may take minutes */
    return status == STATUS_OK ? score_keys_open(&stage->keys, stage->model, &stage->all_scoring, error) : status;
}

int stage_load_or_end(struct stage *stage, struct error *error) {
    signals_end_at_once("a model and its text were being read; everything scored is saved; resume with --resume\n");
    int status = stage_load(stage, error);
    signals_end_at_once(NULL);
    return status;
}

void stage_close(struct stage *stage) {
    evolve_free(stage->evolve);
    free(stage->known);
    scorer_free(stage->scorer);
    checkpoints_close(stage->checkpoints, true);
    rank_workers_close(stage->workers, true);
    score_keys_close(&stage->keys);
    window_nats_close(&stage->later_rival.nats);
    window_nats_close(&stage->rival.nats);
    window_nats_close(&stage->window_nats);
    stage_windows_close(&stage->windows);
    model_free(stage->model);
}

/* Whether the store has no stage that comes after this one. */
static int is_last_begun(const struct stage *stage, bool *out, struct error *error) {
    const struct config *config = stage->context->config;
    struct stage_record record;
    *out = true;
    for (const struct stage_config *later = stage->config + 1; later < config->stages + config->stage_count; later++) {
        bool begun = false;
        int status = store_find_stage(stage->context->store, later->name, &record, &begun, error);
        if (status != STATUS_OK) return status;
        if (begun) *out = false;
    }
    return STATUS_OK;
}

/* A configuration that is refused changes nothing: the run takes its number of stages when all stages that have begun
 * are found to be those of the run. */
static int enter_stage_count(const struct stage *stage, struct error *error) {
    bool last = false;
    int status = is_last_begun(stage, &last, error);
    if (status != STATUS_OK || !last) return status;
    return store_set_stage_count(stage->context->store, (int64_t)stage->context->config->stage_count, error);
}

/* Adds the stage to the store, or checks that it is the one that the store has. */
static int enter_in_store(struct stage *stage, struct error *error) {
    struct store *store = stage->context->store;
    struct stage_settings settings;
    int status = stage_settings_read(stage->config, stage->model, &stage->windows, &stage->initial, &settings, error);
    if (status == STATUS_OK && stage->stored) {
        status = store_check_settings(store, stage->record.id, settings.items, settings.count, error);
        if (status == STATUS_OK) status = store_check_stage(store, &stage->record, error);
        if (status == STATUS_OK) status = store_set_model(store, stage->record.id, stage->record.model, error);
        if (status == STATUS_OK) status = stage_open_budget(stage, &settings, error);
    } else if (status == STATUS_OK) {
        status = store_put_configuration(store, stage->context->configuration, error);
        if (status == STATUS_OK) {
            status = store_add_stage(store, &stage->record, settings.items, settings.count, stage->windows.records,
                                     stage->windows.count, error);
        }
    }
    stage_settings_free(&settings);
    return status == STATUS_OK ? enter_stage_count(stage, error) : status;
}

int stage_begin_elsewhere(struct stage *stage, const struct stage_order *order, struct error *error) {
    return rank_workers_begin(stage->context->ranks, order, sizeof *order, &stage->workers, error);
}

/* Other ranks load at the same time. */
static int begin_elsewhere(struct stage *stage, struct error *error) {
    struct stage_order order;
    if (stage->workers) return STATUS_OK;
    memset(&order, 0, sizeof order); /* all of it is sent */
    order.number = order.index = stage->config - stage->context->config->stages;
    return stage_begin_elsewhere(stage, &order, error);
}

static void tell_of_model(const struct stage *stage) {
    const struct stage_config *config = stage->config;
    model_print_notes(stage->model, stage->folder, stderr);
    model_warn_sliding(&stage->model->config, config->name, config->target_length, stderr);
    stage_windows_print(&stage->windows, config->name, stderr);
}

static int open_stage(struct stage *stage, struct error *error) {
    int status = stage->record.state == STAGE_DONE ? STATUS_OK : begin_elsewhere(stage, error);
    if (status != STATUS_OK) return status;
    status = stage_load_or_end(stage, error);
    if (status != STATUS_OK) return status;
    const struct model_config *model = &stage->model->config;
    status = stage_space_base(stage->context, stage->config, model, &stage->base, error);
    if (status == STATUS_OK) {
        status = stage_space_record(stage->context, stage->config, stage->folder, model, &stage->base, &stage->record,
                                    error);
    }
    if (status == STATUS_OK) {
        bool verbose = stage->record.state != STAGE_DONE;
        status = stage_initial_make(stage->config, &stage->base, &stage->record, verbose, &stage->initial, error);
    }
    if (status == STATUS_OK) status = enter_in_store(stage, error);
    if (status == STATUS_OK && stage->record.state != STAGE_DONE) tell_of_model(stage);
    return status;
}

/* ---- running ---- */

struct window_range stage_all_windows(const struct stage *stage) {
    return (struct window_range){0, stage->scoring.count};
}

/* A window of a unit, with its blocks. `state` is a struct scoring. */
static int compute_window(const void *state, struct forward *forward, const struct work_unit *unit, double *nats,
                          void **details, size_t *size, struct error *error) {
    const struct scoring *scoring = state;
    size_t count = nats_block_count((size_t)window_tokens(&scoring->windows[unit->window]));
    float *blocks = calloc(count + 1, sizeof *blocks);
    *details = blocks, *size = count * sizeof *blocks;
    if (!blocks) return error_memory(error, (double)*size, "the blocks of a window");
    return perplexity_window_blocks(forward, &unit->table, scoring, unit->window, nats, blocks, error);
}

static void checkpoint_told(void *state, double start, const char *line) {
    struct stage *stage = state;
    (void)start;
    progress_clear(&stage->progress);
    fprintf(stderr, "%s: %s\n", stage->config->name, line);
}

/* Finished windows are in the cache, so nothing is kept of them: a result that is kept is deleted only by a process
 * that asks for its window, which one that finds it in the cache does not. */
static struct checkpoints_options checkpoint_options(struct stage *stage) {
    return (struct checkpoints_options){.folder = stage->checkpoint_folder,
                                        .interval = stage->context->checkpoint_interval,
                                        .stop = stage->context->stop,
                                        .tell = checkpoint_told,
                                        .tell_state = stage};
}

struct window_task stage_task(struct stage *stage) {
    return (struct window_task){.model = stage->model,
                                .angles = ROPE_ANGLES_F64,
                                .windows = stage->all_scoring.count,
                                .compute = compute_window,
                                .state = &stage->all_scoring,
                                .checkpoints = checkpoint_options(stage)};
}

const char *stage_score_name(const struct stage *stage) {
    return stage->config->objective == OBJECTIVE_NEEDLE ? "answers' perplexity" : "perplexity";
}

static void table_advanced(void *state, double fraction) {
    struct stage *stage = state;
    progress_within(&stage->progress, fraction);
    store_keep_readable(stage->context->store);
}

static int open_workers(struct stage *stage, struct error *error) {
    if (!stage->workers || stage->open_workers) return STATUS_OK;
    const struct window_task task = stage_task(stage);
    const struct rank_loaded loaded = score_keys_loaded(&stage->keys);
    return rank_workers_open(stage->workers, &task, &loaded, stage->context->threads, &stage->open_workers, error);
}

int stage_make_scorer(struct stage *stage, struct scorer_options options, struct error *error) {
    const struct search_context *context = stage->context;
    int status = open_workers(stage, error);
    if (status != STATUS_OK) return status;
    options.model = stage->model;
    options.keys = &stage->keys;
    options.cache = context->cache;
    options.threads = context->threads;
    options.stop = context->stop;
    options.workers = stage->open_workers;
    options.workers_state = stage;
    scorer_free(stage->scorer);
    stage->scorer = NULL;
    return scorer_new(&options, &stage->scorer, error);
}

/* With several ranks each has its own. */
static int open_checkpoints(struct stage *stage, struct error *error) {
    const struct checkpoints_options options = checkpoint_options(stage);
    if (!options.folder || stage->checkpoints || stage->context->ranks) return STATUS_OK;
    return checkpoints_open(&options, &stage->checkpoints, error);
}

/* Of the search or, on all windows, for those that are held out. */
static int make_scorer(struct stage *stage, bool held_out, struct error *error) {
    int status = open_checkpoints(stage, error);
    if (status == STATUS_OK) status = begin_elsewhere(stage, error); /* also of a stage that was done */
    const struct scorer_options options = {.scoring = held_out ? &stage->all_scoring : &stage->scoring,
                                           .blocks = stage_config_needs_blocks(stage->config),
                                           .progress = table_advanced,
                                           .progress_state = stage,
                                           .checkpoints = stage->checkpoints,
                                           .hopeless = held_out ? NULL : stage_is_hopeless,
                                           .idle = held_out ? NULL : stage_expect_ahead};
    return status == STATUS_OK ? stage_make_scorer(stage, options, error) : status;
}

static void trace_stage(const struct stage *stage) {
    const struct stage_record *record = &stage->record;
    int32_t least = record->space.critical_high > 0 ? record->space.smallest : record->space.unit;
    TRACE(TRACE_RECIPE,
          "stage '%s': %s on model %s, window %" PRId64 " to %" PRId64 " tokens; searched factors %g..%g multiply %s",
          record->name,
          record->state == STAGE_DONE ? "done"
          : stage->stored             ? "resumes"
                                      : "starts",
          record->model, record->original_length, record->target_length, (double)least / record->space.unit,
          (double)record->space.largest / record->space.unit,
          !record->composed ? "nothing"
          : *record->base   ? record->base
                            : "the model's own table");
}

static int add_ranks(const struct stage *stage, const struct rank_work *done, struct error *error) {
    struct ranks *ranks = stage->context->ranks;
    size_t count = ranks_count(ranks);
    struct rank_record *records = calloc(count, sizeof *records);
    if (!records) return error_memory(error, (double)count * sizeof *records, "what ranks do");
    for (size_t r = 0; r < count; r++) {
        records[r] = (struct rank_record){.rank = (int64_t)r,
                                          .units = done[r].units,
                                          .seconds = done[r].seconds,
                                          .present = rank_workers_present(stage->workers)};
        snprintf(records[r].host, sizeof records[r].host, "%s", ranks_host(ranks, r));
        text_to_ascii(records[r].host);
    }
    int status = store_add_ranks(stage->context->store, stage->record.id, records, count, error);
    free(records);
    return status;
}

/* Also of a stage that was stopped or failed: then another error is to be told. */
static int store_ranks_work(const struct stage *stage, int status, struct error *error) {
    const struct rank_work *done = stage->workers ? rank_workers_done(stage->workers) : NULL;
    struct error own = {""};
    if (!done) return status;
    int stored = add_ranks(stage, done, &own);
    if (status == STATUS_OK && stored != STATUS_OK) *error = own;
    return status == STATUS_OK ? stored : status;
}

/* After the search, also of a stage that was done before the program measured this. */
static int measure_held_out(struct stage *stage, struct error *error) {
    struct individual best;
    bool missing = false;
    int status = held_out_is_missing(stage, &best, &missing, error);
    if (status != STATUS_OK || !missing) return status;
    if (stage->windows.held_out) status = make_scorer(stage, true, error);
    return status == STATUS_OK ? held_out_measure(stage, &best, error) : status;
}

static int store_machine(const struct stage *stage, struct error *error) {
    const struct search_context *context = stage->context;
    struct machine_record machine;
    machine_own(context->threads == 0 && context->ranks ? ranks_threads(context->ranks) : context->threads, &machine);
    return store_add_machine(context->store, stage->record.id, &machine, error);
}

static int search(struct stage *stage, struct error *error) {
    int status = make_scorer(stage, false, error);
    if (status == STATUS_OK) status = store_set_state(stage->context->store, stage->record.id, STAGE_RUNNING, error);
    if (status == STATUS_OK) status = store_machine(stage, error);
    if (status == STATUS_OK) status = stage_search_early(stage, error);
    if (status == STATUS_OK) status = stage_score_baselines(stage, error);
    return status == STATUS_OK ? stage_search(stage, error) : status;
}

static int run(struct stage *stage, struct error *error) {
    int status = open_stage(stage, error);
    if (status != STATUS_OK) return status;
    trace_stage(stage);
    bool done = stage->record.state == STAGE_DONE;
    if (!done) status = search(stage, error);
    if (status == STATUS_OK) status = measure_held_out(stage, error);
    status = store_ranks_work(stage, status, error);
    if (status != STATUS_OK || done) return status;
    return store_set_state(stage->context->store, stage->record.id, STAGE_DONE, error);
}

int stage_run(const struct search_context *context, size_t index, const char *model, struct error *error) {
    struct stage stage = {.context = context,
                          .config = &context->config->stages[index],
                          .folder = model,
                          .checkpoint_folder = context->checkpoints,
                          .rival = {.id = EVOLVE_NO_PARENT},
                          .later_rival = {.id = EVOLVE_NO_PARENT},
                          .best_baseline = INFINITY};
    int status = store_find_stage(context->store, stage.config->name, &stage.record, &stage.stored, error);
    if (status == STATUS_OK) {
        if (!stage.stored) stage.record = (struct stage_record){.id = (int64_t)index, .state = STAGE_PENDING};
        stage.stored_budget = (struct stage_budget){stage.record.iterations, stage.record.evaluations};
        status = run(&stage, error);
    }
    if (status != STATUS_OK) rank_workers_stop(stage.workers);
    stage_close(&stage);
    return status;
}
