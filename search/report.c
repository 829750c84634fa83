#include "search/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/factors.h"
#include "search/json.h"
#include "search/stage.h"

/* ---- reading ---- */

/* All of a stage that reports speak of. */
struct stage_view {
    struct stage_record record;
    struct baseline_record *baselines;
    size_t baseline_count;
    struct individual *individuals;
    size_t individual_count;
    struct stage_best best;
};

struct run_view {
    char name[STORE_NAME_SIZE];
    struct stage_view *stages; /* [count], those begun */
    size_t count;
    int64_t planned; /* stages in all */
};

static void view_free(struct run_view *view) {
    for (size_t i = 0; i < view->count; i++) free(view->stages[i].baselines), free(view->stages[i].individuals);
    free(view->stages);
}

static int read_stage(struct store *store, struct stage_view *stage, struct error *error) {
    int status = store_baselines(store, stage->record.id, &stage->baselines, &stage->baseline_count, error);
    if (status != STATUS_OK) return status;
    status = store_individuals(store, &stage->record, &stage->individuals, &stage->individual_count, error);
    if (status != STATUS_OK) return status;
    stage->best = stage_best(&stage->record, stage->individuals, stage->individual_count);
    return STATUS_OK;
}

static int read_run(struct store *store, struct run_view *view, struct error *error) {
    *view = (struct run_view){.count = 0};
    struct stage_record *records = NULL;
    size_t count = 0;
    int status = store_name(store, view->name, sizeof view->name, error);
    if (status == STATUS_OK) status = store_stage_count(store, &view->planned, error);
    if (status == STATUS_OK) status = store_stages(store, &records, &count, error);
    if (status != STATUS_OK) return status;
    view->stages = calloc(count ? count : 1, sizeof *view->stages);
    if (!view->stages) status = error_memory(error, (double)count * sizeof *view->stages, "the stages");
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        view->stages[i].record = records[i];
        view->count = i + 1;
        status = read_stage(store, &view->stages[i], error);
    }
    free(records);
    if (status != STATUS_OK) view_free(view);
    return status;
}

/* The generation under way: that of the newest individual. */
static int64_t generation_of(const struct stage_view *stage) {
    return stage->individual_count ? stage->individuals[stage->individual_count - 1].generation : 0;
}

static int64_t start_tokens_of(const struct stage_view *stage, const struct individual *individual) {
    return stage->record.space.start_tokens[individual->genome.start];
}

static enum stage_state state_of_run(const struct run_view *view) {
    bool done = view->count > 0 && (int64_t)view->count >= view->planned, begun = false;
    for (size_t i = 0; i < view->count; i++) {
        done = done && view->stages[i].record.state == STAGE_DONE;
        begun = begun || view->stages[i].record.state != STAGE_PENDING;
    }
    return done ? STAGE_DONE : begun ? STAGE_RUNNING : STAGE_PENDING;
}

/* ---- for people ---- */

static void print_row(FILE *out, const char *name, double nats, const char *note) {
    fprintf(out, "  %-22s %12.4f %12.5f%s%s\n", name, exp(nats), nats, *note ? "  " : "", note);
}

static void print_factors(FILE *out, const struct stage_view *stage, const struct individual *individual) {
    enum { A_LINE = 12 };
    struct rope_table table = {0};
    stage_rescale(&stage->record, &individual->genome, &table);
    fprintf(out,
            "  rescale factors, fastest pair first (n_hat %" PRId64 ", attention factor %.4f):", table.start_tokens,
            table.attention_factor);
    for (int64_t i = 0; i < table.pairs; i++) fprintf(out, "%s%7.2f", i % A_LINE ? " " : "\n    ", table.factors[i]);
    fputc('\n', out);
}

static const struct baseline_record *best_baseline(const struct stage_view *stage) {
    const struct baseline_record *best = NULL;
    for (size_t i = 0; i < stage->baseline_count; i++) {
        const struct baseline_record *one = &stage->baselines[i];
        if (!best || one->nats_per_token < best->nats_per_token) best = one;
    }
    return best;
}

static void print_best(FILE *out, const struct stage_view *stage, const char *name,
                       const struct individual *individual) {
    char note[160] = "";
    const struct baseline_record *baseline = best_baseline(stage);
    double gain = baseline ? 1.0 - exp(individual->score - baseline->nats_per_token) : 0.0;
    snprintf(note, sizeof note, "n_hat %" PRId64 ", %s of generation %" PRId64 "; %.1f %% %s %s",
             start_tokens_of(stage, individual), origin_name(individual->origin), individual->generation,
             fabs(100.0 * gain), gain >= 0.0 ? "below" : "above",
             baseline ? rope_method_name(baseline->method) : "the baselines");
    print_row(out, name, individual->score, note);
}

static void print_stage(FILE *out, const struct stage_view *stage) {
    const struct stage_record *record = &stage->record;
    fprintf(out, "stage %s: %s; %" PRId64 " tokens, %g times the window of %" PRId64 "\n", record->name,
            stage_state_name(record->state), record->target_length, record->scale, record->original_length);
    fprintf(out, "  iteration %" PRId64 " of %" PRId64 ", %zu evaluations\n", generation_of(stage), record->iterations,
            stage->individual_count);
    if (stage->baseline_count) fprintf(out, "  %-22s %12s %12s\n", "method", "perplexity", "nats/token");
    for (size_t i = 0; i < stage->baseline_count; i++) {
        print_row(out, rope_method_name(stage->baselines[i].method), stage->baselines[i].nats_per_token, "");
    }
    if (!stage->best.any) return;
    print_best(out, stage, "longrope", stage->best.any);
    if (stage->best.exportable && stage->best.exportable != stage->best.any) {
        print_best(out, stage, "longrope, n_hat = 0", stage->best.exportable);
    }
    print_factors(out, stage, stage->best.any);
}

