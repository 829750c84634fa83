/* The search as an ask/tell driver: it proposes genomes and is told their scores. It does no I/O and never calls the
 * objective. The same settings and scores give the same proposals, so a search is resumed by telling a new driver the
 * saved scores. No genome is proposed twice.
 *
 * ALGORITHM_PAPER is LongRoPE's, arXiv 2402.13753, algorithm 1: the first population holds the closed-form tables and
 * mutations of them; in each iteration the best individuals scored so far are the parents of mutations and crossovers
 * (search/evolve/genome.h).
 *
 * ALGORITHM_MICROSOFT has the same generations and the operators of the authors' program, microsoft/LongRoPE
 * (evolution/algorithms/dim_mono.py and genetic_base.py), which differ:
 * - A mutation that is not new is mutated further; the paper's starts at the parent again.
 * - A crossover is the better parent, to which single genes of the worse are copied until it is new and non-decreasing.
 *   Most differ from the better parent in one gene or a few.
 * That program starts with one table (YaRN's ramp over lambda, ORIGIN_YARN_LAMBDA), and its genes are off the lattice
 * until they are resampled; here they are rounded to it. Its largest factor is 1 + s; here it is the space's. It does
 * not search n_hat and the attention factor; here they are mutated and copied like genes, after them.
 *
 * ALGORITHM_LONGROPE2 has the operators of ALGORITHM_PAPER. Its name stands for the space and the budget of LongRoPE2
 * (arXiv 2502.20082), which the configuration gives it.
 *
 * ALGORITHM_CMA_ES scores the initial genomes, and then in each iteration `population` samples of a normal distribution
 * around the best of them. The distribution learns from the iteration's best `parents` (search/evolve/cma_es.h), not
 * from earlier iterations. It computes with exp and log, whose last bits depend on the C library: proposals are
 * reproducible with the same C library and GSL.
 */
#ifndef LONGROPE_SEARCH_EVOLVE_H
#define LONGROPE_SEARCH_EVOLVE_H

#include <stddef.h>

#include "search/evolve/genome.h"

enum {
    EVOLVE_CROSSOVER_TRIES = 20,  /* as published; then a mutation of the better parent takes its place */
    EVOLVE_MUTATION_TRIES = 1000, /* until a mutation is new; then the generation has one individual fewer */
    EVOLVE_SAMPLE_TRIES = 100     /* until a sample of CMA-ES is new; likewise */
};

/* How the genomes of an iteration are made. */
enum algorithm {
    ALGORITHM_PAPER,     /* mutations and crossovers of the paper */
    ALGORITHM_MICROSOFT, /* mutations and crossovers of microsoft/LongRoPE's code */
    ALGORITHM_CMA_ES,    /* samples of a normal distribution that adapts its covariance */
    ALGORITHM_LONGROPE2, /* the paper's; configurations give it LongRoPE2's space and budget */
    ALGORITHMS
};

extern const char
    *const algorithm_names[ALGORITHMS]; /* "paper", "microsoft", "cma-es", "longrope2"; see eval/base/name.h */
const char *algorithm_name(enum algorithm algorithm);

struct evolve_settings {
    enum algorithm algorithm;
    size_t population;           /* individuals of the first generation; CMA-ES: of every later one */
    size_t parents;              /* best individuals that become parents, 1..population */
    size_t mutations;            /* children of an iteration made by mutation; unused by CMA-ES */
    size_t crossovers;           /* children of an iteration made by crossover; likewise */
    size_t iterations;           /* generations after the first */
    size_t evaluations;          /* individuals that are scored at most; 0: no limit */
    double mutation_probability; /* of each gene; likewise */
    unsigned long seed;          /* of GSL's mt19937: 32 bits count, and 0 is the same as 4357 */
};

