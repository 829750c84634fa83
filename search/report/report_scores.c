#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/report/report.h"
#include "search/run/run_view.h"

/* ---- CSV, RFC 4180 but for the line's end ---- */

/* Each field but a line's first begins with its comma. */

static void put_text(FILE *out, const char *text) {
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const char *c = text; *c; c++) {
        if (*c == '"') fputc('"', out); /* twice */
        fputc(*c, out);
    }
    fputc('"', out);
}

static void put_next_text(FILE *out, const char *text) {
    fputc(',', out);
    put_text(out, text);
}

static void put_integer(FILE *out, int64_t value) { fprintf(out, ",%" PRId64, value); }

static void put_number(FILE *out, double value) {
    fputc(',', out);
    if (isfinite(value)) fprintf(out, "%.17g", value);
}

static void put_empty(FILE *out) { fputc(',', out); }

/* ---- rows ---- */

struct scores {
    FILE *out;
    struct run_view run;
    size_t windows; /* columns: the most of any stage */
    int64_t pairs;
    struct window_nats nats; /* of one row: [windows], without blocks */
};

struct row {
    const struct stage_record *stage;
    const struct individual *individual; /* NULL: a baseline */
    const char *origin;
    const struct rope_table *table;
    double nats_per_token;
    double work; /* in evaluations; NaN: none is known */
    const struct scored *scored;
};

static void put_header(const struct scores *scores) {
    FILE *out = scores->out;
    fputs("stage,kind,id,generation,origin,parent_a,parent_b,start_tokens,attention_factor,windows,stopped,failed,"
          "nats_per_token,perplexity,work,seconds",
          out);
    for (size_t i = 0; i < scores->windows; i++) fprintf(out, ",nats_%zu", i);
    for (int64_t i = 0; i < scores->pairs; i++) fprintf(out, ",lambda_%" PRId64, i);
    fputc('\n', out);
}

static void put_parent(FILE *out, int64_t id) {
    if (id == EVOLVE_NO_PARENT) {
        put_empty(out);
    } else {
        put_integer(out, id);
    }
}

/* id and generation, origin, parents. */
static void put_descent(FILE *out, const struct row *row) {
    const struct individual *one = row->individual;
    if (one) {
        put_integer(out, one->id);
        put_integer(out, one->generation);
    } else {
        put_empty(out);
        put_empty(out);
    }
    put_next_text(out, row->origin);
    for (int p = 0; p < 2; p++) put_parent(out, one ? one->parents[p] : EVOLVE_NO_PARENT);
}

static void put_row(const struct scores *scores, const struct row *row) {
    FILE *out = scores->out;
    put_text(out, row->stage->name);
    put_next_text(out, row->individual ? "individual" : "baseline");
    put_descent(out, row);
    put_integer(out, row->table->start_tokens);
    put_number(out, row->table->attention_factor);
    put_integer(out, (int64_t)row->scored->windows);
    put_integer(out, row->individual && row->individual->stopped);
    put_integer(out, row->individual ? row->individual->failed : isinf(row->nats_per_token));
    put_number(out, row->nats_per_token);
    put_number(out, exp(row->nats_per_token));
    put_number(out, row->work);
    put_number(out, row->scored->seconds);
    for (size_t i = 0; i < scores->windows; i++) put_number(out, scores->nats.nats[i]);
    for (int64_t i = 0; i < scores->pairs; i++) put_number(out, i < row->table->pairs ? row->table->factors[i] : NAN);
    fputc('\n', out);
}

/* In the terms of individuals: what multiplies the factors and the attention factor of the stage's base. */
static void baseline_table(const struct stage_view *view, const struct baseline_record *one, struct rope_table *out) {
    const struct stage_record *stage = view->record;
    *out = one->table;
    stage_view_baseline_factors(view, one, out->factors);
    for (int64_t i = 0; i < out->pairs; i++) out->factors[i] /= stage->base_factors[i];
    out->attention_factor *= one->table.own_attention_factor / stage->base_attention_factor;
}

static int put_baseline(struct scores *scores, const struct stage_view *view, const struct baseline_record *one,
                        struct error *error) {
    const struct stage_record *stage = view->record;
    struct rope_table table;
    baseline_table(view, one, &table);
    struct row row = {.stage = stage,
                      .origin = rope_method_name(one->method),
                      .table = &table,
                      .nats_per_token = one->nats_per_token,
                      .work = NAN,
                      .scored = &one->scored};
    int status = store_baseline_nats(scores->run.store, stage->id, one->method, &scores->nats, error);
    if (status == STATUS_OK) put_row(scores, &row);
    return status;
}

static int put_individual(struct scores *scores, const struct stage_view *stage, const struct individual_record *record,
                          struct error *error) {
    const struct individual *one = &record->individual;
    struct rope_table table = {0};
    stage_record_table(stage->record, &one->genome, &table);
    struct row row = {.stage = stage->record,
                      .individual = one,
                      .origin = origin_name(one->origin),
                      .table = &table,
                      .nats_per_token = one->score,
                      .work = stage_view_work(stage, one->work),
                      .scored = &record->scored};
    int status = store_window_nats(scores->run.store, stage->record->id, one->id, &scores->nats, error);
    if (status == STATUS_OK) put_row(scores, &row);
    return status;
}

static int put_stage(struct scores *scores, size_t index, struct error *error) {
    struct stage_view stage;
    int status = stage_view_read(&scores->run, index, &stage, error);
    for (size_t i = 0; i < stage.baseline_count && status == STATUS_OK; i++) {
        status = put_baseline(scores, &stage, &stage.baselines[i], error);
    }
    for (size_t i = 0; i < stage.individual_count && status == STATUS_OK; i++) {
        status = put_individual(scores, &stage, &stage.individuals[i], error);
    }
    stage_view_free(&stage);
    return status;
}

/* ---- the table ---- */

static int find_columns(struct scores *scores, struct error *error) {
    for (size_t i = 0; i < scores->run.count; i++) {
        const struct stage_record *stage = &scores->run.stages[i];
        size_t windows = 0;
        int status = run_view_windows(&scores->run, i, &windows, error);
        if (status != STATUS_OK) return status;
        if (windows > scores->windows) scores->windows = windows;
        if (stage->space.pairs > scores->pairs) scores->pairs = stage->space.pairs;
    }
    scores->nats = (struct window_nats){.windows = scores->windows};
    scores->nats.nats = calloc(scores->windows + 1, sizeof *scores->nats.nats);
    return scores->nats.nats ? STATUS_OK : error_memory(error, (double)scores->windows * sizeof(double), "the nats");
}

int report_scores(struct store *store, const char *stage, FILE *out, struct error *error) {
    struct scores scores = {.out = out};
    int status = run_view_open(store, stage, &scores.run, error);
    if (status != STATUS_OK) return status;
    status = find_columns(&scores, error);
    if (status == STATUS_OK) put_header(&scores);
    for (size_t i = 0; i < scores.run.count && status == STATUS_OK; i++) status = put_stage(&scores, i, error);
    free(scores.nats.nats);
    run_view_close(&scores.run);
    return status;
}