int report_table(struct store *store, FILE *out, struct error *error) {
    struct run_view view;
    int status = read_run(store, &view, error);
    if (status != STATUS_OK) return status;
    fprintf(out, "run %s: %s\n", view.name, stage_state_name(state_of_run(&view)));
    for (size_t i = 0; i < view.count; i++) print_stage(out, &view.stages[i]);
    view_free(&view);
    return STATUS_OK;
}

/* ---- for programs ---- */

static json_t *individual_json(const struct stage_view *stage, const struct individual *individual) {
    if (!individual) return json_null();
    struct rope_table table = {0};
    stage_rescale(&stage->record, &individual->genome, &table);
    return json_pack("{s:o, s:o, s:I, s:f, s:s}", "perplexity", json_number_or_null(exp(individual->score)), "factors",
                     json_number_array(table.factors, table.pairs), "start_tokens", (json_int_t)table.start_tokens,
                     "attention_factor", table.attention_factor, "origin", origin_name(individual->origin));
}

static json_t *baselines_json(const struct stage_view *stage) {
    json_t *array = json_array();
    for (size_t i = 0; i < stage->baseline_count; i++) {
        const struct baseline_record *one = &stage->baselines[i];
        json_array_append_new(array, json_pack("{s:s, s:o}", "method", rope_method_name(one->method), "perplexity",
                                               json_number_or_null(exp(one->nats_per_token))));
    }
    return array;
}

static json_t *stage_json(const struct stage_view *stage) {
    const struct stage_record *record = &stage->record;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "name", record->name, "state",
                     stage_state_name(record->state), "target_length", (json_int_t)record->target_length, "iteration",
                     (json_int_t)generation_of(stage), "iterations", (json_int_t)record->iterations, "evaluations",
                     (json_int_t)stage->individual_count, "best", individual_json(stage, stage->best.any),
                     "best_exportable", individual_json(stage, stage->best.exportable), "baselines",
                     baselines_json(stage));
}

int report_json(struct store *store, FILE *out, struct error *error) {
    struct run_view view;
    int status = read_run(store, &view, error);
    if (status != STATUS_OK) return status;
    json_t *stages = json_array();
    for (size_t i = 0; i < view.count; i++) json_array_append_new(stages, stage_json(&view.stages[i]));
    json_t *root = json_pack("{s:s, s:s, s:o}", "name", view.name, "state", stage_state_name(state_of_run(&view)),
                             "stages", stages);
    view_free(&view);
    if (!root) return error_memory(error, 0, "the report");
    json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fputc('\n', out);
    json_decref(root);
    return STATUS_OK;
}

/* ---- for engines ---- */

static void fill_entry(struct factor_entry *entry, const struct stage_view *stage,
                       const struct individual *individual) {
    struct rope_table table = {0};
    stage_rescale(&stage->record, &individual->genome, &table);
    *entry = (struct factor_entry){.max_length = stage->record.target_length,
                                   .scale = stage->record.scale,
                                   .pairs = table.pairs,
                                   .start_tokens = table.start_tokens,
                                   .attention_factor = table.attention_factor,
                                   .perplexity = exp(individual->score)};
    memcpy(entry->factors, table.factors, sizeof entry->factors);
    snprintf(entry->name, sizeof entry->name, "%s", stage->record.name);
    snprintf(entry->origin, sizeof entry->origin, "%s", origin_name(individual->origin));
}

static int by_length(const void *a, const void *b) {
    int64_t x = ((const struct factor_entry *)a)->max_length, y = ((const struct factor_entry *)b)->max_length;
    return (x > y) - (x < y);
}

int report_factors(struct store *store, const char *path, struct error *error) {
    struct run_view view;
    int status = read_run(store, &view, error);
    if (status != STATUS_OK) return status;
    struct factor_file file = {0};
    file.tables = calloc(view.count + 1, sizeof *file.tables);
    file.exportable = calloc(view.count + 1, sizeof *file.exportable);
    if (!file.tables || !file.exportable) {
        status = error_memory(error, 2.0 * (double)view.count * sizeof *file.tables, "the factor tables");
    }
    for (size_t i = 0; i < view.count && status == STATUS_OK; i++) {
        const struct stage_view *stage = &view.stages[i];
        if (stage->record.state != STAGE_DONE || !stage->best.any) continue;
        file.original_length = stage->record.original_length;
        file.rope_theta = stage->record.rope_theta;
        fill_entry(&file.tables[file.count++], stage, stage->best.any);
        if (stage->best.exportable)
            fill_entry(&file.exportable[file.exportable_count++], stage, stage->best.exportable);
    }
    if (status == STATUS_OK) {
        qsort(file.tables, file.count, sizeof *file.tables, by_length);
        qsort(file.exportable, file.exportable_count, sizeof *file.exportable, by_length);
        status = factors_write(path, &file, error);
    }
    factors_free(&file);
    view_free(&view);
    return status;
}
