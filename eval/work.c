#include "eval/work.h"

#include <assert.h>
#include <string.h>

#include "eval/forward.h"

/* How often a row of layer `layer` goes through a matrix of intermediate x hidden numbers; `gates` of the three are on
 * the way in. Experts are narrower matrices, and the router is one on the way in. */
static double mlp_uses(const struct model_config *c, int64_t layer, double gates) {
    if (!(c->layer_kinds[layer] & LAYER_HAS_EXPERTS)) return gates;
    double rows = gates * (double)(c->experts_per_token * c->expert_width) + (gates > 1.0 ? (double)c->experts : 0.0);
    return rows / (double)c->intermediate;
}

void work_matrices(const struct model_config *c, struct work_matrix out[WORK_MATRICES]) {
    int64_t query = c->heads * c->head_width, key = c->kv_heads * c->head_width;
    double later = (double)c->layers - 1.0, gate = 0.0, down = 0.0; /* later: layers but the first */
    for (int64_t l = 0; l < c->layers; l++) gate += mlp_uses(c, l, 2.0), down += mlp_uses(c, l, 1.0);
    const struct work_matrix matrices[WORK_MATRICES] = {
        {"query", query, c->hidden, later},
        {"key", key, c->hidden, 2.0 * later},
        {"output", c->hidden, query, (double)c->layers},
        {"gate", c->intermediate, c->hidden, gate},
        {"down", c->hidden, c->intermediate, down},
        {"logits", c->vocabulary, c->hidden, 1.0},
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
        numbers += matrices[i].uses * (double)matrices[i].outputs * (double)matrices[i].inputs;
    }
    return 2.0 * (double)(length - 1) * numbers;
}

double work_attention(const struct model_config *c, int64_t length) {
    double keys = 0.0;
    for (int64_t l = 0; l < c->layers; l++) keys += work_keys_seen(length - 1, model_layer_window(c, l));
    return key_work(c) * keys;
}

double work_pass(const struct model_config *c, int64_t length) {
    return work_products(c, length) + work_attention(c, length);
}

/* Of the matrices of a layer's feed-forward part that a row goes through. */
static double mlp_numbers(const struct model_config *c, int64_t layer) {
    double uses = mlp_uses(c, layer, 2.0) + mlp_uses(c, layer, 1.0);
    return uses * (double)c->hidden * (double)c->intermediate;
}

double work_skipped(const struct model_config *c, int64_t skip) {
    assert(skip >= 0);
    int64_t rows = skip / FORWARD_BLOCK_ROWS * FORWARD_BLOCK_ROWS; /* that the last layer does not make */
    double hidden = (double)c->hidden, query = (double)(c->heads * c->head_width);
    double queries = c->layers > 1 ? 1.0 : 0.0; /* those of the first layer are looked up */
    double row = hidden * query * (1.0 + queries) + mlp_numbers(c, c->layers - 1);
    double keys = work_keys_seen(rows, model_layer_window(c, c->layers - 1));
    return 2.0 * (double)rows * row + work_logits(c, skip) + key_work(c) * keys;
}

double work_layer(const struct model_config *c, int64_t layer, int64_t first, int64_t rows) {
    int64_t query = c->heads * c->head_width, key = c->kv_heads * c->head_width, window = model_layer_window(c, layer);
    double numbers = 2.0 * (double)(query + key) * (double)c->hidden + mlp_numbers(c, layer);
    double keys = work_keys_seen(first + rows, window) - work_keys_seen(first, window);
    return 2.0 * (double)rows * numbers + key_work(c) * keys;
}

double work_logits(const struct model_config *c, int64_t rows) {
    return 2.0 * (double)rows * (double)c->vocabulary * (double)c->hidden;
}
