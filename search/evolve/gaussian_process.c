/* Symbols are those of Rasmussen and Williams: K the covariance of the observations, L its Cholesky factor, alpha =
 * K^-1 y. Matrices are row-major, [capacity][capacity], of which the lower triangle is used. */
#include "search/evolve/gaussian_process.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct gp {
    size_t n, most_dimensions, windows, capacity;
    size_t count;       /* observations */
    size_t conditioned; /* of these, rows of L that are valid */
    double mean_weight; /* sum of squares of the weights: the share of s_w^2 in the variance of the mean */
    double *memory;     /* all arrays below but `window` lie in it */
    double *weights;    /* [windows] */
    double *hyper;      /* [n + 3] log length scales, log s_f, s_w, s_n */
    double *gradient, *step, *best, *last; /* [n + 3] of gp_learn() */
    double *x;                             /* [capacity][n] */
    double *y, *alpha, *scratch;           /* [capacity] */
    double *factor;                        /* [capacity][capacity] L */
    double *inverse;                       /* [capacity][capacity] K^-1, while a gradient is computed */
    double *columns;                       /* [capacity][capacity] L^T */
    size_t *window;                        /* [capacity] */
};

/* Priors: medians and deviations of the logarithms. Values are nats per token, and coordinates are in units of which
 * one, on the models these were chosen on, costs some tenths of a nat. */
static const double scale_median = 1.0, scale_spread = 0.5;
static const double common_median = 0.3, common_spread = 1.5;
static const double window_median = 0.03, window_spread = 1.0;
static const double noise_median = 0.002, noise_spread = 1.0;

/* Creating and freeing ------------------------------------------------------------------------ */

static double *take(double **from, size_t count) {
    double *taken = *from;
    *from += count;
    return taken;
}

static bool allocate(struct gp *gp) {
    size_t c = gp->capacity, n = gp->n;
    if (c > 46340 || gp->windows > SIZE_MAX / 16 / sizeof(double)) return false; /* c * c * 8 * 3 stays below 2^36 */
    gp->memory = calloc(gp->windows + 5 * (n + 3) + c * n + 3 * c + 3 * c * c, sizeof *gp->memory);
    gp->window = calloc(c, sizeof *gp->window);
    if (!gp->memory || !gp->window) return false;
    double *rest = gp->memory;
    gp->weights = take(&rest, gp->windows);
    double **const hyper[] = {&gp->hyper, &gp->gradient, &gp->step, &gp->best, &gp->last};
    for (size_t i = 0; i < sizeof hyper / sizeof *hyper; i++) *hyper[i] = take(&rest, n + 3);
    gp->x = take(&rest, c * n);
    double **const vectors[] = {&gp->y, &gp->alpha, &gp->scratch};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) *vectors[i] = take(&rest, c);
    double **const matrices[] = {&gp->factor, &gp->inverse, &gp->columns};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) *matrices[i] = take(&rest, c * c);
    return true;
}

static double prior_median(const struct gp *gp, size_t h) {
    if (h < gp->n) return log(scale_median);
    return log(h == gp->n ? common_median : h == gp->n + 1 ? window_median : noise_median);
}

static double prior_spread(const struct gp *gp, size_t h) {
    if (h < gp->n) return scale_spread;
    return h == gp->n ? common_spread : h == gp->n + 1 ? window_spread : noise_spread;
}

struct gp *gp_new(const struct gp_settings *settings) {
    assert(settings->dimension >= 1 && settings->dimension <= GP_MAX_DIMENSION);
    assert(settings->capacity >= 1 && settings->windows >= 1);
    struct gp *gp = calloc(1, sizeof *gp);
    if (!gp) return NULL;
    gp->n = gp->most_dimensions = settings->dimension;
    gp->windows = settings->windows;
    gp->capacity = settings->capacity;
    if (!allocate(gp)) {
        gp_free(gp);
        return NULL;
    }
    for (size_t w = 0; w < gp->windows; w++) {
        gp->weights[w] = settings->weights[w];
        gp->mean_weight += gp->weights[w] * gp->weights[w];
    }
    for (size_t h = 0; h < gp->n + 3; h++) gp->hyper[h] = prior_median(gp, h);
    return gp;
}

void gp_free(struct gp *gp) {
    if (!gp) return;
    free(gp->memory);
    free(gp->window);
    free(gp);
}

/* The three deviations stay. */
void gp_set_dimension(struct gp *gp, size_t dimension) {
    assert(dimension >= 1 && dimension <= gp->most_dimensions);
    memmove(gp->hyper + dimension, gp->hyper + gp->n, 3 * sizeof *gp->hyper);
    gp->n = dimension;
    for (size_t d = 0; d < dimension; d++) gp->hyper[d] = prior_median(gp, d);
    gp_clear(gp);
}

/* Observations -------------------------------------------------------------------------------- */

void gp_clear(struct gp *gp) { gp->count = gp->conditioned = 0; }

size_t gp_count(const struct gp *gp) { return gp->count; }

