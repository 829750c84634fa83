/* ALGORITHM_CMA_ES: genomes are samples of CMA-ES's distribution, rounded to the lattice. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/trace.h"
#include "search/evolve/cma_es.h"
#include "search/evolve/evolve_state.h"

/* The coordinates z that CMA-ES moves are standard normal at first and stand for deviations of log lambda
 * from the table that it begins with (factors_of()). A first deviation grows in proportion to the pair's
 * index, as NTK's log lambda does, because fast pairs bear little change, and neighbours deviate alike.
 * CMA-ES is invariant under such maps, so only the beginning depends on it; but some hundred evaluations are
 * too few to learn a covariance from nothing. The numbers were chosen on the demo model and its sensitivity
 * to each pair. */
static const double first_deviation = 0.08;  /* of the last pair's, as a share of log(largest lambda) */
static const double neighbourhood = 12;      /* neighbours correlate by exp(-neighbourhood / pairs) */
static const double fresh_variance = 0.05;   /* of coordinates that a refinement adds, of the largest variance */
static const double first_attention = 0.125; /* deviation as a share of the attention factor's range */

/* n_hat has no order that a normal distribution could use. It is drawn from probabilities that follow the
 * best samples', each kept above a floor, as catCMA does (Hamano et al., arXiv 2405.09962), but at a fixed
 * rate. */
static const double first_others = 0.5; /* at first, of all values together but that of the best initial genome */
static const double start_rate = 0.3;
static const double start_floor = 0.5; /* expected samples of a generation, over all values */

enum { MOST_LEVELS = 9 }; /* knots from 2 to ROPE_MAX_PAIRS */

struct evolve_cma {
    struct cma_es *es;                         /* distributions[level] */
    struct cma_es *distributions[MOST_LEVELS]; /* one for each number of knots that refinement reaches */
    size_t level;
    size_t dimension;                        /* knots, and one more where the attention factor is searched */
    double *map, *covariance, *mean;         /* of refine(): [most dimensions]^2 twice, [most dimensions] */
    bool begun;                              /* the initial genomes are scored and what follows is set */
    size_t first;                            /* id of the first individual of the generation under way */
    double *samples;                         /* [population][dimension], z of that generation */
    const double **best;                     /* [parents] into samples */
    double middle[ROPE_MAX_PAIRS];           /* log lambda where z = 0 */
    double middle_attention;                 /* m where z = 0 */
    double probabilities[GENOME_MAX_STARTS]; /* of the values of n_hat */
};

/* Creating and freeing ------------------------------------------------------------------------ */

void evolve_cma_free(struct evolve_cma *cma) {
    if (!cma) return;
    for (size_t level = 0; level < MOST_LEVELS; level++) cma_es_free(cma->distributions[level]);
    free(cma->map);
    free(cma->covariance);
    free(cma->mean);
    free(cma->samples);
    free(cma->best);
    free(cma);
}

static size_t dimension_of(const struct coordinates *at, const struct genome_space *space) {
    return (size_t)at->count + (space->attention_unit > 0);
}

/* The distributions of all levels, so that a refinement cannot fail. The largest dimension, or 0 for lack of memory. */
static size_t make_distributions(struct evolve_cma *cma, const struct evolve_settings *settings,
                                 const struct genome_space *space, struct coordinates at) {
    static const double origin[ROPE_MAX_PAIRS + 1] = {0};
    size_t level = 0;
    do {
        const struct cma_es_settings es = {.dimension = dimension_of(&at, space),
                                           .offspring = settings->population,
                                           .parents = settings->parents,
                                           .sigma = 1.0};
        cma->distributions[level] = cma_es_new(&es, origin);
        if (!cma->distributions[level++]) return 0;
    } while (coordinates_refine(&at));
    return dimension_of(&at, space);
}

struct evolve_cma *evolve_cma_new(const struct evolve_settings *settings, const struct genome_space *space,
                                  const struct coordinates *at) {
    struct evolve_cma *cma = calloc(1, sizeof *cma);
    if (!cma) return NULL;
    size_t most = make_distributions(cma, settings, space, *at);
    bool fits = most > 0 && settings->population <= PTRDIFF_MAX / sizeof *cma->samples / most;
    cma->es = cma->distributions[0];
    cma->dimension = dimension_of(at, space);
    cma->samples = fits ? calloc(settings->population * most, sizeof *cma->samples) : NULL;
    cma->best = calloc(settings->parents, sizeof *cma->best);
    cma->map = calloc(most * most + 1, sizeof *cma->map);
    cma->covariance = calloc(2 * most * most + 1, sizeof *cma->covariance);
    cma->mean = calloc(most + 1, sizeof *cma->mean);
    if (cma->samples && cma->best && cma->map && cma->covariance && cma->mean) return cma;
    evolve_cma_free(cma);
    return NULL;
}

/* Genomes ------------------------------------------------------------------------------------- */

/* Makes x[count] non-decreasing with the least squared change: neighbours that fall are replaced by
 * their mean (pool adjacent violators). */
