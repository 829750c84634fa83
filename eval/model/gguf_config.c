#include "eval/model/gguf_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/model/model_config.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { NAME_SIZE = 64, KEY_SIZE = 2 * NAME_SIZE };

/* A model that is being read. */
struct metadata {
    const struct gguf_parts *parts;
    const struct gguf *file; /* the part with the keys */
    const char *path;
    const struct gguf_architecture *architecture;
    const struct family *family;
};

/* ---- Keys of the architecture ---- */

static const char growth_key[] = "attention.temperature_scale";

/* Keys after "llama." that are read below or change nothing here. */
static const char *const known_keys[] = {
    "vocab_size", /* the embedding's rows are it */
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "block_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "rope.freq_base_swa",
    "attention.causal",
    "expert_count",
    "expert_used_count",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.attn_factor",
    "rope.scaling.finetuned",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_log_multiplier",
    "tensor_data_layout",
};

/* Keys that only one family has. */
static const struct {
    const char *family, *name;
} family_keys[] = {
    {"qwen3_moe", "expert_feed_forward_length"},
    {"minicpm", "embedding_scale"},
    {"minicpm", "residual_scale"},
    {"minicpm", "logit_scale"},
    {"ministral3", growth_key},
    {"mistral", growth_key}, /* 0: queries are not scaled */
};

static bool is_known(const struct metadata *m, const char *name) {
    for (size_t k = 0; k < COUNT(known_keys); k++) {
        if (strcmp(name, known_keys[k]) == 0) return true;
    }
    for (size_t k = 0; k < COUNT(family_keys); k++) {
        if (strcmp(m->family->name, family_keys[k].family) == 0 && strcmp(name, family_keys[k].name) == 0) return true;
    }
    return false;
}

static int check_keys(const struct metadata *m, struct error *error) {
    size_t prefix = strlen(m->architecture->name);
    for (size_t i = 0; i < gguf_key_count(m->file); i++) {
        const char *key = gguf_key_name(m->file, i);
        if (strncmp(key, m->architecture->name, prefix) != 0 || key[prefix] != '.') continue;
        if (is_known(m, key + prefix + 1)) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: key '%.100s' is not supported: what it changes would not be computed; choose another "
                         "model",
                         m->path, key);
    }
    return STATUS_OK;
}

static const char *key_of(const struct metadata *m, const char *name, char out[KEY_SIZE]) {
    snprintf(out, KEY_SIZE, "%s.%s", m->architecture->name, name);
    return out;
}

/* *out is unchanged if there is no such key. */
static int get_size(const struct metadata *m, const char *name, int64_t *out, struct error *error) {
    char key[KEY_SIZE];
    uint64_t value = (uint64_t)*out;
    int status = gguf_get_unsigned(m->file, key_of(m, name, key), &value, error);
    *out = value > INT64_MAX ? INT64_MAX : (int64_t)value; /* too large, which model_config_check() says */
    return status;
}

static int get_number(const struct metadata *m, const char *name, double *out, struct error *error) {
    char key[KEY_SIZE];
    return gguf_get_number(m->file, key_of(m, name, key), out, error);
}

static bool has_key(const struct metadata *m, const char *name) {
    char key[KEY_SIZE];
    return gguf_has_key(m->file, key_of(m, name, key));
}

/* A number that may only have one value, which it also has where it is absent. */
static int check_number(const struct metadata *m, const char *name, double wanted, struct error *error) {
    double value = wanted;
    int status = get_number(m, name, &value, error);
    if (status != STATUS_OK || value == wanted) return status;
    return error_set(error, STATUS_INPUT, "%s: %s.%s %g is not supported, only %g; choose another model", m->path,
                     m->architecture->name, name, value, wanted);
}

/* ---- Tensors ---- */

static const struct gguf_tensor *find_tensor(const struct metadata *m, const char *name, const struct gguf **file) {
    *file = NULL;
    for (size_t i = 0; i < m->parts->count; i++) {
        const struct gguf_tensor *tensor = gguf_find_tensor(m->parts->files[i], name);
        *file = m->parts->files[i];
        if (tensor) return tensor;
    }
    return NULL;
}