/* Where a genome came from. */
enum origin {
    ORIGIN_PI,
    ORIGIN_NTK,
    ORIGIN_YARN,
    ORIGIN_YARN_LAMBDA,  /* YaRN's ramp between 1 and s laid over lambda itself, not over 1/lambda */
    ORIGIN_DYNAMIC_NTK,  /* at the target length: reaches beyond what NTK does */
    ORIGIN_NONE,         /* every factor 1 */
    ORIGIN_OWN,          /* the model's own longrope table */
    ORIGIN_CRITICAL_NTK, /* NTK to the critical pair, then rising evenly (search/recipe/stage_initial.h) */
    ORIGIN_FILE,         /* a table of a factor file */
    ORIGIN_MUTATION,
    ORIGIN_CROSSOVER,
    ORIGIN_SAMPLE, /* of CMA-ES's distribution */
    ORIGIN_COUNT
};
/* "pi", "ntk", "yarn", "yarn-lambda", "dynamic-ntk", "none", "own", "critical-ntk", "file", "mutation", "crossover",
 * "sample"; the store and all output use these words. */
extern const char *const origin_names[ORIGIN_COUNT];
const char *origin_name(enum origin origin);
bool origin_parse(const char *name, enum origin *out);

enum { EVOLVE_NO_PARENT = -1 };

struct individual {
    int64_t id;         /* 0, 1, 2, ... in the order of asking */
    int64_t generation; /* 0 is the first population */
    enum origin origin;
    int64_t parents[2]; /* ids, EVOLVE_NO_PARENT where there is none */
    struct genome genome;
    bool scored;
    bool stopped; /* racing gave it up: its score is NaN and counts as no lower than its rival's */
    double score; /* mean nats per token; lower is better */
};

/* Whether `a` is the better one: it has the lower score, or there is no `b` (NULL). NaN is worse than every number and
 * equal to NaN. If scores are equal, `a` is not better: whoever compares in ascending order of ids keeps the older one.
 */
bool individual_better(const struct individual *a, const struct individual *b);

struct initial_genome {
    enum origin origin;
    struct genome genome;
};

struct evolve;

/* The first population starts with initial[initial_count], one or more, in order. Duplicates among them are dropped,
 * and except with CMA-ES those beyond `population`. Settings, space and genomes are copied. Memory for all planned
 * individuals is allocated at once, so that nothing later can fail. NULL if memory is short; the caller frees with
 * evolve_free(). */
struct evolve *evolve_new(const struct evolve_settings *settings, const struct genome_space *space,
                          const struct initial_genome *initial, size_t initial_count);
void evolve_free(struct evolve *evolve); /* NULL is allowed */

/* The next individual to score; the same one until its score is told. NULL when the search is over: after the last
 * iteration, after settings.evaluations scores, or when an iteration finds no new genome. Neither number changes what
 * is proposed before: the individuals of a smaller budget are the first ones of a larger. Valid until the next call. */
const struct individual *evolve_ask(struct evolve *evolve);

/* The score of the individual last asked for. NaN is worse than every number. The evaluator returns none: a table that
 * overflows the model ends its stage with an error. */
void evolve_tell(struct evolve *evolve, double score);

/* The individual that the one last asked for must beat. If its score is not lower, it is neither a parent, nor the
 * best, nor the best without start tokens, and its exact score does not change later proposals. NULL while fewer than
 * `parents` candidates are scored (CMA-ES: of the current generation), since then every score matters. */
const struct individual *evolve_rival(const struct evolve *evolve);
/* Instead of evolve_tell(), if there is a rival: the score of the individual last asked for is not below the rival's,
 * with certainty or, with RACING_STATISTICAL, probably. */
void evolve_tell_stopped(struct evolve *evolve);

/* The current generation, and how many individuals are scored in all. */
int64_t evolve_generation(const struct evolve *evolve);
size_t evolve_scored(const struct evolve *evolve);

/* The best individual scored, the older one of equals; NULL before any is scored. */
const struct individual *evolve_best(const struct evolve *evolve);

/* Evaluations that the settings plan: population + iterations (mutations + crossovers), with CMA-ES
 * initial genomes + iterations population, but at most settings.evaluations; SIZE_MAX where that overflows. */
size_t evolve_planned(const struct evolve_settings *settings, size_t initial_count);

#endif