void gp_add(struct gp *gp, const double *x, size_t window, double value) {
    assert(gp->count < gp->capacity && window < gp->windows);
    memcpy(gp->x + gp->count * gp->n, x, gp->n * sizeof *x);
    gp->window[gp->count] = window;
    gp->y[gp->count++] = value;
}

/* Covariance ---------------------------------------------------------------------------------- */

static double squared_distance(const double *a, const double *b, double scale) {
    double difference = (*a - *b) / scale;
    return difference * difference;
}

/* exp(-1/2 sum_d ((a_d - b_d) / l_d)^2), with inverse_scales 1 / l_d. */
static double correlation(const struct gp *gp, const double *inverse_scales, const double *a, const double *b) {
    double sum = 0;
    for (size_t d = 0; d < gp->n; d++) {
        double difference = (a[d] - b[d]) * inverse_scales[d];
        sum += difference * difference;
    }
    return exp(-0.5 * sum);
}

static void invert_scales(const struct gp *gp, const double *hyper, double *out) {
    for (size_t d = 0; d < gp->n; d++) out[d] = exp(-hyper[d]);
}

static double variance(double log_deviation) { return exp(2.0 * log_deviation); }

/* in place: x[count] = L^-1 x, with the first `count` rows of L. By columns of L, so that the inner loop is no sum,
 * whose order the compiler has to keep, and is done several elements at a time. */
static void solve_rows(const struct gp *gp, size_t count, double *x) {
    for (size_t j = 0; j < count; j++) {
        const double *column = gp->columns + j * gp->capacity;
        double solved = x[j] / column[j];
        x[j] = solved;
        for (size_t i = j + 1; i < count; i++) x[i] -= column[i] * solved;
    }
}

static void solve_lower(const struct gp *gp, double *x) { solve_rows(gp, gp->count, x); }

/* Row i of L from row i of K in place (Cholesky, row by row), and into the columns; false if K is not positive
 * definite. */
static bool factor_row(struct gp *gp, size_t i) {
    double *row = gp->factor + i * gp->capacity;
    solve_rows(gp, i, row);
    for (size_t j = 0; j < i; j++) row[i] -= row[j] * row[j];
    if (!(row[i] > 0)) return false;
    row[i] = sqrt(row[i]);
    for (size_t j = 0; j <= i; j++) gp->columns[j * gp->capacity + i] = row[j];
    return true;
}

/* in place: x = L^-T x */
static void solve_upper(const struct gp *gp, double *x) {
    for (size_t i = gp->count; i-- > 0;) {
        const double *row = gp->factor + i * gp->capacity;
        x[i] /= row[i];
        for (size_t k = 0; k < i; k++) x[k] -= row[k] * x[i];
    }
}

static void solve_alpha(struct gp *gp) {
    memcpy(gp->alpha, gp->y, gp->count * sizeof *gp->alpha);
    solve_lower(gp, gp->alpha);
    solve_upper(gp, gp->alpha);
}

/* Rows first.. of K into `factor`, and factored. The noise of a row that is nearly a combination of earlier ones is
 * raised, so that this succeeds with any hyperparameters. */
static bool factor_rows(struct gp *gp, const double *hyper, size_t first, bool raise_noise) {
    double scales[GP_MAX_DIMENSION], common = variance(hyper[gp->n]), own = variance(hyper[gp->n + 1]);
    invert_scales(gp, hyper, scales);
    for (size_t i = first; i < gp->count; i++) {
        double noise = variance(hyper[gp->n + 2]);
        for (;; noise *= 2.0) {
            double *row = gp->factor + i * gp->capacity;
            for (size_t j = 0; j <= i; j++) {
                double k = correlation(gp, scales, gp->x + i * gp->n, gp->x + j * gp->n);
                row[j] = k * (common + (gp->window[i] == gp->window[j] ? own : 0.0)) + (i == j ? noise : 0.0);
            }
            if (factor_row(gp, i)) break;
            if (!raise_noise) return false;
        }
    }
    return true;
}

void gp_condition(struct gp *gp) {
    factor_rows(gp, gp->hyper, gp->conditioned, true);
    gp->conditioned = gp->count;
    solve_alpha(gp);
}

/* Learning ------------------------------------------------------------------------------------ */

/* The whole of K^-1, symmetric, from L. */
static void invert(struct gp *gp) {
    for (size_t i = 0; i < gp->count; i++) {
        memset(gp->scratch, 0, gp->count * sizeof *gp->scratch);
        gp->scratch[i] = 1.0;
        solve_lower(gp, gp->scratch);
        solve_upper(gp, gp->scratch);
        memcpy(gp->inverse + i * gp->capacity, gp->scratch, gp->count * sizeof *gp->scratch);
    }
}

static double log_determinant_half(const struct gp *gp) {
    double sum = 0;
    for (size_t i = 0; i < gp->count; i++) sum += log(gp->factor[i * gp->capacity + i]);
    return sum;
}