static bool has_tensor(const struct metadata *m, const char *name) {
    const struct gguf *file;
    return find_tensor(m, name, &file) != NULL;
}

/* ---- Sizes ---- */

static int refuse_missing(const struct metadata *m, const char *name, struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: has no key '%s.%s'; convert the model again", m->path,
                     m->architecture->name, name);
}

static int read_sizes(const struct metadata *m, struct model_config *out, struct error *error) {
    const struct {
        const char *key;
        int64_t *field;
        bool optional;
    } sizes[] = {
        {"context_length", &out->window, false},
        {"embedding_length", &out->hidden, false},
        {"feed_forward_length", &out->intermediate, false},
        {"block_count", &out->layers, false},
        {"attention.head_count", &out->heads, false},
        {"attention.head_count_kv", &out->kv_heads, true},
        {"attention.key_length", &out->head_width, true},
    };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        if (!sizes[i].optional && !has_key(m, sizes[i].key)) return refuse_missing(m, sizes[i].key, error);
        int status = get_size(m, sizes[i].key, sizes[i].field, error);
        if (status != STATUS_OK) return status;
    }
    if (!has_key(m, "attention.head_count_kv")) out->kv_heads = out->heads;
    if (!has_key(m, "attention.key_length") && out->heads > 0) out->head_width = out->hidden / out->heads;
    return check_number(m, "attention.value_length", (double)out->head_width, error);
}

/* Experts in all layers, whose weights llama.cpp divides by their sum. */
static int read_experts(const struct metadata *m, struct model_config *out, struct error *error) {
    static const char *const keys[] = {"expert_count", "expert_used_count"};
    if (!m->family->experts) return check_number(m, keys[0], 0.0, error);
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (!has_key(m, keys[i])) return refuse_missing(m, keys[i], error);
    }
    out->expert_width = out->intermediate;
    int status = get_size(m, keys[0], &out->experts, error);
    if (status == STATUS_OK) status = get_size(m, keys[1], &out->experts_per_token, error);
    if (status == STATUS_OK) status = get_size(m, "expert_feed_forward_length", &out->expert_width, error);
    for (int64_t l = 0; l < out->layers && l < MODEL_MAX_LAYERS; l++) out->layer_kinds[l] |= LAYER_HAS_EXPERTS;
    return status;
}

/* The rows of the embedding: some files state no vocab_size, others the number before padding. */
static int read_vocabulary(const struct metadata *m, int64_t *out, struct error *error) {
    const struct gguf *file;
    const struct gguf_tensor *embedding = find_tensor(m, "token_embd.weight", &file);
    if (!embedding) {
        return error_set(error, STATUS_INPUT,
                         "%s: has no tensor 'token_embd.weight'; it holds no language model, or only its vocabulary",
                         m->path);
    }
    *out = (int64_t)embedding->shape[1];
    return STATUS_OK;
}

static int refuse_pattern(const struct metadata *m, struct error *error) {
    static const char *const names[] = {"attention.sliding_window_pattern", "rope.freq_base_swa"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!has_key(m, names[i])) continue;
        return error_set(
            error, STATUS_INPUT,
            "%s: key '%s.%s' is not supported: what it changes would not be computed; choose another model", m->path,
            m->architecture->name, names[i]);
    }
    return STATUS_OK;
}

/* Models of embeddings are models of the same architectures whose tokens see those behind them. */
static int check_causal(const struct metadata *m, struct error *error) {
    char key[KEY_SIZE];
    bool causal = true;
    int status = gguf_get_bool(m->file, key_of(m, "attention.causal", key), &causal, error);
    if (status != STATUS_OK || causal) return status;
    return error_set(error, STATUS_INPUT, "%s: %s false is not supported, only true; choose another model", m->path,
                     key);
}

