#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/perplexity.h"
#include "search/base/atomic_output.h"
#include "search/base/json.h"
#include "search/base/npy.h"
#include "search/base/output_stream.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"
#include "search/cli/eval_options.h"
#include "search/cli/session.h"
#include "search/measure/sweep.h"

/* The windows of one --length. */
struct windows {
    int64_t length;
    struct window *items; /* [count] */
    size_t count;
};

struct evaluation {
    const struct eval_options *options;
    struct session session;
    struct documents documents;
    int32_t bos;             /* that documents of text begin with; -1: none */
    struct windows *windows; /* [lengths] */
    struct window *all;      /* their items, one length after another */
    struct scoring scoring;  /* on all of them */
    struct sweep_row *rows;  /* by length, then by RoPE table */
    struct sweep sweep;
    bool headed; /* the heading is printed */
};

/* ---- Opening: errors that are cheap to find come before the weights are loaded ---- */

static void evaluation_close(struct evaluation *e) {
    session_end_work(&e->session);
    sweep_close(&e->sweep);
    free(e->rows);
    for (size_t l = 0; e->windows && l < e->options->lengths.count; l++) free(e->windows[l].items);
    free(e->windows);
    free(e->all);
    documents_free(&e->documents);
    session_close(&e->session);
}

static int read_text(struct evaluation *e, struct error *error) {
    const struct eval_options *o = e->options;
    struct tokenizer tokenizer;
    int status = session_tokenizer(&e->session, &tokenizer, error);
    if (status != STATUS_OK) return status;
    status = documents_read_text(o->text.items, o->text.count, &tokenizer, &e->documents, error);
    e->bos = tokenizer.bos;
    tokenizer_close(&tokenizer);
    return status;
}

static int read_documents(struct evaluation *e, struct error *error) {
    const struct string_list *tokens = &e->options->tokens;
    int status =
        tokens->count ? documents_read_npy(tokens->items, tokens->count, &e->documents, error) : read_text(e, error);
    return status == STATUS_OK ? documents_check(&e->documents, e->session.config.vocabulary, error) : status;
}

static int choose_windows(const struct evaluation *e, struct windows *out, struct error *error) {
    const struct eval_options *o = e->options;
    return o->stride ? windows_slide(&e->documents, out->length, o->stride, &out->items, &out->count, error)
                     : windows_choose(&e->documents, out->length, (size_t)o->samples, &out->items, &out->count, error);
}

static void window_scored(void *state, size_t known) { progress_step(state, known, "", false); }

static int append_windows(struct evaluation *e, const struct windows *windows, struct error *error) {
    size_t count = e->scoring.count + windows->count;
    struct window *grown = realloc(e->all, (count + 1) * sizeof *grown);
    if (!grown) return error_memory(error, (double)count * sizeof *grown, "the windows");
    memcpy(grown + e->scoring.count, windows->items, windows->count * sizeof *grown);
    e->all = grown;
    e->scoring = (struct scoring){.documents = &e->documents, .windows = grown, .count = count};
    return STATUS_OK;
}

/* Plans all rows before the weights are loaded, so that a length beyond the documents is an error at once. */
static int plan_rows(struct evaluation *e, struct error *error) {
    size_t lengths = e->options->lengths.count, tables = table_source_count(&e->session.tables);
    int status = STATUS_OK;
    e->windows = calloc(lengths, sizeof *e->windows);
    e->rows = calloc(lengths * tables, sizeof *e->rows);
    if (!e->windows || !e->rows) return error_memory(error, (double)(lengths * tables) * sizeof *e->rows, "the rows");
    e->sweep.rows = e->rows;
    for (size_t l = 0; l < lengths && status == STATUS_OK; l++) {
        struct windows *windows = &e->windows[l];
        size_t first = e->scoring.count;
        windows->length = e->options->lengths.items[l];
        status = choose_windows(e, windows, error);
        if (status == STATUS_OK) status = append_windows(e, windows, error);
        for (size_t t = 0; t < tables && status == STATUS_OK; t++) {
            struct sweep_row *row = &e->rows[e->sweep.count++];
            row->length = windows->length;
            row->scoring =
                (struct scoring){.documents = &e->documents, .windows = windows->items, .count = windows->count};
            row->first_window = first;
            row->progress = window_scored, row->progress_state = &e->session.progress;
            table_source_get(&e->session.tables, t, windows->length, &row->table);
        }
    }
    return status == STATUS_OK ? sweep_open(&e->sweep, error) : status;
}

