#include "eval/model/model_family.h"

#include "eval/base/name.h"
#include "eval/model/model.h"

/* ---- Tensors ---- */

#define VECTOR(hf_name, owner, member, side, when)                                                                     \
    { .name = (hf_name), .field = offsetof(struct owner, member), .rows = (side), .condition = (when) }
#define NORM(hf_name, owner, member, side, when)                                                                       \
    { .name = (hf_name), .field = offsetof(struct owner, member), .rows = (side), .condition = (when), .is_norm = true }
#define MATRIX(hf_name, owner, member, outputs, inputs, when)                                                          \
    {                                                                                                                  \
        .name = (hf_name), .field = offsetof(struct owner, member), .rows = (outputs), .columns = (inputs),            \
        .condition = (when)                                                                                            \
    }
/* A matrix of each expert: NAME<number>.REST. */
#define EXPERT(hf_name, rest, member, outputs, inputs)                                                                 \
    {                                                                                                                  \
        .name = (hf_name), .of_expert = (rest), .field = offsetof(struct expert, member), .rows = (outputs),           \
        .columns = (inputs), .condition = IF_EXPERTS                                                                   \
    }
/* Rows of a fused matrix of `total` rows, from row `begin` on. */
#define PART(hf_name, owner, member, outputs, inputs, begin, total)                                                    \
    {                                                                                                                  \
        .name = (hf_name), .field = offsetof(struct owner, member), .rows = (outputs), .columns = (inputs),            \
        .first = (begin), .tensor_rows = (total)                                                                       \
    }

const struct family_tensor family_outer_tensors[] = {
    MATRIX("model.embed_tokens.weight", model, embedding, SIDE_VOCABULARY, SIDE_HIDDEN, ALWAYS),
    NORM("model.norm.weight", model, norm, SIDE_HIDDEN, ALWAYS),
    MATRIX("lm_head.weight", model, logits, SIDE_VOCABULARY, SIDE_HIDDEN, UNLESS_TIED),
    {.name = NULL},
};

/* Rows that several families have. */
#define ATTENTION_PROJECTIONS                                                                                          \
    MATRIX("self_attn.q_proj.weight", model_layer, query, SIDE_QUERY, SIDE_HIDDEN, ALWAYS),                            \
        MATRIX("self_attn.k_proj.weight", model_layer, key, SIDE_KEY, SIDE_HIDDEN, ALWAYS),                            \
        MATRIX("self_attn.v_proj.weight", model_layer, value, SIDE_KEY, SIDE_HIDDEN, ALWAYS),                          \
        MATRIX("self_attn.o_proj.weight", model_layer, output, SIDE_HIDDEN, SIDE_QUERY, ALWAYS),                       \
        VECTOR("self_attn.q_proj.bias", model_layer, query_bias, SIDE_QUERY, IF_QKV_BIAS),                             \
        VECTOR("self_attn.k_proj.bias", model_layer, key_bias, SIDE_KEY, IF_QKV_BIAS),                                 \
        VECTOR("self_attn.v_proj.bias", model_layer, value_bias, SIDE_KEY, IF_QKV_BIAS),                               \
        VECTOR("self_attn.o_proj.bias", model_layer, output_bias, SIDE_HIDDEN, IF_OUTPUT_BIAS)
#define HEAD_NORMS                                                                                                     \
    NORM("self_attn.q_norm.weight", model_layer, query_norm, SIDE_HEAD, IF_HEAD_NORMS),                                \
        NORM("self_attn.k_norm.weight", model_layer, key_norm, SIDE_HEAD, IF_HEAD_NORMS)
#define FEED_FORWARD(when)                                                                                             \
    MATRIX("mlp.gate_proj.weight", model_layer, gate, SIDE_INTERMEDIATE, SIDE_HIDDEN, when),                           \
        MATRIX("mlp.up_proj.weight", model_layer, up, SIDE_INTERMEDIATE, SIDE_HIDDEN, when),                           \
        MATRIX("mlp.down_proj.weight", model_layer, down, SIDE_HIDDEN, SIDE_INTERMEDIATE, when)