static int read_sliding_window(const struct metadata *m, int64_t *out, struct error *error) {
    *out = 0;
    int status = get_size(m, "attention.sliding_window", out, error);
    if (status != STATUS_OK || *out == 0 || m->architecture->slides) return status;
    return error_set(error, STATUS_INPUT,
                     "%s: %s.attention.sliding_window %" PRId64 " is not supported for %s; choose another model",
                     m->path, m->architecture->name, *out, m->family->name);
}

/* Gemma 3, as llama.cpp computes it: each sixth layer sees all, unless the file has no sliding window; the others are
 * rotated by frequencies without scaling. Keys of the two layer rules are refused where a family has no such layers. */
static int read_pattern(const struct metadata *m, struct model_config *out, struct error *error) {
    int64_t pattern = 6;
    double theta = 10000.0;
    if (m->family->layers != LAYERS_PATTERN) return refuse_pattern(m, error);
    int status = get_size(m, "attention.sliding_window_pattern", &pattern, error);
    if (status == STATUS_OK) status = get_number(m, "rope.freq_base_swa", &theta, error);
    if (status != STATUS_OK || out->sliding_window == 0) return status;
    if (pattern < 1 || pattern > out->layers) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s.attention.sliding_window_pattern is %" PRId64 "; it must lie within 1 to %" PRId64
                         ", the number of layers",
                         m->path, m->architecture->name, pattern, out->layers);
    }
    for (int64_t l = 0; l < out->layers; l++) {
        out->layer_kinds[l] = (l + 1) % pattern != 0 ? LAYER_ROTATED_APART : LAYER_SEES_ALL;
    }
    out->window_rope = rope_model_plain(out->head_width / 2, theta);
    return STATUS_OK;
}

/* SmolLM3, as llama.cpp computes it: each fourth layer is not rotated, and none slides. */
static void read_rotated(const struct metadata *m, struct model_config *out) {
    if (m->family->layers != LAYERS_NO_ROPE) return;
    for (int64_t l = 3; l < out->layers; l += 4) out->layer_kinds[l] |= LAYER_NOT_ROTATED;
}

/* Gemma 3's; of queries that of the largest (27B, 62 layers) goes by hidden_size and not by the head's width. */
static void read_gemma_scales(struct model_config *out) {
    bool largest = out->layers == 62;
    out->embedding_scale = (double)sqrtf((float)out->hidden);
    out->query_scale = largest ? sqrt((double)(out->head_width * out->heads) / (double)out->hidden) : 1.0;
}

/* MiniCPM's. llama.cpp has other numbers for files without the keys, by which it would not compute the model. */
static int read_minicpm_scales(const struct metadata *m, struct model_config *out, struct error *error) {
    const struct {
        const char *key;
        double *field;
    } scales[] = {{"embedding_scale", &out->embedding_scale},
                  {"residual_scale", &out->residual_scale},
                  {"logit_scale", &out->output_scale}};
    for (size_t i = 0; i < COUNT(scales); i++) {
        if (!has_key(m, scales[i].key)) return refuse_missing(m, scales[i].key, error);
        int status = get_number(m, scales[i].key, scales[i].field, error);
        if (status != STATUS_OK) return status;
        if (*scales[i].field >= 1e-6 && *scales[i].field <= 1e6) continue;
        return error_set(error, STATUS_INPUT, "%s: %s.%s is %g; it must lie within 1e-06 to 1e+06", m->path,
                         m->architecture->name, scales[i].key, *scales[i].field);
    }
    out->output_scale = 1.0 / out->output_scale; /* logits are divided by the key's number */
    return STATUS_OK;
}

static bool scales_residuals(const struct family *family) {
    for (const struct family_number *number = family->numbers; number && number->form; number++) {
        if (number->field == offsetof(struct model_config, residual_scale)) return true;
    }
    return false;
}

static int read_scales(const struct metadata *m, struct model_config *out, struct error *error) {
    if (m->family->layers == LAYERS_PATTERN) read_gemma_scales(out);
    return scales_residuals(m->family) ? read_minicpm_scales(m, out, error) : STATUS_OK;
}

/* The file stores f32: the number that it stands for is the decimal one with the fewest digits, 1e-05. */
static double decimal_of(double stored) {
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, stored);
        if (strtof(text, NULL) == (float)stored) break;
    }
    return strtod(text, NULL);
}

