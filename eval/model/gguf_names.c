#include "eval/model/gguf_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/model/model.h"

/* ---- Architectures ---- */

/* Mistral's models are llama there, and mistral3 is also the language part of models before Ministral 3. Sliding
 * windows of a family are not those of its architecture: llama.cpp has none for llama, mistral3 and smollm3. */
static const struct gguf_architecture architectures[] = {
    {.name = "llama", .family = "mixtral", .neighbours = true, .where = "expert_count"},
    {.name = "llama", .family = "llama", .neighbours = true},
    {.name = "mistral3", .family = "ministral3", .neighbours = true, .where = "attention.temperature_scale"},
    {.name = "mistral3", .family = "mistral", .neighbours = true},
    {.name = "qwen2", .family = "qwen2"},
    {.name = "qwen3", .family = "qwen3"},
    {.name = "qwen3moe", .family = "qwen3_moe"},
    {.name = "smollm3", .family = "smollm3", .neighbours = true},
    {.name = "olmo2", .family = "olmo2"},
    {.name = "minicpm", .family = "minicpm", .neighbours = true},
    {.name = "phi3", .family = "phi3", .slides = true},
    {.name = "gemma3", .family = "gemma3_text", .slides = true},
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

const struct gguf_architecture *gguf_architecture_find(const char *name, size_t row) {
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        if (strcmp(name, architectures[i].name) == 0 && row-- == 0) return &architectures[i];
    }
    return NULL;
}

void gguf_architecture_list(char *out, size_t size) {
    const char *names[ARCHITECTURES];
    size_t count = 0;
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        if (!architectures[i].where) names[count++] = architectures[i].name; /* the last row of a name */
    }
    name_list(names, count, "and", out, size);
}

/* ---- Tensors ---- */

struct name_pair {
    const char *gguf, *family;
};

static const struct name_pair outer[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
};

/* After "blk.N." and "model.layers.N.", before ".weight" and ".bias". A name that stands twice has the meaning of which
 * the family has a tensor. */
static const struct name_pair inner[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_qkv", "self_attn.qkv_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "pre_feedforward_layernorm"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_up", "mlp.gate_up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"ffn_gate_inp", "mlp.gate"},
    {"ffn_gate_inp", "block_sparse_moe.gate"},
};

/* The matrices of all experts of a layer, one tensor. */
static const struct {
    const char *gguf;
    size_t field; /* of struct expert */
} of_experts[] = {
    {"ffn_gate_exps.weight", offsetof(struct expert, gate)},
    {"ffn_up_exps.weight", offsetof(struct expert, up)},
    {"ffn_down_exps.weight", offsetof(struct expert, down)},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool has_tensor(const struct family_tensor *tensors, const char *name) {
    for (; tensors->name; tensors++) {
        if (strcmp(tensors->name, name) == 0) return true;
    }
    return false;
}

/* Whether the family has the tensor `own` of a layer, and it is what GGUF calls `row`'s name: where a name stands
 * twice, the first such row counts. */
static bool is_meant(const struct family *family, size_t row, const char *own) {
    static const char adds[] = "post_attention_norm"; /* of what attention adds */
    if (!has_tensor(family->tensors, own)) return false;
    /* Families without norms of what layers add call the norm before the feed-forward layer post_attention_layernorm.
     */
    bool added = has_tensor(family->tensors, "post_feedforward_layernorm.weight");
    bool either = strcmp(inner[row].family, "post_attention_layernorm") == 0;
    if (either && added != (strcmp(inner[row].gguf, adds) == 0)) return false;
    for (size_t i = 0; i < row; i++) {
        char other[GGUF_NAMES_SIZE / 2];
        snprintf(other, sizeof other, "%s.weight", inner[i].family);
        bool taken = strcmp(inner[i].gguf, inner[row].gguf) == 0 && has_tensor(family->tensors, other);
        if (taken) return false;
    }
    return true;
}

/* The number behind `prefix` and what follows its dot; false for another name. */
static bool split_layer(const char *name, const char *prefix, int64_t *layer, const char **rest) {
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0 || name[length] < '0' || name[length] > '9') return false;
    char *end;
    *layer = strtoll(name + length, &end, 10);
    *rest = end + 1;
    return *end == '.';
}

