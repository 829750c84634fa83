/* ALGORITHM_BAYESIAN: genomes of the largest expected improvement under a Gaussian process (Jones, Schonlau and Welch,
 * Efficient Global Optimization of Expensive Black-Box Functions, 1998, eq. 15), within a trust region around the best
 * one (as TuRBO, Eriksson et al., arXiv 1910.01739).
 *
 * What the process sees of a table are its features: the deviations of ln lambda from a reference table at the knots,
 * that of ln m, and n_hat. Its values are differences of nats per token to the reference on the same window. Windows
 * differ far more in their text than in what they think of a table, so the difference on one window says nearly as
 * much as that on all: each new genome is scored on one window, on the next one each time. A genome is scored on all
 * windows when it is predicted to beat the best that was, and the most promising ones are at the end of the budget.
 */
#include <assert.h>
#include <float.h>
#include <gsl/gsl_randist.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/trace.h"
#include "search/evolve/evolve_state.h"
#include "search/evolve/gaussian_process.h"

/* Numbers chosen on the demo model at 1 024 and 2 048 tokens. Lengths are of ln lambda, in units of length_unit(). */
static const double first_radius = 0.25, least_radius = 0.1; /* of the trust region */
static const double whole_space = 1.6; /* a radius that reaches from end to end of the range of ln lambda */
static const double radius_growth = 1.2, radius_decay = 0.7;
static const double least_unit = 0.3;         /* a space may have a single table */
static const double box = 1.5;                /* the region's half width in radii */
static const double attention_unit = 0.3;     /* of ln m, in which a step is about as grave as one of ln lambda */
static const double attention_step = 1.5;     /* its half width relative to those of the knots */
static const double large_value = 0.05;       /* values are compressed logarithmically beyond it */
static const double failed_difference = 10.0; /* nats per token that a window counts as worse where a table failed */
static const double worth_scoring = 0.002;    /* predicted gain for which a genome is scored on all windows */
static const double progress = 0.0005;        /* predicted gain of a generation that counts as progress */
static const double start_changes = 0.25;     /* probability that a candidate has another n_hat */
enum {
    PATIENCE = 3,         /* generations without progress until the region shrinks */
    FINALISTS = 2,        /* genomes for whose remaining windows the budget is kept */
    OBSERVATIONS = 400,   /* that the process takes; the nearest to the best genome where there are more */
    LEARNING_STEPS = 40,  /* of the process's length scales, at first */
    RELEARNING_STEPS = 15 /* and each time when a tenth more observations are there */
};
/* The search for the largest expected improvement: random candidates, then refined in rounds. */
enum { CANDIDATES = 1500, SPARSE = 500, ELITE = 20, VARIATIONS = 15, REFINEMENTS = 3 };

/* How hard it thinks. */
struct effort {
    size_t observations;
    int candidates, sparse, refinements;
    bool believes; /* an individual of a generation is sought elsewhere than those before */
    int64_t rest;  /* generations until another genome is scored on all windows */
};
static const struct effort whole_effort = {OBSERVATIONS, CANDIDATES, SPARSE, REFINEMENTS, true, 0};
/* Of struct evolve_problem's `quick`. A process of few observations finds something better everywhere. Four generations
 * are what lies between two such genomes with the whole effort, in simulations with 4 and 16 individuals each. */
static const struct effort small_effort = {25, 30, 10, 0, false, 4};

/* A move from the centre, and what it is expected to improve. */
struct candidate {
    double steps[ROPE_MAX_PAIRS + 1]; /* at the knots, and of ln m */
    int32_t start;
    double improvement;
    struct genome genome;
};

struct observation {
    size_t point, window;
    double nats; /* per token */
};

struct known_point {
    double log_factors[ROPE_MAX_PAIRS];
    double attention;
};

