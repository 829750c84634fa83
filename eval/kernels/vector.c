/* Kernels for the compiler's vectors: compiled once for each instruction set, under the name
 * KERNELS_NAME. Matrix products go to the CBLAS; the loops between them are written so that a
 * compiler can vectorise them, with an exponential of our own because libm's is scalar. */
#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/kernels/kernels.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

enum {
    KEY_TILE = 128,  /* keys whose scores are held at once: a tile of 128 rows stays in the L2 cache */
    SUM_LENGTH = 64, /* terms that a product adds up in one go; see product() */
};

/* exp(x) to about 2 units in the last place: x = n ln 2 + r, exp(r) by its Taylor series to r^7,
 * which for |r| <= ln 2 / 2 is off by less than 1e-8 of it. Outside [-87, 88] x is clamped. */
static inline float exp_fast(float x) {
    const float round_to_integer = 12582912.0f; /* 1.5 x 2^23: adding it leaves no fraction bits */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float shifted = x * 1.44269504f + round_to_integer;
    float n = shifted - round_to_integer;
    float r = x - n * 0.693145752f; /* ln 2 in two parts, the first with few enough bits to be exact */
    r = r - n * 1.42860677e-6f;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits;
    float power; /* 2^n; a factor, so that NaN stays NaN, whatever its bits */
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23; /* the low bits of `shifted` are n */
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static void rms_norm(float *out, const float *x, const float *weight, int64_t rows, int64_t width, double eps) {
    for (int64_t r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float *to = out + r * width;
        double squares = 0.0;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < width; i++) squares += (double)in[i] * in[i];
        float scale = (float)(1.0 / sqrt(squares / (double)width + eps));
#pragma omp simd
        for (int64_t i = 0; i < width; i++) to[i] = in[i] * scale * weight[i];
    }
}

/* In pieces of SUM_LENGTH inputs. A sum of n terms in f32 gathers an error that grows with sqrt(n);
 * the sum of short sums gathers less. On the demo model, at 4096 tokens, single tokens are off by half
 * of what whole sums give, and evaluations take as long as before. */
static void product(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs,
                    float keep) {
    for (int64_t first = 0; first < inputs; first += SUM_LENGTH) {
        int64_t count = inputs - first < SUM_LENGTH ? inputs - first : SUM_LENGTH;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs, (int)count, 1.0f, x + first,
                    (int)inputs, w + first, (int)inputs, first > 0 ? 1.0f : keep, out, (int)outputs);
    }
}

static void project(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs) {
    product(out, x, w, rows, outputs, inputs, 0.0f);
}

static void project_add(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs) {
    product(out, x, w, rows, outputs, inputs, 1.0f);
}

static void rotate(float *x, const float *cos, const float *sin, int64_t rows, int64_t heads, int64_t width,
                   int64_t pairs) {
    for (int64_t r = 0; r < rows; r++) {
        const float *c = cos + r * pairs, *s = sin + r * pairs;
        for (int64_t h = 0; h < heads; h++) {
            float *lo = x + (r * heads + h) * width, *hi = lo + pairs;
#pragma omp simd
            for (int64_t i = 0; i < pairs; i++) {
                float a = lo[i], b = hi[i];
                lo[i] = a * c[i] - b * s[i];
                hi[i] = b * c[i] + a * s[i];
            }
        }
    }
}

static void silu_multiply(float *gate, const float *up, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) gate[i] = gate[i] / (1.0f + exp_fast(-gate[i])) * up[i];
}

/* scores[rows][KEY_TILE], then the running softmax's largest score and sum of each row. */
static int64_t attention_scratch(const struct attention_shape *shape) { return shape->rows * (KEY_TILE + 2); }

/* Turns one row of scores into weights relative to the largest score so far, and scales down what
 * the row has gathered from earlier tiles to match. `visible` of the tile's `keys` are seen. */
