/* The genetic search as an ask/tell driver: it proposes genomes and is told their scores. It does
 * no I/O and never calls the objective, and given the same settings and the same scores it makes
 * the same proposals: a search is resumed by telling a new driver the scores that were saved.
 *
 * LongRoPE, arXiv 2402.13753, algorithm 1: the first population holds the closed-form tables and
 * mutations of them; in each iteration the best individuals scored so far become parents, of which
 * mutations and crossovers are made and scored. No genome is ever proposed twice.
 */
#ifndef LONGROPE_SEARCH_EVOLVE_H
#define LONGROPE_SEARCH_EVOLVE_H

#include <stddef.h>

#include "search/genome.h"

enum {
    EVOLVE_CROSSOVER_TRIES = 20, /* as published; then a mutation of the better parent takes its place */
    EVOLVE_MUTATION_TRIES = 1000 /* unseen mutations looked for before a place stays empty */
};

struct evolve_settings {
    size_t population;           /* individuals of the first generation */
    size_t parents;              /* best individuals that breed, 1..population */
    size_t mutations;            /* children of an iteration made by mutation */
    size_t crossovers;           /* children of an iteration made by crossover */
    size_t iterations;           /* generations after the first */
    double mutation_probability; /* of each gene */
    unsigned long seed;          /* of GSL's mt19937: 32 bits count, and 0 is the same as 4357 */
};

/* Where a genome came from. */
enum origin { ORIGIN_PI, ORIGIN_NTK, ORIGIN_YARN, ORIGIN_MUTATION, ORIGIN_CROSSOVER, ORIGIN_COUNT };
/* "pi", "ntk", "yarn", "mutation", "crossover"; store and output use these words. */
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
    double score; /* mean nats a token; lower is better */
};

struct seed_genome {
    enum origin origin;
    struct genome genome;
};

struct evolve;

/* `seeds`, one or more, begin the first population, in order; duplicates among them, and those
 * beyond `population`, are dropped. Settings, space and seeds are copied. Room for all planned
 * individuals is made at once, so that nothing later can fail. NULL for lack of memory; the caller
 * frees with evolve_free(). */
struct evolve *evolve_new(const struct evolve_settings *settings, const struct genome_space *space,
                          const struct seed_genome *seeds, size_t seed_count);
void evolve_free(struct evolve *evolve); /* NULL is allowed */

/* The next individual to score; the same one until it is told. NULL when the search is over, which
 * is after the last iteration, or earlier where an iteration finds no genome that is new. Valid
 * until the next call. */
const struct individual *evolve_ask(struct evolve *evolve);

/* The score of the individual last asked for. NaN counts as worse than everything; today's evaluator
 * gives none, and a table that overflows the model ends its stage with an error. */
void evolve_tell(struct evolve *evolve, double score);

/* The generation under way, the individuals made so far in all, and how many of them are scored. */
int64_t evolve_generation(const struct evolve *evolve);
size_t evolve_count(const struct evolve *evolve);
size_t evolve_scored(const struct evolve *evolve);
/* Individual `id`, 0 <= id < evolve_count(). */
const struct individual *evolve_individual(const struct evolve *evolve, int64_t id);

/* The best individual scored, the older one of equals; NULL before any. The second one looks only
 * at those with n_hat = 0, which engines can use. */
const struct individual *evolve_best(const struct evolve *evolve);
const struct individual *evolve_best_exportable(const struct evolve *evolve);

/* Evaluations that the settings plan: population + iterations (mutations + crossovers); SIZE_MAX
 * where that overflows. */
size_t evolve_planned(const struct evolve_settings *settings);

#endif