struct evolve_bayesian {
    const struct effort *effort;
    size_t windows;
    struct known_point known; /* the best table that was known before the search */
    size_t known_count;       /* 1, or 0: there is none. Points are this one, then the individuals */
    double fixed_attention;   /* m where the space does not search it */
    double unit;              /* length_unit() */
    struct observation *observations;
    size_t observation_count, observation_capacity;
    struct gp *gp;
    double *weights; /* [windows] share of each in all tokens */
    /* The reference, once there is one: */
    bool begun;
    size_t reference;        /* point */
    double *reference_nats;  /* [windows] per token */
    double reference_mean;   /* of all windows */
    struct known_point from; /* its table */
    /* The state of the search: */
    double radius;
    int failures;
    int64_t finished;    /* generation in which a genome was scored on all windows last */
    size_t center;       /* the point that is predicted to be the best, of the last generation */
    double center_value; /* its prediction when the generation was made */
    bool awaited;        /* a generation was made whose scores are not yet judged */
    size_t learned;      /* observations when the length scales were learned last */
    size_t next_window;
    struct candidate *elite, *fresh; /* [ELITE], sorted; [1] */
    size_t elite_count;
    bool only_new;     /* the elite takes no genome that was proposed before */
    double *distances; /* [observation_capacity] squared, from the centre; infinite where is_taken() is false */
};

/* Creating and freeing ------------------------------------------------------------------------ */

static size_t window_budget(const struct evolve_settings *settings, const struct evolve_problem *problem) {
    size_t budget = 0;
    return __builtin_mul_overflow(settings->evaluations, problem->windows, &budget) ? SIZE_MAX / 4 : budget;
}

size_t evolve_bayesian_most(const struct evolve_settings *settings, const struct evolve_problem *problem) {
    size_t budget = window_budget(settings, problem), most = 0;
    return __builtin_add_overflow(budget, problem->initial_count, &most) ? SIZE_MAX : most;
}

/* The largest generation: each individual is scored on a window or more. */
static size_t largest_generation(const struct evolve_settings *settings, const struct evolve_problem *problem) {
    size_t budget = window_budget(settings, problem);
    return settings->population < budget ? settings->population : budget;
}

static bool allocate(struct evolve_bayesian *bayesian, const struct evolve_settings *settings,
                     const struct evolve_problem *problem) {
    size_t budget = window_budget(settings, problem), capacity = 0;
    if (__builtin_mul_overflow(problem->initial_count + 2, problem->windows, &capacity) ||
        __builtin_add_overflow(capacity, budget, &capacity) || capacity > PTRDIFF_MAX / sizeof(struct observation))
        return false;
    bayesian->observation_capacity = capacity;
    bayesian->observations = calloc(capacity, sizeof *bayesian->observations);
    bayesian->distances = calloc(capacity, sizeof *bayesian->distances);
    bayesian->weights = calloc(problem->windows, sizeof *bayesian->weights);
    bayesian->reference_nats = calloc(problem->windows, sizeof *bayesian->reference_nats);
    bayesian->elite = calloc(ELITE + 1, sizeof *bayesian->elite);
    bayesian->fresh = calloc(1, sizeof *bayesian->fresh);
    return bayesian->observations && bayesian->distances && bayesian->weights && bayesian->reference_nats &&
           bayesian->elite && bayesian->fresh;
}

void evolve_bayesian_free(struct evolve_bayesian *bayesian) {
    if (!bayesian) return;
    gp_free(bayesian->gp);
    free(bayesian->observations);
    free(bayesian->distances);
    free(bayesian->weights);
    free(bayesian->reference_nats);
    free(bayesian->elite);
    free(bayesian->fresh);
    free(bayesian);
}

static void add_observation(struct evolve_bayesian *bayesian, size_t point, size_t window, double nats) {
    assert(bayesian->observation_count < bayesian->observation_capacity);
    bayesian->observations[bayesian->observation_count++] = (struct observation){point, window, nats};
}

static double mean_nats(const struct evolve_problem *problem, const struct known_table *table) {
    double sum = 0, tokens = 0;
    for (size_t w = 0; w < problem->windows; w++) {
        sum += table->window_nats[w];
        tokens += (double)problem->window_tokens[w];
    }
    return sum / tokens;
}

