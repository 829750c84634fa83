/* ALGORITHM_CMA_ES: genomes are samples of CMA-ES's distribution, rounded to the lattice. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

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
static const double first_attention = 0.125; /* deviation as a share of the attention factor's range */

/* n_hat has no order that a normal distribution could use. It is drawn from probabilities that follow the
 * best samples', each kept above a floor, as catCMA does (Hamano et al., arXiv 2405.09962), but at a fixed
 * rate. */
static const double first_others = 0.5; /* at first, of all values together but that of the best initial genome */
static const double start_rate = 0.3;
static const double start_floor = 0.5; /* expected samples of a generation, over all values */

struct evolve_cma {
    struct cma_es *es;
    size_t dimension;                        /* pairs, and one more where the attention factor is searched */
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
    cma_es_free(cma->es);
    free(cma->samples);
    free(cma->best);
    free(cma);
}

struct evolve_cma *evolve_cma_new(const struct evolve_settings *settings, const struct genome_space *space) {
    static const double origin[ROPE_MAX_PAIRS + 1] = {0};
    struct evolve_cma *cma = calloc(1, sizeof *cma);
    if (!cma) return NULL;
    cma->dimension = (size_t)space->pairs + (space->attention_unit > 0);
    const struct cma_es_settings es = {
        .dimension = cma->dimension, .offspring = settings->population, .parents = settings->parents, .sigma = 1.0};
    cma->es = cma_es_new(&es, origin);
    bool fits = settings->population <= PTRDIFF_MAX / sizeof *cma->samples / cma->dimension;
    cma->samples = fits ? calloc(settings->population * cma->dimension, sizeof *cma->samples) : NULL;
    cma->best = calloc(settings->parents, sizeof *cma->best);
    if (cma->es && cma->samples && cma->best) return cma;
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

/* The deviation of pair i is (i + 1/2) / pairs times a stationary autoregressive process of z. */
static void factors_of(const struct evolve *evolve, const double *z, double *factors) {
    const struct genome_space *space = &evolve->space;
    double pairs = (double)space->pairs, range = log((double)space->largest / space->unit);
    double correlation = exp(-neighbourhood / pairs), fresh = sqrt(1.0 - correlation * correlation);
    double level = 0;
    for (int64_t i = 0; i < space->pairs; i++) {
        level = i == 0 ? z[0] : correlation * level + fresh * z[i];
        factors[i] = evolve->cma->middle[i] + first_deviation * range * ((double)i + 0.5) / pairs * level;
    }
    make_rise(factors, space->pairs);
    for (int64_t i = 0; i < space->pairs; i++) factors[i] = exp(factors[i]);
}

static double attention_of(const struct evolve *evolve, const double *z) {
    const struct genome_space *space = &evolve->space;
    if (space->attention_unit == 0) return 0;
    double range = (double)(space->attention_high - space->attention_low) / space->attention_unit;
    return evolve->cma->middle_attention + first_attention * range * z[space->pairs];
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

/* The initial genomes are scored: the distribution starts at the best of them. */
static void begin(struct evolve *evolve) {
    struct evolve_cma *cma = evolve->cma;
    const struct genome_space *space = &evolve->space;
    const struct genome *best = &evolve->individuals[evolve->best].genome;
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
        seen[evolve->individuals[evolve->ranked[i]].genome.start] += cma_es_weight(cma->es, i);
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
    if (evolve->ranked_count < evolve->settings.parents) return;
    for (size_t i = 0; i < evolve->settings.parents; i++) {
        cma->best[i] = cma->samples + (evolve->ranked[i] - cma->first) * cma->dimension;
    }
    cma_es_update(cma->es, cma->best);
    learn_starts(evolve);
    TRACE(TRACE_EVOLVE, "generation %" PRId64 ": CMA-ES samples with step size %.4g", evolve->generation,
          cma_es_sigma(cma->es));
}

void evolve_cma_generation(struct evolve *evolve) {
    if (evolve->cma->begun) {
        learn(evolve);
    } else {
        begin(evolve);
    }
    evolve->cma->first = evolve->count;
    evolve->ranked_count = 0;
    for (size_t i = 0; i < evolve->settings.population; i++) add_sample(evolve);
}
