#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/model/model.h"
#include "eval/text/tokenizer.h"
#include "search/base/clock.h"
#include "search/base/npy.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"
#include "search/cli/passkey_options.h"
#include "search/cli/passkey_print.h"
#include "search/cli/terminal.h"
#include "search/measure/measurement_log.h"
#include "search/measure/passkey.h"
#include "search/measure/table_source.h"

struct retrieval {
    const struct passkey_options *options;
    struct model_config config;
    struct tokenizer tokenizer;
    struct table_source tables;
    struct passkey_task task;
    struct measurement_log recorder;
    struct model *model;
    struct forward *forward;
    struct progress progress; /* of the row under way */
    json_t *results;          /* with --json */
    bool unicode;
};

/* ---- Opening: what is cheap to find wrong comes before the weights ---- */

static void retrieval_close(struct retrieval *r) {
    json_decref(r->results);
    forward_free(r->forward);
    model_free(r->model);
    measurement_log_close(&r->recorder);
    table_source_close(&r->tables);
    tokenizer_close(&r->tokenizer);
}

/* A length at which no prompt can be made would cost all that came before. */
static int check_lengths(const struct retrieval *r, struct error *error) {
    int status = STATUS_OK;
    for (size_t l = 0; l < r->options->length_count && status == STATUS_OK; l++) {
        struct needle_prompt prompt;
        status = passkey_prompt(&r->task, r->options->lengths[l], r->task.depths[0], 0, &prompt, error);
        needle_prompt_free(&prompt);
    }
    return status;
}

/* All prompts of the one length, in the order in which they are asked. */
static int save_tokens(const struct retrieval *r, struct error *error) {
    const struct passkey_options *o = r->options;
    int64_t length = o->lengths[0], count = (int64_t)o->depth_count * o->trials, bytes;
    if (__builtin_mul_overflow(count * (int64_t)sizeof(int32_t), length, &bytes)) bytes = INT64_MAX;
    int32_t *tokens = malloc((size_t)bytes);
    int status = tokens ? STATUS_OK : error_memory(error, (double)bytes, "all prompts");
    for (int64_t i = 0; i < count && status == STATUS_OK; i++) {
        struct needle_prompt prompt;
        status = passkey_prompt(&r->task, length, o->depths[i / o->trials], i % o->trials, &prompt, error);
        if (status == STATUS_OK) memcpy(tokens + i * length, prompt.tokens, (size_t)length * sizeof *tokens);
        needle_prompt_free(&prompt);
    }
    if (status == STATUS_OK) status = npy_write_tokens(o->save_tokens, tokens, count, length, error);
    free(tokens);
    return status;
}

static void pass_advanced(void *state, double fraction) { progress_within(state, fraction); }

static void prompt_asked(void *state, size_t prompts) { progress_step(state, prompts, "", false); }

static int load(struct retrieval *r, struct error *error) {
    const struct model_options *o = &r->options->model;
    int status = model_load(o->model, o->type, &r->model, error);
    if (status != STATUS_OK) return status;
    struct forward_options forward = {.threads = (int)o->threads,
                                      .angles = o->angles,
                                      .stop = signals_caught(),
                                      .progress = pass_advanced,
                                      .progress_state = &r->progress};
    return forward_new(r->model, &forward, &r->forward, error);
}

static int retrieval_open(struct retrieval *r, struct error *error) {
    const struct passkey_options *o = r->options;
    r->unicode = terminal_shows_unicode();
    int status = model_read_config(o->model.model, &r->config, error);
    if (status == STATUS_OK) status = table_source_open(&o->model.tables, &r->config, &r->tables, error);
    if (status == STATUS_OK) {
        status = tokenizer_open(o->model.tokenizer, o->model.model, r->config.vocabulary, &r->tokenizer, error);
    }
    r->task = (struct passkey_task){
        .setting = {.tokenizer = &r->tokenizer, .form = o->prompt, .digits = o->digits},
        .depths = o->depths,
        .depth_count = o->depth_count,
        .trials = o->trials,
        .seed = (uint64_t)o->seed,
        .vocabulary = r->config.vocabulary,
    };
    if (status == STATUS_OK) status = check_lengths(r, error);
    if (status == STATUS_OK) status = measurement_log_open(o->model.into, o->model.label, &r->recorder, error);
    if (status == STATUS_OK && o->save_tokens) status = save_tokens(r, error);
    if (status == STATUS_OK) status = load(r, error);
    if (status == STATUS_OK && o->json && !(r->results = json_array())) status = error_memory(error, 0, "the results");
    return status;
}