/* The best table only, as is_taken() says of initial ones. */
static void take_known(struct evolve_bayesian *bayesian, const struct evolve_problem *problem) {
    const struct known_table *best = NULL;
    for (size_t k = 0; k < problem->known_count; k++) {
        const struct known_table *table = &problem->known[k];
        if (!best || mean_nats(problem, table) < mean_nats(problem, best)) best = table;
    }
    if (!best) return;
    bayesian->known_count = 1;
    bayesian->known.attention = best->attention_factor;
    for (int64_t i = 0; i < problem->space->pairs; i++) bayesian->known.log_factors[i] = log(best->factors[i]);
    for (size_t w = 0; w < problem->windows; w++) {
        add_observation(bayesian, 0, w, best->window_nats[w] / (double)problem->window_tokens[w]);
    }
}

/* Steps are in proportion to the range of ln lambda, because tables for twice the window differ less than tables for
 * eight times, lambda 1 to 10, on which the numbers were chosen. */
static double length_unit(const struct genome_space *space) {
    int32_t smallest = space->critical_high > 0 ? space->smallest : space->unit;
    return fmax(least_unit, log((double)space->largest / (double)smallest) / log(10.0));
}

_Static_assert(ROPE_MAX_PAIRS + 2 <= GP_MAX_DIMENSION, "every pair may be a knot");

/* Features: the knots, ln m, n_hat. */
static size_t dimension(const struct coordinates *at) { return (size_t)at->count + 2; }

struct evolve_bayesian *evolve_bayesian_new(const struct evolve_settings *settings,
                                            const struct evolve_problem *problem, const struct coordinates *at) {
    struct evolve_bayesian *bayesian = calloc(1, sizeof *bayesian);
    if (!bayesian) return NULL;
    if (!allocate(bayesian, settings, problem)) {
        evolve_bayesian_free(bayesian);
        return NULL;
    }
    double tokens = 0;
    for (size_t w = 0; w < problem->windows; w++) tokens += (double)problem->window_tokens[w];
    for (size_t w = 0; w < problem->windows; w++) bayesian->weights[w] = (double)problem->window_tokens[w] / tokens;
    bayesian->effort = problem->quick ? &small_effort : &whole_effort;
    bayesian->windows = problem->windows;
    bayesian->radius = first_radius;
    bayesian->fixed_attention = problem->attention_factor;
    bayesian->unit = length_unit(problem->space);
    size_t most = bayesian->effort->observations;
    if (most > bayesian->observation_capacity) most = bayesian->observation_capacity;
    const struct gp_settings gp = {.dimension = (size_t)problem->space->pairs + 2,
                                   .capacity = most + largest_generation(settings, problem),
                                   .windows = problem->windows,
                                   .weights = bayesian->weights};
    bayesian->gp = gp_new(&gp);
    if (!bayesian->gp) {
        evolve_bayesian_free(bayesian);
        return NULL;
    }
    gp_set_dimension(bayesian->gp, dimension(at));
    take_known(bayesian, problem);
    return bayesian;
}

void evolve_bayesian_told(struct evolve *evolve, const struct individual *individual, size_t from, size_t to,
                          const double *window_nats) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    for (size_t k = from; k < to; k++) {
        size_t window = (individual->first_window + k) % evolve->windows;
        add_observation(bayesian, bayesian->known_count + (size_t)individual->id, window,
                        window_nats[window] / (double)evolve->window_tokens[window]);
    }
}

/* Points and features ------------------------------------------------------------------------- */

static const struct individual *individual_of(const struct evolve *evolve, size_t point) {
    size_t known = evolve->bayesian->known_count;
    return point < known ? NULL : &evolve->individuals[point - known];
}

static double attention_of(const struct evolve *evolve, const struct genome *genome) {
    const struct genome_space *space = &evolve->space;
    if (space->attention_unit == 0) return evolve->bayesian->fixed_attention;
    return (double)genome->attention / space->attention_unit;
}

