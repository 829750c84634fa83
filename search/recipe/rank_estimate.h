/* How long a search takes on several ranks, how many are worth having, and which population would keep more of them
 * busy, by simulation (search/recipe/rank_simulation.h). */
#ifndef LONGROPE_SEARCH_RANK_ESTIMATE_H
#define LONGROPE_SEARCH_RANK_ESTIMATE_H

#include "search/recipe/estimate.h"

/* A search on so many ranks, all stages one after another. */
struct rank_estimate {
    size_t ranks;
    double seconds;
    double windows; /* that the search is told of */
    double idle;    /* share of the ranks' time in which they have nothing to compute, 0..1 */
    double vain;    /* share in which they compute windows that the search is never told of */
};

/* What ranks do for the search: 1 - idle - vain. The efficiency of ranks, if none of them is slower than one alone. */
double rank_estimate_efficiency(const struct rank_estimate *estimate);

/* estimate->rate is that of a rank. Errors are those of rank_simulation_run(). */
int rank_estimate_make(const struct estimate *estimate, size_t ranks, struct rank_estimate *out, struct error *error);

enum {
    RANKS_WORTH_PERCENT = 75,    /* ranks that are less efficient are not worth having */
    RANKS_AIM_PERCENT = 95,      /* efficiency that a population is sought for */
    RANKS_BAYESIAN_MOST = 32,    /* tables that ALGORITHM_BAYESIAN should propose at a time (results/books) */
    RANKS_POPULATION_MOST = 4096 /* advised */
};

struct rank_plan_row {
    struct rank_estimate planned; /* the configuration as it is */
    /* Where it is below RANKS_AIM_PERCENT, and all stages are of ALGORITHM_BAYESIAN: the same with a population that
     * ends sooner; 0: none does */
    size_t sooner_population;
    struct rank_estimate sooner;
    /* Where it is below RANKS_AIM_PERCENT: a search that keeps the ranks busy */
    bool has_advice;
    struct evolve_settings search;
    struct rank_estimate advised;
};

struct rank_plan {
    struct rank_estimate worth; /* with the most ranks whose efficiency is at least RANKS_WORTH_PERCENT */
    size_t count;
    struct rank_plan_row *rows; /* [count] */
};

/* For ranks[count], each at least 1. The advised population is the first whose efficiency is RANKS_AIM_PERCENT of those
 * that give each rank 2, 4, ..., 16 windows per round, or the last that is not above RANKS_POPULATION_MOST. For
 * ALGORITHM_BAYESIAN, a model of all scores that is not made for populations of hundreds, that search is one by CMA-ES
 * on knots. Errors are those of rank_estimate_make(). The caller frees *out with rank_plan_free(), also after an error.
 */
int rank_plan_make(const struct estimate *estimate, const int64_t *ranks, size_t count, struct rank_plan *out,
                   struct error *error);
void rank_plan_free(struct rank_plan *plan); /* a zeroed struct is allowed */

#endif
