/* The forward pass against a plain double-precision one, written here from the formulas; the same
 * bits whatever the threads and the history; and what it refuses. */
#include "eval/forward.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Models, tables, tokens ---------------------------------------------------------------------- */

enum {
    VOCABULARY = 97,
    HIDDEN = 48,
    INTERMEDIATE = 80,
    LAYERS = 3,
    HEADS = 6,
    WIDTH = 16,
    PAIRS = WIDTH / 2,
    MOST_TOKENS = 700,
    EXPERTS = 5,
    CHOSEN = 2,
    EXPERT_WIDTH = 20
};

static gsl_rng *make_rng(unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(rng);
    gsl_rng_set(rng, seed);
    return rng;
}

/* Weights that follow from their tensor's name, large enough that every part of the model moves its
 * answer; and one of them broken, if so wished. */
struct named_weights {
    bool tied;
    const char *broken; /* tensor whose number `broken_row`, 0 is `broken_value`; NULL: none */
    int64_t broken_row;
    float broken_value;
};

static bool has(const char *name, const char *part) { return strstr(name, part) != NULL; }

static double weight_mean(const char *name) { return has(name, "norm") ? 1.0 : 0.0; }

static double weight_sigma(const struct named_weights *weights, const char *name) {
    if (has(name, "norm")) return 0.1;
    if (has(name, "embed")) return weights->tied ? 0.3 : 1.0;
    if (has(name, "lm_head") || has(name, "bias")) return 0.3;
    return has(name, "o_proj") || has(name, "down_proj") ? 0.1 : 0.2;
}

static int read_named(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                      struct error *error) {
    (void)error;
    const struct named_weights *weights = state;
    for (int64_t r = 0; r < rows; r++) {
        unsigned long seed = 5381 + (unsigned long)(first + r);
        for (const char *c = name; *c; c++) seed = seed * 33 + (unsigned char)*c;
        gsl_rng *rng = make_rng(seed & 0xffffffff);
        for (int64_t i = 0; i < columns; i++) {
            double noise = gsl_ran_gaussian_ziggurat(rng, weight_sigma(weights, name));
            out[r * columns + i] = (float)(weight_mean(name) + noise);
        }
        gsl_rng_free(rng);
        if (weights->broken && strcmp(weights->broken, name) == 0 && first + r == weights->broken_row) {
            out[r * columns] = weights->broken_value;
        }
    }
    return STATUS_OK;
}

static struct model_config plain_config(void) {
    return (struct model_config){.family = "llama",
                                 .vocabulary = VOCABULARY,
                                 .hidden = HIDDEN,
                                 .intermediate = INTERMEDIATE,
                                 .layers = LAYERS,
                                 .heads = HEADS,
                                 .kv_heads = 2,
                                 .head_width = WIDTH,
                                 .window = 128,
                                 .rope = rope_model_plain(PAIRS, 10000.0),
                                 .norm_eps = 1e-5};
}

