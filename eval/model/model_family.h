/* The families of models that can be read: what config.json means for each, and where each keeps its
 * tensors. Facts of transformers 5.23's configuration and modeling classes. A family is a row of the
 * array in model_family.c.
 */
#ifndef LONGROPE_EVAL_MODEL_FAMILY_H
#define LONGROPE_EVAL_MODEL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/rope.h"

/* ---- config.json ---- */

/* A key of config.json that supports one value only, given as JSON text. An absent or null key has that value. */
struct family_requirement {
    const char *key;
    const char *value;
};

/* A flag of struct model_config, and the key of config.json that sets it. */
struct family_flag {
    size_t field;    /* of struct model_config */
    const char *key; /* NULL: the value is always the one here */
    bool value;      /* if config.json does not have the key */
};

/* A name that rope_scaling may give a type by, besides rope_type_name()'s. */
struct family_rope_name {
    const char *name;
    enum rope_type type;
};

/* How a number of struct model_config follows from x, a number of config.json. */
enum number_form {
    NUMBERS_END, /* of a list */
    NUMBER_ITSELF,
    NUMBER_ROOT_OF_HIDDEN, /* sqrt(hidden_size) as f32; there is no x */
    NUMBER_OVER_HIDDEN,    /* x / hidden_size */
    NUMBER_OVER_ROOT_OF_LAYERS,
    NUMBER_HEAD_OVER_ROOT, /* sqrt(head_dim / x) */
};

struct family_number {
    enum number_form form;
    size_t field;    /* of struct model_config: a double */
    const char *key; /* of x; NULL: none */
    double value;    /* of x, if config.json does not have the key */
};

/* ---- Tensors ---- */

/* Sides of tensors, in terms of the configuration. */
enum side {
    SIDE_NONE, /* 0 where rows begin, 1 where columns are counted: a vector's */
    SIDE_VOCABULARY,
    SIDE_HIDDEN,
    SIDE_INTERMEDIATE,
    SIDE_TWO_INTERMEDIATE,
    SIDE_HEAD,
    SIDE_QUERY,         /* heads of them */
    SIDE_KEY,           /* kv_heads */
    SIDE_QUERY_KEY,     /* both */
    SIDE_QUERY_TWO_KEY, /* those and the values */
    SIDE_EXPERTS,
    SIDE_EXPERT_WIDTH,
};

/* When a model has a tensor. */
enum condition {
    ALWAYS,
    IF_QKV_BIAS,
    IF_OUTPUT_BIAS,
    IF_MLP_BIAS,
    IF_HEAD_NORMS,
    IF_EXPERTS, /* the layer has them */
    UNLESS_EXPERTS,
    UNLESS_TIED
};

/* Where a vector or matrix of the model comes from: rows first..first+rows-1 of a tensor
 * [tensor_rows][columns]. */
struct family_tensor {
    const char *name;      /* Hugging Face's, after "model.layers.N." where it is a layer's */
    size_t field;          /* of struct model_layer or struct model: float * without columns, else struct matrix */
    bool is_norm;          /* whose vectors may be stored less 1 */
    const char *of_expert; /* NULL, or what follows the expert's number after `name`: the field is of struct expert */
    enum side rows, columns;
    enum side first;       /* SIDE_NONE: 0 */
    enum side tensor_rows; /* SIDE_NONE: all of them are `rows` */
    enum condition condition;
};

/* ---- Families ---- */

/* What config.json says of experts. */
struct family_experts {
    int64_t count, per_token; /* if num_experts (or num_local_experts) and num_experts_per_tok are absent */
    const char *width_key;    /* NULL: an expert is as wide as intermediate_size */
    int64_t width;            /* if that key is absent */
    bool some_layers;         /* decoder_sparse_step and mlp_only_layers tell which layers have them */
};

/* How config.json says what kind each layer is of: model_layers.c. */
enum layer_rule {
    LAYERS_ALIKE,   /* layer_types may repeat what sliding_window says */
    LAYERS_NO_ROPE, /* those that no_rope_layers marks, else each no_rope_layer_interval-th, are not rotated; these have
                     * the sliding window, unless layer_types names others */
    LAYERS_PATTERN, /* each sliding_window_pattern-th, or those of layer_types, sees all; the others have the sliding
                     * window and rotary settings of their own */
};

/* Lists end in an entry without a name or key; a flag's list in one whose field is FAMILY_FLAGS_END. */
#define FAMILY_FLAGS_END SIZE_MAX

struct family {
    const char *name; /* model_type of config.json */
    const struct family_requirement *requirements;
    const struct family_flag *flags;
    const struct family_number *numbers; /* NULL: none */
    const struct family_tensor *tensors; /* of a layer */
    unsigned rope_types;                 /* bit 1 << enum rope_type: the type is supported */
    const struct family_rope_name *rope_names;
    enum layer_rule layers;
    const struct family_experts *experts; /* NULL: no layer has them */
    bool slides;                          /* sliding_window is supported */
    bool turns_part;                      /* partial_rotary_factor is supported */
    bool grows;                           /* llama_4_scaling_beta scales queries by their position */
    /* How readers of config.json differ where rope_scaling is longrope: */
    bool own_code;          /* transformers does not have the family: the code that comes with its models looks for the
                             * type under "type", uses the long table for all inputs, and takes the attention factor from
                             * the two windows */
    bool three_keys;        /* transformers 4 allows the type and the two lists of factors, and nothing else */
    bool states_head_width; /* transformers does not derive head_dim there */
    /* Values of keys that config.json does not have: */
    double norm_eps;
    double theta;            /* of the rotary embedding; 0: 10000 */
    int64_t kv_heads;        /* 0: as many as query heads */
    int64_t head_width;      /* 0: hidden / heads */
    int64_t sliding_window;  /* 0: none */
    int64_t original_length; /* top-level original_max_position_embeddings; 0: there is none */
};

/* The tensors of no layer, of every family. */
extern const struct family_tensor family_outer_tensors[];

enum { FAMILIES = 12 };
extern const struct family families[FAMILIES];

/* The family of that name, or NULL. */
const struct family *family_find(const char *name);

/* The names of all families: "llama, ... and phi3", cut to `size` bytes with the zero. */
void family_list(char *out, size_t size);

#endif