static void table_of(const struct evolve *evolve, size_t point, struct known_point *out) {
    const struct individual *individual = individual_of(evolve, point);
    if (!individual) {
        *out = evolve->bayesian->known;
        return;
    }
    genome_factors(&evolve->space, &individual->genome, out->log_factors);
    for (int64_t i = 0; i < evolve->space.pairs; i++) out->log_factors[i] = log(out->log_factors[i]);
    out->attention = attention_of(evolve, &individual->genome);
}

/* 0..1, evenly in its logarithm: what the first tokens do hardly depends on whether they are 100 or 101. */
static double start_feature(const struct evolve *evolve, int32_t start) {
    int64_t most = 0;
    for (int32_t k = 0; k < evolve->space.start_count; k++) {
        if (evolve->space.start_tokens[k] > most) most = evolve->space.start_tokens[k];
    }
    if (most == 0) return 0;
    return log1p((double)evolve->space.start_tokens[start]) / log1p((double)most);
}

static void features(const struct evolve *evolve, const struct known_point *table, int32_t start, double *out) {
    const struct evolve_bayesian *bayesian = evolve->bayesian;
    const struct coordinates *at = &evolve->at;
    for (int64_t k = 0; k < at->count; k++) {
        out[k] = (table->log_factors[at->knots[k]] - bayesian->from.log_factors[at->knots[k]]) / bayesian->unit;
    }
    out[at->count] = log(table->attention / bayesian->from.attention) / (attention_unit * bayesian->unit);
    out[at->count + 1] = start_feature(evolve, start);
}

static int32_t no_start(const struct genome_space *space) {
    int32_t none = 0;
    while (none + 1 < space->start_count && space->start_tokens[none] != 0) none++;
    return none;
}

static int32_t start_of(const struct evolve *evolve, size_t point) {
    const struct individual *individual = individual_of(evolve, point);
    return individual ? individual->genome.start : no_start(&evolve->space);
}

static void point_features(const struct evolve *evolve, size_t point, double *out) {
    struct known_point table;
    table_of(evolve, point, &table);
    features(evolve, &table, start_of(evolve, point), out);
}

/* The model ----------------------------------------------------------------------------------- */

/* The best point that is scored on all windows. */
static size_t best_scored(const struct evolve *evolve, double *mean) {
    const struct evolve_bayesian *bayesian = evolve->bayesian;
    size_t best = 0;
    *mean = bayesian->known_count ? 0 : INFINITY;
    for (size_t w = 0; w < bayesian->windows && bayesian->known_count; w++) {
        *mean += bayesian->weights[w] * bayesian->observations[w].nats;
    }
    const struct individual *found = evolve_best(evolve);
    if (found && found->score < *mean) *mean = found->score, best = bayesian->known_count + (size_t)found->id;
    return best;
}

static void begin(struct evolve *evolve) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    bayesian->reference = bayesian->center = best_scored(evolve, &bayesian->reference_mean);
    table_of(evolve, bayesian->reference, &bayesian->from);
    for (size_t i = 0; i < bayesian->observation_count; i++) {
        const struct observation *seen = &bayesian->observations[i];
        if (seen->point == bayesian->reference) bayesian->reference_nats[seen->window] = seen->nats;
    }
    bayesian->begun = true;
}

/* Bad tables are bad by nats, good ones better by hundredths of one: a process of one deviation needs the former
 * compressed. */
static double value_of(const struct evolve_bayesian *bayesian, const struct observation *seen) {
    double difference = seen->nats - bayesian->reference_nats[seen->window];
    if (isinf(difference)) difference = failed_difference;
    if (!(difference > 0)) return difference; /* NaN is none: told nats are finite, or infinite where a table failed */
    return large_value * log1p(difference / large_value);
}

static double squared_distance(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t d = 0; d < count; d++) sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

/* Of the tables that the search begins with only the best: others are far from it, and a process that is to tell good
 * tables apart learns length scales from them that are wrong near the best. On the demo model a search that took
 * dynamic NTK beside YaRN was 0.5 % behind after 20 windows. */
static bool is_taken(const struct evolve *evolve, size_t point) {
    const struct individual *individual = individual_of(evolve, point);
    return !individual || individual->generation > 0 || point == evolve->bayesian->reference;
}

