#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#include "search/base/json.h"
#include "search/report/report.h"
#include "search/report/report_frame.h"
#include "search/run/generation_stats.h"

/* "n/a" where racing has stopped a whole generation. */
static void print_perplexity(FILE *out, int width, double nats) {
    if (isnan(nats)) {
        fprintf(out, "  %*s", width, "n/a");
    } else {
        fprintf(out, "  %*.4f", width, exp(nats));
    }
}

static int print_stage(const void *state, const struct stage_view *stage, FILE *out, struct error *error) {
    (void)state, (void)error;
    struct generation_stats row = {.number = 0};
    size_t next = 0;
    if (!stage->individual_count) {
        fputs("  no evaluation yet\n", out);
        return STATUS_OK;
    }
    fprintf(out, "  %10s  %11s  %7s  %9s  %10s  %11s  %5s  %9s  %s\n", "generation", "individuals", "so far",
            "cut short", "its best", "best so far", "n_hat", "attention", "origin");
    while (generation_stats_next(stage, &next, &row)) {
        struct factor_entry table;
        stage_view_entry(stage, row.best_so_far, &table);
        fprintf(out, "  %10" PRId64 "  %11zu  %7zu  %9zu", row.number, row.individuals, row.evaluations, row.stopped);
        print_perplexity(out, 10, row.best->score);
        print_perplexity(out, 11, row.best_so_far->score);
        fprintf(out, "  %5" PRId64 "  %9.4f  %s\n", table.start_tokens, table.attention_factor,
                origin_name(row.best_so_far->origin));
    }
    return STATUS_OK;
}

/* NULL for lack of memory. */
static json_t *quartiles_json(const struct stage_view *stage, const struct generation_stats *row) {
    double quartiles[QUARTILES];
    json_t *array = generation_stats_quartiles(stage, row, quartiles) ? json_array() : NULL;
    for (size_t q = 0; array && q < QUARTILES; q++) json_array_append_new(array, json_number_or_null(quartiles[q]));
    return array;
}

static json_t *best_json(const struct stage_view *stage, const struct individual *best) {
    struct factor_entry table;
    stage_view_entry(stage, best, &table);
    return json_pack("{s:I, s:o, s:I, s:f, s:s}", "id", (json_int_t)best->id, "perplexity",
                     json_number_or_null(exp(best->score)), "start_tokens", (json_int_t)table.start_tokens,
                     "attention_factor", table.attention_factor, "origin", origin_name(best->origin));
}

static int stage_json(const void *state, const struct stage_view *stage, json_t **out, struct error *error) {
    (void)state;
    struct generation_stats row = {.number = 0};
    json_t *rows = json_array();
    bool whole = rows != NULL;
    for (size_t next = 0; whole && generation_stats_next(stage, &next, &row);) {
        json_t *object = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "generation", (json_int_t)row.number, "individuals",
            (json_int_t)row.individuals, "stopped", (json_int_t)row.stopped, "evaluations", (json_int_t)row.evaluations,
            "windows", (json_int_t)row.windows, "work", json_number_or_null(stage_view_work(stage, row.work)),
            "perplexity", json_number_or_null(exp(row.best->score)), "quartiles", quartiles_json(stage, &row), "best",
            best_json(stage, row.best_so_far));
        whole = json_array_append_new(rows, object) == 0;
    }
    *out = json_pack("{s:o, s:o}", "generations", rows, "improvements", report_improvements_json(stage));
    if (whole && *out) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return error_memory(error, 0, "the report");
}

const struct report_view report_view_generations = {.print = print_stage, .to_json = stage_json};

int report_generations(struct store *store, const struct report_options *options, FILE *out, struct error *error) {
    return report_stages(store, options, &report_view_generations, NULL, out, error);
}