static int read_norm_eps(const struct metadata *m, double *out, struct error *error) {
    static const char name[] = "attention.layer_norm_rms_epsilon";
    if (!has_key(m, name)) {
        return error_set(error, STATUS_INPUT, "%s: has no key '%s.%s'; convert the model again", m->path,
                         m->architecture->name, name);
    }
    int status = get_number(m, name, out, error);
    *out = decimal_of(*out);
    return status;
}

/* ---- Flags ---- */

/* Whether any of the tensors is there that a flag stands for. */
static bool has_any(const struct metadata *m, size_t flag) {
    static const struct {
        size_t flag;
        const char *name;
    } witnesses[] = {
        {offsetof(struct model_config, qkv_bias), "blk.0.attn_q.bias"},
        {offsetof(struct model_config, qkv_bias), "blk.0.attn_k.bias"},
        {offsetof(struct model_config, qkv_bias), "blk.0.attn_v.bias"},
        {offsetof(struct model_config, output_bias), "blk.0.attn_output.bias"},
        {offsetof(struct model_config, mlp_bias), "blk.0.ffn_gate.bias"},
        {offsetof(struct model_config, mlp_bias), "blk.0.ffn_up.bias"},
        {offsetof(struct model_config, mlp_bias), "blk.0.ffn_down.bias"},
        {offsetof(struct model_config, head_norms), "blk.0.attn_q_norm.weight"},
    };
    for (size_t i = 0; i < COUNT(witnesses); i++) {
        if (witnesses[i].flag == flag && has_tensor(m, witnesses[i].name)) return true;
    }
    return false;
}

static void read_flags(const struct metadata *m, struct model_config *out) {
    for (const struct family_flag *flag = m->family->flags; flag->field != FAMILY_FLAGS_END; flag++) {
        bool *field = (bool *)((char *)out + flag->field);
        *field = flag->key ? has_any(m, flag->field) : flag->value;
    }
    out->tied_embeddings = !has_tensor(m, "output.weight");
    out->norms_less_one = false; /* converters add the one */
    out->expert_weights_normed = m->family->experts != NULL;
}

/* ---- Rotary settings ---- */

/* What keys say of the scaling. */
struct scaling {
    char type[NAME_SIZE];
    double factor;
    double attention_factor;
    double log_multiplier; /* DeepSeek's mscale_all_dim, beside an mscale of 1; 0: none */
};

static int read_scaling(const struct metadata *m, struct scaling *out, struct error *error) {
    char key[KEY_SIZE];
    *out = (struct scaling){.type = "linear", .factor = 1.0, .attention_factor = 1.0}; /* llama.cpp's defaults */
    double older = 0.0, factor = 0.0;
    int status = gguf_get_string(m->file, key_of(m, "rope.scaling.type", key), out->type, sizeof out->type, error);
    if (status == STATUS_OK) status = get_number(m, "rope.scale_linear", &older, error);
    if (status == STATUS_OK) status = get_number(m, "rope.scaling.factor", &factor, error);
    if (status == STATUS_OK) status = get_number(m, "rope.scaling.attn_factor", &out->attention_factor, error);
    if (status == STATUS_OK) status = check_number(m, "rope.scaling.yarn_ext_factor", 1.0, error);
    if (status == STATUS_OK) status = check_number(m, "rope.scaling.yarn_attn_factor", 1.0, error);
    bool multiplies = strcmp(m->architecture->name, "mistral3") == 0;
    if (status == STATUS_OK && multiplies) {
        status = get_number(m, "rope.scaling.yarn_log_multiplier", &out->log_multiplier, error);
    } else if (status == STATUS_OK) {
        status = check_number(m, "rope.scaling.yarn_log_multiplier", 0.0, error);
    }
    if (factor == 0.0) factor = older;
    if (factor != 0.0 && strcmp(out->type, "none") != 0) out->factor = factor;
    return status;
}