static struct model *build(const struct model_config *config, const struct kernels *kernels,
                           struct named_weights weights) {
    struct model *model = NULL;
    struct error error = {""};
    weights.tied = config->tied_embeddings;
    const struct weight_source source = {.state = &weights, .read = read_named};
    if (model_build(config, kernels, &source, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
    return model;
}

static const struct kernels *fastest(enum number_type type) {
    const struct kernels *const *last = kernels_available(type);
    while (last[1]) last++;
    return *last;
}

static struct model *make_model(void) {
    struct model_config config = plain_config();
    return build(&config, fastest(NUMBER_F32), (struct named_weights){0});
}

static struct rope_table plain_table(void) {
    const struct rope_model rope = rope_model_plain(PAIRS, 10000.0);
    struct rope_table table;
    rope_model_table(&table, &rope, MOST_TOKENS);
    return table;
}

/* Rising factors, start tokens and an attention factor, as a search makes them. */
static struct rope_table searched_table(void) {
    struct rope_table table = plain_table();
    const double factors[PAIRS] = {1.0, 1.03, 1.5, 2.25, 2.25, 4.0, 5.13, 6.4};
    memcpy(table.factors, factors, sizeof factors);
    table.start_tokens = 28;
    table.attention_factor = 1.2;
    return table;
}

static void make_tokens(int32_t *tokens, int64_t count) {
    gsl_rng *rng = make_rng(3);
    for (int64_t i = 0; i < count; i++) tokens[i] = (int32_t)gsl_rng_uniform_int(rng, VOCABULARY);
    gsl_rng_free(rng);
}

static struct forward *make_forward(const struct model *model, int threads) {
    struct forward_options options = {.threads = threads};
    struct forward *forward = NULL;
    struct error error;
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    assert_non_null(forward);
    return forward;
}

static void run_from(struct forward *forward, const struct rope_table *table, const int32_t *tokens, int64_t count,
                     int64_t skip, double *nats) {
    struct error error = {""};
    if (forward_nats(forward, table, tokens, count, skip, nats, &error) != STATUS_OK) fail_msg("%s", error.message);
}

static void run(struct forward *forward, const struct rope_table *table, const int32_t *tokens, int64_t count,
                double *nats) {
    run_from(forward, table, tokens, count, 0, nats);
}

/* The plain pass ------------------------------------------------------------------------------ */

static double *doubles(int64_t count) {
    double *out = calloc((size_t)count, sizeof *out);
    assert_non_null(out);
    return out;
}

/* The same weights as plain arrays [rows][columns]; NULL where the configuration has them not. */
struct plain_expert {
    float *gate, *up, *down;
};

struct plain_layer {
    float *router;
    struct plain_expert experts[EXPERTS];
    float *attention_norm, *query, *key, *value, *output, *query_bias, *key_bias, *value_bias, *output_bias;
    float *query_norm, *key_norm, *attention_post_norm, *mlp_norm, *mlp_post_norm, *gate, *up, *down, *gate_bias,
        *up_bias, *down_bias;
};

struct plain_model {
    struct model_config config;
    float *embedding, *norm, *logits;
    struct plain_layer layers[LAYERS];
};

static float *plain_tensor(bool tied, const char *name, int64_t rows, int64_t columns) {
    struct named_weights weights = {.tied = tied};
    struct error error;
    float *out = malloc((size_t)(rows * columns) * sizeof *out);
    assert_non_null(out);
    assert_int_equal(read_named(&weights, name, 0, rows, columns, out, &error), STATUS_OK);
    return out;
}

static float *plain_layer_tensor(bool wanted, int layer, const char *part, int64_t rows, int64_t columns) {
    char name[96];
    snprintf(name, sizeof name, "model.layers.%d.%s", layer, part);
    return wanted ? plain_tensor(false, name, rows, columns) : NULL;
}

/* To norms that are stored less 1. */
static void add_one(float *norm, int64_t count) {
    for (int64_t i = 0; norm && i < count; i++) norm[i] += 1.0f;
}

static void plain_add_ones(struct plain_layer *p, const struct model_config *c) {
    int64_t query = c->whole_norms ? HEADS * WIDTH : WIDTH, key = c->whole_norms ? c->kv_heads * WIDTH : WIDTH;
    add_one(p->attention_norm, HIDDEN), add_one(p->attention_post_norm, HIDDEN);
    add_one(p->mlp_norm, HIDDEN), add_one(p->mlp_post_norm, HIDDEN);
    add_one(p->query_norm, query), add_one(p->key_norm, key);
}

/* Qwen3-MoE's names. */
static void plain_open_experts(struct plain_layer *layer, int l) {
    layer->router = plain_layer_tensor(true, l, "mlp.gate.weight", EXPERTS, HIDDEN);
    for (int e = 0; e < EXPERTS; e++) {
        struct plain_expert *expert = &layer->experts[e];
        char name[64];
        snprintf(name, sizeof name, "mlp.experts.%d.gate_proj.weight", e);
        expert->gate = plain_layer_tensor(true, l, name, EXPERT_WIDTH, HIDDEN);
        snprintf(name, sizeof name, "mlp.experts.%d.up_proj.weight", e);
        expert->up = plain_layer_tensor(true, l, name, EXPERT_WIDTH, HIDDEN);
        snprintf(name, sizeof name, "mlp.experts.%d.down_proj.weight", e);
        expert->down = plain_layer_tensor(true, l, name, HIDDEN, EXPERT_WIDTH);
    }
}

static void plain_open(struct plain_model *plain, const struct model_config *c) {
    int64_t query = HEADS * WIDTH, key = c->kv_heads * WIDTH;
    bool tied = c->tied_embeddings, norms = c->head_norms || c->whole_norms;
    bool olmo2 = strcmp(c->family, "olmo2") == 0, gemma3 = strcmp(c->family, "gemma3_text") == 0;
    bool after = olmo2 || gemma3; /* norms of what is added */
    const char *before_mlp = gemma3 ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight";
    *plain = (struct plain_model){.config = *c,
                                  .embedding = plain_tensor(tied, "model.embed_tokens.weight", VOCABULARY, HIDDEN),
                                  .norm = plain_tensor(tied, "model.norm.weight", HIDDEN, 1)};
    if (c->norms_less_one) add_one(plain->norm, HIDDEN);
    plain->logits = tied ? plain->embedding : plain_tensor(tied, "lm_head.weight", VOCABULARY, HIDDEN);
    for (int l = 0; l < LAYERS; l++) {
        plain->layers[l] = (struct plain_layer){
            .attention_norm = plain_layer_tensor(!olmo2, l, "input_layernorm.weight", HIDDEN, 1),
            .query = plain_layer_tensor(true, l, "self_attn.q_proj.weight", query, HIDDEN),
            .key = plain_layer_tensor(true, l, "self_attn.k_proj.weight", key, HIDDEN),
            .value = plain_layer_tensor(true, l, "self_attn.v_proj.weight", key, HIDDEN),
            .output = plain_layer_tensor(true, l, "self_attn.o_proj.weight", HIDDEN, query),
            .query_bias = plain_layer_tensor(c->qkv_bias, l, "self_attn.q_proj.bias", query, 1),
            .key_bias = plain_layer_tensor(c->qkv_bias, l, "self_attn.k_proj.bias", key, 1),
            .value_bias = plain_layer_tensor(c->qkv_bias, l, "self_attn.v_proj.bias", key, 1),
            .output_bias = plain_layer_tensor(c->output_bias, l, "self_attn.o_proj.bias", HIDDEN, 1),
            .query_norm = plain_layer_tensor(norms, l, "self_attn.q_norm.weight", c->whole_norms ? query : WIDTH, 1),
            .key_norm = plain_layer_tensor(norms, l, "self_attn.k_norm.weight", c->whole_norms ? key : WIDTH, 1),
            .attention_post_norm = plain_layer_tensor(after, l, "post_attention_layernorm.weight", HIDDEN, 1),
            .mlp_norm = plain_layer_tensor(!olmo2, l, before_mlp, HIDDEN, 1),
            .mlp_post_norm = plain_layer_tensor(after, l, "post_feedforward_layernorm.weight", HIDDEN, 1),
            .gate = plain_layer_tensor(true, l, "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN),
            .up = plain_layer_tensor(true, l, "mlp.up_proj.weight", INTERMEDIATE, HIDDEN),
            .down = plain_layer_tensor(true, l, "mlp.down_proj.weight", HIDDEN, INTERMEDIATE),
            .gate_bias = plain_layer_tensor(c->mlp_bias, l, "mlp.gate_proj.bias", INTERMEDIATE, 1),
            .up_bias = plain_layer_tensor(c->mlp_bias, l, "mlp.up_proj.bias", INTERMEDIATE, 1),
            .down_bias = plain_layer_tensor(c->mlp_bias, l, "mlp.down_proj.bias", HIDDEN, 1),
        };
        if (c->norms_less_one) plain_add_ones(&plain->layers[l], c);
        if (c->layer_kinds[l] & LAYER_HAS_EXPERTS) plain_open_experts(&plain->layers[l], l);
    }
}

static void plain_close(struct plain_model *plain) {
    if (!plain->config.tied_embeddings) free(plain->logits);
    free(plain->embedding), free(plain->norm);
    for (int l = 0; l < LAYERS; l++) {
        struct plain_layer *p = &plain->layers[l];
        free(p->attention_norm), free(p->query), free(p->key), free(p->value), free(p->output);
        free(p->query_bias), free(p->key_bias), free(p->value_bias), free(p->output_bias);
        free(p->query_norm), free(p->key_norm), free(p->mlp_norm), free(p->gate), free(p->up), free(p->down);
        free(p->attention_post_norm), free(p->mlp_post_norm), free(p->router);
        for (int e = 0; e < EXPERTS; e++) free(p->experts[e].gate), free(p->experts[e].up), free(p->experts[e].down);
        free(p->gate_bias), free(p->up_bias), free(p->down_bias);
    }
}

/* out[outputs] = w[outputs][inputs] x[inputs] + bias[outputs] */
static void plain_multiply(double *out, const float *w, const float *bias, const double *x, int64_t outputs,
                           int64_t inputs) {
    for (int64_t o = 0; o < outputs; o++) {
        out[o] = bias ? bias[o] : 0.0;
        for (int64_t i = 0; i < inputs; i++) out[o] += w[o * inputs + i] * x[i];
    }
}

/* Group by group of `width` numbers; no weight, no norm. */
static void plain_norm(double *out, const double *x, const float *weight, int64_t groups, int64_t width, double eps) {
    if (!weight && out != x) memcpy(out, x, (size_t)(groups * width) * sizeof *out);
    for (int64_t g = 0; weight && g < groups; g++, out += width, x += width) {
        double squares = 0.0;
        for (int64_t i = 0; i < width; i++) squares += x[i] * x[i];
        for (int64_t i = 0; i < width; i++) out[i] = x[i] / sqrt(squares / (double)width + eps) * weight[i];
    }
}

/* Pairs of one head are (i, i + pairs), as Hugging Face lays them out; the rest of it is not turned. */
static void plain_rotate(double *x, int64_t heads, const struct rope_table *table, int64_t position) {
    int64_t pairs = table ? table->pairs : 0;
    for (int64_t h = 0; h < heads; h++) {
        for (int64_t i = 0; i < pairs; i++) {
            double slow = position < table->start_tokens ? 1.0 : table->factors[i];
            double angle = (double)position * pow(table->theta, -(double)i / (double)pairs) / slow;
            double c = table->attention_factor * cos(angle), s = table->attention_factor * sin(angle);
            double *a = &x[h * WIDTH + i], *b = &x[h * WIDTH + i + pairs], before = *a;
            *a = before * c - *b * s;
            *b = *b * c + before * s;
        }
    }
}

/* One head of one row, keys begin..end-1; k and v are [keys][stride]. */
static void plain_attend(double *out, const double *q, const double *k, const double *v, int64_t begin, int64_t end,
                         int64_t stride) {
    double scores[MOST_TOKENS], largest = -INFINITY, sum = 0.0;
    for (int64_t j = begin; j < end; j++) {
        scores[j] = 0.0;
        for (int64_t i = 0; i < WIDTH; i++) scores[j] += q[i] * k[j * stride + i];
        scores[j] /= 4.0; /* the root of the width */
        largest = fmax(largest, scores[j]);
    }
    for (int64_t i = 0; i < WIDTH; i++) out[i] = 0.0;
    for (int64_t j = begin; j < end; j++) {
        double weight = exp(scores[j] - largest);
        sum += weight;
        for (int64_t i = 0; i < WIDTH; i++) out[i] += weight * v[j * stride + i];
    }
    for (int64_t i = 0; i < WIDTH; i++) out[i] /= sum;
}

/* out += weight W_down (silu(W_gate x) * W_up x) */
static void plain_expert_add(double *out, const struct plain_expert *expert, const double *x, double weight) {
    double gate[EXPERT_WIDTH], up[EXPERT_WIDTH], down[HIDDEN];
    plain_multiply(gate, expert->gate, NULL, x, EXPERT_WIDTH, HIDDEN);
    plain_multiply(up, expert->up, NULL, x, EXPERT_WIDTH, HIDDEN);
    for (int64_t i = 0; i < EXPERT_WIDTH; i++) gate[i] *= up[i] / (1.0 + exp(-gate[i]));
    plain_multiply(down, expert->down, NULL, gate, HIDDEN, EXPERT_WIDTH);
    for (int64_t i = 0; i < HIDDEN; i++) out[i] += weight * down[i];
}

/* The CHOSEN experts of the largest weights; no two are equal here. */
static void plain_experts(double *x, const struct plain_layer *p, const struct model_config *c, const double *normed) {
    double weights[EXPERTS], sum = 0.0, chosen = 0.0;
    plain_multiply(weights, p->router, NULL, normed, EXPERTS, HIDDEN);
    for (int e = 0; e < EXPERTS; e++) sum += weights[e] = exp(weights[e]);
    for (int e = 0; e < EXPERTS; e++) {
        int larger = 0;
        for (int other = 0; other < EXPERTS; other++) larger += fabs(weights[other]) > fabs(weights[e]);
        if (larger >= CHOSEN) weights[e] = -weights[e];
    }
    for (int e = 0; e < EXPERTS; e++) chosen += fmax(weights[e], 0.0);
    for (int e = 0; e < EXPERTS; e++) {
        double weight = weights[e] / (c->expert_weights_normed ? chosen : sum);
        if (weight > 0.0) plain_expert_add(x, &p->experts[e], normed, weight);
    }
}

static double scale_of(double scale) { return scale == 0.0 ? 1.0 : scale; }

static void plain_feed(double *x, const struct plain_layer *p, const struct model_config *c) {
    double normed[HIDDEN], gate[INTERMEDIATE], up[INTERMEDIATE], down[HIDDEN];
    plain_norm(normed, x, p->mlp_norm, 1, HIDDEN, c->norm_eps);
    if (p->router) {
        plain_experts(x, p, c, normed);
        return;
    }
    plain_multiply(gate, p->gate, p->gate_bias, normed, INTERMEDIATE, HIDDEN);
    plain_multiply(up, p->up, p->up_bias, normed, INTERMEDIATE, HIDDEN);
    for (int64_t i = 0; i < INTERMEDIATE; i++) {
        double z = gate[i], gelu = 0.5 * z * (1.0 + tanh(sqrt(2.0 / M_PI) * (z + 0.044715 * pow(z, 3.0))));
        gate[i] = (c->gelu ? gelu : z / (1.0 + exp(-z))) * up[i];
    }
    plain_multiply(down, p->down, p->down_bias, gate, HIDDEN, INTERMEDIATE);
    plain_norm(down, down, p->mlp_post_norm, 1, HIDDEN, c->norm_eps);
    for (int64_t i = 0; i < HIDDEN; i++) x[i] += scale_of(c->residual_scale) * down[i];
}

/* Token by token: by the time a row is asked for, its own and all earlier keys are there. */
static void plain_pass(double *x, const struct plain_layer *p, const struct model_config *c, int layer,
                       const struct rope_table *table, int64_t rows) {
    unsigned kind = c->layer_kinds[layer];
    int64_t window = kind & LAYER_SEES_ALL ? 0 : c->sliding_window;
    struct rope_table apart;
    if (kind & LAYER_ROTATED_APART) rope_model_table(&apart, &c->window_rope, rows);
    table = kind & LAYER_NOT_ROTATED ? NULL : kind & LAYER_ROTATED_APART ? &apart : table;
    int64_t kv_width = c->kv_heads * WIDTH;
    double *keys = doubles(rows * kv_width), *values = doubles(rows * kv_width);
    for (int64_t r = 0; r < rows; r++) {
        double normed[HIDDEN], q[HEADS * WIDTH], attended[HEADS * WIDTH], added[HIDDEN];
        double *k = keys + r * kv_width;
        plain_norm(normed, x + r * HIDDEN, p->attention_norm, 1, HIDDEN, c->norm_eps);
        plain_multiply(q, p->query, p->query_bias, normed, HEADS * WIDTH, HIDDEN);
        plain_multiply(k, p->key, p->key_bias, normed, kv_width, HIDDEN);
        plain_multiply(values + r * kv_width, p->value, p->value_bias, normed, kv_width, HIDDEN);
        int64_t parts = c->whole_norms ? HEADS : 1, shared_parts = c->whole_norms ? c->kv_heads : 1;
        plain_norm(q, q, p->query_norm, HEADS / parts, WIDTH * parts, c->norm_eps);
        plain_norm(k, k, p->key_norm, c->kv_heads / shared_parts, WIDTH * shared_parts, c->norm_eps);
        plain_rotate(q, HEADS, table, r);
        double grown = scale_of(c->query_scale);
        if (c->query_growth > 0.0) {
            grown *= 1.0 + c->query_growth * log(1.0 + floor((double)r / (double)c->query_growth_length));
        }
        for (int64_t i = 0; i < HEADS * WIDTH; i++) q[i] *= grown;
        plain_rotate(k, c->kv_heads, table, r);
        int64_t begin = window && r >= window ? r + 1 - window : 0;
        for (int64_t h = 0; h < HEADS; h++) {
            int64_t shared = h * c->kv_heads / HEADS * WIDTH;
            plain_attend(attended + h * WIDTH, q + h * WIDTH, keys + shared, values + shared, begin, r + 1, kv_width);
        }
        plain_multiply(added, p->output, p->output_bias, attended, HIDDEN, HEADS * WIDTH);
        plain_norm(added, added, p->attention_post_norm, 1, HIDDEN, c->norm_eps);
        for (int64_t i = 0; i < HIDDEN; i++) x[r * HIDDEN + i] += scale_of(c->residual_scale) * added[i];
        plain_feed(x + r * HIDDEN, p, c);
    }
    free(keys);
    free(values);
}

static double plain_answer(const struct plain_model *plain, const double *x, int32_t next) {
    double normed[HIDDEN], logits[VOCABULARY], sum = 0.0;
    plain_norm(normed, x, plain->norm, 1, HIDDEN, plain->config.norm_eps);
    for (int i = 0; i < HIDDEN; i++) normed[i] *= scale_of(plain->config.output_scale);
    plain_multiply(logits, plain->logits, NULL, normed, VOCABULARY, HIDDEN);
    for (int j = 0; j < VOCABULARY; j++) sum += exp(logits[j]);
    return log(sum) - logits[next];
}

static void plain_nats(const struct model_config *config, const struct rope_table *table, const int32_t *tokens,
                       int64_t count, double *nats) {
    struct plain_model plain;
    plain_open(&plain, config);
    double *x = doubles(count * HIDDEN);
    for (int64_t i = 0; i < count * HIDDEN; i++) x[i] = plain.embedding[tokens[i / HIDDEN] * HIDDEN + i % HIDDEN];
    for (int64_t i = 0; i < count * HIDDEN; i++) x[i] *= scale_of(config->embedding_scale);
    for (int l = 0; l < LAYERS; l++) plain_pass(x, &plain.layers[l], config, l, table, count - 1);
    for (int64_t r = 0; r + 1 < count; r++) nats[r] = plain_answer(&plain, x + r * HIDDEN, tokens[r + 1]);
    free(x);
    plain_close(&plain);
}

/* Accuracy ------------------------------------------------------------------------------------ */

static const double f32_token = 1e-4, f32_mean = 1e-5;

static void assert_nats_near(const double *got, const double *expected, int64_t count, double token, double mean) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(got[i] - expected[i]) < token)) {
            fail_msg("token %ld of %ld: %.9g nats, not %.9g", (long)i + 1, (long)count, got[i], expected[i]);
        }
        sum += got[i] - expected[i];
    }
    if (count && !(fabs(sum / (double)count) < mean)) fail_msg("the mean is off by %g", sum / (double)count);
}

