/* Individuals of a stage by their generations, as tables and pictures of convergence have them. */
#ifndef LONGROPE_SEARCH_GENERATION_STATS_H
#define LONGROPE_SEARCH_GENERATION_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "search/run/run_view.h"

enum { QUARTILES = 3 };

/* One generation, or as much of it as is scored. */
struct generation_stats {
    int64_t number;
    size_t individuals;
    size_t first;                  /* its first individual in the stage's view */
    size_t stopped;                /* of them, by racing */
    size_t evaluations;            /* of this and all earlier generations */
    size_t windows;                /* scored in these evaluations */
    const struct individual *best; /* of this generation */
    const struct individual *best_so_far;
};

/* Goes on to the generation that individual *next is the first of, taking *next behind its last one. False where
 * there is none. `row` holds the generation before; zeroed at first. */
bool generation_stats_next(const struct stage_view *stage, size_t *next, struct generation_stats *row);

/* The perplexities below which a quarter, a half and three quarters of the generation lie, each that of an individual.
 * What racing cut short counts as worse than all that was scored: NaN where it falls on such a one. False for lack of
 * memory. */
bool generation_stats_quartiles(const struct stage_view *stage, const struct generation_stats *row,
                                double out[QUARTILES]);

#endif