/* Eq. 5.9: 1/2 tr((alpha alpha^T - K^-1) dK/dh) for every h. */
static void likelihood_gradient(struct gp *gp, const double *hyper, double *gradient) {
    double scales[GP_MAX_DIMENSION], common = variance(hyper[gp->n]), own = variance(hyper[gp->n + 1]);
    double noise = variance(hyper[gp->n + 2]);
    invert_scales(gp, hyper, scales);
    for (size_t i = 0; i < gp->count; i++) {
        const double *a = gp->x + i * gp->n;
        gradient[gp->n + 2] += (gp->alpha[i] * gp->alpha[i] - gp->inverse[i * gp->capacity + i]) * noise;
        for (size_t j = 0; j <= i; j++) {
            const double *b = gp->x + j * gp->n;
            double outer = gp->alpha[i] * gp->alpha[j] - gp->inverse[i * gp->capacity + j];
            double k = outer * (i == j ? 0.5 : 1.0) * correlation(gp, scales, a, b); /* the other half is symmetric */
            double window = gp->window[i] == gp->window[j] ? own : 0.0;
            gradient[gp->n] += k * 2.0 * common;
            gradient[gp->n + 1] += k * 2.0 * window;
            double both = k * (common + window);
            for (size_t d = 0; d < gp->n; d++) gradient[d] += both * squared_distance(&a[d], &b[d], 1.0 / scales[d]);
        }
    }
}

double gp_density(struct gp *gp, const double *hyper, double *gradient) {
    gp->conditioned = 0;
    memset(gradient, 0, (gp->n + 3) * sizeof *gradient);
    if (!factor_rows(gp, hyper, 0, false)) return -INFINITY;
    solve_alpha(gp);
    invert(gp);
    likelihood_gradient(gp, hyper, gradient);
    double density = -log_determinant_half(gp);
    for (size_t i = 0; i < gp->count; i++) density -= 0.5 * gp->y[i] * gp->alpha[i];
    for (size_t h = 0; h < gp->n + 3; h++) {
        double z = (hyper[h] - prior_median(gp, h)) / prior_spread(gp, h);
        density -= 0.5 * z * z;
        gradient[h] -= z / prior_spread(gp, h);
    }
    return density;
}

/* Rprop without weight backtracking (Igel and Huesken, Improving the Rprop Learning Algorithm, NC 2000): only signs of
 * the gradient count, which suits parameters of unlike curvature. */
void gp_learn(struct gp *gp, int steps) {
    size_t n = gp->n + 3;
    double highest = -INFINITY;
    for (size_t h = 0; h < n; h++) gp->step[h] = 0.1, gp->last[h] = 0.0, gp->best[h] = gp->hyper[h];
    for (int i = 0; i < steps; i++) {
        double density = gp_density(gp, gp->hyper, gp->gradient);
        if (density > highest) {
            highest = density;
            memcpy(gp->best, gp->hyper, n * sizeof *gp->best);
        }
        for (size_t h = 0; h < n; h++) {
            double sign = gp->gradient[h] * gp->last[h];
            if (sign > 0) gp->step[h] = fmin(0.5, gp->step[h] * 1.2);
            if (sign < 0) gp->step[h] = fmax(1e-4, gp->step[h] * 0.5);
            gp->last[h] = sign < 0 ? 0.0 : gp->gradient[h];
            if (gp->last[h] != 0.0) gp->hyper[h] += gp->last[h] > 0 ? gp->step[h] : -gp->step[h];
        }
    }
    memcpy(gp->hyper, gp->best, n * sizeof *gp->hyper);
    gp->conditioned = 0;
    gp_condition(gp);
}

/* Predicting ---------------------------------------------------------------------------------- */

/* Eq. 2.25 and 2.26. The covariance of the mean over windows with an observation on window w has the share weights[w]
 * of s_w^2. */
struct gp_prediction gp_predict(const struct gp *gp, const double *x) {
    assert(gp->conditioned == gp->count);
    double scales[GP_MAX_DIMENSION], common = variance(gp->hyper[gp->n]), own = variance(gp->hyper[gp->n + 1]);
    double mean = 0, explained = 0;
    invert_scales(gp, gp->hyper, scales);
    for (size_t i = 0; i < gp->count; i++) {
        double k = correlation(gp, scales, x, gp->x + i * gp->n) * (common + own * gp->weights[gp->window[i]]);
        gp->scratch[i] = k;
        mean += k * gp->alpha[i];
    }
    solve_lower(gp, gp->scratch);
    for (size_t i = 0; i < gp->count; i++) explained += gp->scratch[i] * gp->scratch[i];
    double left = common + own * gp->mean_weight - explained;
    return (struct gp_prediction){mean, sqrt(fmax(left, 1e-14))};
}

double gp_length_scale(const struct gp *gp, size_t dimension) { return exp(gp->hyper[dimension]); }
double gp_common_deviation(const struct gp *gp) { return exp(gp->hyper[gp->n]); }
double gp_window_deviation(const struct gp *gp) { return exp(gp->hyper[gp->n + 1]); }
double gp_noise(const struct gp *gp) { return exp(gp->hyper[gp->n + 2]); }
