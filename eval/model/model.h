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

enum { MODEL_MAX_LAYERS = 1 << 12 };

/* In what a layer differs from one that rotates by the table at hand and sees config.sliding_window keys: bits. */
enum layer_kind {
    LAYER_SEES_ALL = 1,      /* no sliding window */
    LAYER_NOT_ROTATED = 2,   /* queries and keys are not rotated */
    LAYER_ROTATED_APART = 4, /* by the table of config.window_rope, whatever the table at hand */
    LAYER_HAS_EXPERTS = 8,   /* a mixture of experts in the place of the feed-forward layer */
};

struct model_config {
    char family[32];      /* model_type of config.json: "llama" */
    int64_t vocabulary;   /* tokens are 0..vocabulary-1 */
    int64_t hidden;       /* width of the residual stream */
    int64_t intermediate; /* width of the feed-forward layer */
    int64_t layers;
    int64_t heads;              /* query heads */
    int64_t kv_heads;           /* key/value heads; divides heads */
    int64_t head_width;         /* even */
    int64_t window;             /* max_position_embeddings */
    int64_t sliding_window;     /* keys that a token sees, its own included; 0: all before it */
    struct rope_model rope;     /* rotary pairs, base, and the model's own scaling */
    int64_t experts;            /* of each layer that has them; 0: no layer has */
    int64_t experts_per_token;  /* that the router chooses */
    int64_t expert_width;       /* width of an expert's feed-forward layer */
    bool expert_weights_normed; /* the weights of the chosen experts are divided by their sum */
    double norm_eps;            /* of the RMS norms */
    bool tied_embeddings;       /* the output matrix is the embedding; of a config.json alone: unless weights differ */
    bool qkv_bias;              /* query, key and value projections have biases */
    bool output_bias;           /* attention's output projection has one */
    bool mlp_bias;              /* gate, up and down projections have them */
    bool head_norms;            /* queries and keys are normed head by head before they are rotated */
    bool whole_norms;           /* they are normed over all heads at once */
    bool gelu;                  /* the gate's activation is gelu (its tanh form), not silu */
    bool norms_less_one;        /* files hold norms less 1, which is added when they are loaded */
    double embedding_scale;     /* factors; 0 means 1: of embeddings */
    double residual_scale;      /* of what attention and the feed-forward layer add to the stream */
    double output_scale;        /* of what goes into the output matrix */
    double query_scale;         /* of queries, besides 1 / sqrt(head_width) */
    double query_growth;        /* beta: at position n, queries times 1 + beta ln(1 + floor(n / query_growth_length)) */
    int64_t query_growth_length;
    bool says_bf16; /* config.json names bf16 as the type of the weights; the files of weights decide */
    uint8_t layer_kinds[MODEL_MAX_LAYERS]; /* [layers] of enum layer_kind's bits */
    struct rope_model window_rope;         /* rotary settings of LAYER_ROTATED_APART; no pairs: no such layer. Its
                                            * table does not depend on the length */
};

/* Keys that a token sees in a layer; 0: all before it. */
int64_t model_layer_window(const struct model_config *config, int64_t layer);

/* Whether the table at hand rotates the layer. */
bool model_layer_is_searched(const struct model_config *config, int64_t layer);

/* The number of such layers. */
int64_t model_searched_layers(const struct model_config *config);

/* Keys that a token sees in those layers that the table at hand rotates, the most of any; 0: all before it. */
int64_t model_searched_window(const struct model_config *config);

struct expert {
    struct matrix gate, up; /* [expert_width][hidden] */
    struct matrix down;     /* [hidden][expert_width] */
};

/* Vectors that the family does not have are NULL; so are the experts of a layer without LAYER_HAS_EXPERTS, and one with
 * them has no gate, up and down of its own. */
struct model_layer {
    float *attention_norm;        /* [hidden], before attention */
    struct matrix query;          /* [heads * head_width][hidden] */
    struct matrix key, value;     /* [kv_heads * head_width][hidden] */
    struct matrix output;         /* [hidden][heads * head_width] */
    float *query_bias;            /* [heads * head_width] */
    float *key_bias, *value_bias; /* [kv_heads * head_width] */
    float *output_bias;           /* [hidden] */
    float *query_norm, *key_norm; /* [head_width]; with whole_norms as the biases */
    float *attention_post_norm;   /* [hidden], of what attention adds to the stream */
    float *mlp_norm;              /* [hidden], before the feed-forward layer */
    float *mlp_post_norm;         /* [hidden], of what that adds */
    struct matrix gate, up;       /* [intermediate][hidden] */
    struct matrix down;           /* [hidden][intermediate] */
    float *gate_bias, *up_bias;   /* [intermediate] */
    float *down_bias;             /* [hidden] */
    struct matrix router;         /* [experts][hidden] */
    struct expert *experts;       /* [experts] */
};

struct model {
    struct model_config config;
    const struct kernels *kernels; /* that the matrices are packed for */
    struct matrix embedding;       /* [vocabulary][hidden] */
    struct model_layer *layers;    /* [config.layers] */
    struct expert *experts;        /* of all layers, which point into it */
    float *norm;                   /* [hidden] */
    struct matrix logits;          /* [vocabulary][hidden]; the embedding itself where tied */
    double *clex_factors;          /* that config.rope points to; NULL: its type is not clex, or they are borrowed */
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

/* As model_load(), where `rope` is the config.rope that model_read_config() and model_read_clex() gave for that path: a
 * table of CLEX is not integrated again. (*out)->config.rope is then *rope, whose clex_factors must outlive *out. */
int model_load_again(const char *path, enum model_type type, const struct rope_model *rope, struct model **out,
                     struct error *error);

/* Prints a line for whatever was taken of the folder that its owner may not expect: weights that lie beside those that
 * were read, embeddings that are not tied, keys of config.json without effect, scaling of the model's own. */
void model_print_notes(const struct model *model, const char *dir, FILE *out);

/* Warns on `out`, after "WHO: ", if windows of `length` tokens are longer than the model's sliding window. */
void model_warn_sliding(const struct model_config *config, const char *who, int64_t length, FILE *out);

/* Reads config.json, or the metadata of a GGUF, only. Errors are those of model_load(). The rotary table of a model of
 * type clex is in its weights: model_read_clex() reads it. */
int model_read_config(const char *path, struct model_config *out, struct error *error);

/* Of a model of type clex in the folder `path`, whose configuration is *config: reads the tensors of its rotary table
 * and integrates it (clex_weights.h) to t = max_factor; 0: to that of config.json. Sets config->rope.max_factor, and
 * config->rope.clex_factors to *out, which the caller frees after its last use. Of other models nothing is read, and
 * *out is NULL. STATUS_INPUT also for a max_factor that config.json may not have. */
int model_read_clex(const char *path, double max_factor, struct model_config *config, double **out,
                    struct error *error);

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