/* Attention looks back only, so the plain nats of the longest window hold for every shorter one. */
static void check_model(const struct model_config *config, const struct rope_table *table) {
    const int64_t counts[] = {1, 2, 95, 96, 97, 98, 192, 193, 194, 300, MOST_TOKENS};
    struct model *model = build(config, fastest(NUMBER_F32), (struct named_weights){0});
    int32_t tokens[MOST_TOKENS];
    double expected[MOST_TOKENS], nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    plain_nats(config, table, tokens, MOST_TOKENS, expected);
    struct forward *forward = make_forward(model, 1);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int64_t t = 0; t < MOST_TOKENS; t++) nats[t] = -1.0;
        run(forward, table, tokens, counts[i], nats);
        assert_nats_near(nats, expected, counts[i] - 1, f32_token, f32_mean);
        for (int64_t t = counts[i] - 1; t < MOST_TOKENS; t++) assert_true(nats[t] == -1.0);
    }
    forward_free(forward);
    model_free(model);
}

static void nats_are_those_of_the_formulas(void **state) {
    (void)state;
    struct model_config config = plain_config();
    struct rope_table plain = plain_table(), searched = searched_table();
    check_model(&config, &plain);
    check_model(&config, &searched);
}

static void nats_with_a_key_head_for_each_head(void **state) {
    (void)state;
    struct model_config config = plain_config();
    config.kv_heads = HEADS;
    struct rope_table searched = searched_table();
    check_model(&config, &searched);
}

