/* CMA-ES (arXiv 1604.00772). Names are the paper's: B and D of C = B D^2 B^T, the evolution paths p_c
 * and p_sigma. */
#include "search/evolve/cma_es.h"

#include <assert.h>
#include <gsl/gsl_eigen.h>
#include <gsl/gsl_matrix.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct cma_es {
    size_t n, mu;
    double sigma;
    double generation; /* updates begun; g + 1 in eq. 45's exponent */
    double mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi_n;
    double *memory;                     /* all arrays below lie in it */
    double *weights;                    /* [mu] */
    double *mean, *path_c, *path_sigma; /* [n] */
    double *step, *scratch, *turned;    /* [n] */
    double *covariance;                 /* [n][n] C */
    double *consumed;                   /* [n][n] a copy of it, which the decomposition uses up */
    double *axes;                       /* [n][n] B, eigenvectors in columns */
    double *lengths;                    /* [n] D, square roots of the eigenvalues */
    gsl_eigen_symmv_workspace work;     /* its arrays lie in `memory`, too */
};

/* Creating and freeing ------------------------------------------------------------------------ */

/* Table 1; positive weights, normalised (eq. 49, 53 with mu in the place of lambda/2). */
static void set_weights(struct cma_es *es) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < es->mu; i++) {
        es->weights[i] = log((double)es->mu + 0.5) - log((double)i + 1.0);
        sum += es->weights[i];
    }
    for (size_t i = 0; i < es->mu; i++) {
        es->weights[i] /= sum;
        squares += es->weights[i] * es->weights[i];
    }
    es->mu_eff = 1.0 / squares; /* eq. 8 */
}

/* Eq. 55 to 58. */
static void set_rates(struct cma_es *es) {
    double n = (double)es->n, mu_eff = es->mu_eff;
    es->c_sigma = (mu_eff + 2.0) / (n + mu_eff + 5.0);
    es->d_sigma = 1.0 + 2.0 * fmax(0.0, sqrt((mu_eff - 1.0) / (n + 1.0)) - 1.0) + es->c_sigma;
    es->c_c = (4.0 + mu_eff / n) / (n + 4.0 + 2.0 * mu_eff / n);
    es->c_1 = 2.0 / ((n + 1.3) * (n + 1.3) + mu_eff);
    es->c_mu = 2.0 * (0.25 + mu_eff + 1.0 / mu_eff - 2.0) / ((n + 2.0) * (n + 2.0) + mu_eff);
    es->c_mu = fmin(1.0 - es->c_1, es->c_mu);
    es->chi_n = sqrt(n) * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)); /* E |N(0, I)| */
}

static double *take(double **from, size_t count) {
    double *taken = *from;
    *from += count;
    return taken;
}

/* One block, so that GSL allocates nothing: it would end the program where memory is short. */
static bool allocate(struct cma_es *es) {
    size_t n = es->n;
    es->memory = calloc(es->mu + (11 + 3 * n) * n, sizeof *es->memory);
    if (!es->memory) return false;
    double *rest = es->memory;
    es->weights = take(&rest, es->mu);
    double **const vectors[] = {&es->mean,    &es->path_c, &es->path_sigma, &es->step,    &es->scratch, &es->turned,
                                &es->lengths, &es->work.d, &es->work.sd,    &es->work.gc, &es->work.gs};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) *vectors[i] = take(&rest, n);
    es->covariance = take(&rest, n * n);
    es->consumed = take(&rest, n * n);
    es->axes = take(&rest, n * n);
    es->work.size = n;
    return true;
}

struct cma_es *cma_es_new(const struct cma_es_settings *settings, const double *mean) {
    assert(settings->dimension >= 1 && settings->dimension <= CMA_ES_MAX_DIMENSION);
    assert(settings->parents >= 1 && settings->parents <= settings->offspring);
    assert(settings->sigma > 0);
    struct cma_es *es = calloc(1, sizeof *es);
    if (!es) return NULL;
    es->n = settings->dimension;
    es->mu = settings->parents;
    es->sigma = settings->sigma;
    if (!allocate(es)) {
        cma_es_free(es);
        return NULL;
    }
    set_weights(es);
    set_rates(es);
    memcpy(es->mean, mean, es->n * sizeof *mean);
    for (size_t i = 0; i < es->n; i++) {
        es->lengths[i] = 1.0;
        es->covariance[i * es->n + i] = es->axes[i * es->n + i] = 1.0;
    }
    return es;
}

void cma_es_free(struct cma_es *es) {
    if (!es) return;
    free(es->memory);
    free(es);
}

/* Sampling ------------------------------------------------------------------------------------ */

/* out = B in, or B^T in. */
static void rotate(const struct cma_es *es, bool transposed, const double *in, double *out) {
    size_t n = es->n;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) sum += es->axes[transposed ? j * n + i : i * n + j] * in[j];
        out[i] = sum;
    }
}

/* Eq. 38 to 40: x = m + sigma B D z. */
void cma_es_sample(struct cma_es *es, gsl_rng *rng, double *x) {
    for (size_t i = 0; i < es->n; i++) es->scratch[i] = es->lengths[i] * gsl_ran_gaussian(rng, 1.0);
    rotate(es, false, es->scratch, x);
    for (size_t i = 0; i < es->n; i++) x[i] = es->mean[i] + es->sigma * x[i];
}

