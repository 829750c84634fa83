#include "eval/clex.h"

#include <assert.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_odeiv2.h>
#include <math.h>
#include <stdlib.h>

static const double ntk_base = 10000.0;
static const double factor_min = 1e-15, factor_max = 1e15;

/* ---- The equation ---- */

struct equation {
    const struct clex *clex;
    double *input;  /* [pairs] z + ln f_ntk */
    double *hidden; /* [width] */
};

static double activate(enum rope_activation activation, double x) {
    return activation == ROPE_ACTIVATION_TANH ? tanh(x) : x / (1.0 + exp(-x));
}

/* out[columns] += row[rows] matrix[rows][columns] */
static void add_product(double *out, const double *row, const float *matrix, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) out[c] += row[r] * (double)matrix[r * columns + c];
    }
}

/* dz/dt, as GSL calls it. */
static int slope(double t, const double z[], double out[], void *parameters) {
    const struct equation *equation = parameters;
    const struct clex *clex = equation->clex;
    double d = 2.0 * (double)clex->pairs, alpha = 2.0 * t - 1.0;
    for (int64_t i = 0; i < clex->pairs; i++) {
        double j = 2.0 * (double)i;
        equation->input[i] = z[i] - j / d * log(ntk_base) - j / (d - 2.0) * log(alpha);
        out[i] = -2.0 * j / (d - 2.0) / alpha;
    }
    for (int64_t k = 0; k < clex->width; k++) equation->hidden[k] = 0.0;
    add_product(equation->hidden, equation->input, clex->up, clex->pairs, clex->width);
    for (int64_t k = 0; k < clex->width; k++) equation->hidden[k] = activate(clex->activation, equation->hidden[k]);
    add_product(out, equation->hidden, clex->down, clex->width, clex->pairs);
    return GSL_SUCCESS;
}

/* ---- The integration ---- */

struct integration {
    struct equation equation;
    gsl_odeiv2_system system;
    gsl_odeiv2_step *step;
    double *z, *begin, *errors; /* [pairs]; GSL estimates errors, which nothing reads */
    double *storage;
};

static void close_integration(struct integration *in) {
    if (in->step) gsl_odeiv2_step_free(in->step);
    free(in->storage);
}

/* GSL ends the program where memory is short, unless its handler of errors is off. */
static gsl_odeiv2_step *allocate_step(size_t dimension) {
    gsl_error_handler_t *handler = gsl_set_error_handler_off();
    gsl_odeiv2_step *step = gsl_odeiv2_step_alloc(gsl_odeiv2_step_rk4, dimension);
    gsl_set_error_handler(handler);
    return step;
}

static int open_integration(const struct clex *clex, struct integration *out, struct error *error) {
    size_t pairs = (size_t)clex->pairs, width = (size_t)clex->width;
    *out = (struct integration){.storage = calloc(4 * pairs + width, sizeof(double)), .step = allocate_step(pairs)};
    if (!out->storage || !out->step) {
        close_integration(out);
        return error_memory(error, (double)(4 * pairs + width) * sizeof(double), "the integration of a CLEX table");
    }
    out->z = out->storage, out->begin = out->z + pairs, out->errors = out->begin + pairs;
    out->equation = (struct equation){clex, out->errors + pairs, out->errors + 2 * pairs};
    for (int64_t i = 0; i < clex->pairs; i++) {
        out->z[i] = out->begin[i] = -(double)i / (double)clex->pairs * log(clex->theta);
    }
    return STATUS_OK;
}

/* From t = `from` to `to`: whole steps, then what is left of one. */
static void advance(struct integration *in, double from, double to) {
    double step = in->equation.clex->step;
    int64_t steps = (int64_t)ceil((to - from) / step - 1e-9); /* 1 / 0.01 may lie a little above 100 */
    for (int64_t k = 0; k < steps; k++) {
        double t = from + (double)k * step, h = k + 1 < steps ? step : to - t;
        int status = gsl_odeiv2_step_apply(in->step, t, h, in->z, in->errors, NULL, NULL, &in->system);
        assert(status == GSL_SUCCESS), (void)status; /* slope() does not fail */
    }
}

static int write_factors(const struct integration *in, const char *where, double t, double *out, struct error *error) {
    for (int64_t i = 0; i < in->equation.clex->pairs; i++) {
        out[i] = exp(in->begin[i] - in->z[i]);
        if (out[i] >= factor_min && out[i] <= factor_max) continue;
        return error_set(
            error, STATUS_INPUT,
            "%s: the CLEX tensors make the factor of pair %d at extension factor %g %g; it must lie within "
            "%g to %g; check ode_up_proj, ode_down_proj, act and time_dt",
            where, (int)i, t, out[i], factor_min, factor_max);
    }
    return STATUS_OK;
}

int clex_factors(const struct clex *clex, const char *where, const double *times, int64_t count, double *out,
                 struct error *error) {
    struct integration in;
    double t = 1.0;
    assert(clex->pairs >= 2 && clex->pairs <= ROPE_MAX_PAIRS && clex->width >= 1 && clex->step > 0.0);
    int status = open_integration(clex, &in, error);
    if (status != STATUS_OK) return status;
    in.system = (gsl_odeiv2_system){slope, NULL, (size_t)clex->pairs, &in.equation};
    for (int64_t n = 0; n < count && status == STATUS_OK; n++) {
        assert(times[n] >= t);
        advance(&in, t, times[n]);
        t = times[n];
        status = write_factors(&in, where, t, out + n * clex->pairs, error);
    }
    close_integration(&in);
    return status;
}