/* out[pairs] = the numbers of a tensor, which exists. */
static int read_factors(const struct metadata *m, const char *name, int64_t pairs, double *out, struct error *error) {
    const struct gguf *file;
    const struct gguf_tensor *tensor = find_tensor(m, name, &file);
    float factors[ROPE_MAX_PAIRS];
    int status = gguf_read_vector(file, tensor, factors, (uint64_t)pairs, error);
    for (int64_t i = 0; i < pairs && status == STATUS_OK; i++) out[i] = factors[i];
    return status;
}

static int read_original_length(const struct metadata *m, int64_t window, int64_t *out, struct error *error) {
    *out = window;
    return get_size(m, "rope.scaling.original_context_length", out, error);
}

/* Whether the divisors are those of Llama 3.1's formula with the numbers that all its models have (config.json of
 * Llama 3.1, 3.2 and 3.3: factors of 8 and 32). Then *rope becomes that scaling. */
static bool become_llama3(const double *factors, struct rope_model *rope) {
    struct rope_model llama3 = *rope;
    struct rope_table table;
    llama3.type = ROPE_TYPE_LLAMA3;
    llama3.original_length = 8192;
    llama3.low_freq_factor = 1.0;
    llama3.high_freq_factor = 4.0;
    llama3.factor = factors[rope->pairs - 1];
    if (!(llama3.factor > 1.0) || !isfinite(llama3.factor)) return false;
    rope_model_table(&table, &llama3, llama3.original_length);
    for (int64_t i = 0; i < rope->pairs; i++) {
        if (!(fabs(table.own_factors[i] - factors[i]) <= 1e-5 * factors[i])) return false; /* of f32 frequencies */
    }
    *rope = llama3;
    return true;
}

/* rope_freqs.weight. */
static int read_divisors(const struct metadata *m, const struct scaling *scaling, int64_t window,
                         struct rope_model *out, struct error *error) {
    if (scaling->factor != 1.0 || scaling->attention_factor != 1.0) {
        return error_set(error, STATUS_INPUT,
                         "%s: has rope_freqs.weight and a scaling of type '%s' as well, which is not supported; choose "
                         "another model",
                         m->path, scaling->type);
    }
    int status = read_factors(m, "rope_freqs.weight", out->pairs, out->long_factors, error);
    if (status != STATUS_OK || become_llama3(out->long_factors, out)) return status;
    memcpy(out->short_factors, out->long_factors, sizeof out->short_factors);
    out->type = ROPE_TYPE_LONGROPE;
    out->original_length = window;
    out->factor = 1.0;
    out->attention_factor = 1.0;
    return STATUS_OK;
}

static int read_longrope(const struct metadata *m, const struct scaling *scaling, int64_t window,
                         struct rope_model *out, struct error *error) {
    if (!has_tensor(m, "rope_factors_long.weight") || !has_tensor(m, "rope_factors_short.weight")) {
        return error_set(error, STATUS_INPUT,
                         "%s: its longrope scaling has no tensors rope_factors_long.weight and "
                         "rope_factors_short.weight; convert the model again",
                         m->path);
    }
    out->type = ROPE_TYPE_LONGROPE;
    out->attention_factor = scaling->attention_factor;
    int status = read_factors(m, "rope_factors_long.weight", out->pairs, out->long_factors, error);
    if (status == STATUS_OK) {
        status = read_factors(m, "rope_factors_short.weight", out->pairs, out->short_factors, error);
    }
    if (status == STATUS_OK) status = read_original_length(m, window, &out->original_length, error);
    if (status != STATUS_OK) return status;
    for (int64_t i = 0; i < out->pairs; i++) {
        out->long_factors[i] *= scaling->factor, out->short_factors[i] *= scaling->factor;
    }
    out->factor = out->original_length > 0 ? (double)window / (double)out->original_length : 0.0;
    return STATUS_OK;
}