/* LlamaForCausalLM's names, which most families took over. */
static const struct family_tensor llama_tensors[] = {
    NORM("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    ATTENTION_PROJECTIONS,
    HEAD_NORMS,
    NORM("post_attention_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
    FEED_FORWARD(ALWAYS),
    VECTOR("mlp.gate_proj.bias", model_layer, gate_bias, SIDE_INTERMEDIATE, IF_MLP_BIAS),
    VECTOR("mlp.up_proj.bias", model_layer, up_bias, SIDE_INTERMEDIATE, IF_MLP_BIAS),
    VECTOR("mlp.down_proj.bias", model_layer, down_bias, SIDE_HIDDEN, IF_MLP_BIAS),
    {.name = NULL},
};

/* Olmo2ForCausalLM's: norms of what attention and the feed-forward layer add, none before them. */
static const struct family_tensor olmo2_tensors[] = {
    ATTENTION_PROJECTIONS,
    NORM("self_attn.q_norm.weight", model_layer, query_norm, SIDE_QUERY, ALWAYS),
    NORM("self_attn.k_norm.weight", model_layer, key_norm, SIDE_KEY, ALWAYS),
    NORM("post_attention_layernorm.weight", model_layer, attention_post_norm, SIDE_HIDDEN, ALWAYS),
    FEED_FORWARD(ALWAYS),
    NORM("post_feedforward_layernorm.weight", model_layer, mlp_post_norm, SIDE_HIDDEN, ALWAYS),
    {.name = NULL},
};

/* Qwen3MoeForCausalLM's. */
static const struct family_tensor qwen3_moe_tensors[] = {
    NORM("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    ATTENTION_PROJECTIONS,
    HEAD_NORMS,
    NORM("post_attention_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
    FEED_FORWARD(UNLESS_EXPERTS),
    MATRIX("mlp.gate.weight", model_layer, router, SIDE_EXPERTS, SIDE_HIDDEN, IF_EXPERTS),
    EXPERT("mlp.experts.", "gate_proj.weight", gate, SIDE_EXPERT_WIDTH, SIDE_HIDDEN),
    EXPERT("mlp.experts.", "up_proj.weight", up, SIDE_EXPERT_WIDTH, SIDE_HIDDEN),
    EXPERT("mlp.experts.", "down_proj.weight", down, SIDE_HIDDEN, SIDE_EXPERT_WIDTH),
    {.name = NULL},
};

/* MixtralForCausalLM's. */
static const struct family_tensor mixtral_tensors[] = {
    NORM("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    ATTENTION_PROJECTIONS,
    NORM("post_attention_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
    MATRIX("block_sparse_moe.gate.weight", model_layer, router, SIDE_EXPERTS, SIDE_HIDDEN, IF_EXPERTS),
    EXPERT("block_sparse_moe.experts.", "w1.weight", gate, SIDE_EXPERT_WIDTH, SIDE_HIDDEN),
    EXPERT("block_sparse_moe.experts.", "w3.weight", up, SIDE_EXPERT_WIDTH, SIDE_HIDDEN),
    EXPERT("block_sparse_moe.experts.", "w2.weight", down, SIDE_HIDDEN, SIDE_EXPERT_WIDTH),
    {.name = NULL},
};

/* Gemma3ForCausalLM's: norms before and after. */
static const struct family_tensor gemma3_tensors[] = {
    NORM("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    ATTENTION_PROJECTIONS,
    HEAD_NORMS,
    NORM("post_attention_layernorm.weight", model_layer, attention_post_norm, SIDE_HIDDEN, ALWAYS),
    NORM("pre_feedforward_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
    FEED_FORWARD(ALWAYS),
    NORM("post_feedforward_layernorm.weight", model_layer, mlp_post_norm, SIDE_HIDDEN, ALWAYS),
    {.name = NULL},
};

/* Phi3ForCausalLM's: queries, keys and values are one matrix, gate and up another. */
static const struct family_tensor phi3_tensors[] = {
    NORM("input_layernorm.weight", model_layer, attention_norm, SIDE_HIDDEN, ALWAYS),
    PART("self_attn.qkv_proj.weight", model_layer, query, SIDE_QUERY, SIDE_HIDDEN, SIDE_NONE, SIDE_QUERY_TWO_KEY),
    PART("self_attn.qkv_proj.weight", model_layer, key, SIDE_KEY, SIDE_HIDDEN, SIDE_QUERY, SIDE_QUERY_TWO_KEY),
    PART("self_attn.qkv_proj.weight", model_layer, value, SIDE_KEY, SIDE_HIDDEN, SIDE_QUERY_KEY, SIDE_QUERY_TWO_KEY),
    MATRIX("self_attn.o_proj.weight", model_layer, output, SIDE_HIDDEN, SIDE_QUERY, ALWAYS),
    NORM("post_attention_layernorm.weight", model_layer, mlp_norm, SIDE_HIDDEN, ALWAYS),
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

static const struct family_flag smollm3_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", true},
    {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},
    {FLAG(mlp_bias), "mlp_bias", false},
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

static const struct family_flag qwen3_moe_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},  {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},           {FLAG(head_norms), NULL, true},
    {FLAG(expert_weights_normed), "norm_topk_prob", false}, {.field = FAMILY_FLAGS_END},
};

static const struct family_flag mixtral_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},
    {FLAG(expert_weights_normed), NULL, true},
    {.field = FAMILY_FLAGS_END},
};

static const struct family_flag olmo2_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", false},
    {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},
    {FLAG(whole_norms), NULL, true},
    {.field = FAMILY_FLAGS_END},
};

static const struct family_flag gemma3_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", true},
    {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},
    {FLAG(head_norms), NULL, true},
    {FLAG(gelu), NULL, true},
    {FLAG(norms_less_one), NULL, true},
    {.field = FAMILY_FLAGS_END},
};

static const struct family_flag minicpm_flags[] = {
    {FLAG(tied_embeddings), "tie_word_embeddings", true},
    {FLAG(qkv_bias), "attention_bias", false},
    {FLAG(output_bias), "attention_bias", false},
    {.field = FAMILY_FLAGS_END},
};

/* ---- Numbers ---- */

static const struct family_number gemma3_numbers[] = {
    {NUMBER_ROOT_OF_HIDDEN, FLAG(embedding_scale), NULL, 0.0},
    {NUMBER_HEAD_OVER_ROOT, FLAG(query_scale), "query_pre_attn_scalar", 256.0},
    {.form = NUMBERS_END},
};

static const struct family_number minicpm_numbers[] = {
    {NUMBER_ITSELF, FLAG(embedding_scale), "scale_emb", 1.0},
    {NUMBER_OVER_ROOT_OF_LAYERS, FLAG(residual_scale), "scale_depth", 1.0},
    {NUMBER_OVER_HIDDEN, FLAG(output_scale), "dim_model_base", 1.0},
    {.form = NUMBERS_END},
};

/* ---- Requirements, besides those of all families ---- */

static const struct family_requirement llama_requirements[] = {
    {"hidden_act", "\"silu\""},
    {"sliding_window", "null"},
    {NULL, NULL},
};

static const struct family_requirement silu_requirements[] = {
    {"hidden_act", "\"silu\""},
    {NULL, NULL},
};

static const struct family_requirement plain_requirements[] = {
    {"hidden_act", "\"silu\""},
    {"attention_bias", "false"},
    {"mlp_bias", "false"},
    {NULL, NULL},
};

/* clip_qkv is OLMo 1's. */
static const struct family_requirement olmo2_requirements[] = {
    {"hidden_act", "\"silu\""}, {"sliding_window", "null"}, {"mlp_bias", "false"}, {"clip_qkv", "null"}, {NULL, NULL},
};

/* Of attn_logit_softcapping transformers 5 takes no notice, engines do. */
static const struct family_requirement gemma3_requirements[] = {
    {"hidden_activation", "\"gelu_pytorch_tanh\""},
    {"attn_logit_softcapping", "null"},
    {"final_logit_softcapping", "null"},
    {"use_bidirectional_attention", "false"},
    {NULL, NULL},
};

/* sparse_config is the sparse attention of MiniCPM 4, num_experts MiniCPM-MoE's, use_mup VoxCPM's. */
static const struct family_requirement minicpm_requirements[] = {
    {"hidden_act", "\"silu\""}, {"sliding_window", "null"}, {"sparse_config", "null"},
    {"num_experts", "0"},       {"use_mup", "true"},        {NULL, NULL},
};

static const struct family_requirement qwen_requirements[] = {
    {"hidden_act", "\"silu\""},
    {"use_sliding_window", "false"},
    {"mlp_bias", "false"},
    {NULL, NULL},
};

/* ---- Rope types ---- */

enum {
    ALL_ROPE_TYPES = (1 << ROPE_TYPES) - 1,
    LAYERWISE_ROPE_TYPES =
        ALL_ROPE_TYPES & ~(1 << ROPE_TYPE_CLEX), /* CLEX's one table and log_scale are for all layers */
    PHI3_ROPE_TYPES = 1 << ROPE_TYPE_DEFAULT | 1 << ROPE_TYPE_LONGROPE,
    MINICPM_ROPE_TYPES = PHI3_ROPE_TYPES | 1 << ROPE_TYPE_LINEAR | 1 << ROPE_TYPE_DYNAMIC,
    MINISTRAL3_ROPE_TYPES = 1 << ROPE_TYPE_LLAMA3 | 1 << ROPE_TYPE_YARN | 1 << ROPE_TYPE_LONGROPE,
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

/* ---- Experts ---- */

static const struct family_experts qwen3_moe_experts = {
    .count = 128, .per_token = 8, .width_key = "moe_intermediate_size", .width = 768, .some_layers = true};
static const struct family_experts mixtral_experts = {.count = 8, .per_token = 2};

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
        .name = "smollm3",
        .requirements = silu_requirements,
        .flags = smollm3_flags,
        .tensors = llama_tensors,
        .rope_types = LAYERWISE_ROPE_TYPES,
        .rope_names = old_rope_names,
        .layers = LAYERS_NO_ROPE,
        .slides = true,
        .norm_eps = 1e-6,
        .theta = 2e6,
        .kv_heads = 4,
    },
    {
        .name = "olmo2",
        .requirements = olmo2_requirements,
        .flags = olmo2_flags,
        .tensors = olmo2_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .norm_eps = 1e-5,
    },
    {
        .name = "qwen3_moe",
        .requirements = qwen_requirements,
        .flags = qwen3_moe_flags,
        .tensors = qwen3_moe_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .experts = &qwen3_moe_experts,
        .norm_eps = 1e-6,
        .kv_heads = 4,
    },
    {
        .name = "mixtral",
        .requirements = plain_requirements,
        .flags = mixtral_flags,
        .tensors = mixtral_tensors,
        .rope_types = ALL_ROPE_TYPES,
        .rope_names = old_rope_names,
        .slides = true,
        .states_head_width = true,
        .experts = &mixtral_experts,
        .norm_eps = 1e-5,
        .theta = 1e6,
        .kv_heads = 8,
    },
    {
        .name = "gemma3_text",
        .requirements = gemma3_requirements,
        .flags = gemma3_flags,
        .numbers = gemma3_numbers,
        .tensors = gemma3_tensors,
        .rope_types = LAYERWISE_ROPE_TYPES,
        .rope_names = old_rope_names,
        .layers = LAYERS_PATTERN,
        .slides = true,
        .norm_eps = 1e-6,
        .theta = 1e6,
        .kv_heads = 4,
        .head_width = 256,
        .sliding_window = 4096,
    },
    {
        .name = "ministral3",
        .requirements = plain_requirements,
        .flags = plain_flags,
        .tensors = llama_tensors,
        .rope_types = MINISTRAL3_ROPE_TYPES,
        .rope_names = old_rope_names,
        .slides = true,
        .grows = true,
        .norm_eps = 1e-5,
        .kv_heads = 8,
        .head_width = 128,
    },
    {
        .name = "minicpm",
        .requirements = minicpm_requirements,
        .flags = minicpm_flags,
        .numbers = minicpm_numbers,
        .tensors = llama_tensors,
        .rope_types = MINICPM_ROPE_TYPES,
        .rope_names = old_rope_names,
        .own_code = true,
        .norm_eps = 1e-6,
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
        .three_keys = true,
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
