/* A tiny model, a table and documents for tests of scoring. */
#ifndef LONGROPE_TESTS_UNIT_TINY_MODEL_H
#define LONGROPE_TESTS_UNIT_TINY_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "eval/forward.h"
#include "eval/perplexity.h"
#include "eval/text/documents.h"

enum { VOCABULARY = 97, PAIRS = 8, TOKENS = 500 };

/* A small generator of its own. */
static inline uint32_t draw(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static inline int read_weights(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                               struct error *error) {
    (void)error;
    uint32_t seed = (uint32_t)(strlen(name) * 7919 + (size_t)first);
    bool norm = strstr(name, "norm") != NULL;
    for (int64_t i = 0; i < rows * columns; i++) {
        float noise = (float)draw(&seed) / (float)(1 << 24) - 0.5f;
        out[i] = norm ? 1.0f + 0.2f * noise : 0.7f * noise;
        if (state && norm) out[i] = *(const float *)state;
    }
    return STATUS_OK;
}

static inline struct model *make_model_with(const struct kernels *kernels, float *norm) {
    const struct model_config config = {.family = "llama",
                                        .vocabulary = VOCABULARY,
                                        .hidden = 48,
                                        .intermediate = 80,
                                        .layers = 2,
                                        .heads = 6,
                                        .kv_heads = 2,
                                        .head_width = 2 * PAIRS,
                                        .window = 128,
                                        .rope = rope_model_plain(PAIRS, 10000.0),
                                        .norm_eps = 1e-5};
    const struct weight_source source = {norm, read_weights};
    struct model *model = NULL;
    struct error error = {""};
    if (model_build(&config, kernels, &source, &model, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    return model;
}

static inline struct model *make_model(float *norm) { return make_model_with(&kernels_reference_f32, norm); }

/* Rising factors, start tokens and an attention factor, as a search makes them. */
static inline struct rope_table make_table(void) {
    static const double factors[PAIRS] = {1.0, 1.03, 1.5, 2.25, 2.25, 4.0, 5.13, 6.4};
    const struct rope_model rope = rope_model_plain(PAIRS, 10000.0);
    struct rope_table table;
    rope_model_table(&table, &rope, 128);
    memcpy(table.factors, factors, sizeof factors);
    table.start_tokens = 28;
    table.attention_factor = 1.2;
    return table;
}

/* Two documents in one array. */
struct corpus {
    int32_t tokens[TOKENS];
    struct document items[2];
    struct documents documents;
};

static inline void make_corpus(struct corpus *corpus) {
    uint32_t seed = 3;
    for (int i = 0; i < TOKENS; i++) corpus->tokens[i] = (int32_t)(draw(&seed) % VOCABULARY);
    corpus->items[0] = (struct document){.count = 320, .tokens = corpus->tokens};
    corpus->items[1] = (struct document){.count = 180, .tokens = corpus->tokens + 320};
    corpus->documents = (struct documents){2, corpus->items};
}

/* All windows one by one, in order: window_nats[scoring->count], and token_nats[scoring_tokens()] unless NULL. */
static inline int score_windows(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                                double *window_nats, double *token_nats, struct error *error) {
    for (size_t w = 0; w < scoring->count; w++) {
        int status = perplexity_window(forward, table, scoring, w, &window_nats[w], token_nats, error);
        if (status != STATUS_OK) return status;
        if (token_nats) token_nats += window_tokens(&scoring->windows[w]);
    }
    return STATUS_OK;
}

#endif