/* ---- Rows ---- */

static int record(const struct retrieval *r, const struct passkey_result *result, struct error *error) {
    if (!r->recorder.store) return STATUS_OK;
    const struct passkey_options *o = r->options;
    const struct chosen_table *table = result->table;
    const struct measurement_setup measuring = {.name = table->name ? table->name : table->method,
                                                .model = o->model.model,
                                                .length = result->length,
                                                .scale = table->scale,
                                                .seconds = result->seconds,
                                                .table = &table->rope,
                                                .kernels = result->kernels,
                                                .angles = o->model.angles};
    struct passkey_record *rows = calloc(o->depth_count, sizeof *rows);
    if (!rows) return error_memory(error, (double)o->depth_count * sizeof *rows, "the results");
    for (size_t d = 0; d < o->depth_count; d++) {
        measurement_log_describe(&r->recorder, &measuring, &rows[d].measured);
        rows[d].depth = o->depths[d];
        rows[d].digits = o->digits;
        rows[d].trials = o->trials;
        rows[d].correct = passkeys_found(result->sheet, d);
        rows[d].seed = o->seed;
        snprintf(rows[d].wording, sizeof rows[d].wording, "%s", needle_form_name(o->prompt));
    }
    int status = store_put_passkeys(r->recorder.store, rows, o->depth_count, error);
    free(rows);
    return status;
}

static int show(struct retrieval *r, const struct passkey_result *result, struct error *error) {
    if (r->results) {
        json_t *row = passkey_json(result);
        return row && json_array_append_new(r->results, row) == 0 ? STATUS_OK : error_memory(error, 0, "the results");
    }
    passkey_print_row(result, r->unicode);
    return STATUS_OK;
}

/* The `index`-th table at one length. */
static int ask_length(struct retrieval *r, size_t index, int64_t length, struct error *error) {
    struct chosen_table table;
    struct passkey_sheet sheet;
    char title[64];
    table_source_get(&r->tables, index, length, &table);
    snprintf(title, sizeof title, "%s at %" PRId64 " tokens", table.method, length);
    progress_begin(&r->progress, title, "prompts", 0, r->task.depth_count * (size_t)r->task.trials);
    int status = passkey_ask(&r->task, r->forward, &table.rope, length, prompt_asked, &r->progress, &sheet, error);
    progress_clear(&r->progress);
    if (status == STATUS_OK) {
        const struct passkey_result result = {.options = r->options,
                                              .kernels = r->model->kernels,
                                              .table = &table,
                                              .sheet = &sheet,
                                              .length = length,
                                              .seconds = clock_seconds() - r->progress.began};
        status = record(r, &result, error);
        if (status == STATUS_OK) status = show(r, &result, error);
    }
    passkey_sheet_free(&sheet);
    return status;
}

/* A table for people has one method's lengths below each other, so that it is a heat map. */
static int ask_all(struct retrieval *r, struct error *error) {
    const struct passkey_options *o = r->options;
    int status = STATUS_OK;
    if (!r->results) passkey_print_setting(o, r->model->kernels);
    for (size_t t = 0; t < table_source_count(&r->tables) && status == STATUS_OK; t++) {
        if (!r->results)
            passkey_print_heading(o, o->model.tables.factors ? "factors" : o->model.tables.methods.items[t]);
        for (size_t l = 0; l < o->length_count && status == STATUS_OK; l++) {
            status = ask_length(r, t, o->lengths[l], error);
        }
    }
    return status;
}

static int retrieve(struct retrieval *r, struct error *error) {
    int status = retrieval_open(r, error);
    if (status == STATUS_OK) status = ask_all(r, error);
    if (status == STATUS_STOPPED) {
        return error_set(error, status, "stopped by a signal; %s",
                         r->options->json ? "nothing was printed" : "the rows that are printed are complete");
    }
    if (status == STATUS_OK && r->results) {
        json_t *root = json_pack("{s:O}", "results", r->results);
        if (!root) return error_memory(error, 0, "the results");
        json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        putchar('\n');
        json_decref(root);
    }
    return status;
}

int cmd_passkey(int argc, char **argv, struct error *error) {
    struct passkey_options options;
    struct retrieval retrieval = {.options = &options};
    int status = passkey_options_read(argc, argv, &options, error);
    if (status == STATUS_OK && options.help) {
        fputs(passkey_usage, stdout);
    } else if (status == STATUS_OK) {
        status = retrieve(&retrieval, error);
    }
    retrieval_close(&retrieval);
    passkey_options_free(&options);
    return status;
}