static void nats_with_tied_embeddings(void **state) {
    (void)state;
    struct model_config config = plain_config();
    config.tied_embeddings = true;
    struct rope_table searched = searched_table();
    check_model(&config, &searched);
}

static void nats_with_biases_and_head_norms(void **state) {
    (void)state;
    struct model_config config = plain_config();
    config.qkv_bias = config.output_bias = config.mlp_bias = true;
    struct rope_table searched = searched_table();
    check_model(&config, &searched);
    snprintf(config.family, sizeof config.family, "qwen3"); /* whose tensors the norms are */
    config.mlp_bias = false;
    config.head_norms = true;
    check_model(&config, &searched);
}

/* Of whole queries and keys, and of what attention and the feed-forward layer add. */
static void nats_with_norms_afterwards(void **state) {
    (void)state;
    struct model_config config = plain_config();
    struct rope_table searched = searched_table();
    snprintf(config.family, sizeof config.family, "olmo2");
    config.whole_norms = true;
    check_model(&config, &searched);
    config.qkv_bias = config.output_bias = true;
    check_model(&config, &searched);
}

static void nats_with_scales(void **state) {
    (void)state;
    struct model_config config = plain_config();
    struct rope_table searched = searched_table();
    config.embedding_scale = 3.0, config.residual_scale = 0.6, config.output_scale = 0.7;
    check_model(&config, &searched);
    config.output_bias = true; /* it is scaled, too */
    check_model(&config, &searched);
    config = plain_config();
    config.query_scale = 1.3;
    check_model(&config, &searched);
    config.query_growth = 0.4, config.query_growth_length = 100;
    check_model(&config, &searched);
    config.query_scale = 0.0;
    check_model(&config, &searched);
}

