/* The reference kernels: each formula as one plain loop, sums in double. What they compute is the
 * meaning of kernels.h; how fast they do it does not matter. */
#include <math.h>
#include <stddef.h>

#include "eval/kernels/kernels.h"

static void rms_norm(float *out, const float *x, const float *weight, int64_t rows, int64_t width, double eps) {
    for (int64_t r = 0; r < rows; r++) {
        double squares = 0.0;
        for (int64_t i = 0; i < width; i++) squares += (double)x[r * width + i] * x[r * width + i];
        double scale = 1.0 / sqrt(squares / (double)width + eps);
        for (int64_t i = 0; i < width; i++) out[r * width + i] = (float)(x[r * width + i] * scale * weight[i]);
    }
}

static double dot(const float *a, const float *b, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void project(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t o = 0; o < outputs; o++) {
            out[r * outputs + o] = (float)dot(x + r * inputs, w + o * inputs, inputs);
        }
    }
}

static void project_add(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t o = 0; o < outputs; o++) {
            out[r * outputs + o] = (float)(out[r * outputs + o] + dot(x + r * inputs, w + o * inputs, inputs));
        }
    }
}

static void rotate(float *x, const float *cos, const float *sin, int64_t rows, int64_t heads, int64_t width,
                   int64_t pairs) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t h = 0; h < heads; h++) {
            float *head = x + (r * heads + h) * width;
            for (int64_t i = 0; i < pairs; i++) {
                double c = cos[r * pairs + i], s = sin[r * pairs + i];
                double lo = head[i], hi = head[i + pairs];
                head[i] = (float)(lo * c - hi * s);
                head[i + pairs] = (float)(hi * c + lo * s);
            }
        }
    }
}

static void silu_multiply(float *gate, const float *up, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double z = gate[i];
        gate[i] = (float)(z / (1.0 + exp(-z)) * up[i]);
    }
}

static int64_t attention_scratch(const struct attention_shape *shape) { return shape->first + shape->rows; }

/* One row of one head: weights[keys] are the scores, then the softmax of them, unnormalised. */
static void attend_row(float *out, const float *q, const float *k, const float *v, int64_t keys, int64_t stride,
                       int64_t width, float *weights) {
    double largest = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < keys; j++) {
        weights[j] = (float)(dot(q, k + j * stride, width) / sqrt((double)width));
        largest = fmax(largest, weights[j]);
    }
    for (int64_t j = 0; j < keys; j++) {
        weights[j] = (float)exp(weights[j] - largest);
        sum += weights[j];
    }
    for (int64_t i = 0; i < width; i++) {
        double value = 0.0;
        for (int64_t j = 0; j < keys; j++) value += (double)weights[j] * v[j * stride + i];
        out[i] = (float)(value / sum);
    }
}

static void attention(float *out, const float *q, const float *k, const float *v, const struct attention_shape *shape,
                      float *scratch) {
    int64_t group = shape->heads / shape->kv_heads, stride = shape->kv_heads * shape->width;
    for (int64_t r = 0; r < shape->rows; r++) {
        for (int64_t h = 0; h < shape->heads; h++) {
            int64_t here = (r * shape->heads + h) * shape->width, shared = h / group * shape->width;
            attend_row(out + here, q + here, k + shared, v + shared, shape->first + r + 1, stride, shape->width,
                       scratch);
        }
    }
}

static void nats(double *out, const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = logits + r * vocabulary;
        double largest = -INFINITY, sum = 0.0;
        for (int64_t j = 0; j < vocabulary; j++) largest = fmax(largest, row[j]);
        for (int64_t j = 0; j < vocabulary; j++) sum += exp(row[j] - largest);
        out[r] = largest + log(sum) - row[targets[r]];
    }
}

const struct kernels kernels_reference = {
    .name = "reference",
    .rms_norm = rms_norm,
    .project = project,
    .project_add = project_add,
    .rotate = rotate,
    .silu_multiply = silu_multiply,
    .attention = attention,
    .attention_scratch = attention_scratch,
    .nats = nats,
};