/* The distance that as many observations as the process takes do not exceed, where the nearest are not too many. */
static double farthest_taken(struct evolve_bayesian *bayesian) {
    size_t count = bayesian->observation_count, most = bayesian->effort->observations;
    if (count <= most) return DBL_MAX;
    double low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(bayesian->distances[i])) high = fmax(high, bayesian->distances[i]);
    }
    for (int halving = 0; halving < 60; halving++) {
        double middle = 0.5 * (low + high);
        size_t within = 0;
        for (size_t i = 0; i < count; i++) within += bayesian->distances[i] <= middle;
        if (within > most) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return low;
}

static void load(struct evolve *evolve) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    double center[ROPE_MAX_PAIRS + 2], x[ROPE_MAX_PAIRS + 2];
    point_features(evolve, bayesian->center, center);
    for (size_t i = 0; i < bayesian->observation_count; i++) {
        point_features(evolve, bayesian->observations[i].point, x);
        bool taken = is_taken(evolve, bayesian->observations[i].point);
        bayesian->distances[i] = taken ? squared_distance(center, x, dimension(&evolve->at)) : INFINITY;
    }
    const size_t most = bayesian->effort->observations;
    double farthest = farthest_taken(bayesian);
    gp_clear(bayesian->gp);
    for (size_t i = 0; i < bayesian->observation_count; i++) {
        const struct observation *seen = &bayesian->observations[i];
        if (bayesian->distances[i] > farthest || gp_count(bayesian->gp) == most) continue;
        point_features(evolve, seen->point, x);
        gp_add(bayesian->gp, x, seen->window, value_of(bayesian, seen));
    }
    gp_condition(bayesian->gp);
}

static void learn(struct evolve_bayesian *bayesian) {
    size_t count = bayesian->observation_count; /* the process may take fewer */
    if (bayesian->learned > 40 && count < bayesian->learned + bayesian->learned / 10) return;
    gp_learn(bayesian->gp, bayesian->learned ? RELEARNING_STEPS : LEARNING_STEPS);
    bayesian->learned = count;
}

/* What a search for a point looks at. */
enum filter { ANY_POINT, UNFINISHED_POINT, UNFINISHED_WITHOUT_START };

static bool passes(const struct evolve *evolve, size_t point, enum filter filter) {
    if (filter == ANY_POINT) return is_taken(evolve, point); /* of others the process says what it says of nothing */
    const struct individual *individual = individual_of(evolve, point);
    if (!individual || individual->stopped || individual->windows == evolve->windows) return false;
    return filter == UNFINISHED_POINT || genome_start_tokens(&evolve->space, &individual->genome) == 0;
}

/* The point of the lowest prediction, the oldest of equals; false if none passes. */
static bool most_promising(const struct evolve *evolve, enum filter filter, size_t *point, double *mean) {
    const struct evolve_bayesian *bayesian = evolve->bayesian;
    bool found = false;
    for (size_t p = 0; p < bayesian->known_count + evolve->told; p++) {
        double x[ROPE_MAX_PAIRS + 2];
        if (!passes(evolve, p, filter)) continue;
        point_features(evolve, p, x);
        struct gp_prediction prediction = gp_predict(bayesian->gp, x);
        if (found && !(prediction.mean < *mean)) continue;
        *mean = prediction.mean;
        *point = p;
        found = true;
    }
    return found;
}

/* Candidates ---------------------------------------------------------------------------------- */

/* Eq. 15: E max(0, best - value). */
static double expected_improvement(struct gp_prediction prediction, double best) {
    double z = (best - prediction.mean) / prediction.deviation;
    return prediction.deviation * (z * 0.5 * erfc(-z * M_SQRT1_2) + exp(-0.5 * z * z) / sqrt(2.0 * M_PI));
}

static bool searches_attention(const struct evolve *evolve) { return evolve->space.attention_unit > 0; }

static double half_width(const struct evolve *evolve, int64_t k) {
    return evolve->bayesian->radius * (k == evolve->at.count ? attention_step : 1.0);
}