/* As Gemma 3: norms before and after, stored less 1, gelu, and two kinds of layers. */
static void nats_with_norms_around(void **state) {
    (void)state;
    struct model_config config = plain_config();
    struct rope_table searched = searched_table();
    snprintf(config.family, sizeof config.family, "gemma3_text");
    config.head_norms = config.norms_less_one = config.gelu = true;
    config.embedding_scale = 2.0, config.query_scale = 0.8;
    config.sliding_window = 70;
    config.window_rope = rope_model_plain(PAIRS, 500.0);
    config.layer_kinds[0] = config.layer_kinds[2] = LAYER_ROTATED_APART;
    config.layer_kinds[1] = LAYER_SEES_ALL;
    check_model(&config, &searched);
}

static void nats_with_experts(void **state) {
    (void)state;
    struct model_config config = plain_config();
    struct rope_table searched = searched_table();
    snprintf(config.family, sizeof config.family, "qwen3_moe");
    config.head_norms = true;
    config.experts = EXPERTS, config.experts_per_token = CHOSEN, config.expert_width = EXPERT_WIDTH;
    config.layer_kinds[0] = config.layer_kinds[2] = LAYER_HAS_EXPERTS;
    check_model(&config, &searched);
    config.expert_weights_normed = true;
    check_model(&config, &searched);
}

static void nats_with_kinds_of_layers(void **state) {
    (void)state;
    static const uint8_t kinds[][LAYERS] = {{0, LAYER_NOT_ROTATED, 0},
                                            {LAYER_SEES_ALL, LAYER_NOT_ROTATED, LAYER_SEES_ALL},
                                            {LAYER_ROTATED_APART, LAYER_SEES_ALL, LAYER_ROTATED_APART},
                                            {LAYER_NOT_ROTATED, LAYER_ROTATED_APART | LAYER_SEES_ALL, 0}};
    struct model_config config = plain_config();
    struct rope_table searched = searched_table();
    config.window_rope = rope_model_plain(PAIRS, 500.0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        memcpy(config.layer_kinds, kinds[i], sizeof kinds[i]);
        config.sliding_window = i == 0 ? 0 : 100;
        check_model(&config, &searched);
    }
}

static void nats_with_a_sliding_window(void **state) {
    (void)state;
    const int64_t windows[] = {1, 7, 64, 100, 300};
    struct model_config config = plain_config();
    struct rope_table searched = searched_table();
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        config.sliding_window = windows[i];
        check_model(&config, &searched);
    }
}

static void nats_with_heads_turned_in_part(void **state) {
    (void)state;
    struct model_config config = plain_config();
    config.rope = rope_model_plain(3, 10000.0);
    struct rope_table table;
    rope_model_table(&table, &config.rope, MOST_TOKENS);
    table.factors[1] = 1.5, table.factors[2] = 4.0;
    check_model(&config, &table);
}

/* The model's own attention factor multiplies that of the table. */
static void nats_with_an_attention_factor_of_the_models_own(void **state) {
    (void)state;
    enum { COUNT = 150 };
    struct model *model = make_model();
    struct rope_table one = searched_table(), two = searched_table();
    two.own_attention_factor = 1.5, two.attention_factor = 0.8; /* 1.2 */
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward *forward = make_forward(model, 1);
    run(forward, &one, tokens, COUNT, expected);
    run(forward, &two, tokens, COUNT, nats);
    assert_nats_near(nats, expected, COUNT - 1, 1e-4, 1e-5);
    forward_free(forward);
    model_free(model);
}

/* bf16 keeps 8 bits of a number: single tokens of this model, whose weights are large, move by tenths. */
static void every_kernel_table_serves(void **state) {
    (void)state;
    enum { COUNT = 260 };
    const enum number_type types[] = {NUMBER_F32, NUMBER_BF16};
    struct model_config config = plain_config();
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    plain_nats(&config, &table, tokens, COUNT, expected);
    for (int t = 0; t < 2; t++) {
        bool f32 = types[t] == NUMBER_F32;
        for (const struct kernels *const *kernels = kernels_available(types[t]); *kernels; kernels++) {
            struct model *model = build(&config, *kernels, (struct named_weights){0});
            struct forward *forward = make_forward(model, 1);
            run(forward, &table, tokens, COUNT, nats);
            assert_nats_near(nats, expected, COUNT - 1, f32 ? f32_token : 0.5, f32 ? f32_mean : 0.02);
            forward_free(forward);
            model_free(model);
        }
    }
}