/* Learning ------------------------------------------------------------------------------------ */

/* Eq. 41, 42: step = <y>_w, and the mean moves by sigma of it. */
static void move_mean(struct cma_es *es, const double *const *best) {
    for (size_t j = 0; j < es->n; j++) {
        double mean = 0;
        for (size_t i = 0; i < es->mu; i++) mean += es->weights[i] * (best[i][j] - es->mean[j]);
        es->step[j] = mean / es->sigma;
    }
}

/* Eq. 43: p_sigma follows C^(-1/2) <y>_w = B D^-1 B^T <y>_w. */
static void follow_path_sigma(struct cma_es *es) {
    double rate = sqrt(es->c_sigma * (2.0 - es->c_sigma) * es->mu_eff);
    rotate(es, true, es->step, es->scratch);
    for (size_t i = 0; i < es->n; i++) es->scratch[i] /= es->lengths[i];
    rotate(es, false, es->scratch, es->turned);
    for (size_t i = 0; i < es->n; i++) {
        es->path_sigma[i] = (1.0 - es->c_sigma) * es->path_sigma[i] + rate * es->turned[i];
    }
}

static double norm(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* h_sigma of eq. 45: false while the step size is growing fast, when p_c stalls. */
static bool path_is_short(const struct cma_es *es) {
    double expected = sqrt(1.0 - pow(1.0 - es->c_sigma, 2.0 * es->generation));
    return norm(es->path_sigma, es->n) / expected < (1.4 + 2.0 / ((double)es->n + 1.0)) * es->chi_n;
}

/* Eq. 47, element (i, j): best[][] are x, so y = (x - m_old) / sigma. */
static double learned(const struct cma_es *es, const double *const *best, double kept, size_t i, size_t j, double old) {
    double rank_mu = 0;
    for (size_t k = 0; k < es->mu; k++) {
        rank_mu += es->weights[k] * (best[k][i] - es->mean[i]) * (best[k][j] - es->mean[j]);
    }
    rank_mu /= es->sigma * es->sigma;
    return kept * old + es->c_1 * es->path_c[i] * es->path_c[j] + es->c_mu * rank_mu;
}

static void learn_covariance(struct cma_es *es, const double *const *best, bool short_path) {
    double rate = short_path ? sqrt(es->c_c * (2.0 - es->c_c) * es->mu_eff) : 0.0;
    for (size_t i = 0; i < es->n; i++) es->path_c[i] = (1.0 - es->c_c) * es->path_c[i] + rate * es->step[i];
    double lost = short_path ? 0.0 : es->c_1 * es->c_c * (2.0 - es->c_c); /* delta(h_sigma) makes up for it */
    double kept = 1.0 + lost - es->c_1 - es->c_mu;
    for (size_t i = 0; i < es->n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double value = learned(es, best, kept, i, j, es->covariance[i * es->n + j]);
            es->covariance[i * es->n + j] = es->covariance[j * es->n + i] = value;
        }
    }
}

/* Eigenvalues that rounding made negative, and those of directions that died out, are kept a little
 * above 0: D is divided by. */
static double axis_length(double eigenvalue) { return sqrt(fmax(eigenvalue, 1e-20)); }

/* C = B D^2 B^T. */
static void decompose(struct cma_es *es) {
    size_t n = es->n;
    memcpy(es->consumed, es->covariance, n * n * sizeof *es->consumed);
    gsl_matrix_view covariance = gsl_matrix_view_array(es->consumed, n, n);
    gsl_matrix_view axes = gsl_matrix_view_array(es->axes, n, n);
    gsl_vector_view values = gsl_vector_view_array(es->lengths, n);
    gsl_eigen_symmv(&covariance.matrix, &values.vector, &axes.matrix, &es->work);
    for (size_t i = 0; i < n; i++) es->lengths[i] = axis_length(es->lengths[i]);
}

void cma_es_restart(struct cma_es *es, const double *mean, double sigma, const double *covariance) {
    es->generation = 0;
    es->sigma = sigma;
    memcpy(es->mean, mean, es->n * sizeof *mean);
    memcpy(es->covariance, covariance, es->n * es->n * sizeof *covariance);
    memset(es->path_c, 0, es->n * sizeof *es->path_c);
    memset(es->path_sigma, 0, es->n * sizeof *es->path_sigma);
    decompose(es);
}

void cma_es_update(struct cma_es *es, const double *const *best) {
    es->generation++;
    move_mean(es, best);
    follow_path_sigma(es);
    learn_covariance(es, best, path_is_short(es));
    for (size_t i = 0; i < es->n; i++) es->mean[i] += es->sigma * es->step[i];
    /* eq. 44 */
    es->sigma *= exp(fmin(1.0, es->c_sigma / es->d_sigma * (norm(es->path_sigma, es->n) / es->chi_n - 1.0)));
    decompose(es);
}

/* Looking ------------------------------------------------------------------------------------- */

const double *cma_es_mean(const struct cma_es *es) { return es->mean; }

double cma_es_sigma(const struct cma_es *es) { return es->sigma; }

const double *cma_es_covariance(const struct cma_es *es) { return es->covariance; }

double cma_es_weight(const struct cma_es *es, size_t rank) {
    assert(rank < es->mu);
    return es->weights[rank];
}
