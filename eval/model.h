/* A RoPE language model in Hugging Face format: config.json and model.safetensors.
 *
 * All matrices are f32, row-major, and lie as Hugging Face stores them, [outputs][inputs]:
 * a projection of x[inputs] is w x.
 */
#ifndef LONGROPE_EVAL_MODEL_H
#define LONGROPE_EVAL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/error.h"

struct model_config {
    char family[32];      /* model_type of config.json: "llama" */
    int64_t vocabulary;   /* tokens are 0..vocabulary-1 */
    int64_t hidden;       /* width of the residual stream */
    int64_t intermediate; /* width of the feed-forward layer */
    int64_t layers;
    int64_t heads;        /* query heads */
    int64_t kv_heads;     /* key/value heads; divides heads */
    int64_t head_width;   /* even */
    int64_t window;       /* max_position_embeddings: tokens the model was trained on, L0 */
    double rope_theta;    /* base of the rotary frequencies */
    double norm_eps;      /* of the RMS norms */
    bool tied_embeddings; /* the output matrix is the embedding */
};

struct model_layer {
    float *attention_norm; /* [hidden] */
    float *query;          /* [heads * head_width][hidden] */
    float *key;            /* [kv_heads * head_width][hidden] */
    float *value;          /* [kv_heads * head_width][hidden] */
    float *output;         /* [hidden][heads * head_width] */
    float *mlp_norm;       /* [hidden] */
    float *gate;           /* [intermediate][hidden] */
    float *up;             /* [intermediate][hidden] */
    float *down;           /* [hidden][intermediate] */
};

struct model {
    struct model_config config;
    float *embedding;           /* [vocabulary][hidden] */
    struct model_layer *layers; /* [config.layers] */
    float *norm;                /* [hidden] */
    float *logits;              /* [vocabulary][hidden]; the embedding itself where tied */
    uint64_t fingerprint;       /* of config.json and the weights' bytes; 0 for models made in memory */
    float *storage;             /* the one block that all matrices point into */
};

/* Reads DIR/config.json and DIR/model.safetensors. Families are rows of a table in model.c; what
 * is not supported (family, activation, biases, rope scaling, sharded weights) is refused by name
 * before any weight is touched. STATUS_INPUT for what is missing or wrong in the files,
 * STATUS_FAILED for lack of memory. The caller frees *out with model_free(). */
int model_load(const char *dir, struct model **out, struct error *error);

/* A model of that shape with weights not yet set. The caller frees it. */
int model_create(const struct model_config *config, struct model **out, struct error *error);
void model_free(struct model *model); /* NULL is allowed */

#endif