static void clamp_steps(const struct evolve *evolve, double *steps) {
    for (int64_t k = 0; k <= evolve->at.count; k++) {
        double most = box * half_width(evolve, k);
        steps[k] = fmax(-most, fmin(most, steps[k]));
    }
}

/* The genome of the steps from `center`, and its expected improvement. */
static void judge(struct evolve *evolve, const struct known_point *center, struct candidate *candidate) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    double deviations[ROPE_MAX_PAIRS], factors[ROPE_MAX_PAIRS], x[ROPE_MAX_PAIRS + 2];
    struct known_point table;
    clamp_steps(evolve, candidate->steps);
    coordinates_interpolate(&evolve->at, candidate->steps, deviations);
    for (int64_t i = 0; i < evolve->space.pairs; i++) {
        factors[i] = exp(center->log_factors[i] + bayesian->unit * deviations[i]);
    }
    double attention = center->attention * exp(attention_unit * bayesian->unit * candidate->steps[evolve->at.count]);
    genome_from_factors(&evolve->space, factors, candidate->start, attention, &candidate->genome);
    genome_factors(&evolve->space, &candidate->genome, table.log_factors);
    for (int64_t k = 0; k < evolve->at.count; k++) {
        int64_t pair = evolve->at.knots[k];
        table.log_factors[pair] = log(table.log_factors[pair]);
    }
    table.attention = attention_of(evolve, &candidate->genome);
    features(evolve, &table, candidate->start, x);
    candidate->improvement = expected_improvement(gp_predict(bayesian->gp, x), bayesian->center_value);
}

/* Into the sorted elite, if it is good enough, behind its equals. */
static void keep(const struct evolve *evolve, const struct candidate *candidate) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    size_t at = bayesian->elite_count;
    if (bayesian->only_new && evolve_was_proposed(evolve, &candidate->genome)) return;
    while (at > 0 && candidate->improvement > bayesian->elite[at - 1].improvement) at--;
    if (at == ELITE) return;
    if (bayesian->elite_count < ELITE) bayesian->elite_count++;
    memmove(&bayesian->elite[at + 1], &bayesian->elite[at], (bayesian->elite_count - at - 1) * sizeof *bayesian->elite);
    bayesian->elite[at] = *candidate;
}

/* The first individual of the model has the centre's n_hat, which is none where the centre is a closed form: engines
 * require none, so a search that finds others better still has a table for them. */
static int32_t random_start(struct evolve *evolve, int32_t start) {
    const struct genome_space *space = &evolve->space;
    if (space->start_count == 1 || gsl_rng_uniform(&evolve->rng) >= start_changes) return start;
    int32_t other = (int32_t)gsl_rng_uniform_int(&evolve->rng, (unsigned long)space->start_count);
    return evolve->count == evolve->initial_count ? start : other;
}

/* Adds normal deviates of deviation `share` of the region to the steps, each with a probability. */
static void disturb(struct evolve *evolve, double share, double probability, double *steps) {
    int64_t count = evolve->at.count + (searches_attention(evolve) ? 1 : 0);
    for (int64_t k = 0; k < count; k++) {
        if (probability < 1 && gsl_rng_uniform(&evolve->rng) >= probability) continue;
        steps[k] += share * half_width(evolve, k) * gsl_ran_gaussian(&evolve->rng, 1.0);
    }
}

/* Random moves from the centre: most change every knot, by lengths of all orders, the others a few. */
static void draw_candidates(struct evolve *evolve, const struct known_point *center, int32_t start) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    bayesian->elite_count = 0;
    for (int i = 0; i < bayesian->effort->candidates; i++) {
        struct candidate *candidate = bayesian->fresh;
        *candidate = (struct candidate){.start = random_start(evolve, start)};
        bool sparse = i >= bayesian->effort->candidates - bayesian->effort->sparse;
        double share = sparse ? 1.0 : exp(-2.0 + 2.3 * gsl_rng_uniform(&evolve->rng));
        disturb(evolve, share, sparse ? 0.3 : 1.0, candidate->steps);
        judge(evolve, center, candidate);
        keep(evolve, candidate);
    }
}

