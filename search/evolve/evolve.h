/* The search as an ask/tell driver: it asks for the nats of a genome on windows of text and is told them. It does no
 * I/O and never calls the objective. The same settings and nats give the same requests, so a search is resumed by
 * telling a new driver the saved nats. No genome is proposed twice.
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
 *
 * All of these score each individual on all windows or, with settings.first_windows, on few windows first
 * (search/evolve/window_schedule.h).
 *
 * ALGORITHM_BAYESIAN models nats by a Gaussian process and proposes the genomes whose expected improvement is largest
 * (search/evolve/evolve_bayesian.c). It asks for a single window of most genomes, a different window each time, and for
 * all windows of a genome that seems to be the best. Reproducible as CMA-ES is.
 */
#ifndef LONGROPE_SEARCH_EVOLVE_H
#define LONGROPE_SEARCH_EVOLVE_H

#include <stddef.h>

#include "search/evolve/genome.h"
#include "search/evolve/window_nats.h"

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
    ALGORITHM_BAYESIAN,  /* largest expected improvement of a Gaussian process */
    ALGORITHMS
};

/* "paper", "microsoft", "cma-es", "longrope2", "bayesian"; see eval/base/name.h */
extern const char *const algorithm_names[ALGORITHMS];
const char *algorithm_name(enum algorithm algorithm);

struct evolve_settings {
    enum algorithm algorithm;
    size_t population;    /* individuals of the first generation; CMA-ES, Bayesian: of every later one */
    size_t parents;       /* best individuals that become parents, 1..population; Bayesian: 1 */
    size_t mutations;     /* children of an iteration made by mutation; unused by CMA-ES and Bayesian */
    size_t crossovers;    /* children of an iteration made by crossover; likewise */
    size_t iterations;    /* generations after the first; Bayesian: unused */
    size_t evaluations;   /* limit of the work, in scores of all windows; 0: none; Bayesian: at least 1 */
    size_t first_windows; /* that the generations begin with, search/evolve/window_schedule.h; 0: all; Bayesian: 0 */
    size_t knots;         /* coordinates of a table, search/evolve/coordinates.h; 0: every pair has a gene */
    double mutation_probability; /* of each gene; unused by CMA-ES and Bayesian */
    unsigned long seed;          /* of GSL's mt19937: 32 bits count, and 0 is the same as 4357 */
};

/* Where a genome came from. */
enum origin {
    ORIGIN_PI,
    ORIGIN_NTK,
    ORIGIN_YARN,
    ORIGIN_YARN_LAMBDA,    /* YaRN's ramp between 1 and s laid over lambda itself, not over 1/lambda */
    ORIGIN_DYNAMIC_NTK,    /* at the target length: reaches beyond what NTK does */
    ORIGIN_NTK_PI,         /* as the method ntk-pi */
    ORIGIN_RESONANCE_YARN, /* may be off the space: below 1, falling */
    ORIGIN_NONE,           /* every factor 1 */
    ORIGIN_OWN,            /* the model's own table (search/recipe/stage_base.h) */
    ORIGIN_CRITICAL_NTK,   /* NTK to the critical pair, then rising evenly (search/recipe/stage_initial.h) */
    ORIGIN_FILE,           /* a table of a factor file */
    ORIGIN_MUTATION,
    ORIGIN_CROSSOVER,
    ORIGIN_SAMPLE, /* of CMA-ES's distribution */
    ORIGIN_MODEL,  /* proposed by the Gaussian process */
    ORIGIN_COUNT
};
/* "pi", "ntk", "yarn", "yarn-lambda", "dynamic-ntk", "ntk-pi", "resonance-yarn", "none", "own", "critical-ntk", "file",
 * "mutation", "crossover", "sample", "model"; the store and all output use these words. */
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
    bool scored;         /* on one window or more */
    bool stopped;        /* racing gave it up: its score is NaN and counts as no lower than its rival's */
    bool failed;         /* stopped, too: the model's numbers overflowed; it counts as worse than all others */
    size_t first_window; /* windows that were scored: first_window, first_window + 1, ... modulo their number */
    size_t windows;      /* how many */
    double score;        /* mean nats per token; lower is better; NaN unless all windows are scored */
    double mean; /* of the windows that were scored, by which the search ranks it; NaN: none, or stopped. Only the
                    driver knows it */
    size_t work; /* window scores told, of all individuals, when its score was; 0: it has none */
};

/* Whether `a` is the better one: it has the lower score, or there is no `b` (NULL). NaN is worse than every number and
 * equal to NaN. If scores are equal, `a` is not better: whoever compares in ascending order of ids keeps the older one.
 */
bool individual_better(const struct individual *a, const struct individual *b);

struct initial_genome {
    enum origin origin;
    struct genome genome;
};

/* A table that was scored on all windows before the search, such as a closed form. */
struct known_table {
    double factors[ROPE_MAX_PAIRS]; /* [space->pairs], as genome_factors() gives them; off the lattice is allowed */
    double attention_factor;        /* in the units of the space's */
    const double *window_nats;      /* [windows] */
};

