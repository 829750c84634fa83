#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

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
    size_t first; /* its first individual */
};

/* Goes on to the generation that individual *next is the first of, taking *next behind its last one.
 * False where there is none. `row` holds the generation before; zeroed at first. */
static bool next_generation(const struct stage_view *stage, size_t *next, struct generation *row) {
    if (*next == stage->individual_count) return false;
    row->number = stage->individuals[*next].individual.generation;
    row->individuals = row->stopped = 0;
    row->best = NULL;
    row->first = *next;
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

static int by_score(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

/* The perplexities below which a quarter, a half and three quarters of the generation lie, each that of an individual.
 * What racing cut short counts as worse than all that was scored: null where it falls on such a one. NULL for lack of
 * memory. */
static json_t *quartiles_json(const struct stage_view *stage, const struct generation *row) {
    double *scores = calloc(row->individuals, sizeof *scores);
    json_t *array = scores ? json_array() : NULL;
    for (size_t i = 0; scores && i < row->individuals; i++) {
        scores[i] = stage->individuals[row->first + i].individual.score;
    }
    if (scores) qsort(scores, row->individuals, sizeof *scores, by_score);
    for (size_t quarter = 1; array && quarter <= 3; quarter++) {
        size_t rank = (quarter * row->individuals + 3) / 4; /* counted from 1, rounded up */
        json_array_append_new(array, json_number_or_null(exp(scores[rank - 1])));
    }
    free(scores);
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
    struct generation row = {.number = 0};
    json_t *rows = json_array();
    bool whole = rows != NULL;
    for (size_t next = 0; whole && next_generation(stage, &next, &row);) {
        json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "generation", (json_int_t)row.number,
                                   "individuals", (json_int_t)row.individuals, "stopped", (json_int_t)row.stopped,
                                   "evaluations", (json_int_t)row.evaluations, "windows", (json_int_t)row.windows,
                                   "perplexity", json_number_or_null(exp(row.best->score)), "quartiles",
                                   quartiles_json(stage, &row), "best", best_json(stage, row.best_so_far));
        whole = json_array_append_new(rows, object) == 0;
    }
    *out = json_pack("{s:o}", "generations", rows);
    if (whole) return STATUS_OK;
    json_decref(*out);
    return error_memory(error, 0, "the report");
}

const struct stage_report generations_report = {.print = print_stage, .to_json = stage_json};

int report_generations(struct store *store, const struct report_options *options, FILE *out, struct error *error) {
    return report_stages(store, options, &generations_report, NULL, out, error);
}