static void refine_candidates(struct evolve *evolve, const struct known_point *center) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    double share = 0.15;
    for (int round = 0; round < bayesian->effort->refinements; round++, share *= 0.5) {
        struct candidate parents[ELITE];
        size_t count = bayesian->elite_count;
        memcpy(parents, bayesian->elite, count * sizeof *parents);
        for (size_t i = 0; i < count * VARIATIONS; i++) {
            struct candidate *candidate = bayesian->fresh;
            *candidate = parents[i / VARIATIONS];
            candidate->start = random_start(evolve, candidate->start);
            disturb(evolve, share, 1.0, candidate->steps);
            judge(evolve, center, candidate);
            keep(evolve, candidate);
        }
    }
}

/* Generations --------------------------------------------------------------------------------- */

/* Adds the best candidate that is new, to be scored on the next window. The model is then told its own prediction, so
 * that the next individual of the generation is sought elsewhere (Ginsbourger et al., "kriging believer", 2010). */
static bool add_best_candidate(struct evolve *evolve, int64_t parent) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    for (size_t i = 0; i < bayesian->elite_count; i++) {
        struct individual *child = evolve_next_individual(evolve);
        child->genome = bayesian->elite[i].genome;
        if (!evolve_add_if_new(evolve, ORIGIN_MODEL, parent, EVOLVE_NO_PARENT)) continue;
        child->first_window = bayesian->next_window;
        evolve->pending[evolve->pending_count - 1].count = 1;
        double x[ROPE_MAX_PAIRS + 2];
        point_features(evolve, bayesian->known_count + (size_t)child->id, x);
        if (bayesian->effort->believes) {
            gp_add(bayesian->gp, x, bayesian->next_window, gp_predict(bayesian->gp, x).mean);
        }
        bayesian->next_window = (bayesian->next_window + 1) % evolve->windows;
        return true;
    }
    return false;
}

/* The elite is of new genomes only where all of it was proposed before, which small spaces come to. */
static bool add_candidate(struct evolve *evolve, const struct known_point *center, int64_t parent) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    bool added = false;
    for (int again = 0; again < 2 && !added; again++) {
        bayesian->only_new = again > 0;
        draw_candidates(evolve, center, start_of(evolve, bayesian->center));
        refine_candidates(evolve, center);
        added = add_best_candidate(evolve, parent);
    }
    return added;
}

/* The point to move from. A closed form may lie outside the space, too far for the steps to lead into it. */
static void start_point(const struct evolve *evolve, struct known_point *out) {
    const struct genome_space *space = &evolve->space;
    double largest = log((double)space->largest / space->unit);
    table_of(evolve, evolve->bayesian->center, out);
    for (int64_t i = 0; i < space->pairs; i++) out->log_factors[i] = fmax(0, fmin(largest, out->log_factors[i]));
}

static void propose(struct evolve *evolve, size_t count) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    struct known_point center;
    start_point(evolve, &center);
    const struct individual *individual = individual_of(evolve, bayesian->center);
    size_t before = evolve->count;
    evolve->generation++;
    for (size_t i = 0; i < count; i++) {
        if (!add_candidate(evolve, &center, individual ? individual->id : EVOLVE_NO_PARENT)) break;
        if (bayesian->effort->believes) gp_condition(bayesian->gp);
    }
    bayesian->awaited = evolve->count > before;
    if (!bayesian->awaited) {
        evolve->generation--;
        return;
    }
    TRACE(TRACE_EVOLVE,
          "generation %" PRId64 ": around individual %" PRId64 ", radius %.3g, %" PRId64 " knots; deviations: common "
          "%.3g, of windows %.3g, noise %.3g",
          evolve->generation, individual ? individual->id : EVOLVE_NO_PARENT, bayesian->radius, evolve->at.count,
          gp_common_deviation(bayesian->gp), gp_window_deviation(bayesian->gp), gp_noise(bayesian->gp));
}

/* Every genome nearby was proposed. False if the region holds the whole space already. */
static bool widen(struct evolve_bayesian *bayesian) {
    if (bayesian->radius > whole_space) return false;
    bayesian->radius *= 2;
    return true;
}