/* What is searched. All of it is copied, but window_nats of known tables: the caller keeps those. */
struct evolve_problem {
    const struct genome_space *space;
    size_t windows;               /* >= 1 */
    const int64_t *window_tokens; /* [windows] predictions of each, >= 1 */
    const struct initial_genome *initial;
    size_t initial_count; /* >= 1; Bayesian: 0 is allowed if there is a known table */
    const struct known_table *known;
    size_t known_count;
    double attention_factor; /* of tables of this search, where the space does not search it */
    bool quick; /* for simulations, Bayesian: proposals cost a hundredth of the time, and are worse; the requests are of
                   the same kinds */
};

struct evolve;

/* The first population starts with initial[initial_count], in order. Duplicates among them are dropped, and with the
 * genetic algorithms those beyond `population`. Memory for all planned individuals is allocated at once, so that
 * nothing later can fail. NULL if memory is short; the caller frees with evolve_free(). */
struct evolve *evolve_new(const struct evolve_settings *settings, const struct evolve_problem *problem);
void evolve_free(struct evolve *evolve); /* NULL is allowed */

/* Score the individual on `count` windows from individual->first_window on, modulo their number; those that it is
 * scored on already are among them. */
struct evolve_request {
    const struct individual *individual;
    size_t count;
};

/* Its windows. */
struct window_range evolve_request_range(const struct evolve_request *request);

/* The next request; the same one until it is told. NULL when the search is over: after the last iteration, when the
 * next request could exceed settings.evaluations, or when an iteration finds no new genome. Neither number changes what
 * is proposed before: the individuals of a smaller budget are the first ones of a larger. With settings.first_windows
 * the last requests are for all windows of the best few and, while all of these fail, of the next best as far as the
 * budget allows. Valid until the next call. */
const struct evolve_request *evolve_ask(struct evolve *evolve);

/* The requests that are certain to come whatever is told, so that they can be scored at once: 0 is the last one handed
 * out, and the others are those that evolve_ask() will hand out behind it, in that order. There is none before
 * evolve_ask() and once it is told. Telling may make further ones certain: a candidate that racing gives up leaves
 * budget to others. */
size_t evolve_ahead(const struct evolve *evolve);
struct evolve_request evolve_ahead_at(const struct evolve *evolve, size_t index);

/* The answer to the last request: the nats of all windows of the problem, of which only those of the request are read,
 * and are finite; with settings.first_windows also their blocks. */
void evolve_tell(struct evolve *evolve, const struct window_nats *nats);
/* The same for a request for all windows whose mean alone is known, as in runs that were started with schema 1. Not for
 * ALGORITHM_BAYESIAN and settings.first_windows. */
void evolve_tell_score(struct evolve *evolve, double score);

/* The individual that the one of the request, which evolve_ask() handed out last, must beat by its mean over the
 * windows of the request; the rival is scored on these, too. If the candidate's mean is not lower, it is neither a
 * parent, nor the best, nor the best without start tokens, nor among those of which one will be the result, and its
 * exact mean does not change later proposals of the genetic algorithms and CMA-ES. NULL while fewer than `parents`
 * candidates are scored (CMA-ES: of the current generation) or one of the best so many failed, since then every mean
 * matters, for further windows of an individual that is ranked, and with Bayesian where the request is not for all
 * windows.
 *
 * Of a request ahead it is the rival by what is told now. Until the request is handed out, rivals only become better.
 */
const struct individual *evolve_rival(const struct evolve *evolve, const struct evolve_request *request);
/* Instead of evolve_tell(), if there is a rival: the mean of the individual last asked for is not below the rival's,
 * with certainty or, with racing that risks something, probably. It was scored on the first `scored` windows of the
 * request. */
void evolve_tell_stopped(struct evolve *evolve, const struct window_nats *nats, size_t scored);

/* Instead of evolve_tell(): the individual was scored on the first `scored` windows of the request, of which the last
 * one failed: its nats are infinite, because the model's numbers overflow with this table. */
void evolve_tell_failed(struct evolve *evolve, const struct window_nats *nats, size_t scored);

/* The current generation, how many individuals are scored, and the window scores told. */
int64_t evolve_generation(const struct evolve *evolve);
size_t evolve_scored(const struct evolve *evolve);
size_t evolve_window_scores(const struct evolve *evolve);

/* The best individual scored on all windows, the older one of equals; NULL before any is that did not fail. */
const struct individual *evolve_best(const struct evolve *evolve);

/* Evaluations that the settings plan: population + iterations (mutations + crossovers), with CMA-ES
 * initial genomes + iterations population, but at most settings.evaluations; SIZE_MAX where that overflows. As work, in
 * scores of all windows, it is the most that a search does. */
size_t evolve_planned(const struct evolve_settings *settings, size_t initial_count);

/* Window scores of the budget, at most, that are kept for the end, where the best few are scored on all of `windows`.
 */
size_t evolve_kept(const struct evolve_settings *settings, size_t windows);

#endif
