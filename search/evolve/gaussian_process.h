/* A Gaussian process over points x of R^n and windows of text (Rasmussen and Williams, Gaussian Processes for Machine
 * Learning, MIT Press 2006; equation and section numbers are that book's).
 *
 * The value of point x on window w is f(x) + g_w(x) plus independent noise: f is what all windows have in common, g_w
 * what is particular to window w. Both have a zero mean and the squared exponential covariance with one length scale
 * per dimension (eq. 5.1), so
 *
 *     cov(x w, x' w') = exp(-1/2 sum_d ((x_d - x'_d) / l_d)^2) (s_f^2 + s_w^2 [w = w']) + s_n^2 [same observation].
 *
 * Length scales and deviations are those of the largest posterior density: the marginal likelihood (eq. 2.30, gradient
 * eq. 5.9) times independent log-normal priors. What is predicted is the mean of f + g_w over all windows, each with
 * its weight.
 *
 * It computes with exp, log and sqrt alone and in a fixed order: equal observations give equal predictions, bit for
 * bit, with the same C library.
 */
#ifndef LONGROPE_SEARCH_GAUSSIAN_PROCESS_H
#define LONGROPE_SEARCH_GAUSSIAN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

enum { GP_MAX_DIMENSION = 258 /* a knot at each of ROPE_MAX_PAIRS pairs, the attention factor and n_hat */ };

struct gp;

struct gp_settings {
    size_t dimension;      /* n, 1..GP_MAX_DIMENSION; gp_set_dimension() may lower it */
    size_t capacity;       /* observations that it can hold, >= 1 */
    size_t windows;        /* >= 1 */
    const double *weights; /* [windows] of the windows in the mean, > 0; they add up to 1. Copied. */
};

/* No observations, and length scales and deviations at the medians of their priors. NULL for lack of memory; the caller
 * frees with gp_free(). */
struct gp *gp_new(const struct gp_settings *settings);
void gp_free(struct gp *gp); /* NULL is allowed */

/* Forgets all observations, and gives all dimensions, 1..settings.dimension, the prior's median as their length scale.
 */
void gp_set_dimension(struct gp *gp, size_t dimension);
/* Forgets all observations; length scales and deviations stay. */
void gp_clear(struct gp *gp);
size_t gp_count(const struct gp *gp); /* observations held */

/* Adds an observation, value of x[n] on `window`. At most `capacity` are added. Predictions change with the next
 * gp_condition() or gp_learn(). */
void gp_add(struct gp *gp, const double *x, size_t window, double value);

/* Moves length scales and deviations towards the largest posterior density, in at most `steps` gradient steps, and
 * conditions on all observations. */
void gp_learn(struct gp *gp, int steps);
/* Conditions on all observations with the length scales and deviations as they are. Only what was added since the last
 * time is computed anew. */
void gp_condition(struct gp *gp);

struct gp_prediction {
    double mean, deviation; /* of the mean over windows, without noise */
};
struct gp_prediction gp_predict(const struct gp *gp, const double *x);

/* For traces and tests. */
double gp_length_scale(const struct gp *gp, size_t dimension);
double gp_common_deviation(const struct gp *gp); /* s_f */
double gp_window_deviation(const struct gp *gp); /* s_w */
double gp_noise(const struct gp *gp);            /* s_n */
/* Logarithm of the posterior density, up to a constant, of log length scales and deviations hyper[n + 3], in the order
 * l, s_f, s_w, s_n, and its gradient[n + 3]; -INFINITY where the covariance is not positive definite. */
double gp_density(struct gp *gp, const double *hyper, double *gradient);

#endif
