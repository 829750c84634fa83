/* CMA-ES: a normal distribution over R^n that is sampled, told which samples were best, and adapts its
 * mean, step size and covariance (Hansen, The CMA Evolution Strategy: A Tutorial, arXiv 1604.00772;
 * equation numbers are that paper's). Weights are positive only.
 *
 * It does not depend on the objective and draws only from the random stream it is given. The same stream and the same
 * rankings give the same results, bit for bit.
 */
#ifndef LONGROPE_SEARCH_CMA_ES_H
#define LONGROPE_SEARCH_CMA_ES_H

#include <gsl/gsl_rng.h>
#include <stddef.h>

enum { CMA_ES_MAX_DIMENSION = 1024 };

struct cma_es;

struct cma_es_settings {
    size_t dimension; /* n, 1..CMA_ES_MAX_DIMENSION */
    size_t offspring; /* lambda, samples of a generation, >= parents */
    size_t parents;   /* mu, the best samples that it learns from, >= 1 */
    double sigma;     /* the first step size, > 0 */
};

/* Begins anew around mean[dimension], with step size `sigma`, covariance[dimension][dimension], symmetric and positive
 * definite, and no evolution paths. */
void cma_es_restart(struct cma_es *es, const double *mean, double sigma, const double *covariance);

/* mean[dimension] is where it begins. NULL for lack of memory; the caller frees with cma_es_free(). */
struct cma_es *cma_es_new(const struct cma_es_settings *settings, const double *mean);
void cma_es_free(struct cma_es *es); /* NULL is allowed */

/* Draws x[dimension]. */
void cma_es_sample(struct cma_es *es, gsl_rng *rng, double *x);

/* Adapts the distribution to a generation: best[parents] are its best samples, best first, each x[dimension]. */
void cma_es_update(struct cma_es *es, const double *const *best);

const double *cma_es_mean(const struct cma_es *es); /* [dimension] */
double cma_es_sigma(const struct cma_es *es);
const double *cma_es_covariance(const struct cma_es *es);   /* [dimension][dimension] */
double cma_es_weight(const struct cma_es *es, size_t rank); /* w_i, rank 0..parents-1; they add up to 1 */

#endif
