#include "eval/model/gguf_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"

/* ---- Architectures ---- */

/* Mistral's models are llama there. */
static const struct gguf_architecture architectures[] = {
    {"llama", "llama", true},
    {"qwen2", "qwen2", false},
    {"qwen3", "qwen3", false},
    {"phi3", "phi3", false},
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

const struct gguf_architecture *gguf_architecture_find(const char *name) {
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        if (strcmp(name, architectures[i].name) == 0) return &architectures[i];
    }
    return NULL;
}

void gguf_architecture_list(char *out, size_t size) {
    const char *names[ARCHITECTURES];
    for (size_t i = 0; i < ARCHITECTURES; i++) names[i] = architectures[i].name;
    name_list(names, ARCHITECTURES, "and", out, size);
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
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},      {"attn_qkv", "self_attn.qkv_proj"},  {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},           {"ffn_up", "mlp.gate_up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool has_tensor(const struct family_tensor *tensors, const char *name) {
    for (; tensors->name; tensors++) {
        if (strcmp(tensors->name, name) == 0) return true;
    }
    return false;
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
        if (!has_tensor(family->tensors, own)) continue;
        snprintf(out, GGUF_NAMES_SIZE, "model.layers.%" PRId64 ".%s", layer, own);
        return true;
    }
    return false;
}

void gguf_name_of_family(const char *name, char out[GGUF_NAMES_SIZE]) {
    int64_t layer;
    const char *rest;
    snprintf(out, GGUF_NAMES_SIZE, "%s", name);
    for (size_t i = 0; i < COUNT(outer); i++) {
        if (strcmp(name, outer[i].family) == 0) snprintf(out, GGUF_NAMES_SIZE, "%s", outer[i].gguf);
    }
    if (!split_layer(name, "model.layers.", &layer, &rest)) return;
    for (size_t i = 0; i < COUNT(inner); i++) {
        size_t length = strlen(inner[i].family);
        if (strncmp(rest, inner[i].family, length) != 0 || rest[length] != '.') continue;
        snprintf(out, GGUF_NAMES_SIZE, "blk.%" PRId64 ".%s%s", layer, inner[i].gguf, rest + length);
    }
}
