/* The individuals of a stage by generation, for tables and plots of convergence. */
#ifndef LONGROPE_SEARCH_GENERATION_STATS_H
#define LONGROPE_SEARCH_GENERATION_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "search/run/run_view.h"

enum { QUARTILES = 3 };

/* One generation; of the current one, the individuals scored so far. */
struct generation_stats {
    int64_t number;
    size_t individuals;
    size_t first;                  /* its first individual in the stage's view */
    size_t stopped;                /* of these individuals, by racing */
    size_t evaluations;            /* of this and all earlier generations */
    size_t windows;                /* scored in these evaluations */
    size_t work;                   /* individual->work when all scores of these evaluations were known; 0: unknown */
    const struct individual *best; /* of this generation */
    const struct individual *best_so_far;
};

/* Reads the generation that starts at individual *next into *row, and moves *next behind it. False if there is none.
 * `row` holds the previous generation; the caller zeroes it before the first. */
bool generation_stats_next(const struct stage_view *stage, size_t *next, struct generation_stats *row);

/* The quartiles of the generation's perplexities, each the perplexity of an individual. Individuals that racing stopped
 * count as worse than all others; NaN where a quartile falls on one of them. Individuals that are scored on some
 * windows only do not count; NaN where no other is. False if memory is short. */
bool generation_stats_quartiles(const struct stage_view *stage, const struct generation_stats *row,
                                double out[QUARTILES]);

#endif
