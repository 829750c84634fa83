/* A run as text, JSON and CSV, read from its store during the search or after it. search/report/README.md documents
 * every key and column. */
#ifndef LONGROPE_SEARCH_REPORT_H
#define LONGROPE_SEARCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/store/store.h"

struct report_options {
    const char *stage; /* the only stage to report; NULL: all that have begun. STATUS_INPUT where it is unknown */
    bool json;         /* one JSON object in place of the table */
};

/* The progress of each stage, the cost of its evaluations, the baselines, and the best table; and measurements stored
 * beside the search. */
int report_overview(struct store *store, const struct report_options *options, FILE *out, struct error *error);

/* One row per generation: its scores, and the best table so far. */
int report_generations(struct store *store, const struct report_options *options, FILE *out, struct error *error);

/* Curves drawn with characters: the best perplexity so far and the quartiles of each generation against evaluations;
 * and rescale factors of the best table and the baselines against rotary pairs. With options->json, their numbers. */
struct report_drawing {
    int columns; /* of the terminal */
    bool unicode;
};
int report_convergence(struct store *store, const struct report_options *options, const struct report_drawing *drawing,
                       FILE *out, struct error *error);
int report_lambda(struct store *store, const struct report_options *options, const struct report_drawing *drawing,
                  FILE *out, struct error *error);

enum { REPORT_BEST = -1 };

/* The ancestors of individual `id`, or of the best one for REPORT_BEST, oldest first. Ids count within a stage:
 * STATUS_INPUT where options select several stages for one id, or the stage has no individual with it. */
int report_genealogy(struct store *store, const struct report_options *options, int64_t id, FILE *out,
                     struct error *error);

/* All baselines and individuals as CSV, with the columns that search/report/README.md documents. Rows are printed as
 * they are read, also those before an error. `stage` as in report_options. */
int report_scores(struct store *store, const char *stage, FILE *out, struct error *error);

#endif
