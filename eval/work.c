#include "eval/work.h"

#include <assert.h>
#include <string.h>

#include "eval/forward.h"

void work_matrices(const struct model_config *c, struct work_matrix out[WORK_MATRICES]) {
    int64_t query = c->heads * c->head_width, key = c->kv_heads * c->head_width;
    int64_t later = c->layers - 1; /* layers but the first */
    const struct work_matrix matrices[WORK_MATRICES] = {
        {"query", query, c->hidden, 1, later},
        {"key", key, c->hidden, 2, 2 * later},
        {"output", c->hidden, query, 1, c->layers},
        {"gate", c->intermediate, c->hidden, 2, 2 * c->layers},
        {"down", c->hidden, c->intermediate, 1, c->layers},
        {"logits", c->vocabulary, c->hidden, 0, 1},
    };
    memcpy(out, matrices, sizeof matrices);
}

double work_keys_seen(int64_t rows, int64_t window) {
    double n = (double)rows, w = window && window < rows ? (double)window : n;
    return w * (w + 1.0) / 2.0 + (n - w) * w;
}

/* Of a layer's attention per key that is seen: a multiply-add per number of the query for its logit, and one for the
 * sum of values. */
static double key_work(const struct model_config *c) { return 4.0 * (double)(c->heads * c->head_width); }

double work_products(const struct model_config *config, int64_t length) {
    struct work_matrix matrices[WORK_MATRICES];
    work_matrices(config, matrices);
    double numbers = 0.0;
    for (int i = 0; i < WORK_MATRICES; i++) {
        numbers += (double)matrices[i].uses * (double)matrices[i].outputs * (double)matrices[i].inputs;
    }
    return 2.0 * (double)(length - 1) * numbers;
}

double work_attention(const struct model_config *c, int64_t length) {
    return (double)c->layers * key_work(c) * work_keys_seen(length - 1, c->sliding_window);
}

double work_pass(const struct model_config *c, int64_t length) {
    return work_products(c, length) + work_attention(c, length);
}

double work_skipped(const struct model_config *c, int64_t skip) {
    assert(skip >= 0);
    int64_t rows = skip / FORWARD_BLOCK_ROWS * FORWARD_BLOCK_ROWS; /* that the last layer does not make */
    double hidden = (double)c->hidden, query = (double)(c->heads * c->head_width);
    double queries = c->layers > 1 ? 1.0 : 0.0; /* those of the first layer are looked up */
    double row = hidden * query * (1.0 + queries) + 3.0 * hidden * (double)c->intermediate;
    return 2.0 * (double)rows * row + work_logits(c, skip) + key_work(c) * work_keys_seen(rows, c->sliding_window);
}

double work_layer(const struct model_config *c, int64_t first, int64_t rows) {
    struct work_matrix matrices[WORK_MATRICES];
    work_matrices(c, matrices);
    double numbers = 0.0;
    for (int i = 0; i < WORK_MATRICES; i++) {
        numbers += (double)matrices[i].layer_uses * (double)matrices[i].outputs * (double)matrices[i].inputs;
    }
    double keys = work_keys_seen(first + rows, c->sliding_window) - work_keys_seen(first, c->sliding_window);
    return 2.0 * (double)rows * numbers + key_work(c) * keys;
}

double work_logits(const struct model_config *c, int64_t rows) {
    return 2.0 * (double)rows * (double)c->vocabulary * (double)c->hidden;
}
