#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/model.h"
#include "eval/perplexity.h"
#include "search/commands.h"
#include "search/eval_options.h"
#include "search/json.h"
#include "search/npy.h"
#include "search/progress.h"
#include "search/signals.h"
#include "search/table_choice.h"

struct evaluation {
    const struct eval_options *options;
    struct model_config config;
    struct documents documents;
    struct table_choice tables;
    struct model *model;
    struct forward *forward;
    struct progress progress; /* of the row under way */
    json_t *results;          /* with --json */
    bool headed;              /* the table has its heading */
};

/* What one row of the output says. */
struct result {
    const struct chosen_table *table;
    int64_t length; /* as --length says; a document's last window may be shorter with --stride */
    double nats_per_token, seconds;
    size_t documents;
    const struct scoring *scoring;
};

/* ---- opening: what is cheap to find wrong comes before the weights ---- */

static void evaluation_close(struct evaluation *e) {
    json_decref(e->results);
    forward_free(e->forward);
    model_free(e->model);
    table_choice_close(&e->tables);
    documents_free(&e->documents);
}

static int read_text(struct evaluation *e, struct error *error) {
    const struct eval_options *o = e->options;
    struct tokenizer tokenizer;
    int status = tokenizer_open(o->tokenizer, o->model.model, e->config.vocabulary, &tokenizer, error);
    if (status != STATUS_OK) return status;
    status = documents_read_text(o->text.items, o->text.count, &tokenizer, &e->documents, error);
    tokenizer_close(&tokenizer);
    return status;
}

static int read_documents(struct evaluation *e, struct error *error) {
    const struct words *tokens = &e->options->tokens;
    int status =
        tokens->count ? documents_read_npy(tokens->items, tokens->count, &e->documents, error) : read_text(e, error);
    return status == STATUS_OK ? documents_check(&e->documents, e->config.vocabulary, error) : status;
}

/* The windows of one --length; the caller frees *samples, which `scoring` borrows. */
static int choose_windows(const struct evaluation *e, const char *text, int64_t *length, struct scoring *scoring,
                          struct sample **samples, struct error *error) {
    const struct eval_options *o = e->options;
    *scoring = (struct scoring){.documents = &e->documents};
    int status = option_integer("length", text, 1, INT32_MAX, length, error);
    if (status != STATUS_OK) return status;
    status = o->stride ? samples_slide(&e->documents, *length, o->stride, samples, &scoring->count, error)
                       : samples_choose(&e->documents, *length, (size_t)o->samples, samples, &scoring->count, error);
    if (status == STATUS_OK) scoring->samples = *samples;
    return status;
}

