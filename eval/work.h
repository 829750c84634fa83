/* The floating-point operations of a forward pass, two per multiply-add.
 *
 * Matrix products and attention count; what lies between them (norms, rotation, softmax, silu) does not. With
 * query = heads head_width and key = kv_heads head_width, a pass over n rows (a window of n + 1 tokens, of which n
 * predict one) takes
 *
 *     2 n (layers (2 hidden query + 2 hidden key + 3 hidden intermediate) - hidden query - 2 hidden key
 *          + vocabulary hidden)
 *     with hidden (3 experts_per_token expert_width + experts) for 3 hidden intermediate in layers with experts
 *   + 4 query (sum over layers and p = 0..n-1 of the keys that position p sees: p + 1, or a sliding window's)
 *
 * The part that is subtracted is the first layer's queries, keys and values. They are computed once per distinct token,
 * by the first pass that sees it, and later passes look them up.
 */
#ifndef LONGROPE_EVAL_WORK_H
#define LONGROPE_EVAL_WORK_H

#include <stdint.h>

#include "eval/model/model.h"

/* A matrix, and how often each row of a window goes through it or one of its shape. */
struct work_matrix {
    const char *name; /* static */
    int64_t outputs, inputs;
    double uses; /* in a pass; the first layer's query, key and value matrices do not count. Experts and routers count
                  * as parts of gate and down */
};

/* One matrix of each shape: query, key (and value), output, gate (and up), down, logits. */
enum { WORK_MATRICES = 6 };
void work_matrices(const struct model_config *config, struct work_matrix out[WORK_MATRICES]);

/* Keys that the positions 0..rows-1 see, added up; `window` is the sliding window, 0 for none. */
double work_keys_seen(int64_t rows, int64_t window);

/* Of a pass over a window of `length` tokens: its matrix products, its attention, and both. */
double work_products(const struct model_config *config, int64_t length);
double work_attention(const struct model_config *config, int64_t length);
double work_pass(const struct model_config *config, int64_t length);

/* The part of both that a pass leaves out when its first `skip` >= 0 predictions are not required: their rows of the
 * output matrix, and of the last layer all but keys and values of the whole blocks of rows (FORWARD_BLOCK_ROWS) among
 * them. */
double work_skipped(const struct model_config *config, int64_t skip);

/* Of layer `layer`, all its matrices included, for the positions first..first+rows-1. */
double work_layer(const struct model_config *config, int64_t layer, int64_t first, int64_t rows);

/* Of the output matrix. */
double work_logits(const struct model_config *config, int64_t rows);

#endif
