#include "eval/model/gguf_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Keys after "llama.", besides those that are read below, that change nothing here. */
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

static int check_keys(const struct metadata *m, struct error *error) {
    size_t prefix = strlen(m->architecture->name);
    for (size_t i = 0; i < gguf_key_count(m->file); i++) {
        const char *key = gguf_key_name(m->file, i);
        if (strncmp(key, m->architecture->name, prefix) != 0 || key[prefix] != '.') continue;
        size_t k = 0;
        while (k < COUNT(known_keys) && strcmp(key + prefix + 1, known_keys[k]) != 0) k++;
        if (k < COUNT(known_keys)) continue;
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
        if (!sizes[i].optional && !has_key(m, sizes[i].key)) {
            return error_set(error, STATUS_INPUT, "%s: has no key '%s.%s'; convert the model again", m->path,
                             m->architecture->name, sizes[i].key);
        }
        int status = get_size(m, sizes[i].key, sizes[i].field, error);
        if (status != STATUS_OK) return status;
    }
    if (!has_key(m, "attention.head_count_kv")) out->kv_heads = out->heads;
    if (!has_key(m, "attention.key_length") && out->heads > 0) out->head_width = out->hidden / out->heads;
    return check_number(m, "attention.value_length", (double)out->head_width, error);
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

static int read_sliding_window(const struct metadata *m, int64_t *out, struct error *error) {
    *out = 0;
    int status = get_size(m, "attention.sliding_window", out, error);
    if (status != STATUS_OK || *out == 0 || m->family->slides) return status;
    return error_set(error, STATUS_INPUT,
                     "%s: %s.attention.sliding_window %" PRId64 " is not supported for %s; choose another model",
                     m->path, m->architecture->name, *out, m->family->name);
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
}

/* ---- Rotary settings ---- */

/* What keys say of the scaling. */
struct scaling {
    char type[NAME_SIZE];
    double factor;
    double attention_factor;
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
    if (status == STATUS_OK) status = check_number(m, "rope.scaling.yarn_log_multiplier", 0.0, error);
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

/* YaRN's attention factor is the formula's, which attn_factor multiplies. */
static int read_yarn(const struct metadata *m, const struct scaling *scaling, int64_t window, struct rope_model *out,
                     struct error *error) {
    out->type = ROPE_TYPE_YARN;
    out->factor = scaling->factor;
    out->beta_fast = 32.0;
    out->beta_slow = 1.0;
    out->truncate = true;
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

/* ---- The model ---- */

int gguf_config_architecture(const struct gguf *file, const struct gguf_architecture **out, struct error *error) {
    char name[NAME_SIZE] = "", known[256];
    int status = gguf_get_string(file, "general.architecture", name, sizeof name, error);
    if (status != STATUS_OK) return status;
    *out = gguf_architecture_find(name);
    if (*out) return STATUS_OK;
    gguf_architecture_list(known, sizeof known);
    if (!*name) {
        return error_set(error, STATUS_INPUT, "%s: has no general.architecture; it holds no model", gguf_path(file));
    }
    return error_set(error, STATUS_INPUT, "%s: architecture '%s' is not supported; supported: %s", gguf_path(file),
                     name, known);
}

/* Whether all matrices are stored as bf16. */
static bool says_bf16(const struct metadata *m) {
    bool any = false;
    for (size_t p = 0; p < m->parts->count; p++) {
        for (size_t i = 0; i < gguf_tensor_count(m->parts->files[p]); i++) {
            const struct gguf_tensor *tensor = gguf_tensor_at(m->parts->files[p], i);
            if (tensor->rank < 2) continue;
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
    status = check_number(&m, "expert_count", 0.0, error); /* before the keys that only mixtures of experts have */
    if (status == STATUS_OK) status = check_keys(&m, error);
    if (status == STATUS_OK) status = read_sizes(&m, out, error);
    if (status == STATUS_OK) status = read_vocabulary(&m, &out->vocabulary, error);
    if (status == STATUS_OK) status = read_sliding_window(&m, &out->sliding_window, error);
    if (status == STATUS_OK) status = read_norm_eps(&m, &out->norm_eps, error);
    if (status == STATUS_OK) status = model_config_sizes_check(m.path, out, error);
    if (status != STATUS_OK) return status;
    read_flags(&m, out);
    out->says_bf16 = says_bf16(&m);
    status = read_rope(&m, out, error);
    return status == STATUS_OK ? model_config_check(m.path, out, error) : status;
}