bool gguf_name_to_family(const char *name, const struct family *family, int64_t layers, char out[GGUF_NAMES_SIZE]) {
    int64_t layer;
    const char *rest;
    for (size_t i = 0; i < COUNT(outer); i++) {
        if (strcmp(name, outer[i].gguf) != 0) continue;
        snprintf(out, GGUF_NAMES_SIZE, "%s", outer[i].family);
        return true;
    }
    if (!split_layer(name, "blk.", &layer, &rest) || layer >= layers) return false;
    for (size_t i = 0; i < COUNT(inner); i++) {
        size_t length = strlen(inner[i].gguf);
        char own[GGUF_NAMES_SIZE / 2];
        if (strncmp(rest, inner[i].gguf, length) != 0 || rest[length] != '.') continue;
        snprintf(own, sizeof own, "%s%s", inner[i].family, rest + length);
        if (!is_meant(family, i, own)) continue;
        snprintf(out, GGUF_NAMES_SIZE, "model.layers.%" PRId64 ".%s", layer, own);
        return true;
    }
    return false;
}

/* The tensor of an expert with that field; NULL if the family has no experts. */
static const struct family_tensor *expert_tensor(const struct family *family, size_t field) {
    for (const struct family_tensor *tensor = family->tensors; tensor->name; tensor++) {
        if (tensor->of_expert && tensor->field == field) return tensor;
    }
    return NULL;
}

bool gguf_name_to_experts(const char *name, const struct family *family, int64_t layers, char out[GGUF_NAMES_SIZE],
                          size_t *number) {
    int64_t layer;
    const char *rest;
    if (!split_layer(name, "blk.", &layer, &rest) || layer >= layers) return false;
    for (size_t i = 0; i < COUNT(of_experts); i++) {
        const struct family_tensor *tensor = expert_tensor(family, of_experts[i].field);
        if (!tensor || strcmp(rest, of_experts[i].gguf) != 0) continue;
        *number = (size_t)snprintf(out, GGUF_NAMES_SIZE, "model.layers.%" PRId64 ".%s", layer, tensor->name);
        snprintf(out + *number, GGUF_NAMES_SIZE - *number, "0.%s", tensor->of_expert);
        return true;
    }
    return false;
}

/* What holds the tensor `own` of an expert; NULL if it is none. */
static const char *name_of_experts(const struct family *family, const char *own) {
    for (size_t i = 0; i < COUNT(of_experts); i++) {
        const struct family_tensor *tensor = expert_tensor(family, of_experts[i].field);
        if (!tensor || strncmp(own, tensor->name, strlen(tensor->name)) != 0) continue;
        const char *rest = own + strlen(tensor->name);
        rest += strspn(rest, "0123456789");
        if (*rest == '.' && strcmp(rest + 1, tensor->of_expert) == 0) return of_experts[i].gguf;
    }
    return NULL;
}

void gguf_name_of_family(const char *name, const struct family *family, char out[GGUF_NAMES_SIZE]) {
    int64_t layer;
    const char *rest;
    snprintf(out, GGUF_NAMES_SIZE, "%s", name);
    for (size_t i = 0; i < COUNT(outer); i++) {
        if (strcmp(name, outer[i].family) == 0) snprintf(out, GGUF_NAMES_SIZE, "%s", outer[i].gguf);
    }
    if (!split_layer(name, "model.layers.", &layer, &rest)) return;
    const char *experts = name_of_experts(family, rest);
    if (experts) snprintf(out, GGUF_NAMES_SIZE, "blk.%" PRId64 ".%s", layer, experts);
    for (size_t i = 0; i < COUNT(inner); i++) {
        size_t length = strlen(inner[i].family);
        if (strncmp(rest, inner[i].family, length) != 0 || rest[length] != '.' || !is_meant(family, i, rest)) continue;
        snprintf(out, GGUF_NAMES_SIZE, "blk.%" PRId64 ".%s%s", layer, inner[i].gguf, rest + length);
        return;
    }
}
