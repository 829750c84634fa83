#include "search/run/run_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"

/* ---- the run ---- */

static enum stage_state state_of_run(const struct stage_record *stages, size_t count, int64_t planned, bool searched) {
    bool done = count > 0 && (int64_t)count >= planned, begun = false;
    for (size_t i = 0; i < count; i++) {
        done = done && stages[i].state == STAGE_DONE;
        begun = begun || stages[i].state != STAGE_PENDING;
    }
    return done ? STAGE_DONE : !begun ? STAGE_PENDING : searched ? STAGE_RUNNING : STAGE_STOPPED;
}

/* A search that was killed could not store that it stopped. */
static void mark_stopped(struct stage_record *stages, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (stages[i].state == STAGE_RUNNING) stages[i].state = STAGE_STOPPED;
    }
}

static int unknown_stage(const struct run_view *run, const char *stage, struct error *error) {
    if (!run->count) {
        return error_set(error, STATUS_INPUT, "--stage: the run '%s' has begun no stage yet", run->name);
    }
    const char **names = calloc(run->count, sizeof *names);
    if (!names) return error_memory(error, (double)run->count * sizeof *names, "the stages' names");
    for (size_t i = 0; i < run->count; i++) names[i] = run->stages[i].name;
    int status = name_unknown("--stage", "stage", stage, names, run->count, error);
    free(names);
    return status;
}

/* Keeps only the stage of that name. */
static int keep_stage(struct run_view *run, const char *stage, struct error *error) {
    for (size_t i = 0; i < run->count; i++) {
        if (strcmp(run->stages[i].name, stage) != 0) continue;
        run->stages[0] = run->stages[i];
        run->count = 1;
        return STATUS_OK;
    }
    return unknown_stage(run, stage, error);
}

int run_view_open(struct store *store, const char *stage, struct run_view *out, struct error *error) {
    *out = (struct run_view){.store = store};
    int64_t planned = 0;
    bool searched =
        store_is_searched(store); /* before the stages are read: a search that ends now stores its end first */
    int status = store_name(store, out->name, sizeof out->name, error);
    if (status == STATUS_OK) status = store_stage_count(store, &planned, error);
    if (status == STATUS_OK) status = store_stages(store, &out->stages, &out->count, error);
    if (status != STATUS_OK) return status;
    out->state = state_of_run(out->stages, out->count, planned, searched);
    if (!searched) mark_stopped(out->stages, out->count);
    if (stage) status = keep_stage(out, stage, error);
    if (status != STATUS_OK) run_view_close(out);
    return status;
}

void run_view_close(struct run_view *run) { free(run->stages); }

/* ---- a stage ---- */

int run_view_windows(const struct run_view *run, size_t index, size_t *out, struct error *error) {
    struct window_record *records = NULL;
    int status = store_windows(run->store, run->stages[index].id, &records, out, error);
    free(records);
    return status;
}

int stage_view_read(const struct run_view *run, size_t index, struct stage_view *out, struct error *error) {
    const struct stage_record *record = &run->stages[index];
    *out = (struct stage_view){.record = record};
    int status = store_windows(run->store, record->id, &out->window_records, &out->windows, error);
    if (status != STATUS_OK) return status;
    status = store_settings(run->store, record, &out->settings, &out->setting_count, error);
    if (status != STATUS_OK) return status;
    status = store_baselines(run->store, record->id, &out->baselines, &out->baseline_count, error);
    if (status != STATUS_OK) return status;
    status = store_ranks(run->store, record, &out->ranks, &out->rank_count, error);
    if (status != STATUS_OK) return status;
    status = store_machines(run->store, record, &out->machines, &out->machine_count, error);
    if (status != STATUS_OK) return status;
    status = store_held_out(run->store, record, &out->held_out, error);
    if (status != STATUS_OK) return status;
    status = store_individuals(run->store, record, &out->individuals, &out->individual_count, error);
    const struct individual *best = status == STATUS_OK ? stage_view_measured(out) : NULL;
    bool current = out->held_out.count == 0 || (best && best->id == out->held_out.individual);
    if (!current) out->held_out.known = false;
    return status;
}

void stage_view_free(struct stage_view *stage) {
    free(stage->window_records);
    free(stage->settings);
    free(stage->baselines);
    free(stage->individuals);
    free(stage->ranks);
    free(stage->machines);
    free(stage->held_out.windows);
}

