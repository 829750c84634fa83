/* What a run has found, read from its store beside the search or after it: as tables for people and as
 * JSON for programs, all scores as CSV, and the factor file that a finished stage leaves. */
#ifndef LONGROPE_SEARCH_REPORT_H
#define LONGROPE_SEARCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/store/store.h"

struct report_options {
    const char *stage; /* the only one to report on; NULL: all that have begun. STATUS_INPUT for no such */
    bool json;         /* one JSON object, as README.md documents it, in place of the table */
};

/* How far each stage is, what its evaluations cost, the baselines, the best, its factors; and what was measured on the
 * run beside the search. */
int report_overview(struct store *store, const struct report_options *options, FILE *out, struct error *error);

/* A row a generation: what it has scored, and the best so far. */
int report_generations(struct store *store, const struct report_options *options, FILE *out, struct error *error);

/* Curves for people to see, drawn with characters on so many columns: perplexity against evaluations, the best so far
 * and the spread of each generation; and rescale factors against rotary pairs, of the best table and the baselines.
 * As JSON the numbers that they are drawn from. */
struct report_drawing {
    int columns;
    bool unicode;
};
int report_convergence(struct store *store, const struct report_options *options, const struct report_drawing *drawing,
                       FILE *out, struct error *error);
int report_lambda(struct store *store, const struct report_options *options, const struct report_drawing *drawing,
                  FILE *out, struct error *error);

enum { REPORT_BEST = -1 };

/* The ancestors of individual `id`, or of the best one for REPORT_BEST, oldest first. Ids count within a
 * stage: STATUS_INPUT where several stages are asked about one, or it has none of that id. */
int report_genealogy(struct store *store, const struct report_options *options, int64_t id, FILE *out,
                     struct error *error);

/* All baselines and individuals as CSV, one a row under a line of column names:
 *
 *     stage, kind              kind is "baseline" or "individual"
 *     id, generation           empty for a baseline
 *     origin                   of an individual; a baseline's method
 *     parent_a, parent_b       ids; empty where there is none
 *     start_tokens, attention_factor
 *     windows                  scored; 0 for the baselines of a run begun before these were kept
 *     stopped                  1 where racing gave it up before the last window, else 0
 *     nats_per_token, perplexity, seconds
 *     nats_0, nats_1, ...      of each window, summed over its predictions; empty where it was not scored
 *     lambda_0, lambda_1, ...  rescale factors, fastest pair first, as they were searched: of a stage with a base
 *                              they and the attention factor multiply the base's
 *
 * With stages of several sizes there are as many columns as the largest needs. Numbers have 17 digits and
 * read back to the same doubles; what is not finite is empty. Rows are printed as they are read, those before an
 * error too. `stage` as in report_options. */
int report_scores(struct store *store, const char *stage, FILE *out, struct error *error);

#endif