/* The file of --nats must not replace what is read. */
static int check_nats(struct evaluation *e, struct error *error) {
    const struct eval_options *o = e->options;
    if (!o->nats || !session_speaks(&e->session)) return STATUS_OK;
    int status = session_check_output(&e->session, o->nats, o->force, error);
    for (size_t i = 0; i < o->tokens.count && status == STATUS_OK; i++) {
        status = atomic_output_check_input(o->nats, o->tokens.items[i], error);
    }
    for (size_t i = 0; i < o->text.count && status == STATUS_OK; i++) {
        status = atomic_output_check_input(o->nats, o->text.items[i], error);
    }
    return status;
}

/* What people may not expect, as a search says it: documents that are left out, whether those of text begin with BOS, a
 * sliding window. */
static int tell_of_windows(const struct evaluation *e, struct error *error) {
    const struct eval_options *o = e->options;
    for (size_t l = 0; l < o->lengths.count && session_speaks(&e->session); l++) {
        const struct windows_told told = {.documents = &e->documents,
                                          .windows = e->windows[l].items,
                                          .count = e->windows[l].count,
                                          .length = e->windows[l].length,
                                          .bos = e->bos,
                                          .text = o->text.count > 0};
        model_warn_sliding(&e->session.config, o->model.model, told.length, stderr);
        if (!told.text && windows_documents(&told) == e->documents.count) continue;
        char *text = windows_tell(&told);
        if (!text) return error_memory(error, 0, "the text's description");
        fprintf(stderr, "%s\n", text);
        free(text);
    }
    return STATUS_OK;
}

static int evaluation_open(struct evaluation *e, struct error *error) {
    struct window_task task = {.compute = sweep_compute, .state = &e->scoring};
    session_end_at_once(&e->session, "nothing was printed\n"); /* much text takes a while */
    int status = session_open(&e->options->model, &e->session, error);
    if (status == STATUS_OK) status = check_nats(e, error);
    if (status == STATUS_OK) status = session_open_checkpoints(&e->session, &e->options->checkpoint, error);
    if (status == STATUS_OK) status = read_documents(e, error);
    if (status == STATUS_OK) status = plan_rows(e, error);
    signals_end_at_once(NULL);
    if (status == STATUS_OK) status = session_open_log(&e->session, error);
    if (status == STATUS_OK) status = session_load(&e->session, error);
    if (status == STATUS_OK) status = tell_of_windows(e, error);
    task.windows = e->scoring.count;
    if (status == STATUS_OK) status = session_share(&e->session, &task, &e->scoring, error);
    return status == STATUS_OK && e->session.list ? sweep_hand_out(&e->sweep, e->session.list, error) : status;
}

/* ---- output ---- */

static const char *angles_name(const struct evaluation *e) { return rope_angles_names[e->options->model.angles]; }

static void print_heading(const struct evaluation *e) {
    const struct kernels *kernels = e->session.model->kernels;
    FILE *out = e->session.out;
    fprintf(out, "%s arithmetic, %s kernels, %s angles", number_type_name(kernels->type), kernels->name,
            angles_name(e));
    if (e->options->stride) fprintf(out, ", stride %" PRId64, e->options->stride);
    fprintf(out, "\n%9s  %-12s %8s %9s %6s %9s %10s %11s %11s %9s\n", "length", "method", "scale", "attention", "n_hat",
            "documents", "tokens", "nats/token", "perplexity", "seconds");
}

/* The number of documents that are scored: each of them has a window at its beginning. */
static size_t documents_scored(const struct scoring *scoring) {
    size_t count = 0;
    for (size_t s = 0; s < scoring->count; s++) count += scoring->windows[s].start == 0;
    return count;
}

static void print_row(FILE *out, const struct sweep_row *r) {
    double mean = perplexity_mean_nats(&r->scoring, r->window_nats);
    const struct rope_table *rope = &r->table.rope;
    char nats[32] = "-", perplexity[32] = "-"; /* a single token predicts nothing */
    if (isfinite(mean)) {
        snprintf(nats, sizeof nats, "%.6f", mean);
        snprintf(perplexity, sizeof perplexity, "%.4f", exp(mean));
    }
    fprintf(out, "%9" PRId64 "  %-12s %8.4g %9.4f %6" PRId64 " %9zu %10" PRId64 " %11s %11s %9.2f\n", r->length,
            r->table.method, r->table.scale, rope->own_attention_factor * rope->attention_factor, rope->start_tokens,
            documents_scored(&r->scoring), scoring_tokens(&r->scoring), nats, perplexity, r->seconds);
}

