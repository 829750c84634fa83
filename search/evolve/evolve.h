/* The search as an ask/tell driver: it proposes genomes and is told their scores. It does no I/O and
 * never calls the objective, and given the same settings and the same scores it makes the same
 * proposals: a search is resumed by telling a new driver the scores that were saved. No genome is ever
 * proposed twice.
 *
 * ALGORITHM_PAPER is LongRoPE's, arXiv 2402.13753, algorithm 1: the first population holds the
 * closed-form tables and mutations of them; in each iteration the best individuals scored so far become
 * parents, of which mutations and crossovers are made and scored (search/evolve/genome.h).
 *
 * ALGORITHM_MICROSOFT has the same generations with the operators of the authors' program,
 * microsoft/LongRoPE (evolution/algorithms/dim_mono.py and genetic_base.py), which differ:
 * - A mutation that is not new is mutated further, instead of the parent again.
 * - A crossover is the better parent, to which single genes of the worse are copied until it is new and
 *   non-decreasing: mostly it differs by one gene or a few.
 * It differs from that program in what it is given: there the one initial table (YaRN's ramp over
 * lambda, ORIGIN_YARN_LAMBDA) and the genes are off the lattice where nobody resampled them, here they
 * are rounded to it; the largest factor there is 1 + s, here the space's; n_hat and the attention factor,
 * which it does not search, are mutated and copied as the genes are, after them.
 *
 * ALGORITHM_CMA_ES scores the seeds alone, and then in each iteration `population` samples of a normal
 * distribution around the best of them, which learns from the iteration's best `parents` (search/evolve/cma_es.h):
 * those of earlier ones do not breed. It computes with exp and log, whose last bits are the C library's:
 * proposals are the same wherever that and GSL are.
 */
#ifndef LONGROPE_SEARCH_EVOLVE_H
#define LONGROPE_SEARCH_EVOLVE_H

#include <stddef.h>

#include "search/evolve/genome.h"

enum {
    EVOLVE_CROSSOVER_TRIES = 20,  /* as published; then a mutation of the better parent takes its place */
    EVOLVE_MUTATION_TRIES = 1000, /* unseen mutations looked for before a place stays empty */
    EVOLVE_SAMPLE_TRIES = 100     /* the same of samples */
};

/* How the genomes of an iteration are made. */
enum algorithm {
    ALGORITHM_PAPER,     /* mutations and crossovers as the paper has them */
    ALGORITHM_MICROSOFT, /* as microsoft/LongRoPE's code has them */
    ALGORITHM_CMA_ES,    /* samples of a normal distribution that adapts its covariance */
    ALGORITHMS
};

extern const char *const algorithm_names[ALGORITHMS]; /* "paper", "microsoft", "cma-es"; see eval/base/name.h */
const char *algorithm_name(enum algorithm algorithm);

struct evolve_settings {
    enum algorithm algorithm;
    size_t population;           /* individuals of the first generation; with CMA-ES of each after the first */
    size_t parents;              /* best individuals that breed, 1..population */
    size_t mutations;            /* children of an iteration made by mutation; unused by CMA-ES */
    size_t crossovers;           /* children of an iteration made by crossover; likewise */
    size_t iterations;           /* generations after the first */
    double mutation_probability; /* of each gene; likewise */
    unsigned long seed;          /* of GSL's mt19937: 32 bits count, and 0 is the same as 4357 */
};

/* Where a genome came from. */
enum origin {
    ORIGIN_PI,
    ORIGIN_NTK,
    ORIGIN_YARN,
    ORIGIN_YARN_LAMBDA, /* YaRN's ramp between 1 and s laid over lambda itself, not over 1/lambda */
    ORIGIN_DYNAMIC_NTK, /* at the target length: reaches beyond what NTK does */
    ORIGIN_NONE,        /* every factor 1 */
    ORIGIN_OWN,         /* the table that the model was fine-tuned with */
    ORIGIN_MUTATION,
    ORIGIN_CROSSOVER,
    ORIGIN_SAMPLE, /* of CMA-ES's distribution */
    ORIGIN_COUNT
};
/* "pi", "ntk", "yarn", "yarn-lambda", "dynamic-ntk", "none", "own", "mutation", "crossover", "sample"; store and output
 * use these words. */
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
    bool stopped; /* racing gave it up: its score is NaN, taken to be no lower than its rival's */
    double score; /* mean nats a token; lower is better */
};

/* Whether `a` is the better one: it has the lower score, or there is no `b` (NULL). NaN is worse than every number and
 * equal to NaN. Of equals asked about in the order of their ids, the older one stays the better one. */
bool individual_better(const struct individual *a, const struct individual *b);

struct initial_genome {
    enum origin origin;
    struct genome genome;
};

struct evolve;

/* `seeds`, one or more, begin the first population, in order; duplicates among them, and, but with CMA-ES,
 * those beyond `population`, are dropped. Settings, space and seeds are copied. Room for all planned
 * individuals is made at once, so that nothing later can fail. NULL for lack of memory; the caller
 * frees with evolve_free(). */
struct evolve *evolve_new(const struct evolve_settings *settings, const struct genome_space *space,
                          const struct initial_genome *seeds, size_t seed_count);
void evolve_free(struct evolve *evolve); /* NULL is allowed */

/* The next individual to score; the same one until it is told. NULL when the search is over, which
 * is after the last iteration, or earlier where an iteration finds no genome that is new. Valid
 * until the next call. */
const struct individual *evolve_ask(struct evolve *evolve);

/* The score of the individual last asked for. NaN counts as worse than everything; today's evaluator
 * gives none, and a table that overflows the model ends its stage with an error. */
void evolve_tell(struct evolve *evolve, double score);

/* The individual that the one last asked for has to beat: with a score that is not lower it is neither
 * among those that breed, nor the best, nor the best without start tokens, and how much higher it is makes
 * no difference to what is proposed later. NULL where any score makes one, as long as fewer than `parents`
 * that could breed are scored: with CMA-ES these are the generation's under way. */
const struct individual *evolve_rival(const struct evolve *evolve);
/* In place of evolve_tell(), where there is a rival: the score of the individual last asked for is not below
 * that one's, certainly or by a judgement that the caller answers for. */
void evolve_tell_stopped(struct evolve *evolve);

/* The current generation, and how many individuals are scored in all. */
int64_t evolve_generation(const struct evolve *evolve);
size_t evolve_scored(const struct evolve *evolve);

/* The best individual scored, the older one of equals; NULL before any is scored. */
const struct individual *evolve_best(const struct evolve *evolve);

/* Evaluations that the settings plan: population + iterations (mutations + crossovers), with CMA-ES
 * seeds + iterations population; SIZE_MAX where that overflows. */
size_t evolve_planned(const struct evolve_settings *settings, size_t seed_count);

#endif
