#include "search/report/report_frame.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"
#include "search/run/improvements.h"

/* ---- for people ---- */

static void print_heading(FILE *out, const struct stage_record *record) {
    fprintf(out, "stage %s: %s; %" PRId64 " tokens, %g times the window of %" PRId64 "\n", record->name,
            stage_state_name(record->state), record->target_length, record->scale, record->original_length);
    if (record->objective == OBJECTIVE_NEEDLE) {
        fputs("  objective needle: perplexity and nats/token cover the needles' answers only\n", out);
    }
}

static void print_sliding(FILE *out, const struct stage_view *stage) {
    for (size_t i = 0; i < stage->setting_count; i++) {
        if (strcmp(stage->settings[i].key, STORE_SLIDING_WINDOW) != 0) continue;
        fprintf(out,
                "  warning: the model's sliding window of %s tokens is below the target of %" PRId64
                ": in no layer does a token see further back, so factors matter for such distances only\n",
                stage->settings[i].value, stage->record->target_length);
    }
}

static int print_stage(const struct run_view *run, size_t index, const struct report_view *view, const void *state,
                       FILE *out, struct error *error) {
    struct stage_view stage;
    int status = stage_view_read(run, index, &stage, error);
    if (status == STATUS_OK) {
        print_heading(out, stage.record);
        print_sliding(out, &stage);
        status = view->print(state, &stage, out, error);
    }
    stage_view_free(&stage);
    return status;
}

/* Writes to memory first, so that an error in the last stage does not leave half a table. */
static int print_run(const struct run_view *run, const char *stage, const struct report_view *view, const void *state,
                     FILE *out, struct error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return error_memory(error, 0, "the report");
    fprintf(memory, "run %s: %s%s\n", run->name, stage_state_name(run->state),
            run->state == STAGE_STOPPED ? "; longrope search --resume continues it" : "");
    int status = STATUS_OK;
    for (size_t i = 0; i < run->count && status == STATUS_OK; i++) {
        status = print_stage(run, i, view, state, memory, error);
    }
    if (status == STATUS_OK && view->print_run) status = view->print_run(run->store, stage, memory, error);
    bool whole = !ferror(memory);
    whole = fclose(memory) == 0 && whole;
    if (status == STATUS_OK && !whole) status = error_memory(error, (double)size, "the report");
    if (status == STATUS_OK) fwrite(text, 1, size, out);
    free(text);
    return status;
}

/* ---- for programs ---- */

/* The keys of one report on a stage that was read. */
static int append_stage(const struct stage_view *stage, const struct report_request *request, json_t *stages,
                        struct error *error) {
    json_t *keys = NULL;
    int status = request->view->to_json(request->state, stage, &keys, error);
    if (status != STATUS_OK) return status;
    const struct stage_record *record = stage->record;
    json_t *object = json_pack("{s:s, s:s, s:s}", "name", record->name, "state", stage_state_name(record->state),
                               "objective", objective_name(record->objective));
    bool whole = json_object_update(object, keys) == 0; /* not so where either is NULL */
    json_decref(keys);
    whole = json_array_append_new(stages, object) == 0 && whole;
    return whole ? STATUS_OK : error_memory(error, 0, "the report");
}

static int append_stages(const struct run_view *run, size_t index, const struct report_request *requests, size_t count,
                         json_t **documents, struct error *error) {
    struct stage_view stage;
    int status = stage_view_read(run, index, &stage, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = append_stage(&stage, &requests[i], json_object_get(documents[i], "stages"), error);
    }
    stage_view_free(&stage);
    return status;
}

/* The keys of the run as a whole. */
static int update_root(const struct run_view *run, const struct report_view *view, json_t *root, struct error *error) {
    json_t *keys = NULL;
    int status = view->run_to_json ? view->run_to_json(run->store, &keys, error) : STATUS_OK;
    if (status == STATUS_OK && keys && json_object_update(root, keys) != 0) {
        status = error_memory(error, 0, "the report");
    }
    json_decref(keys);
    return status;
}

static int make_documents(const struct run_view *run, const struct report_request *requests, size_t count,
                          json_t **documents, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        documents[i] =
            json_pack("{s:s, s:s, s:[]}", "name", run->name, "state", stage_state_name(run->state), "stages");
        if (!documents[i]) status = error_memory(error, 0, "the report");
    }
    for (size_t i = 0; i < run->count && status == STATUS_OK; i++) {
        status = append_stages(run, i, requests, count, documents, error);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = update_root(run, requests[i].view, documents[i], error);
    }
    if (status == STATUS_OK) return STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        json_decref(documents[i]);
        documents[i] = NULL;
    }
    return status;
}

int report_documents(struct store *store, const struct report_request *requests, size_t count, json_t **documents,
                     struct error *error) {
    struct run_view run;
    for (size_t i = 0; i < count; i++) documents[i] = NULL;
    int status = run_view_open(store, NULL, &run, error);
    if (status != STATUS_OK) return status;
    status = make_documents(&run, requests, count, documents, error);
    run_view_close(&run);
    return status;
}

static int print_json(const struct run_view *run, const struct report_view *view, const void *state, FILE *out,
                      struct error *error) {
    json_t *document;
    int status = make_documents(run, &(struct report_request){view, state}, 1, &document, error);
    if (status != STATUS_OK) return status;
    json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fputc('\n', out);
    json_decref(document);
    return STATUS_OK;
}

int report_stages(struct store *store, const struct report_options *options, const struct report_view *view,
                  const void *state, FILE *out, struct error *error) {
    struct run_view run;
    int status = run_view_open(store, options->stage, &run, error);
    if (status != STATUS_OK) return status;
    status = options->json ? print_json(&run, view, state, out, error)
                           : print_run(&run, options->stage, view, state, out, error);
    run_view_close(&run);
    return status;
}

json_t *report_baseline_factors_json(const struct stage_view *stage, const struct baseline_record *baseline) {
    double factors[ROPE_MAX_PAIRS];
    json_t *array = json_array();
    stage_view_baseline_factors(stage, baseline, factors);
    for (int64_t i = 0; i < stage->record->space.pairs; i++) {
        json_array_append_new(array, json_number_or_null(factors[i]));
    }
    return array;
}

json_t *report_improvements_json(const struct stage_view *stage) {
    struct improvements improvements;
    bool whole = improvements_read(stage, &improvements);
    json_t *array = json_array();
    for (size_t i = 0; whole && i < improvements.count; i++) {
        const struct individual *one = improvements.items[i];
        json_t *row = json_pack("{s:I, s:I, s:s, s:o, s:o}", "id", (json_int_t)one->id, "generation",
                                (json_int_t)one->generation, "origin", origin_name(one->origin), "work",
                                json_number_or_null(stage_view_work(stage, one->work)), "perplexity",
                                json_number_or_null(exp(one->score)));
        whole = json_array_append_new(array, row) == 0;
    }
    improvements_free(&improvements);
    if (whole) return array;
    json_decref(array);
    return NULL;
}
