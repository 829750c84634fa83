/* A RoPE language model: a folder in Hugging Face's format, config.json with model.safetensors or with the shards
 * that model.safetensors.index.json names; or a GGUF file, or the first part of one that is split.
 *
 * A projection of x[inputs] is w x with w[outputs][inputs], as Hugging Face stores it. Matrices are
 * packed for the kernels that the model was loaded for; norms and biases are f32.
 */
#ifndef LONGROPE_EVAL_MODEL_H
#define LONGROPE_EVAL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "eval/kernels/kernels.h"
#include "eval/rope.h"

struct model_config {
    char family[32];      /* model_type of config.json: "llama" */
    int64_t vocabulary;   /* tokens are 0..vocabulary-1 */
    int64_t hidden;       /* width of the residual stream */
    int64_t intermediate; /* width of the feed-forward layer */
    int64_t layers;
    int64_t heads;          /* query heads */
    int64_t kv_heads;       /* key/value heads; divides heads */
    int64_t head_width;     /* even */
    int64_t window;         /* max_position_embeddings */
    int64_t sliding_window; /* keys that a token sees, its own included; 0: all before it */
    struct rope_model rope; /* rotary pairs, base, and the model's own scaling */
    double norm_eps;        /* of the RMS norms */
    bool tied_embeddings;   /* the output matrix is the embedding; of a config.json alone: unless weights differ */
    bool qkv_bias;          /* query, key and value projections have biases */
    bool output_bias;       /* attention's output projection has one */
    bool mlp_bias;          /* gate, up and down projections have them */
    bool head_norms;        /* queries and keys are normed head by head before they are rotated */
    bool says_bf16;         /* config.json names bf16 as the type of the weights; the files of weights decide */
};

/* Vectors that the family does not have are NULL. */
struct model_layer {
    float *attention_norm;        /* [hidden] */
    struct matrix query;          /* [heads * head_width][hidden] */
    struct matrix key, value;     /* [kv_heads * head_width][hidden] */
    struct matrix output;         /* [hidden][heads * head_width] */
    float *query_bias;            /* [heads * head_width] */
    float *key_bias, *value_bias; /* [kv_heads * head_width] */
    float *output_bias;           /* [hidden] */
    float *query_norm, *key_norm; /* [head_width] */
    float *mlp_norm;              /* [hidden] */
    struct matrix gate, up;       /* [intermediate][hidden] */
    struct matrix down;           /* [hidden][intermediate] */
    float *gate_bias, *up_bias;   /* [intermediate] */
    float *down_bias;             /* [hidden] */
};

struct model {
    struct model_config config;
    const struct kernels *kernels; /* that the matrices are packed for */
    struct matrix embedding;       /* [vocabulary][hidden] */
    struct model_layer *layers;    /* [config.layers] */
    float *norm;                   /* [hidden] */
    struct matrix logits;          /* [vocabulary][hidden]; the embedding itself where tied */
    char *notes;                   /* see model_print_notes(); NULL: none */
    uint64_t fingerprint; /* of config.json and the bytes of the files of weights; 0 for models made in memory */
    void *storage;        /* the one block that all of them point into */
};

/* Arithmetic as the command line and configurations name it. */
enum model_type {
    MODEL_AUTO, /* bf16 where the weights are stored as bf16 and kernels_bf16_is_fast(), else f32 */
    MODEL_F32,
    MODEL_BF16
};
enum { MODEL_TYPES = 3 };
extern const char *const model_type_names[MODEL_TYPES]; /* "auto", "f32", "bf16"; see eval/base/name.h */

/* Whether the path is that of a GGUF, as whatever is a file and no folder is taken for one. */
bool model_is_gguf(const char *path);

/* Reads a model from its folder or its GGUF. Families are rows of an array in model_family.c. What is not supported
 * (family, activation, rope type, quantisation) is refused by name before any weight is read, and so is a tensor that
 * is missing or of another shape. STATUS_INPUT for what is missing or wrong in the files, STATUS_FAILED for lack of
 * memory. As in transformers, embeddings that config.json ties are not tied if the weights have both with other
 * numbers, and each stands for the other if that is absent. The caller frees *out with model_free(). */
int model_load(const char *path, enum model_type type, struct model **out, struct error *error);

/* Prints a line for whatever was taken of the folder that its owner may not expect: weights that lie beside those that
 * were read, embeddings that are not tied, keys of config.json without effect, scaling of the model's own. */
void model_print_notes(const struct model *model, const char *dir, FILE *out);

/* Warns on `out`, after "WHO: ", if windows of `length` tokens are longer than the model's sliding window. */
void model_warn_sliding(const struct model_config *config, const char *who, int64_t length, FILE *out);

/* Reads config.json, or the metadata of a GGUF, only. Errors are those of model_load(). */
int model_read_config(const char *path, struct model_config *out, struct error *error);

/* The kernels that a model is packed for: `bf16_weights` tells whether all its matrices are stored as bf16. Errors are
 * those of kernels_choose(). */
int model_kernels(enum model_type type, bool bf16_weights, const struct kernels **out, struct error *error);

/* Bytes that a model's matrices and vectors take, packed for `kernels`. */
size_t model_bytes(const struct model_config *config, const struct kernels *kernels);

/* Where the weights of a model made in memory come from: read() writes rows first..first+rows-1 of the
 * tensor that Hugging Face calls `name`, out[rows][columns] (columns 1 for vectors). A family's fused
 * tensors are read by ranges of their rows. */
struct weight_source {
    void *state;
    int (*read)(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                struct error *error);
};

/* A model of that shape with weights of that source, packed for `kernels`. STATUS_INPUT for a shape that
 * model_config_check() refuses, STATUS_FAILED for lack of memory, and the errors of source->read(). The caller frees
 * *out with model_free(). */
int model_build(const struct model_config *config, const struct kernels *kernels, const struct weight_source *source,
                struct model **out, struct error *error);
void model_free(struct model *model); /* NULL is allowed */

#endif
