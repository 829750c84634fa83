#include "eval/model/model_family.h"

#include "eval/base/name.h"
#include "eval/model/model.h"

/* ---- Tensors ---- */

#define VECTOR(hf_name, owner, member, side, when)                                                                     \
    { .name = (hf_name), .field = offsetof(struct owner, member), .rows = (side), .condition = (when) }
#define MATRIX(hf_name, owner, member, outputs, inputs, when)                                                          \
    {                                                                                                                  \
        .name = (hf_name), .field = offsetof(struct owner, member), .rows = (outputs), .columns = (inputs),            \
        .condition = (when)                                                                                            \
    }
/* Rows of a fused matrix of `total` rows, from row `begin` on. */
#define PART(hf_name, owner, member, outputs, inputs, begin, total)                                                    \
    {                                                                                                                  \
        .name = (hf_name), .field = offsetof(struct owner, member), .rows = (outputs), .columns = (inputs),            \
        .first = (begin), .tensor_rows = (total)                                                                       \
    }

const struct family_tensor family_outer_tensors[] = {
    MATRIX("model.embed_tokens.weight", model, embedding, SIDE_VOCABULARY, SIDE_HIDDEN, ALWAYS),
    VECTOR("model.norm.weight", model, norm, SIDE_HIDDEN, ALWAYS),
    MATRIX("lm_head.weight", model, logits, SIDE_VOCABULARY, SIDE_HIDDEN, UNLESS_TIED),
    {.name = NULL},
};

/* LlamaForCausalLM's names, which most families took over. */
static const struct family_tensor llama_tensors[] = {
    VECTOR("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    MATRIX("self_attn.q_proj.weight", model_layer, query, SIDE_QUERY, SIDE_HIDDEN, ALWAYS),
    MATRIX("self_attn.k_proj.weight", model_layer, key, SIDE_KEY, SIDE_HIDDEN, ALWAYS),
    MATRIX("self_attn.v_proj.weight", model_layer, value, SIDE_KEY, SIDE_HIDDEN, ALWAYS),
    MATRIX("self_attn.o_proj.weight", model_layer, output, SIDE_HIDDEN, SIDE_QUERY, ALWAYS),
    VECTOR("self_attn.q_proj.bias", model_layer, query_bias, SIDE_QUERY, IF_QKV_BIAS),
    VECTOR("self_attn.k_proj.bias", model_layer, key_bias, SIDE_KEY, IF_QKV_BIAS),
    VECTOR("self_attn.v_proj.bias", model_layer, value_bias, SIDE_KEY, IF_QKV_BIAS),
    VECTOR("self_attn.o_proj.bias", model_layer, output_bias, SIDE_HIDDEN, IF_OUTPUT_BIAS),
    VECTOR("self_attn.q_norm.weight", model_layer, query_norm, SIDE_HEAD, IF_HEAD_NORMS),
    VECTOR("self_attn.k_norm.weight", model_layer, key_norm, SIDE_HEAD, IF_HEAD_NORMS),
    VECTOR("post_attention_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
    MATRIX("mlp.gate_proj.weight", model_layer, gate, SIDE_INTERMEDIATE, SIDE_HIDDEN, ALWAYS),
    MATRIX("mlp.up_proj.weight", model_layer, up, SIDE_INTERMEDIATE, SIDE_HIDDEN, ALWAYS),
    MATRIX("mlp.down_proj.weight", model_layer, down, SIDE_HIDDEN, SIDE_INTERMEDIATE, ALWAYS),
    VECTOR("mlp.gate_proj.bias", model_layer, gate_bias, SIDE_INTERMEDIATE, IF_MLP_BIAS),
    VECTOR("mlp.up_proj.bias", model_layer, up_bias, SIDE_INTERMEDIATE, IF_MLP_BIAS),
    VECTOR("mlp.down_proj.bias", model_layer, down_bias, SIDE_HIDDEN, IF_MLP_BIAS),
    {.name = NULL},
};

/* Phi3ForCausalLM's: queries, keys and values are one matrix, gate and up another. */
static const struct family_tensor phi3_tensors[] = {
    VECTOR("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    PART("self_attn.qkv_proj.weight", model_layer, query, SIDE_QUERY, SIDE_HIDDEN, SIDE_NONE, SIDE_QUERY_TWO_KEY),
    PART("self_attn.qkv_proj.weight", model_layer, key, SIDE_KEY, SIDE_HIDDEN, SIDE_QUERY, SIDE_QUERY_TWO_KEY),
    PART("self_attn.qkv_proj.weight", model_layer, value, SIDE_KEY, SIDE_HIDDEN, SIDE_QUERY_KEY, SIDE_QUERY_TWO_KEY),
    MATRIX("self_attn.o_proj.weight", model_layer, output, SIDE_HIDDEN, SIDE_QUERY, ALWAYS),
    VECTOR("post_attention_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
    PART("mlp.gate_up_proj.weight", model_layer, gate, SIDE_INTERMEDIATE, SIDE_HIDDEN, SIDE_NONE,
         SIDE_TWO_INTERMEDIATE),
    PART("mlp.gate_up_proj.weight", model_layer, up, SIDE_INTERMEDIATE, SIDE_HIDDEN, SIDE_INTERMEDIATE,
         SIDE_TWO_INTERMEDIATE),
    MATRIX("mlp.down_proj.weight", model_layer, down, SIDE_HIDDEN, SIDE_INTERMEDIATE, ALWAYS),
    {.name = NULL},
};

/* ---- Flags ---- */

#define FLAG(member) offsetof(struct model_config, member)

static const struct family_flag llama_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},
    {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},
    {FLAG(mlp_bias), "mlp_bias", false},
    {.field = FAMILY_FLAGS_END},
};

/* Mistral's and Phi-3's: nothing but the embeddings is left to choose. */
static const struct family_flag plain_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},
    {.field = FAMILY_FLAGS_END},
};