static void make_rise(double *x, int64_t count) {
    double means[ROPE_MAX_PAIRS];
    int64_t sizes[ROPE_MAX_PAIRS], blocks = 0;
    for (int64_t i = 0; i < count; i++) {
        means[blocks] = x[i];
        sizes[blocks++] = 1;
        for (; blocks > 1 && means[blocks - 2] > means[blocks - 1]; blocks--) {
            double sum = means[blocks - 2] * (double)sizes[blocks - 2] + means[blocks - 1] * (double)sizes[blocks - 1];
            sizes[blocks - 2] += sizes[blocks - 1];
            means[blocks - 2] = sum / (double)sizes[blocks - 2];
        }
    }
    for (int64_t b = 0, i = 0; b < blocks; b++) {
        for (int64_t k = 0; k < sizes[b]; k++) x[i++] = means[b];
    }
}

/* A first deviation of log lambda at knot k, where the range of log lambda is `range`. */
static double deviation_of(const struct coordinates *at, int64_t k, double range) {
    return first_deviation * range * ((double)at->knots[k] + 0.5) / (double)at->pairs;
}

/* How much of a knot's level is that of the knot before it. */
static double correlation_of(const struct coordinates *at, int64_t k) {
    return k == 0 ? 0.0 : exp(-neighbourhood * (double)(at->knots[k] - at->knots[k - 1]) / (double)at->pairs);
}

/* Deviations of log lambda at the knots: the knot's share of the range times a stationary autoregressive process of z.
 */
static void deviations_of(const struct coordinates *at, double range, const double *z, double *out) {
    double level = 0;
    for (int64_t k = 0; k < at->count; k++) {
        double correlation = correlation_of(at, k);
        level = k == 0 ? z[0] : correlation * level + sqrt(1.0 - correlation * correlation) * z[k];
        out[k] = deviation_of(at, k, range) * level;
    }
}

static double range_of(const struct genome_space *space) { return log((double)space->largest / space->unit); }

static void factors_of(const struct evolve *evolve, const double *z, double *factors) {
    const struct genome_space *space = &evolve->space;
    double knots[ROPE_MAX_PAIRS];
    deviations_of(&evolve->at, range_of(space), z, knots);
    coordinates_interpolate(&evolve->at, knots, factors);
    for (int64_t i = 0; i < space->pairs; i++) factors[i] += evolve->cma->middle[i];
    make_rise(factors, space->pairs);
    for (int64_t i = 0; i < space->pairs; i++) factors[i] = exp(factors[i]);
}

static double attention_of(const struct evolve *evolve, const double *z) {
    const struct genome_space *space = &evolve->space;
    if (space->attention_unit == 0) return 0;
    double range = (double)(space->attention_high - space->attention_low) / space->attention_unit;
    return evolve->cma->middle_attention + first_attention * range * z[evolve->at.count];
}

/* The first value whose cumulated probability exceeds a uniform number. */
static int32_t random_start(struct evolve *evolve) {
    double left = gsl_rng_uniform(&evolve->rng);
    int32_t start = 0;
    while (start + 1 < evolve->space.start_count && left >= evolve->cma->probabilities[start]) {
        left -= evolve->cma->probabilities[start++];
    }
    return start;
}

static void add_sample(struct evolve *evolve) {
    struct evolve_cma *cma = evolve->cma;
    double *z = cma->samples + (evolve->count - cma->first) * cma->dimension;
    struct genome *genome = &evolve_next_individual(evolve)->genome;
    for (int tries = 0; tries < EVOLVE_SAMPLE_TRIES; tries++) {
        double factors[ROPE_MAX_PAIRS];
        cma_es_sample(cma->es, &evolve->rng, z);
        factors_of(evolve, z, factors);
        genome_from_factors(&evolve->space, factors, random_start(evolve), attention_of(evolve, z), genome);
        if (evolve_add_if_new(evolve, ORIGIN_SAMPLE, EVOLVE_NO_PARENT, EVOLVE_NO_PARENT)) return;
    }
}

/* Learning ------------------------------------------------------------------------------------ */

/* The initial genomes are scored: the distribution starts at the best of them, or at the first if all failed. */
static void begin(struct evolve *evolve) {
    struct evolve_cma *cma = evolve->cma;
    const struct genome_space *space = &evolve->space;
    size_t first = evolve->best == EVOLVE_NO_PARENT ? 0 : (size_t)evolve->best;
    const struct genome *best = &evolve->individuals[first].genome;
    genome_factors(space, best, cma->middle);
    for (int64_t i = 0; i < space->pairs; i++) cma->middle[i] = log(cma->middle[i]);
    if (space->attention_unit > 0) cma->middle_attention = (double)best->attention / space->attention_unit;
    double others = space->start_count > 1 ? first_others : 0;
    for (int32_t k = 0; k < space->start_count; k++) {
        cma->probabilities[k] = k == best->start ? 1.0 - others : others / (space->start_count - 1);
    }
    cma->begun = true;
}