/* YaRN's attention factor is the formula's, which attn_factor multiplies, or that of mscale and mscale_all_dim. */
static int read_yarn(const struct metadata *m, const struct scaling *scaling, int64_t window, struct rope_model *out,
                     struct error *error) {
    out->type = ROPE_TYPE_YARN;
    out->factor = scaling->factor;
    out->beta_fast = 32.0;
    out->beta_slow = 1.0;
    out->truncate = true;
    if (scaling->log_multiplier != 0.0) {
        out->mscale = 1.0, out->mscale_all_dim = scaling->log_multiplier;
        int status = check_number(m, "rope.scaling.attn_factor", 1.0, error);
        if (status != STATUS_OK) return status;
    }
    if (scaling->attention_factor != 1.0) {
        out->attention_factor = scaling->attention_factor * rope_yarn_attention_factor(scaling->factor);
    }
    int status = get_number(m, "rope.scaling.yarn_beta_fast", &out->beta_fast, error);
    if (status == STATUS_OK) status = get_number(m, "rope.scaling.yarn_beta_slow", &out->beta_slow, error);
    return status == STATUS_OK ? read_original_length(m, window, &out->original_length, error) : status;
}

static int read_scaled(const struct metadata *m, const struct scaling *scaling, int64_t window, struct rope_model *out,
                       struct error *error) {
    bool tables = has_tensor(m, "rope_factors_long.weight");
    bool longrope = strcmp(scaling->type, "longrope") == 0;
    if (longrope || (tables && strcmp(m->architecture->name, "phi3") == 0)) {
        return read_longrope(m, scaling, window, out, error);
    }
    if (tables) {
        return error_set(
            error, STATUS_INPUT,
            "%s: has LongRoPE tables, but its rope.scaling.type is '%s', not 'longrope'; convert the model "
            "again",
            m->path, scaling->type);
    }
    if (has_tensor(m, "rope_freqs.weight")) return read_divisors(m, scaling, window, out, error);
    if (strcmp(scaling->type, "yarn") == 0) return read_yarn(m, scaling, window, out, error);
    if (strcmp(scaling->type, "linear") != 0 && strcmp(scaling->type, "none") != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: rope.scaling.type '%s' is not supported; supported: none, linear, yarn and longrope",
                         m->path, scaling->type);
    }
    if (scaling->attention_factor != 1.0) return check_number(m, "rope.scaling.attn_factor", 1.0, error);
    if (scaling->factor == 1.0) return STATUS_OK;
    out->type = ROPE_TYPE_LINEAR;
    out->factor = scaling->factor;
    out->original_length = window;
    return STATUS_OK;
}

static int check_rope(const struct metadata *m, int64_t width, const struct model_config *config, struct error *error) {
    if (width < 2 || width % 2 != 0 || width > config->head_width || width / 2 > ROPE_MAX_PAIRS ||
        (width < config->head_width && !m->family->turns_part)) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s.rope.dimension_count %" PRId64 " is not supported for heads of %" PRId64
                         "; choose another model",
                         m->path, m->architecture->name, width, config->head_width);
    }
    return STATUS_OK;
}

static int read_rope(const struct metadata *m, struct model_config *config, struct error *error) {
    int64_t width = config->head_width;
    double theta = 10000.0;
    struct scaling scaling;
    int status = get_size(m, "rope.dimension_count", &width, error);
    if (status == STATUS_OK) status = check_rope(m, width, config, error);
    if (status == STATUS_OK) status = get_number(m, "rope.freq_base", &theta, error);
    if (status == STATUS_OK) status = read_scaling(m, &scaling, error);
    if (status != STATUS_OK) return status;
    config->rope = rope_model_plain(width / 2, theta);
    status = read_scaled(m, &scaling, config->window, &config->rope, error);
    if (status != STATUS_OK || m->family->rope_types >> config->rope.type & 1u) return status;
    return error_set(error, STATUS_INPUT, "%s: rope scaling of type %s is not supported for %s; choose another model",
                     m->path, rope_type_name(config->rope.type), m->family->name);
}

