/* The operations of a forward pass, as a kernel set: a struct of functions.
 *
 * There is one kernel set per instruction set and number type of products: f32, or bf16 with sums in
 * f32. The reference sets are plain C and define the results; tests compare every other set with them.
 * Everything that is not an operand of a product is f32, row-major.
 *
 * Each set has its own layout for operands of products: pack() packs a matrix of weights once,
 * pack_keys() and pack_values() pack keys and values of a layer, narrow() rows of activations. A set
 * cannot read what another set packed.
 *
 * Many threads call the functions at the same time, each on its own rows; the functions start no
 * threads. The result of a row does not depend on the rows computed with it, to the last bit, as long
 * as keys and values are finite.
 */
#ifndef LONGROPE_EVAL_KERNELS_H
#define LONGROPE_EVAL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/base/number.h"

enum {
    PACK_ROWS = 64,        /* rows of a matrix, and tokens of keys and values, are packed in steps of it */
    KERNELS_ALIGNMENT = 64 /* bytes that packed operands and scratch must be aligned to */
};

/* A matrix of weights [outputs][inputs], packed. */
struct matrix {
    int64_t outputs, inputs;
    void *data; /* matrix_bytes() of it */
};

/* Keys and values of one layer, [tokens][heads][width] each, packed. */
struct key_values {
    int64_t tokens; /* capacity */
    int64_t heads;  /* key/value heads */
    int64_t width;  /* of a head */
    void *keys, *values;
};

/* One attention call: query head `head` of `heads`, `rows` queries at positions first..first+rows-1.
 * Each sees the keys of positions 0..its own or, with a sliding window, the last `window` of them, its
 * own included. */
struct attention_shape {
    int64_t first, rows;
    int64_t head, heads; /* reads key/value head: head / (heads / key/value heads) */
    int64_t window;      /* 0: all */
};

struct kernels {
    const char *name;      /* of the kernel set: "avx512" */
    enum number_type type; /* of the operands of products: NUMBER_F32 or NUMBER_BF16 */

    /* ---- Operands of products ---- */

    /* Numbers in a row of `width` after padding with zeros, and the bytes of such a row. */
    int64_t (*row_length)(int64_t width);
    size_t (*row_bytes)(int64_t width);
    /* out[rows][row_length(width)] = x[rows][width], rounded to nearest even. */
    void (*narrow)(void *out, const float *x, int64_t rows, int64_t width);

    /* Bytes of a packed matrix. */
    size_t (*matrix_bytes)(int64_t outputs, int64_t inputs);
    /* Packs w[rows][inputs] as rows first..first+rows-1 of `matrix`; `first` is a multiple of PACK_ROWS,
     * and so is `rows`, except at the end of the matrix. */
    void (*pack)(struct matrix *matrix, const float *w, int64_t first, int64_t rows);
    /* out[inputs] = one row of a packed matrix, as it was rounded. */
    void (*unpack_row)(float *out, const struct matrix *matrix, int64_t row);

    /* Bytes of packed keys; values take as many. */
    size_t (*key_bytes)(int64_t tokens, int64_t heads, int64_t width);
    /* Packs k[rows][heads][width] as tokens first..first+rows-1. Tokens before `first` stay; tokens after them, up to
     * the next multiple of PACK_ROWS, are lost. */
    void (*pack_keys)(struct key_values *kv, const float *k, int64_t first, int64_t rows);
    void (*pack_values)(struct key_values *kv, const float *v, int64_t first, int64_t rows);

    /* ---- Products ---- */

    /* out[rows][outputs] = x w^T; with `add`, out += x w^T. x[rows]: rows of `inputs` numbers from
     * narrow(). */
    void (*project)(float *out, const void *x, const struct matrix *w, int64_t rows, bool add);

    /* Writes the part of one head of out[rows][heads][width]: softmax(q k^T / sqrt(width)) v over the
     * keys that each row sees. q[rows][heads] of numbers, width wide. scratch: attention_scratch()
     * bytes. */
    void (*attention)(float *out, const void *q, const struct key_values *kv, const struct attention_shape *shape,
                      void *scratch);
    size_t (*attention_scratch)(const struct attention_shape *shape, const struct key_values *kv);

    /* ---- What lies between products ---- */

    /* out[rows][width] = x / sqrt(mean(x^2) + eps) * weight[width]; out may be x. */
    void (*rms_norm)(float *out, const float *x, const float *weight, int64_t rows, int64_t width, double eps);

    /* Rotates the first 2 pairs elements of each head of x[rows][heads][width] in place, halves against
     * each other: elements i and i + pairs by cos[rows][pairs], sin[rows][pairs]. */
    void (*rotate)(float *x, const float *cos, const float *sin, int64_t rows, int64_t heads, int64_t width,
                   int64_t pairs);

    /* gate[count] = silu(gate) * up, silu(z) = z / (1 + exp(-z)) */
    void (*silu_multiply)(float *gate, const float *up, int64_t count);

    /* gate[count] = gelu(gate) * up, gelu in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415):
     * gelu(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 */
    void (*gelu_multiply)(float *gate, const float *up, int64_t count);

    /* nats[rows] = ln sum_j exp(logits[r][j]) - logits[r][targets[r]]; logits[rows][vocabulary]. */
    void (*nats)(double *nats, const float *logits, const int32_t *targets, int64_t rows, int64_t vocabulary);
};

/* Memory aligned for operands and scratch; NULL for lack of memory. The caller frees it with free(). */
void *kernels_allocate(size_t bytes);

/* Plain C, one loop per formula, sums in double. */
extern const struct kernels kernels_reference_f32, kernels_reference_bf16;

/* All sets of that number type that this processor supports: the reference first, the fastest last,
 * NULL at the end. */
const struct kernels *const *kernels_available(enum number_type type);

/* The fastest of them, or the set that the environment variable LONGROPE_KERNELS names. STATUS_INPUT if
 * that set is not available; the message lists the sets that are. */
int kernels_choose(enum number_type type, const struct kernels **out, struct error *error);

/* Whether the set that kernels_choose() gives for bf16 uses instructions for bf16: its products are then
 * faster than those of f32. */
bool kernels_bf16_is_fast(void);

#endif
