/* The handful of operations that a forward pass is made of, behind one table.
 *
 * A new processor is a new file with a new table. The reference table is plain C and the measure
 * of all others; tests hold every table against it. All matrices are f32 and row-major; a table's
 * functions are called by many threads at once, each on rows of its own, and use no threads.
 */
#ifndef LONGROPE_EVAL_KERNELS_H
#define LONGROPE_EVAL_KERNELS_H

#include <stdint.h>

#include "eval/error.h"

/* Shapes of one attention call: `rows` queries at positions first..first+rows-1, each of which
 * sees the keys of positions 0..its own. */
struct attention_shape {
    int64_t first, rows;
    int64_t heads, kv_heads; /* query head h reads key/value head h / (heads / kv_heads) */
    int64_t width;           /* of a head */
};

struct kernels {
    const char *name;

    /* out[rows][width] = x / sqrt(mean(x^2) + eps) * weight[width]; out may be x. */
    void (*rms_norm)(float *out, const float *x, const float *weight, int64_t rows, int64_t width, double eps);

    /* out[rows][outputs] = x[rows][inputs] w[outputs][inputs]^T */
    void (*project)(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs);

    /* As project(), added to what out holds. */
    void (*project_add)(float *out, const float *x, const float *w, int64_t rows, int64_t outputs, int64_t inputs);

    /* Rotates x[rows][heads][width] in place, halves against each other: elements i and i + pairs
     * of each head by cos[rows][pairs], sin[rows][pairs]. */
    void (*rotate)(float *x, const float *cos, const float *sin, int64_t rows, int64_t heads, int64_t width,
                   int64_t pairs);

    /* gate[count] = silu(gate) * up, silu(z) = z / (1 + exp(-z)) */
    void (*silu_multiply)(float *gate, const float *up, int64_t count);

    /* out[rows][heads][width]: softmax(q k^T / sqrt(width)) v over the keys that each row sees.
     * q[rows][heads][width]; k and v [first + rows][kv_heads][width]; out may not be q.
     * scratch: attention_scratch(shape) floats. */
    void (*attention)(float *out, const float *q, const float *k, const float *v, const struct attention_shape *shape,
                      float *scratch);
    int64_t (*attention_scratch)(const struct attention_shape *shape);

    /* nats[rows] = ln sum_j exp(logits[r][j]) - logits[r][targets[r]]; logits[rows][vocabulary]. */
    void (*nats)(double *nats, const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary);
};

/* Plain C, one loop a formula, sums in double. */
extern const struct kernels kernels_reference;

/* The fastest table that this processor runs, or the one that the environment variable
 * LONGROPE_KERNELS names. STATUS_INPUT, listing the names, where that one is not to be had here. */
int kernels_choose(const struct kernels **out, struct error *error);

/* Every table that this processor runs, the reference first, NULL at the end. */
const struct kernels *const *kernels_available(void);

#endif