/* Ministral 3: queries grow with their position, in steps of the original window. */
static int read_growth(const struct metadata *m, struct model_config *config, struct error *error) {
    static const double most = 100.0;
    if (!m->family->grows) return STATUS_OK;
    int status = get_number(m, growth_key, &config->query_growth, error);
    if (status == STATUS_OK) status = read_original_length(m, config->window, &config->query_growth_length, error);
    if (status != STATUS_OK || (config->query_growth >= 0.0 && config->query_growth <= most)) return status;
    return error_set(error, STATUS_INPUT, "%s: %s.%s is %g; it must lie within 0 to %g", m->path, m->architecture->name,
                     growth_key, config->query_growth, most);
}

/* ---- The model ---- */

/* Whether the row counts for the file. */
static int is_meant(const struct gguf *file, const struct gguf_architecture *row, bool *out, struct error *error) {
    char key[KEY_SIZE];
    double number = 0.0;
    *out = !row->where;
    if (*out) return STATUS_OK;
    snprintf(key, sizeof key, "%s.%s", row->name, row->where);
    int status = gguf_get_number(file, key, &number, error);
    *out = number != 0.0;
    return status;
}

int gguf_config_architecture(const struct gguf *file, const struct gguf_architecture **out, struct error *error) {
    char name[NAME_SIZE] = "", known[256];
    int status = gguf_get_string(file, "general.architecture", name, sizeof name, error);
    if (status != STATUS_OK) return status;
    for (size_t row = 0; (*out = gguf_architecture_find(name, row)); row++) {
        bool meant = false;
        status = is_meant(file, *out, &meant, error);
        if (status != STATUS_OK || meant) return status;
    }
    gguf_architecture_list(known, sizeof known);
    if (!*name) {
        return error_set(error, STATUS_INPUT, "%s: has no general.architecture; it holds no model", gguf_path(file));
    }
    return error_set(error, STATUS_INPUT, "%s: architecture '%s' is not supported; supported: %s", gguf_path(file),
                     name, known);
}

/* Whether all matrices are stored as bf16, but for routers, which converters store as f32. */
static bool says_bf16(const struct metadata *m) {
    bool any = false;
    for (size_t p = 0; p < m->parts->count; p++) {
        for (size_t i = 0; i < gguf_tensor_count(m->parts->files[p]); i++) {
            const struct gguf_tensor *tensor = gguf_tensor_at(m->parts->files[p], i);
            if (tensor->rank < 2 || name_ends_with(tensor->name, ".ffn_gate_inp.weight")) continue;
            if (tensor->type != BLOCK_BF16) return false;
            any = true;
        }
    }
    return any;
}

int gguf_config_read(const struct gguf_parts *parts, struct model_config *out, struct error *error) {
    struct metadata m = {.parts = parts, .file = parts->files[0], .path = gguf_path(parts->files[0])};
    int status = gguf_config_architecture(m.file, &m.architecture, error);
    if (status != STATUS_OK) return status;
    m.family = family_find(m.architecture->family);

    *out = (struct model_config){0};
    snprintf(out->family, sizeof out->family, "%s", m.family->name);
    status = read_sizes(&m, out, error);
    if (status == STATUS_OK) status = read_experts(&m, out, error); /* before the keys that only such models have */
    if (status == STATUS_OK) status = check_keys(&m, error);
    if (status == STATUS_OK) status = check_causal(&m, error);
    if (status == STATUS_OK) status = read_vocabulary(&m, &out->vocabulary, error);
    if (status == STATUS_OK) status = read_sliding_window(&m, &out->sliding_window, error);
    if (status == STATUS_OK) status = read_norm_eps(&m, &out->norm_eps, error);
    if (status == STATUS_OK) status = model_config_sizes_check(m.path, out, error);
    if (status != STATUS_OK) return status;
    read_flags(&m, out);
    read_rotated(&m, out);
    out->says_bf16 = says_bf16(&m);
    status = read_scales(&m, out, error);
    if (status == STATUS_OK) status = read_rope(&m, out, error);
    if (status == STATUS_OK) status = read_growth(&m, out, error);
    if (status == STATUS_OK) status = read_pattern(&m, out, error);
    return status == STATUS_OK ? model_config_check(m.path, out, error) : status;
}
