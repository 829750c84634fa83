/* The private state of the search, shared by evolve.c (asking, telling, ranking), the files that make genomes
 * (evolve_genetic.c, evolve_cma.c) and test_evolve.c. No other file includes it. */
#ifndef LONGROPE_SEARCH_EVOLVE_STATE_H
#define LONGROPE_SEARCH_EVOLVE_STATE_H

#include "search/evolve/coordinates.h"
#include "search/evolve/evolve.h"
#include "search/evolve/ranking.h"
#include "search/evolve/window_schedule.h"

enum { EVOLVE_STALLED = 4 /* generations without a new best individual after which knots are doubled */ };

struct evolve_pending {
    size_t individual, count; /* windows that it is to be scored on in all */
};

/* What the requests are for. */
enum evolve_phase {
    EVOLVE_SCORING,  /* individuals that are new; with Bayesian all */
    EVOLVE_GROWING,  /* further windows of those that are ranked, since the schedule goes on to more */
    EVOLVE_FINISHING /* all windows of the best few; nothing follows */
};

struct evolve {
    struct evolve_settings settings;
    struct genome_space space;
    gsl_rng rng;                    /* its state is ours, see allocate() */
    struct individual *individuals; /* [capacity], the first `count` made, the first `told` scored */
    size_t capacity;                /* more are never made, so nothing grows */
    size_t count;
    size_t told;
    int64_t *window_tokens; /* [windows] */
    size_t windows;
    size_t window_scores;           /* told */
    struct evolve_pending *pending; /* [capacity + 1] requests; pending_at.. are not told yet */
    size_t pending_at, pending_count;
    struct evolve_request request; /* the one handed out */
    size_t initial_count;          /* distinct initial genomes, which are the first individuals */
    size_t duplicates;             /* genomes that were proposed again and not added, for TRACE_EVOLVE */
    int64_t generation;
    bool asked; /* pending[pending_at] was handed out */
    enum evolve_phase phase;
    struct window_schedule schedule;
    struct ranking parents;  /* of all individuals, or with CMA-ES of the current generation */
    struct ranking elite;    /* the best of all, one of which will be the result; none failed */
    int64_t best;            /* id of the lowest mean, EVOLVE_NO_PARENT for none yet */
    int64_t best_exportable; /* likewise, without start tokens */
    int64_t best_scored;     /* likewise, of those that have a score */
    size_t *slots;           /* [slot_mask + 1] open addressing over genomes: id + 1, 0 where free */
    size_t slot_mask;        /* a power of two less one; at most half of the slots are ever used */
    struct coordinates at;   /* the knots; every pair if settings.knots is 0 */
    struct genome_space
        knot_space;         /* of the knots' genes, for the genetic algorithms; set if settings.knots is not 0 */
    int64_t stall_best;     /* `best` when it last changed, see evolve_is_stalled() */
    int64_t stall_since;    /* and the generation then */
    struct evolve_cma *cma; /* ALGORITHM_CMA_ES's distribution; NULL with the others */
    struct evolve_bayesian *bayesian; /* ALGORITHM_BAYESIAN's model; NULL with the others */
};

/* Memory for the next individual. Callers write its genome there; it becomes an individual when evolve_add_if_new()
 * returns true. */
struct individual *evolve_next_individual(struct evolve *evolve);
/* Adds the genome in evolve_next_individual() to the current generation, and a request to score it on the windows that
 * the schedule has now; that is all of them unless settings.first_windows says otherwise.
 * False, and no individual is added, if the genome was proposed before. */
bool evolve_add_if_new(struct evolve *evolve, enum origin origin, int64_t first_parent, int64_t second_parent);

bool evolve_was_proposed(const struct evolve *evolve, const struct genome *genome);

/* Adds a request: the individual is to be scored on `count` windows in all. */
void evolve_request(struct evolve *evolve, size_t individual, size_t count);
/* The best individual is the same as EVOLVE_STALLED generations before, or as when this was true last. Asked once per
 * generation. */
bool evolve_is_stalled(struct evolve *evolve);
/* Window scores that settings.evaluations still allows; SIZE_MAX without a limit. */
size_t evolve_windows_left(const struct evolve *evolve);

/* ALGORITHM_PAPER, ALGORITHM_LONGROPE2 and ALGORITHM_MICROSOFT: mutations of the initial genomes up to the settings'
 * population, and the children of an iteration, whose parents are the best individuals of all so far. */
void evolve_genetic_population(struct evolve *evolve);
void evolve_genetic_children(struct evolve *evolve);

/* ALGORITHM_CMA_ES. The distribution before anything is scored; NULL for lack of memory. */
struct evolve_cma *evolve_cma_new(const struct evolve_settings *settings, const struct genome_space *space,
                                  const struct coordinates *at);
void evolve_cma_free(struct evolve_cma *cma); /* NULL is allowed */
/* Learns from the scored generation and samples the next. */
void evolve_cma_generation(struct evolve *evolve);

/* ALGORITHM_BAYESIAN. The model before anything is scored; NULL for lack of memory. */
struct evolve_bayesian *evolve_bayesian_new(const struct evolve_settings *settings,
                                            const struct evolve_problem *problem, const struct coordinates *at);
void evolve_bayesian_free(struct evolve_bayesian *bayesian); /* NULL is allowed */
/* Takes a score: window_nats of the individual's windows `from`..`to` - 1, counted from its first. */
void evolve_bayesian_told(struct evolve *evolve, const struct individual *individual, size_t from, size_t to,
                          const double *window_nats);
/* Adds requests: the windows that the most promising individual lacks, or else a generation of new individuals. None
 * where the budget is used up. */
void evolve_bayesian_round(struct evolve *evolve);
/* Most individuals that a search with these settings makes. */
size_t evolve_bayesian_most(const struct evolve_settings *settings, const struct evolve_problem *problem);
/* See evolve_kept(). */
size_t evolve_bayesian_kept(size_t windows);

#endif
