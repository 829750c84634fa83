#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#include "search/json.h"
#include "search/report.h"
#include "search/report_stages.h"

/* One generation, or as much of it as is scored. */
struct generation {
    int64_t number;
    size_t individuals;
    size_t stopped;                /* of them, by racing */
    size_t evaluations;            /* of this and all earlier generations */
    size_t windows;                /* scored in these evaluations */
    const struct individual *best; /* of this generation */
    const struct individual *best_so_far;
};

/* Goes on to the generation that individual *next is the first of, taking *next behind its last one.
 * False where there is none. `row` holds the generation before; zeroed at first. */
static bool next_generation(const struct stage_view *stage, size_t *next, struct generation *row) {
    if (*next == stage->individual_count) return false;
    row->number = stage->individuals[*next].individual.generation;
    row->individuals = row->stopped = 0;
    row->best = NULL;
    for (; *next < stage->individual_count; ++*next) {
        const struct individual_record *one = &stage->individuals[*next];
        if (one->individual.generation != row->number) break;
        row->individuals++;
        row->evaluations++;
        row->stopped += one->individual.stopped;
        row->windows += one->scored.samples;
        if (individual_better(&one->individual, row->best)) row->best = &one->individual;
    }
    if (individual_better(row->best, row->best_so_far)) row->best_so_far = row->best;
    return true;
}

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
    struct generation row = {.number = 0};
    size_t next = 0;
    if (!stage->individual_count) {
        fputs("  no evaluation yet\n", out);
        return STATUS_OK;
    }
    fprintf(out, "  %10s  %11s  %7s  %9s  %10s  %11s  %5s  %9s  %s\n", "generation", "individuals", "so far",
            "cut short", "best of it", "best so far", "n_hat", "attention", "origin");
    while (next_generation(stage, &next, &row)) {
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

static json_t *best_json(const struct stage_view *stage, const struct individual *best) {
    struct factor_entry table;
    stage_view_entry(stage, best, &table);
    return json_pack("{s:I, s:o, s:I, s:f, s:s}", "id", (json_int_t)best->id, "perplexity",
                     json_number_or_null(exp(best->score)), "start_tokens", (json_int_t)table.start_tokens,
                     "attention_factor", table.attention_factor, "origin", origin_name(best->origin));
}

static int stage_json(const void *state, const struct stage_view *stage, json_t **out, struct error *error) {
    (void)state;
    struct generation row = {.number = 0};
    json_t *rows = json_array();
    bool whole = rows != NULL;
    for (size_t next = 0; whole && next_generation(stage, &next, &row);) {
        json_t *object =
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "generation", (json_int_t)row.number, "individuals",
                      (json_int_t)row.individuals, "stopped", (json_int_t)row.stopped, "evaluations",
                      (json_int_t)row.evaluations, "windows", (json_int_t)row.windows, "perplexity",
                      json_number_or_null(exp(row.best->score)), "best", best_json(stage, row.best_so_far));
        whole = json_array_append_new(rows, object) == 0;
    }
    *out = json_pack("{s:o}", "generations", rows);
    if (whole) return STATUS_OK;
    json_decref(*out);
    return error_memory(error, 0, "the report");
}

int report_generations(struct store *store, const struct report_options *options, FILE *out, struct error *error) {
    static const struct stage_report report = {.print = print_stage, .to_json = stage_json};
    return report_stages(store, options, &report, NULL, out, error);
}