static json_t *row_json(const struct evaluation *e, const struct sweep_row *r) {
    double mean = perplexity_mean_nats(&r->scoring, r->window_nats);
    const struct rope_table *rope = &r->table.rope;
    const struct kernels *kernels = e->session.model->kernels;
    json_t *row =
        json_pack("{s:I, s:s, s:f, s:f, s:f, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:f, s:I, s:s, s:s, s:s}", "length",
                  (json_int_t)r->length, "method", r->table.method, "scale", r->table.scale, "attention_factor",
                  rope->attention_factor, "own_attention_factor", rope->own_attention_factor, "start_tokens",
                  (json_int_t)rope->start_tokens, "factors", json_number_array(rope->factors, rope->pairs), "documents",
                  (json_int_t)documents_scored(&r->scoring), "samples", (json_int_t)r->scoring.count, "tokens",
                  (json_int_t)scoring_tokens(&r->scoring), "nll", json_number_or_null(mean), "perplexity",
                  json_number_or_null(exp(mean)), "seconds", r->seconds, "reused", (json_int_t)r->reused, "dtype",
                  number_type_name(kernels->type), "kernels", kernels->name, "angles", angles_name(e));
    if (row && r->table.name) json_object_set_new(row, "table", json_string(r->table.name));
    if (row && e->options->stride) json_object_set_new(row, "stride", json_integer(e->options->stride));
    return row;
}

static int show_row(struct evaluation *e, const struct sweep_row *row, struct error *error) {
    if (e->options->model.json) return session_add_result(&e->session, row_json(e, row), error);
    if (!e->headed) print_heading(e);
    e->headed = true;
    print_row(e->session.out, row);
    return output_stream_flush(e->session.out, error);
}

static int record_row(const struct evaluation *e, const struct sweep_row *row, struct error *error) {
    if (!e->session.log.store) return STATUS_OK;
    struct length_record record = {.windows = (int64_t)row->scoring.count,
                                   .tokens = scoring_tokens(&row->scoring),
                                   .stride = e->options->stride,
                                   .nats_per_token = perplexity_mean_nats(&row->scoring, row->window_nats)};
    session_describe(&e->session, &row->table, row->length, row->seconds, &record.measurement);
    return store_put_length(e->session.log.store, &record, error);
}

/* Windows of one length are the rows of an array. Sliding windows differ in length and are written as one row. */
static int write_nats(const struct evaluation *e, const struct sweep_row *row, const double *nats,
                      struct error *error) {
    bool slide = e->options->stride > 0;
    return npy_write(e->options->nats, e->options->force, nats, slide ? 1 : (int64_t)row->scoring.count,
                     slide ? scoring_tokens(&row->scoring) : row->length - 1, error);
}

/* ---- scoring ---- */

/* *nats are those of all tokens, if a file of them is to be written; the caller frees them. */
static int score_row(struct evaluation *e, size_t index, double **nats, struct error *error) {
    const struct sweep_row *row = &e->rows[index];
    int64_t tokens = scoring_tokens(&row->scoring);
    *nats = e->options->nats ? calloc((size_t)tokens + 1, sizeof **nats) : NULL;
    if (e->options->nats && !*nats) return error_memory(error, (double)tokens * sizeof **nats, "the tokens' nats");
    char title[64];
    snprintf(title, sizeof title, "%s at %" PRId64 " tokens", row->table.method, row->length);
    progress_begin(&e->session.progress, title, "windows", row->known, row->scoring.count);
    int status = sweep_score(&e->sweep, index, e->session.forward, *nats, error);
    progress_clear(&e->session.progress);
    return session_name_failure(&row->table, row->length, status, error);
}

/* Each of the three places gets the row, also where another one does not take it: it may have taken hours. */
static int keep_row(struct evaluation *e, const struct sweep_row *row, const double *nats, struct error *error) {
    struct error later; /* the first failure is reported */
    int recorded = record_row(e, row, error);
    int shown = show_row(e, row, recorded == STATUS_OK ? error : &later);
    int status = recorded == STATUS_OK ? shown : recorded;
    int written = nats ? write_nats(e, row, nats, status == STATUS_OK ? error : &later) : STATUS_OK;
    return status == STATUS_OK ? written : status;
}

static int evaluate_row(struct evaluation *e, size_t index, struct error *error) {
    double *nats = NULL;
    int status = score_row(e, index, &nats, error);
    if (status == STATUS_OK) status = keep_row(e, &e->rows[index], nats, error);
    free(nats);
    return status;
}

static int evaluate(const void *options, struct error *error) {
    struct evaluation e = {.options = options};
    int status = session_join(&eval_option_table, options, &e.session, error);
    struct ranks *ranks = e.session.ranks;
    if (status == STATUS_OK) status = evaluation_open(&e, error);
    size_t rows = session_speaks(&e.session) ? e.sweep.count : 0;
    for (size_t r = 0; r < rows && status == STATUS_OK; r++) status = evaluate_row(&e, r, error);
    status = session_end(&e.session, status, error);
    evaluation_close(&e);
    return ranks_end(ranks, status, error);
}

const struct command eval_command = {&eval_option_table, evaluate};