/* Tokens that are context only change nothing in what is asked for. */
static void skipped_predictions_are_left_out(void **state) {
    (void)state;
    const int64_t skips[] = {0, 1, 95, 96, 97, 200, 298, 299};
    enum { COUNT = 300 };
    struct model *model = make_model();
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double all[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward *forward = make_forward(model, 2);
    run(forward, &table, tokens, COUNT, all);
    for (size_t i = 0; i < sizeof skips / sizeof *skips; i++) {
        for (int t = 0; t < COUNT; t++) nats[t] = -1.0;
        run_from(forward, &table, tokens, COUNT, skips[i], nats);
        int64_t wanted = COUNT - 1 - skips[i];
        assert_memory_equal(nats, all + skips[i], (size_t)wanted * sizeof *nats);
        for (int64_t t = wanted; t < COUNT; t++) assert_true(nats[t] == -1.0);
    }
    forward_free(forward);
    model_free(model);
}

/* f32 angles are another table, close to the first at short distance. */
static void f32_angles_are_close_to_f64(void **state) {
    (void)state;
    enum { COUNT = 300 };
    struct model *model = make_model();
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward_options options = {.threads = 1, .angles = ROPE_ANGLES_F32};
    struct forward *forward = make_forward(model, 1), *engines = NULL;
    struct error error;
    assert_int_equal(forward_new(model, &options, &engines, &error), STATUS_OK);
    run(forward, &table, tokens, COUNT, expected);
    run(engines, &table, tokens, COUNT, nats);
    assert_nats_near(nats, expected, COUNT - 1, 5e-3, 1e-4);
    assert_memory_not_equal(nats, expected, (COUNT - 1) * sizeof *nats);
    forward_free(forward);
    forward_free(engines);
    model_free(model);
}

static int read_zero_logits(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                            struct error *error) {
    if (!has(name, "lm_head")) return read_named(state, name, first, rows, columns, out, error);
    memset(out, 0, (size_t)(rows * columns) * sizeof *out);
    return STATUS_OK;
}

/* All logits zero: every token costs ln of the vocabulary. */
static void nats_of_a_model_that_knows_nothing(void **state) {
    (void)state;
    enum { COUNT = 140 };
    struct named_weights weights = {0};
    const struct weight_source source = {.state = &weights, .read = read_zero_logits};
    struct model_config config = plain_config();
    struct model *model = NULL;
    struct error error;
    assert_int_equal(model_build(&config, fastest(NUMBER_F32), &source, &model, &error), STATUS_OK);
    struct rope_table table = plain_table();
    int32_t tokens[COUNT];
    double nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward *forward = make_forward(model, 1);
    run(forward, &table, tokens, COUNT, nats);
    for (int i = 0; i + 1 < COUNT; i++) assert_true(fabs(nats[i] - 4.5747109785033828) < 1e-6);
    forward_free(forward);
    model_free(model);
}

/* The same bits ------------------------------------------------------------------------------- */

static void assert_same_bits(const double *a, const double *b, int64_t count) {
    assert_memory_equal(a, b, (size_t)count * sizeof *a);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    const int threads[] = {2, 3, 5};
    const enum number_type types[] = {NUMBER_F32, NUMBER_BF16};
    struct model_config config = plain_config();
    struct rope_table table = searched_table();
    int32_t tokens[MOST_TOKENS];
    double alone[MOST_TOKENS], nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    for (int type = 0; type < 2; type++) {
        for (const struct kernels *const *kernels = kernels_available(types[type]); *kernels; kernels++) {
            int64_t count = strcmp((*kernels)->name, "reference") == 0 ? 200 : MOST_TOKENS;
            struct model *model = build(&config, *kernels, (struct named_weights){0});
            struct forward *forward = make_forward(model, 1);
            run(forward, &table, tokens, count, alone);
            forward_free(forward);
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                forward = make_forward(model, threads[t]);
                run(forward, &table, tokens, count, nats);
                assert_same_bits(nats, alone, count - 1);
                forward_free(forward);
            }
            model_free(model);
        }
    }
}

/* Windows of many lengths and tables through one struct forward, each against a fresh one. */
static void history_does_not_change_a_bit(void **state) {
    (void)state;
    const struct {
        int64_t count;
        int table;
    } history[] = {{300, 0}, {300, 4}, {300, 0}, {700, 0}, {300, 0}, {129, 1}, {300, 1}, {300, 2}, {300, 1},
                   {300, 3}, {300, 1}, {2, 1},   {300, 0}, {1, 0},   {300, 0}, {128, 0}, {700, 4}, {300, 0}};
    struct rope_table tables[5] = {plain_table(), searched_table(), searched_table(), searched_table(), plain_table()};
    tables[2].start_tokens = 32;
    tables[3].attention_factor = 1.1;
    tables[4].factors[PAIRS - 1] = 1.01; /* each differs in one thing from one before it */
    struct model *model = make_model();
    int32_t tokens[MOST_TOKENS];
    double expected[MOST_TOKENS], nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    struct forward *forward = make_forward(model, 2);
    for (size_t i = 0; i < sizeof history / sizeof *history; i++) {
        struct forward *fresh = make_forward(model, 1);
        run(fresh, &tables[history[i].table], tokens, history[i].count, expected);
        run(forward, &tables[history[i].table], tokens, history[i].count, nats);
        assert_same_bits(nats, expected, history[i].count - 1);
        forward_free(fresh);
    }
    forward_free(forward);
    model_free(model);
}

/* A pass through a forward that keeps, after the one before it. `equal` tokens are those of every text, the others the
 * text's own; so many rows are expected to be computed. */
struct kept_pass {
    int64_t count, equal, skip;
    int text, table;
    int64_t computed;
};

static struct forward *make_keeping(const struct model *model, int threads, size_t kept_bytes) {
    const struct forward_options options = {.threads = threads, .kept_bytes = kept_bytes};
    struct forward *forward = NULL;
    struct error error;
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    return forward;
}

/* Each pass against a fresh forward that keeps nothing. */
static void check_passes(const struct model *model, int threads, size_t kept_bytes, const struct kept_pass *passes,
                         size_t count) {
    const struct rope_table tables[2] = {searched_table(), plain_table()};
    int32_t tokens[MOST_TOKENS];
    double expected[MOST_TOKENS], nats[MOST_TOKENS];
    struct forward *keeping = make_keeping(model, threads, kept_bytes);
    for (size_t i = 0; i < count; i++) {
        const struct kept_pass *pass = &passes[i];
        struct forward *fresh = make_forward(model, 1);
        make_tokens(tokens, pass->count);
        for (int64_t t = pass->equal; t < pass->count; t++) tokens[t] = (tokens[t] + pass->text) % VOCABULARY;
        run_from(fresh, &tables[pass->table], tokens, pass->count, pass->skip, expected);
        run_from(keeping, &tables[pass->table], tokens, pass->count, pass->skip, nats);
        assert_same_bits(nats, expected, pass->count - 1 - pass->skip);
        assert_int_equal(forward_computed_rows(keeping), pass->computed);
        assert_int_equal(forward_computed_rows(fresh), pass->count - 1);
        forward_free(fresh);
    }
    forward_free(keeping);
}

/* Beginnings of every length against blocks of rows, of keys and of packed tokens; predictions that begin within what
 * is equal, where it ends, and behind it; another table. */