int64_t stage_view_generation(const struct stage_view *stage) {
    return stage->individual_count ? stage->individuals[stage->individual_count - 1].individual.generation : 0;
}

double stage_view_work(const struct stage_view *stage, size_t work) {
    return work && stage->windows ? (double)work / (double)stage->windows : NAN;
}

int64_t stage_view_start_tokens(const struct stage_view *stage, const struct individual *individual) {
    return genome_start_tokens(&stage->record->space, &individual->genome);
}

void stage_record_table(const struct stage_record *stage, const struct genome *genome, struct rope_table *table) {
    table->pairs = stage->space.pairs;
    table->attention_factor = stage->attention_factor; /* where it is not searched */
    genome_apply(&stage->space, genome, table);
}

void stage_view_entry(const struct stage_view *stage, const struct individual *individual, struct factor_entry *out) {
    const struct stage_record *record = stage->record;
    struct rope_table table = {0};
    stage_record_table(record, &individual->genome, &table);
    *out = (struct factor_entry){.max_length = record->target_length,
                                 .scale = fmax(1.0, (double)record->target_length / (double)record->pretrained_length),
                                 .pairs = table.pairs,
                                 .whole = true,
                                 .composed = record->composed,
                                 .start_tokens = table.start_tokens,
                                 .attention_factor = record->base_attention_factor * table.attention_factor,
                                 .perplexity = exp(individual->score),
                                 .objective = record->objective};
    size_t bytes = (size_t)table.pairs * sizeof *table.factors;
    memcpy(out->factors, table.factors, bytes);
    memcpy(out->searched, table.factors, bytes);
    memcpy(out->finetuned, record->base_factors, bytes);
    factor_entry_complete(out);
    snprintf(out->name, sizeof out->name, "%s", record->name);
    snprintf(out->origin, sizeof out->origin, "%s", origin_name(individual->origin));
}

/* The frequencies before any rescaling, the model's own included. */
static void plain_frequencies(const struct stage_record *record, struct rope_table *out) {
    const struct rope_model plain = rope_model_plain(record->space.pairs, record->rope_theta);
    rope_model_table(out, &plain, record->target_length);
}

void stage_view_baseline_factors(const struct stage_view *stage, const struct baseline_record *baseline,
                                 double *factors) {
    struct rope_table plain;
    plain_frequencies(stage->record, &plain);
    for (int64_t i = 0; i < stage->record->space.pairs; i++) {
        factors[i] = plain.frequencies[i] / baseline->table.frequencies[i] * baseline->table.factors[i];
    }
}

int64_t stage_view_window_pair(const struct stage_view *stage) {
    struct rope_table plain;
    plain_frequencies(stage->record, &plain);
    return rope_window_pair(&plain, stage->record->pretrained_length);
}

struct stage_best stage_view_best(const struct stage_view *stage) {
    struct stage_best best = {NULL, NULL};
    for (size_t i = 0; i < stage->individual_count; i++) {
        const struct individual *one = &stage->individuals[i].individual;
        if (isnan(one->score)) continue; /* racing stopped it, or it is not scored on all windows */
        if (individual_better(one, best.any)) best.any = one;
        bool exportable = stage_view_start_tokens(stage, one) == 0;
        if (exportable && individual_better(one, best.exportable)) best.exportable = one;
    }
    return best;
}

const struct individual *stage_view_measured(const struct stage_view *stage) {
    struct stage_best best = stage_view_best(stage);
    return best.exportable ? best.exportable : best.any;
}

int run_exportable_table(struct store *store, const char *name, struct factor_entry *out, bool *found,
                         struct error *error) {
    struct stage_record record;
    int status = store_find_stage(store, name, &record, found, error);
    *found = *found && record.state == STAGE_DONE;
    if (status != STATUS_OK || !*found) return status;
    struct run_view run;
    struct stage_view stage;
    status = run_view_open(store, name, &run, error);
    if (status != STATUS_OK) return status;
    status = stage_view_read(&run, 0, &stage, error);
    struct stage_best best = status == STATUS_OK ? stage_view_best(&stage) : (struct stage_best){NULL, NULL};
    *found = best.exportable != NULL;
    if (*found) stage_view_entry(&stage, best.exportable, out);
    stage_view_free(&stage);
    run_view_close(&run);
    return status;
}