/* A length beyond the documents would cost all that came before. */
static int check_lengths(const struct evaluation *e, struct error *error) {
    for (size_t l = 0; l < e->options->lengths.count; l++) {
        struct scoring scoring;
        struct sample *samples = NULL;
        int64_t length;
        int status = choose_windows(e, e->options->lengths.items[l], &length, &scoring, &samples, error);
        free(samples);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static void pass_advanced(void *state, double fraction) { progress_within(state, fraction); }

static void window_scored(void *state, size_t windows) { progress_step(state, windows, "", false); }

static int evaluation_open(struct evaluation *e, struct error *error) {
    const struct eval_options *o = e->options;
    int status = model_read_config(o->model.model, &e->config, error);
    if (status == STATUS_OK) status = table_choice_open(&o->model, &e->config, &e->tables, error);
    if (status == STATUS_OK) status = read_documents(e, error);
    if (status == STATUS_OK) status = check_lengths(e, error);
    if (status == STATUS_OK) status = model_load(o->model.model, o->model.type, &e->model, error);
    if (status != STATUS_OK) return status;
    struct forward_options forward = {.threads = (int)o->model.threads,
                                      .angles = o->model.angles,
                                      .stop = signals_caught(),
                                      .progress = pass_advanced,
                                      .progress_state = &e->progress};
    status = forward_new(e->model, &forward, &e->forward, error);
    if (status == STATUS_OK && o->json && !(e->results = json_array())) status = error_memory(error, 0, "the results");
    return status;
}

/* ---- output ---- */

static void print_heading(const struct evaluation *e) {
    const struct kernels *kernels = e->model->kernels;
    printf("%s arithmetic, %s kernels, %s angles", number_type_name(kernels->type), kernels->name,
           rope_angles_name(e->options->model.angles));
    if (e->options->stride) printf(", stride %" PRId64, e->options->stride);
    printf("\n%9s  %-12s %8s %9s %6s %9s %10s %11s %11s %9s\n", "length", "method", "scale", "attention", "n_hat",
           "documents", "tokens", "nats/token", "perplexity", "seconds");
}

static void print_result(const struct result *r) {
    char nats[32] = "-", perplexity[32] = "-"; /* a single token predicts nothing */
    if (isfinite(r->nats_per_token)) {
        snprintf(nats, sizeof nats, "%.6f", r->nats_per_token);
        snprintf(perplexity, sizeof perplexity, "%.4f", exp(r->nats_per_token));
    }
    printf("%9" PRId64 "  %-12s %8.4g %9.4f %6" PRId64 " %9zu %10" PRId64 " %11s %11s %9.2f\n", r->length,
           r->table->method, r->table->scale, r->table->rope.attention_factor, r->table->rope.start_tokens,
           r->documents, scoring_tokens(r->scoring), nats, perplexity, r->seconds);
    fflush(stdout);
}

static json_t *result_json(const struct evaluation *e, const struct result *r) {
    const struct rope_table *rope = &r->table->rope;
    const struct kernels *kernels = e->model->kernels;
    json_t *row = json_pack(
        "{s:I, s:s, s:f, s:f, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:f, s:s, s:s, s:s}", "length", (json_int_t)r->length,
        "method", r->table->method, "scale", r->table->scale, "attention_factor", rope->attention_factor,
        "start_tokens", (json_int_t)rope->start_tokens, "factors", json_number_array(rope->factors, rope->pairs),
        "documents", (json_int_t)r->documents, "samples", (json_int_t)r->scoring->count, "tokens",
        (json_int_t)scoring_tokens(r->scoring), "nll", json_number_or_null(r->nats_per_token), "perplexity",
        json_number_or_null(exp(r->nats_per_token)), "seconds", r->seconds, "dtype", number_type_name(kernels->type),
        "kernels", kernels->name, "angles", rope_angles_name(e->options->model.angles));
    if (row && r->table->name) json_object_set_new(row, "table", json_string(r->table->name));
    if (row && e->options->stride) json_object_set_new(row, "stride", json_integer(e->options->stride));
    return row;
}

static int show_result(struct evaluation *e, const struct result *result, struct error *error) {
    if (e->results) {
        json_t *row = result_json(e, result);
        return row && json_array_append_new(e->results, row) == 0 ? STATUS_OK : error_memory(error, 0, "the results");
    }
    if (!e->headed) print_heading(e);
    e->headed = true;
    print_result(result);
    return STATUS_OK;
}

/* Windows of one length are rows of an array; those that slide are not all as long. */
static int write_nats(const struct evaluation *e, const struct result *r, const double *nats, struct error *error) {
    int64_t tokens = scoring_tokens(r->scoring);
    bool slide = e->options->stride > 0;
    return npy_write(e->options->nats, nats, slide ? 1 : (int64_t)r->scoring->count, slide ? tokens : r->length - 1,
                     error);
}

/* ---- scoring ---- */

static int score_table(struct evaluation *e, struct result *r, struct error *error) {
    const struct scoring *scoring = r->scoring;
    double *sample_nats = calloc(scoring->count, sizeof *sample_nats);
    double *token_nats = e->options->nats ? calloc((size_t)scoring_tokens(scoring) + 1, sizeof *token_nats) : NULL;
    int status = STATUS_OK;
    if (!sample_nats || (e->options->nats && !token_nats)) {
        status = error_memory(error, (double)scoring_tokens(scoring) * sizeof *token_nats, "the tokens' nats");
    }
    char title[64];
    snprintf(title, sizeof title, "%s at %" PRId64 " tokens", r->table->method, r->length);
    progress_begin(&e->progress, title, "windows", 0, scoring->count);
    if (status == STATUS_OK)
        status = perplexity_score(e->forward, &r->table->rope, scoring, sample_nats, token_nats, error);
    r->seconds = seconds_now() - e->progress.began;
    progress_clear(&e->progress);
    if (status == STATUS_OK) r->nats_per_token = perplexity_mean_nats(scoring, sample_nats);
    if (status == STATUS_OK && token_nats) status = write_nats(e, r, token_nats, error);
    free(sample_nats);
    free(token_nats);
    return status;
}

/* The documents that the samples are of: each has one at its beginning. */
static size_t documents_scored(const struct scoring *scoring) {
    size_t count = 0;
    for (size_t s = 0; s < scoring->count; s++) count += scoring->samples[s].start == 0;
    return count;
}

/* One row: the `index`-th table at that length. */
static int evaluate_table(struct evaluation *e, const struct scoring *scoring, int64_t length, size_t index,
                          struct error *error) {
    struct chosen_table table;
    table_choose(&e->tables, index, length, &table);
    struct result result = {
        .table = &table, .length = length, .documents = documents_scored(scoring), .scoring = scoring};
    int status = score_table(e, &result, error);
    return status == STATUS_OK ? show_result(e, &result, error) : status;
}

static int evaluate_length(struct evaluation *e, const char *text, struct error *error) {
    struct scoring scoring;
    struct sample *samples = NULL;
    int64_t length;
    int status = choose_windows(e, text, &length, &scoring, &samples, error);
    scoring.progress = window_scored;
    scoring.progress_state = &e->progress;
    for (size_t t = 0; t < table_choice_count(&e->tables) && status == STATUS_OK; t++) {
        status = evaluate_table(e, &scoring, length, t, error);
    }
    free(samples);
    return status;
}

static int evaluate(struct evaluation *e, struct error *error) {
    int status = evaluation_open(e, error);
    for (size_t l = 0; l < e->options->lengths.count && status == STATUS_OK; l++) {
        status = evaluate_length(e, e->options->lengths.items[l], error);
    }
    if (status == STATUS_STOPPED) {
        return error_set(error, status, "stopped by a signal; %s",
                         e->options->json ? "nothing was printed" : "the rows that are printed are complete");
    }
    if (status == STATUS_OK && e->results) {
        json_t *root = json_pack("{s:O}", "results", e->results);
        if (!root) return error_memory(error, 0, "the results");
        json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        putchar('\n');
        json_decref(root);
    }
    return status;
}

int cmd_eval(int argc, char **argv, struct error *error) {
    struct eval_options options;
    struct evaluation evaluation = {.options = &options};
    int status = eval_options_read(argc, argv, &options, error);
    if (status == STATUS_OK && options.help) {
        fputs(eval_usage, stdout);
    } else if (status == STATUS_OK) {
        status = evaluate(&evaluation, error);
    }
    evaluation_close(&evaluation);
    eval_options_free(&options);
    return status;
}