/* Twice as many knots, where there are pairs left. */
static void refine_knots(struct evolve *evolve) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    if (!coordinates_refine(&evolve->at)) return;
    gp_set_dimension(bayesian->gp, dimension(&evolve->at));
    bayesian->radius = first_radius;
    bayesian->learned = 0;
}

/* Did the last generation bring the best prediction forward? */
static void judge_generation(struct evolve *evolve) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    size_t point = 0;
    double mean = 0;
    bayesian->awaited = false;
    most_promising(evolve, ANY_POINT, &point, &mean);
    if (mean < bayesian->center_value - progress) {
        bayesian->radius = fmin(first_radius, bayesian->radius * radius_growth);
        bayesian->failures = 0;
        return;
    }
    if (++bayesian->failures < PATIENCE) return;
    bayesian->failures = 0;
    if (bayesian->radius > least_radius) {
        bayesian->radius = fmax(least_radius, bayesian->radius * radius_decay);
    } else {
        refine_knots(evolve);
        load(evolve);
    }
}

/* Requests the windows that an individual lacks. False if the budget does not allow it. */
static bool finish(struct evolve *evolve, size_t point) {
    const struct individual *individual = individual_of(evolve, point);
    if (evolve->windows - individual->windows > evolve_windows_left(evolve)) return false;
    evolve_request(evolve, (size_t)individual->id, evolve->windows);
    return true;
}

/* What is left of the budget is for a table without start tokens, which engines need. */
static bool is_left_for_engines(const struct evolve *evolve) {
    bool exportable = evolve->best_exportable != EVOLVE_NO_PARENT && evolve->best_exportable == evolve->best;
    return !exportable && evolve_windows_left(evolve) < 2 * (evolve->windows - 1);
}

/* A genome that is predicted to beat all that are scored on all windows. */
static bool finish_promising(struct evolve *evolve) {
    size_t point = 0;
    double mean = 0, best = 0;
    if (is_left_for_engines(evolve)) return false;
    if (evolve->generation < evolve->bayesian->finished + evolve->bayesian->effort->rest) return false;
    best_scored(evolve, &best);
    if (!most_promising(evolve, UNFINISHED_POINT, &point, &mean)) return false;
    if (!(mean < best - evolve->bayesian->reference_mean - worth_scoring)) return false;
    evolve->bayesian->finished = evolve->generation;
    return finish(evolve, point);
}

/* The budget is nearly used up: the most promising genome, at last one without start tokens. */
static void finish_last(struct evolve *evolve) {
    size_t point = 0;
    double mean = 0;
    bool found = is_left_for_engines(evolve) && most_promising(evolve, UNFINISHED_WITHOUT_START, &point, &mean);
    if (found || most_promising(evolve, UNFINISHED_POINT, &point, &mean)) finish(evolve, point);
}

size_t evolve_bayesian_kept(size_t windows) { return FINALISTS * (windows - 1); }

void evolve_bayesian_round(struct evolve *evolve) {
    struct evolve_bayesian *bayesian = evolve->bayesian;
    if (!bayesian->known_count && !evolve_best(evolve)) return; /* all failed that the search could begin at */
    if (!bayesian->begun) begin(evolve);
    load(evolve);
    if (bayesian->awaited) judge_generation(evolve);
    if (finish_promising(evolve)) return;
    size_t left = evolve_windows_left(evolve), kept = evolve_bayesian_kept(evolve->windows);
    if (left <= kept && evolve->told > 0) {
        finish_last(evolve);
        return;
    }
    learn(bayesian);
    most_promising(evolve, ANY_POINT, &bayesian->center, &bayesian->center_value);
    size_t most = left > kept ? left - kept : 1; /* a budget of a single evaluation */
    do {
        propose(evolve, evolve->settings.population < most ? evolve->settings.population : most);
    } while (!bayesian->awaited && widen(bayesian));
    if (!bayesian->awaited) finish_last(evolve); /* no genome is new */
}
