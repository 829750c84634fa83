/* The reference kernels: each formula as one plain loop, sums in double. What they compute is the
 * meaning of kernels.h; their speed does not matter. Packed operands are plain rows of f32; the set for
 * bf16 rounds every number that goes into one. */
#include <math.h>
#include <stddef.h>

#include "eval/kernels/kernels.h"

static int64_t row_length(int64_t width) { return width; }

static size_t row_bytes(int64_t width) { return (size_t)width * sizeof(float); }

static void narrow_f32(void *out, const float *x, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows * width; i++) ((float *)out)[i] = x[i];
}

static void narrow_bf16(void *out, const float *x, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < rows * width; i++) ((float *)out)[i] = number_of_bf16(number_to_bf16(x[i]));
}

static size_t matrix_bytes(int64_t outputs, int64_t inputs) { return (size_t)(outputs * inputs) * sizeof(float); }

static void pack_f32(struct matrix *matrix, const float *w, int64_t first, int64_t rows) {
    narrow_f32((float *)matrix->data + first * matrix->inputs, w, rows, matrix->inputs);
}

static void pack_bf16(struct matrix *matrix, const float *w, int64_t first, int64_t rows) {
    narrow_bf16((float *)matrix->data + first * matrix->inputs, w, rows, matrix->inputs);
}

static void unpack_row(float *out, const struct matrix *matrix, int64_t row) {
    narrow_f32(out, (const float *)matrix->data + row * matrix->inputs, 1, matrix->inputs);
}

static size_t key_bytes(int64_t tokens, int64_t heads, int64_t width) {
    return (size_t)(tokens * heads * width) * sizeof(float);
}

static void pack_keys_f32(struct key_values *kv, const float *k, int64_t first, int64_t rows) {
    narrow_f32((float *)kv->keys + first * kv->heads * kv->width, k, rows, kv->heads * kv->width);
}

static void pack_keys_bf16(struct key_values *kv, const float *k, int64_t first, int64_t rows) {
    narrow_bf16((float *)kv->keys + first * kv->heads * kv->width, k, rows, kv->heads * kv->width);
}

static void pack_values_f32(struct key_values *kv, const float *v, int64_t first, int64_t rows) {
    narrow_f32((float *)kv->values + first * kv->heads * kv->width, v, rows, kv->heads * kv->width);
}

static void pack_values_bf16(struct key_values *kv, const float *v, int64_t first, int64_t rows) {
    narrow_bf16((float *)kv->values + first * kv->heads * kv->width, v, rows, kv->heads * kv->width);
}

static double dot(const float *a, const float *b, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void project(float *out, const void *x, const struct matrix *w, int64_t rows, bool add) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t o = 0; o < w->outputs; o++) {
            float *to = &out[r * w->outputs + o];
            double before = add ? *to : 0.0;
            *to = (float)(before +
                          dot((const float *)x + r * w->inputs, (const float *)w->data + o * w->inputs, w->inputs));
        }
    }
}

static size_t attention_scratch(const struct attention_shape *shape, const struct key_values *kv) {
    (void)kv;
    return (size_t)(shape->first + shape->rows) * sizeof(float);
}

/* Keys or values of tokens first..end-1 of one head; `stride` floats from token to token. */
struct seen {
    const float *keys, *values;
    int64_t first, end, stride;
};

/* One row: weights[first..end) are the scores, then exp of them, largest score 0. */
static void attend_row(float *out, const float *q, const struct seen *seen, int64_t width, float *weights) {
    double largest = -INFINITY, sum = 0.0;
    for (int64_t j = seen->first; j < seen->end; j++) {
        weights[j] = (float)(dot(q, seen->keys + j * seen->stride, width) / sqrt((double)width));
        largest = fmax(largest, weights[j]);
    }
    for (int64_t j = seen->first; j < seen->end; j++) {
        weights[j] = (float)exp(weights[j] - largest);
        sum += weights[j];
    }
    for (int64_t i = 0; i < width; i++) {
        double value = 0.0;
        for (int64_t j = seen->first; j < seen->end; j++) {
            value += (double)weights[j] * seen->values[j * seen->stride + i];
        }
        out[i] = (float)(value / sum);
    }
}

static void attention(float *out, const void *q, const struct key_values *kv, const struct attention_shape *shape,
                      void *scratch) {
    int64_t shared = shape->head / (shape->heads / kv->heads) * kv->width;
    for (int64_t r = 0; r < shape->rows; r++) {
        int64_t here = (r * shape->heads + shape->head) * kv->width, position = shape->first + r;
        bool all = shape->window == 0 || position < shape->window;
        struct seen seen = {.keys = (const float *)kv->keys + shared,
                            .values = (const float *)kv->values + shared,
                            .first = all ? 0 : position + 1 - shape->window,
                            .end = position + 1,
                            .stride = kv->heads * kv->width};
        attend_row(out + here, (const float *)q + here, &seen, kv->width, scratch);
    }
}

static void rms_norm(float *out, const float *x, const float *weight, int64_t rows, int64_t width, double eps) {
    for (int64_t r = 0; r < rows; r++) {
        double squares = 0.0;
        for (int64_t i = 0; i < width; i++) squares += (double)x[r * width + i] * x[r * width + i];
        double scale = 1.0 / sqrt(squares / (double)width + eps);
        for (int64_t i = 0; i < width; i++) out[r * width + i] = (float)(x[r * width + i] * scale * weight[i]);
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

static void gelu_multiply(float *gate, const float *up, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double z = gate[i];
        gate[i] = (float)(0.5 * z * (1.0 + tanh(sqrt(M_2_PI) * (z + 0.044715 * z * z * z))) * up[i]);
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

const struct kernels kernels_reference_f32 = {
    .name = "reference",
    .type = NUMBER_F32,
    .row_length = row_length,
    .row_bytes = row_bytes,
    .narrow = narrow_f32,
    .matrix_bytes = matrix_bytes,
    .pack = pack_f32,
    .unpack_row = unpack_row,
    .key_bytes = key_bytes,
    .pack_keys = pack_keys_f32,
    .pack_values = pack_values_f32,
    .project = project,
    .attention = attention,
    .attention_scratch = attention_scratch,
    .rms_norm = rms_norm,
    .rotate = rotate,
    .silu_multiply = silu_multiply,
    .gelu_multiply = gelu_multiply,
    .nats = nats,
};

const struct kernels kernels_reference_bf16 = {
    .name = "reference",
    .type = NUMBER_BF16,
    .row_length = row_length,
    .row_bytes = row_bytes,
    .narrow = narrow_bf16,
    .matrix_bytes = matrix_bytes,
    .pack = pack_bf16,
    .unpack_row = unpack_row,
    .key_bytes = key_bytes,
    .pack_keys = pack_keys_bf16,
    .pack_values = pack_values_bf16,
    .project = project,
    .attention = attention,
    .attention_scratch = attention_scratch,
    .rms_norm = rms_norm,
    .rotate = rotate,
    .silu_multiply = silu_multiply,
    .gelu_multiply = gelu_multiply,
    .nats = nats,
};