static const struct kept_pass choices[] = {
    {.count = 120, .equal = 100, .skip = 99, .text = 1, .computed = 119},
    {.count = 130, .equal = 100, .skip = 99, .text = 2, .computed = 30},
    {.count = 101, .equal = 100, .skip = 99, .text = 3, .computed = 1}, /* a choice of one token */
    {.count = 120, .equal = 100, .skip = 110, .text = 4, .computed = 19},
    {.count = 120, .equal = 100, .skip = 110, .text = 4, .computed = 9},
    {.count = 120, .equal = 100, .skip = 50, .text = 4, .computed = 69},
    {.count = 200, .equal = 63, .skip = 180, .text = 5, .computed = 136},
    {.count = 200, .equal = 64, .skip = 180, .text = 6, .computed = 136},
    {.count = 200, .equal = 65, .skip = 180, .text = 7, .computed = 135},
    {.count = 200, .equal = 65, .skip = 180, .text = 7, .table = 1, .computed = 199},
    {.count = 200, .equal = 65, .skip = 180, .text = 7, .table = 0, .computed = 199},
    {.count = 20, .equal = 1, .skip = 0, .text = 8, .computed = 19}, /* the first prediction is required */
    {.count = 20, .equal = 1, .skip = 10, .text = 9, .computed = 18},
    {.count = 200, .equal = 0, .skip = 150, .text = 10, .computed = 199},
    {.count = 200, .equal = 192, .skip = 195, .text = 10, .computed = 199},
    {.count = 210, .equal = 192, .skip = 195, .text = 11, .computed = 17},
    {.count = 1, .equal = 1, .skip = 0, .computed = 0}, /* no pass: what is kept stays */
    {.count = 210, .equal = 192, .skip = 195, .text = 12, .computed = 17},
};
enum { CHOICES = sizeof choices / sizeof *choices, MANY_BYTES = 1 << 30 };

static void kept_rows_do_not_change_a_bit(void **state) {
    (void)state;
    const enum number_type types[] = {NUMBER_F32, NUMBER_BF16};
    struct model_config config = plain_config();
    config.window_rope = rope_model_plain(PAIRS, 500.0);
    config.layer_kinds[0] = LAYER_ROTATED_APART, config.layer_kinds[1] = LAYER_SEES_ALL;
    config.sliding_window = 70;
    for (int type = 0; type < 2; type++) {
        for (const struct kernels *const *kernels = kernels_available(types[type]); *kernels; kernels++) {
            struct model *model = build(&config, *kernels, (struct named_weights){0});
            for (int threads = 1; threads <= 2; threads++) check_passes(model, threads, MANY_BYTES, choices, CHOICES);
            model_free(model);
        }
    }
}

/* Of everything that differs between families, what depends on rows: experts, and scales that grow by position. */
static void kept_rows_of_other_families(void **state) {
    (void)state;
    struct model_config experts = plain_config(), scales = plain_config();
    snprintf(experts.family, sizeof experts.family, "qwen3_moe");
    experts.head_norms = true;
    experts.experts = EXPERTS, experts.experts_per_token = CHOSEN, experts.expert_width = EXPERT_WIDTH;
    experts.layer_kinds[0] = experts.layer_kinds[2] = LAYER_HAS_EXPERTS;
    scales.query_growth = 0.3, scales.query_growth_length = 40;
    const struct model_config *const configs[] = {&experts, &scales};
    for (int i = 0; i < 2; i++) {
        struct model *model = build(configs[i], fastest(NUMBER_F32), (struct named_weights){0});
        check_passes(model, 2, MANY_BYTES, choices, CHOICES);
        model_free(model);
    }
}

/* Layers with a table of their own, which depends on the length of the input. */
static void rows_of_another_length_are_not_kept(void **state) {
    (void)state;
    static const struct kept_pass passes[] = {
        {.count = 100, .equal = 90, .skip = 95, .text = 1, .computed = 99},
        {.count = 110, .equal = 90, .skip = 95, .text = 2, .computed = 19}, /* within the window: one table */
        {.count = 150, .equal = 90, .skip = 95, .text = 3, .computed = 149},
        {.count = 151, .equal = 90, .skip = 95, .text = 4, .computed = 150},
        {.count = 151, .equal = 90, .skip = 95, .text = 5, .computed = 60},
        {.count = 110, .equal = 90, .skip = 95, .text = 6, .computed = 109},
    };
    struct model_config config = plain_config();
    config.window_rope = rope_model_plain(PAIRS, 10000.0);
    config.window_rope.type = ROPE_TYPE_DYNAMIC;
    config.window_rope.factor = 2.0, config.window_rope.original_length = 128;
    config.layer_kinds[1] = LAYER_ROTATED_APART;
    struct model *model = build(&config, fastest(NUMBER_F32), (struct named_weights){0});
    check_passes(model, 2, MANY_BYTES, passes, sizeof passes / sizeof *passes);
    model_free(model);
}

/* 512 rows of this model's 3 layers have 3 x 512 x 2 x 2 x 16 x 4 bytes of keys and values in f32. */
static void no_more_bytes_are_kept(void **state) {
    (void)state;
    enum { KEPT = 3 * 512 * 2 * 2 * 16 * 4 };
    static const struct kept_pass passes[] = {
        {.count = 200, .equal = 190, .skip = 195, .text = 1, .computed = 199},
        {.count = 513, .equal = 190, .skip = 195, .text = 2, .computed = 322},
        {.count = 514, .equal = 190, .skip = 195, .text = 3, .computed = 513}, /* 513 rows: too many */
        {.count = 514, .equal = 190, .skip = 195, .text = 4, .computed = 513},
        {.count = 200, .equal = 190, .skip = 195, .text = 5, .computed = 199},
        {.count = 513, .equal = 190, .skip = 195, .text = 6, .computed = 322},
    };
    static const struct kept_pass none[] = {{.count = 200, .equal = 190, .skip = 195, .text = 1, .computed = 199},
                                            {.count = 200, .equal = 190, .skip = 195, .text = 2, .computed = 199}};
    struct model *model = make_model();
    check_passes(model, 2, KEPT, passes, sizeof passes / sizeof *passes);
    check_passes(model, 2, KEPT - 1, none, 2);
    model_free(model);
}

/* A base frequency is part of a table too. */
static void frequencies_are_part_of_the_table(void **state) {
    (void)state;
    enum { COUNT = 150 };
    struct model *model = make_model();
    struct rope_table table = plain_table(), slower = plain_table();
    for (int i = 0; i < PAIRS; i++) slower.frequencies[i] /= 2.0;
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    struct forward *forward = make_forward(model, 1);
    run(forward, &table, tokens, COUNT, nats);
    run(forward, &slower, tokens, COUNT, nats);
    for (int i = 0; i < PAIRS; i++) table.factors[i] = 2.0; /* the same thing said otherwise */
    run(forward, &table, tokens, COUNT, expected);
    assert_same_bits(nats, expected, COUNT - 1);
    forward_free(forward);
    model_free(model);
}