static const struct family_flag qwen2_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},
    {FLAG(qkv_bias), NULL, true},
    {.field = FAMILY_FLAGS_END},
};

static const struct family_flag qwen3_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},
    {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},
    {FLAG(head_norms), NULL, true},
    {.field = FAMILY_FLAGS_END},
};

/* ---- Requirements, besides those of all families ---- */

static const struct family_requirement llama_requirements[] = {
    {"sliding_window", "null"},
    {NULL, NULL},
};

static const struct family_requirement plain_requirements[] = {
    {"attention_bias", "false"},
    {"mlp_bias", "false"},
    {NULL, NULL},
};

static const struct family_requirement qwen_requirements[] = {
    {"use_sliding_window", "false"},
    {"mlp_bias", "false"},
    {NULL, NULL},
};

/* ---- Rope types ---- */

enum {
    ALL_ROPE_TYPES = (1 << ROPE_TYPES) - 1,
    PHI3_ROPE_TYPES = 1 << ROPE_TYPE_DEFAULT | 1 << ROPE_TYPE_LONGROPE,
};

/* LongRoPE was called "su" in the first Phi-3 models. */
static const struct family_rope_name old_rope_names[] = {
    {"su", ROPE_TYPE_LONGROPE},
    {NULL, ROPE_TYPES},
};

/* Phi-3's "yarn" has the factors of LongRoPE, too, and transformers takes it for that. */
static const struct family_rope_name phi3_rope_names[] = {
    {"su", ROPE_TYPE_LONGROPE},
    {"yarn", ROPE_TYPE_LONGROPE},
    {NULL, ROPE_TYPES},
};

/* ---- Families ---- */

const struct family families[FAMILIES] = {
    {
        .name = "llama",
        .requirements = llama_requirements,
        .flags = llama_flags,
        .tensors = llama_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .norm_eps = 1e-6,
    },
    {
        .name = "mistral",
        .requirements = plain_requirements,
        .flags = plain_flags,
        .tensors = llama_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .slides = true,
        .norm_eps = 1e-6,
        .kv_heads = 8,
        .sliding_window = 4096,
    },
    {
        .name = "qwen2",
        .requirements = qwen_requirements,
        .flags = qwen2_flags,
        .tensors = llama_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .norm_eps = 1e-6,
        .kv_heads = 32,
    },
    {
        .name = "qwen3",
        .requirements = qwen_requirements,
        .flags = qwen3_flags,
        .tensors = llama_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .norm_eps = 1e-6,
        .kv_heads = 32,
        .head_width = 128,
    },
    {
        .name = "phi3",
        .requirements = plain_requirements,
        .flags = plain_flags,
        .tensors = phi3_tensors,
        .rope_types = PHI3_ROPE_TYPES,
        .rope_names = phi3_rope_names,
        .slides = true,
        .turns_part = true,
        .norm_eps = 1e-5,
        .original_length = 4096,
    },
};

static void names_of(const char *names[FAMILIES]) {
    for (size_t i = 0; i < FAMILIES; i++) names[i] = families[i].name;
}

const struct family *family_find(const char *name) {
    const char *names[FAMILIES];
    names_of(names);
    int family = name_find(names, FAMILIES, name);
    return family == NAME_UNKNOWN ? NULL : &families[family];
}

void family_list(char *out, size_t size) {
    const char *names[FAMILIES];
    names_of(names);
    name_list(names, FAMILIES, "and", out, size);
}