static void weigh_row(float *scores, int64_t visible, int64_t keys, float *largest, float *sum, float *gathered,
                      int64_t width) {
    float top = *largest, total = 0.0f;
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < visible; j++) top = scores[j] > top ? scores[j] : top;
    if (top > *largest) {
        float shrink = *sum > 0.0f ? exp_fast(*largest - top) : 0.0f;
        *sum *= shrink;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) gathered[i] *= shrink;
    }
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < visible; j++) {
        scores[j] = exp_fast(scores[j] - top);
        total += scores[j];
    }
    for (int64_t j = visible; j < keys; j++) scores[j] = 0.0f;
    *largest = top;
    *sum += total;
}

/* One head: q and out step by `q_stride` from row to row, k and v by `kv_stride` from key to key. */
static void attend_head(float *out, const float *q, const float *k, const float *v, const struct attention_shape *shape,
                        float *scratch) {
    int q_stride = (int)(shape->heads * shape->width), kv_stride = (int)(shape->kv_heads * shape->width);
    int rows = (int)shape->rows, width = (int)shape->width;
    float *scores = scratch, *largest = scores + (size_t)rows * KEY_TILE, *sums = largest + rows;
    for (int r = 0; r < rows; r++) {
        largest[r] = -INFINITY;
        sums[r] = 0.0f;
        memset(out + (size_t)r * (size_t)q_stride, 0, (size_t)width * sizeof(float));
    }
    int64_t end = shape->first + shape->rows;
    for (int64_t tile = 0; tile < end; tile += KEY_TILE) {
        int keys = (int)(end - tile < KEY_TILE ? end - tile : KEY_TILE);
        /* Rows before the tile's first key see nothing of it. */
        int skip = tile > shape->first ? (int)(tile - shape->first) : 0;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows - skip, keys, width, 1.0f / sqrtf((float)width),
                    q + (size_t)skip * (size_t)q_stride, q_stride, k + tile * kv_stride, kv_stride, 0.0f,
                    scores + (size_t)skip * KEY_TILE, KEY_TILE);
        for (int r = skip; r < rows; r++) {
            int64_t visible = shape->first + r + 1 - tile;
            weigh_row(scores + (size_t)r * KEY_TILE, visible < keys ? visible : keys, keys, &largest[r], &sums[r],
                      out + (size_t)r * (size_t)q_stride, width);
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows - skip, width, keys, 1.0f,
                    scores + (size_t)skip * KEY_TILE, KEY_TILE, v + tile * kv_stride, kv_stride, 1.0f,
                    out + (size_t)skip * (size_t)q_stride, q_stride);
    }
    for (int r = 0; r < rows; r++) {
        float *row = out + (size_t)r * (size_t)q_stride, scale = 1.0f / sums[r];
#pragma omp simd
        for (int i = 0; i < width; i++) row[i] *= scale;
    }
}

static void attention(float *out, const float *q, const float *k, const float *v, const struct attention_shape *shape,
                      float *scratch) {
    int64_t group = shape->heads / shape->kv_heads;
    for (int64_t h = 0; h < shape->heads; h++) {
        int64_t shared = h / group * shape->width;
        attend_head(out + h * shape->width, q + h * shape->width, k + shared, v + shared, shape, scratch);
    }
}

static void nats(double *out, const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = logits + r * vocabulary;
        float top = row[0];
        double sum = 0.0;
#pragma omp simd reduction(max : top)
        for (int64_t j = 0; j < vocabulary; j++) top = row[j] > top ? row[j] : top;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < vocabulary; j++) sum += exp_fast(row[j] - top);
        out[r] = (double)top + log(sum) - row[targets[r]];
    }
}

extern const struct kernels JOIN(kernels_, KERNELS_NAME);
const struct kernels JOIN(kernels_, KERNELS_NAME) = {
    .name = TEXT(KERNELS_NAME),
    .rms_norm = rms_norm,
    .project = project,
    .project_add = project_add,
    .rotate = rotate,
    .silu_multiply = silu_multiply,
    .attention = attention,
    .attention_scratch = attention_scratch,
    .nats = nats,
};