static void learn_starts(struct evolve *evolve) {
    struct evolve_cma *cma = evolve->cma;
    int32_t count = evolve->space.start_count;
    double floor = start_floor / (double)evolve->settings.population / count;
    double seen[GENOME_MAX_STARTS] = {0}, sum = 0;
    for (size_t i = 0; i < evolve->settings.parents; i++) {
        seen[evolve->individuals[evolve->parents.items[i].id].genome.start] += cma_es_weight(cma->es, i);
    }
    for (int32_t k = 0; k < count; k++) {
        cma->probabilities[k] = fmax(floor, (1.0 - start_rate) * cma->probabilities[k] + start_rate * seen[k]);
        sum += cma->probabilities[k];
    }
    for (int32_t k = 0; k < count; k++) cma->probabilities[k] /= sum;
}

/* Learns from the coordinates as they were drawn, not as they were rounded. A generation in which fewer
 * new genomes were found than CMA-ES has parents teaches nothing. */
static void learn(struct evolve *evolve) {
    struct evolve_cma *cma = evolve->cma;
    if (evolve->parents.count < evolve->settings.parents) return;
    for (size_t i = 0; i < evolve->settings.parents; i++) {
        cma->best[i] = cma->samples + (evolve->parents.items[i].id - cma->first) * cma->dimension;
    }
    cma_es_update(cma->es, cma->best);
    learn_starts(evolve);
    TRACE(TRACE_EVOLVE, "generation %" PRId64 ": CMA-ES samples with step size %.4g", evolve->generation,
          cma_es_sigma(cma->es));
}

/* Refining ------------------------------------------------------------------------------------ */

/* The z on the knots `to` whose deviations are those of z on `from`: deviations_of() backwards. */
static void transfer(const struct coordinates *from, const struct coordinates *to, const double *z, double *out) {
    double knots[ROPE_MAX_PAIRS], deviations[ROPE_MAX_PAIRS], before = 0;
    deviations_of(from, 1.0, z, knots);
    coordinates_interpolate(from, knots, deviations);
    for (int64_t k = 0; k < to->count; k++) {
        double level = deviations[to->knots[k]] / deviation_of(to, k, 1.0), correlation = correlation_of(to, k);
        out[k] = k == 0 ? level : (level - correlation * before) / sqrt(1.0 - correlation * correlation);
        before = level;
    }
}

/* map[to][from]: transfer() as a matrix, and the attention factor's coordinate as it is. */
static void make_map(struct evolve_cma *cma, const struct coordinates *from, const struct coordinates *to, size_t rows,
                     size_t columns) {
    memset(cma->map, 0, rows * columns * sizeof *cma->map);
    for (size_t j = 0; j < (size_t)from->count; j++) {
        double unit[ROPE_MAX_PAIRS] = {0}, column[ROPE_MAX_PAIRS];
        unit[j] = 1.0;
        transfer(from, to, unit, column);
        for (size_t i = 0; i < (size_t)to->count; i++) cma->map[i * columns + j] = column[i];
    }
    if (rows > (size_t)to->count) cma->map[rows * columns - 1] = 1.0;
}

/* covariance = map C map^T, and a little more in every direction: the new knots have not moved yet. */
static void map_covariance(struct evolve_cma *cma, size_t rows, size_t columns) {
    const double *old = cma_es_covariance(cma->es);
    double *half = cma->covariance + rows * rows, most = 0;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            half[i * columns + j] = 0;
            for (size_t k = 0; k < columns; k++)
                half[i * columns + j] += cma->map[i * columns + k] * old[k * columns + j];
        }
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < rows; j++) {
            double sum = 0;
            for (size_t k = 0; k < columns; k++) sum += half[i * columns + k] * cma->map[j * columns + k];
            cma->covariance[i * rows + j] = sum;
        }
        most = fmax(most, cma->covariance[i * rows + i]);
    }
    for (size_t i = 0; i < rows; i++) cma->covariance[i * rows + i] += fresh_variance * most;
}

/* Doubles the knots; mean and covariance stay what they are as distributions of tables. */
static void refine(struct evolve *evolve) {
    struct evolve_cma *cma = evolve->cma;
    const struct coordinates before = evolve->at;
    if (!coordinates_refine(&evolve->at)) return;
    size_t columns = cma->dimension, rows = dimension_of(&evolve->at, &evolve->space);
    const double *mean = cma_es_mean(cma->es);
    make_map(cma, &before, &evolve->at, rows, columns);
    map_covariance(cma, rows, columns);
    for (size_t i = 0; i < rows; i++) {
        cma->mean[i] = 0;
        for (size_t j = 0; j < columns; j++) cma->mean[i] += cma->map[i * columns + j] * mean[j];
    }
    struct cma_es *finer = cma->distributions[++cma->level];
    cma_es_restart(finer, cma->mean, cma_es_sigma(cma->es), cma->covariance);
    cma->es = finer;
    cma->dimension = rows;
}

void evolve_cma_generation(struct evolve *evolve) {
    if (evolve->cma->begun) {
        learn(evolve);
        if (evolve->settings.knots > 0 && evolve_is_stalled(evolve)) refine(evolve);
    } else {
        begin(evolve);
    }
    evolve->cma->first = evolve->count;
    ranking_clear(&evolve->parents);
    for (size_t i = 0; i < evolve->settings.population; i++) add_sample(evolve);
}