/* Refusals ------------------------------------------------------------------------------------ */

static void stop_flag_stops_the_pass(void **state) {
    (void)state;
    enum { COUNT = 300 };
    struct model *model = make_model();
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double expected[COUNT], nats[COUNT];
    make_tokens(tokens, COUNT);
    volatile sig_atomic_t stop = 0;
    struct forward_options options = {.threads = 2, .stop = &stop};
    struct forward *forward = NULL;
    struct error error = {""};
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    run(forward, &table, tokens, COUNT, expected);
    stop = 1;
    assert_int_equal(forward_nats(forward, &table, tokens, COUNT, 0, nats, &error), STATUS_STOPPED);
    assert_true(error.message[0] != '\0');
    stop = 0; /* and it can go on afterwards */
    run(forward, &table, tokens, COUNT, nats);
    assert_same_bits(nats, expected, COUNT - 1);
    forward_free(forward);
    model_free(model);
}

static float float_of_bits(uint32_t bits) {
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* One weight of each kind in turn; NaN of the processor's making, one as GPUs make it, infinity. The
 * message names the first layer after which it shows. */
static void broken_weights_are_noticed(void **state) {
    (void)state;
    enum { COUNT = 140 };
    const uint32_t broken[] = {0x7fc00000, 0x7fffffff, 0x7f800000};
    const struct {
        const char *tensor, *place;
    } cases[] = {
        {"model.embed_tokens.weight", "embedding"},
        {"model.layers.0.self_attn.q_proj.weight", "layer 1 of 3 (model.layers.0)"},
        {"model.layers.0.self_attn.v_proj.weight", "layer 1 of 3 (model.layers.0)"},
        {"model.layers.1.input_layernorm.weight", "layer 2 of 3 (model.layers.1)"},
        {"model.layers.1.self_attn.q_proj.weight", "layer 2 of 3 (model.layers.1)"},
        {"model.layers.1.self_attn.k_proj.weight", "layer 2 of 3 (model.layers.1)"},
        {"model.layers.1.self_attn.v_proj.weight", "layer 2 of 3 (model.layers.1)"},
        {"model.layers.1.self_attn.o_proj.weight", "layer 2 of 3 (model.layers.1)"},
        {"model.layers.1.post_attention_layernorm.weight", "layer 2 of 3 (model.layers.1)"},
        {"model.layers.2.mlp.gate_proj.weight", "layer 3 of 3 (model.layers.2)"},
        {"model.layers.2.mlp.up_proj.weight", "layer 3 of 3 (model.layers.2)"},
        {"model.layers.2.mlp.down_proj.weight", "layer 3 of 3 (model.layers.2)"},
        {"model.norm.weight", "last norm or output matrix"},
        {"lm_head.weight", "last norm or output matrix"},
    };
    struct model_config config = plain_config();
    struct rope_table table = searched_table();
    int32_t tokens[COUNT];
    double nats[COUNT];
    make_tokens(tokens, COUNT);
    for (size_t i = 0; i < 3 * sizeof cases / sizeof *cases; i++) {
        const char *name = cases[i / 3].tensor;
        struct named_weights weights = {.broken = name, .broken_value = float_of_bits(broken[i % 3])};
        if (has(name, "embed")) weights.broken_row = tokens[COUNT - 2];
        struct error error = {""};
        struct model *model = build(&config, fastest(i % 2 ? NUMBER_BF16 : NUMBER_F32), weights);
        struct forward *forward = make_forward(model, 2);
        if (forward_nats(forward, &table, tokens, COUNT, 0, nats, &error) != STATUS_FAILED) {
            fail_msg("%s: %08x went unnoticed", name, broken[i % 3]);
        }
        if (!strstr(error.message, cases[i / 3].place)) fail_msg("%s: %s", name, error.message);
        forward_free(forward);
        model_free(model);
    }
}

/* Progress ------------------------------------------------------------------------------------ */

struct seen_progress {
    int calls;
    double last;
    bool rising;
};

static void see_progress(void *state, double fraction) {
    struct seen_progress *seen = state;
    seen->calls++;
    if (fraction < seen->last) seen->rising = false;
    seen->last = fraction;
}

static void progress_rises_to_one(void **state) {
    (void)state;
    struct model *model = make_model();
    struct rope_table table = searched_table();
    int32_t tokens[MOST_TOKENS];
    double nats[MOST_TOKENS];
    make_tokens(tokens, MOST_TOKENS);
    struct seen_progress seen;
    struct forward_options options = {.threads = 3, .progress = see_progress, .progress_state = &seen};
    struct forward *forward = NULL;
    struct error error;
    assert_int_equal(forward_new(model, &options, &forward, &error), STATUS_OK);
    for (int64_t skip = 0; skip < MOST_TOKENS - 1; skip += 250) {
        seen = (struct seen_progress){.rising = true};
        run_from(forward, &table, tokens, MOST_TOKENS, skip, nats);
        assert_true(seen.rising && seen.calls > LAYERS);
        assert_true(fabs(seen.last - 1.0) < 1e-9);
    }
    forward_free(forward);
    model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nats_are_those_of_the_formulas),
        cmocka_unit_test(nats_with_a_key_head_for_each_head),
        cmocka_unit_test(nats_with_tied_embeddings),
        cmocka_unit_test(nats_with_biases_and_head_norms),
        cmocka_unit_test(nats_with_norms_afterwards),
        cmocka_unit_test(nats_with_scales),
        cmocka_unit_test(nats_with_norms_around),
        cmocka_unit_test(nats_with_experts),
        cmocka_unit_test(nats_with_kinds_of_layers),
        cmocka_unit_test(nats_with_a_sliding_window),
        cmocka_unit_test(nats_with_heads_turned_in_part),
        cmocka_unit_test(nats_with_an_attention_factor_of_the_models_own),
        cmocka_unit_test(every_kernel_table_serves),
        cmocka_unit_test(skipped_predictions_are_left_out),
        cmocka_unit_test(f32_angles_are_close_to_f64),
        cmocka_unit_test(nats_of_a_model_that_knows_nothing),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(history_does_not_change_a_bit),
        cmocka_unit_test(kept_rows_do_not_change_a_bit),
        cmocka_unit_test(kept_rows_of_other_families),
        cmocka_unit_test(rows_of_another_length_are_not_kept),
        cmocka_unit_test(no_more_bytes_are_kept),
        cmocka_unit_test(frequencies_are_part_of_the_table),
        cmocka_unit_test(stop_flag_stops_the_pass),
        cmocka_unit_test(broken_weights_are_noticed),
        cmocka_unit_test(progress_rises_to_one),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
