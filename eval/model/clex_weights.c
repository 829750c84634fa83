#include "eval/model/clex_weights.h"

#include <math.h>
#include <stdlib.h>

#include "eval/clex.h"
#include "eval/model/required_tensor.h"

static const char up_name[] = "model.clex_layer.proj_func.ode_up_proj",
                  down_name[] = "model.clex_layer.proj_func.ode_down_proj",
                  frequencies_name[] = "model.clex_layer.inv_freq";

static int check_finite(const struct weights *weights, const char *name, const float *numbers, int64_t rows,
                        int64_t columns, struct error *error) {
    for (int64_t i = 0; i < rows * columns; i++) {
        if (isfinite(numbers[i])) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%s': number [%d, %d] is %g; the table of the model cannot be computed; fetch the "
                         "file again",
                         weights_path(weights), name, (int)(i / columns), (int)(i % columns), (double)numbers[i]);
    }
    return STATUS_OK;
}

/* Into *out [rows][columns], which the caller frees. */
static int read_matrix(const struct weights *weights, const char *name, int64_t rows, int64_t columns, float **out,
                       struct error *error) {
    const struct required_tensor required = {name, 2, {rows, columns}};
    const struct tensor *tensor = weights_find(weights, name);
    int status = required_tensor_check(weights, &required, tensor, error);
    if (status != STATUS_OK) return status;
    *out = calloc((size_t)(rows * columns), sizeof **out);
    if (!*out) return error_memory(error, (double)(rows * columns) * sizeof **out, "the tensors of CLEX");
    tensor_rows_to_f32(tensor, 0, rows, *out);
    return check_finite(weights, name, *out, rows, columns, error);
}

/* They are a copy of what rope_theta says, in bf16 in some models; another theta would be another model. */
static int check_frequencies(const struct weights *weights, const struct rope_model *rope, struct error *error) {
    static const double rounding = 0.01; /* bf16's is 0.004 */
    const struct required_tensor required = {frequencies_name, 1, {rope->pairs}};
    const struct tensor *tensor = weights_find(weights, frequencies_name);
    float numbers[ROPE_MAX_PAIRS];
    int status = tensor ? required_tensor_check(weights, &required, tensor, error) : STATUS_OK;
    if (status != STATUS_OK || !tensor) return status;
    tensor_rows_to_f32(tensor, 0, rope->pairs, numbers);
    for (int64_t i = 0; i < rope->pairs; i++) {
        double frequency = pow(rope->theta, -(double)i / (double)rope->pairs);
        if (fabs(numbers[i] - frequency) <= rounding * frequency) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%s': number %d is %g, but rope_theta %g makes it %g; correct rope_theta in "
                         "config.json",
                         weights_path(weights), frequencies_name, (int)i, (double)numbers[i], rope->theta, frequency);
    }
    return STATUS_OK;
}

/* t = 1, 2, ... */
static int integrate(const struct clex *clex, const char *where, int64_t count, double **out, struct error *error) {
    double *times = calloc((size_t)count, sizeof *times);
    double *factors = calloc((size_t)(count * clex->pairs), sizeof *factors);
    int status = times && factors ? STATUS_OK
                                  : error_memory(error, (double)(count * clex->pairs) * sizeof *factors,
                                                 "the rotary tables of CLEX");
    for (int64_t n = 0; status == STATUS_OK && n < count; n++) times[n] = (double)(n + 1);
    if (status == STATUS_OK) status = clex_factors(clex, where, times, count, factors, error);
    free(times);
    if (status != STATUS_OK) {
        free(factors);
        return status;
    }
    *out = factors;
    return STATUS_OK;
}

int clex_weights_read(const struct weights *weights, struct rope_model *rope, double **out, struct error *error) {
    int64_t pairs = rope->pairs, width = (int64_t)rope->param_factor * 2 * pairs;
    float *up = NULL, *down = NULL;
    *out = NULL;
    int status = read_matrix(weights, up_name, pairs, width, &up, error);
    if (status == STATUS_OK) status = read_matrix(weights, down_name, width, pairs, &down, error);
    if (status == STATUS_OK) status = check_frequencies(weights, rope, error);
    const struct clex clex = {.pairs = pairs,
                              .width = width,
                              .activation = rope->activation,
                              .theta = rope->theta,
                              .step = rope->time_dt,
                              .up = up,
                              .down = down};
    if (status == STATUS_OK) status = integrate(&clex, weights_path(weights), (int64_t)rope->max_factor, out, error);
    if (status == STATUS_OK) rope->clex_factors = *out;
    free(up);
    free(down);
    return status;
}
