#include "eval/model/model_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/file.h"
#include "eval/base/python_json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Sizes ---- */

/* The sizes of a model and their bounds. The bounds are far above any model in use and keep products of
 * sizes from overflowing: see model_bytes() in model.c. */
static const struct size_range {
    const char *key; /* of config.json */
    size_t field;    /* of struct model_config */
    int64_t minimum, maximum;
    bool optional;
} size_ranges[] = {
    {"vocab_size", offsetof(struct model_config, vocabulary), 1, 1 << 24, false},
    {"hidden_size", offsetof(struct model_config, hidden), 1, 1 << 20, false},
    {"intermediate_size", offsetof(struct model_config, intermediate), 1, 1 << 22, false},
    {"num_hidden_layers", offsetof(struct model_config, layers), 1, MODEL_MAX_LAYERS, false},
    {"num_attention_heads", offsetof(struct model_config, heads), 1, 1 << 13, false},
    {"num_key_value_heads", offsetof(struct model_config, kv_heads), 1, 1 << 13, true},
    {"head_dim", offsetof(struct model_config, head_width), 2, INT64_C(2) * ROPE_MAX_PAIRS, true},
    {"max_position_embeddings", offsetof(struct model_config, window), 1, MODEL_WINDOW_MAX, false},
};

static int64_t *size_of_config(struct model_config *config, const struct size_range *range) {
    return (int64_t *)((char *)config + range->field);
}

static bool has_expert_layers(const struct model_config *config) {
    for (int64_t l = 0; l < config->layers && l < MODEL_MAX_LAYERS; l++) {
        if (config->layer_kinds[l] & LAYER_HAS_EXPERTS) return true;
    }
    return false;
}

/* Bounds as above; all experts of a layer together, too. */
static int check_experts(const char *where, const struct model_config *config, struct error *error) {
    enum { MOST = 1 << 10, MOST_ROWS = 1 << 24 };
    if (config->experts < 1 || config->experts > MOST) {
        return error_set(error, STATUS_INPUT, "%s: num_experts is %" PRId64 "; it must lie within 1 to %d", where,
                         config->experts, (int)MOST);
    }
    if (config->experts_per_token < 1 || config->experts_per_token > config->experts) {
        return error_set(error, STATUS_INPUT,
                         "%s: num_experts_per_tok is %" PRId64 "; it must lie within 1 to num_experts (%" PRId64 ")",
                         where, config->experts_per_token, config->experts);
    }
    if (config->expert_width >= 1 && config->expert_width <= MOST_ROWS / config->experts) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: an expert's width is %" PRId64 "; with %" PRId64 " experts it must lie within 1 to %" PRId64,
                     where, config->expert_width, config->experts, MOST_ROWS / config->experts);
}

int model_config_sizes_check(const char *where, const struct model_config *config, struct error *error) {
    struct model_config copy = *config;
    for (size_t i = 0; i < COUNT(size_ranges); i++) {
        const struct size_range *range = &size_ranges[i];
        int64_t value = *size_of_config(&copy, range);
        if (value < range->minimum || value > range->maximum) {
            return error_set(error, STATUS_INPUT, "%s: %s is %" PRId64 "; it must lie within %" PRId64 " to %" PRId64,
                             where, range->key, value, range->minimum, range->maximum);
        }
    }
    if (config->head_width % 2 != 0) {
        return error_set(error, STATUS_INPUT, "%s: head_dim is %" PRId64 "; rotary embeddings need an even one", where,
                         config->head_width);
    }
    if (config->heads % config->kv_heads != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: num_attention_heads (%" PRId64 ") must be a multiple of num_key_value_heads (%" PRId64
                         ")",
                         where, config->heads, config->kv_heads);
    }
    if (config->experts != 0 || has_expert_layers(config)) {
        int status = check_experts(where, config, error);
        if (status != STATUS_OK) return status;
    }
    if (config->sliding_window < 0 || config->sliding_window > MODEL_WINDOW_MAX) {
        return error_set(error, STATUS_INPUT, "%s: sliding_window is %" PRId64 "; it must lie within 1 to %d", where,
                         config->sliding_window, (int)MODEL_WINDOW_MAX);
    }
    return STATUS_OK;
}

/* Whether a layer has rotary settings of its own. */
static bool rotates_apart(const struct model_config *config) {
    unsigned kinds = config->window_rope.pairs != 0 ? LAYER_ROTATED_APART : 0;
    for (int64_t l = 0; l < config->layers; l++) kinds |= config->layer_kinds[l];
    return kinds & LAYER_ROTATED_APART;
}

int model_config_check(const char *where, const struct model_config *config, struct error *error) {
    if (!family_find(config->family)) {
        return error_set(error, STATUS_INPUT, "%s: unknown family '%.31s'", where, config->family);
    }
    int status = model_config_sizes_check(where, config, error);
    if (status == STATUS_OK) status = model_rope_check(where, &config->rope, config->head_width, error);
    if (status == STATUS_OK && rotates_apart(config)) {
        status = model_rope_check(where, &config->window_rope, config->head_width, error);
    }
    if (status != STATUS_OK) return status;
    if (config->query_growth != 0.0 &&
        (config->query_growth_length < 1 || config->query_growth_length > MODEL_WINDOW_MAX)) {
        return error_set(error, STATUS_INPUT,
                         "%s: queries are scaled in steps of %" PRId64
                         " tokens, the original window; it must lie within 1 to %d",
                         where, config->query_growth_length, (int)MODEL_WINDOW_MAX);
    }
    if (!(config->norm_eps > 0 && config->norm_eps < 1)) {
        return error_set(error, STATUS_INPUT, "%s: rms_norm_eps is %g; it must lie between 0 and 1", where,
                         config->norm_eps);
    }
    return STATUS_OK;
}

/* ---- Values ---- */

const json_t *config_value(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

bool config_values_equal(const json_t *left, const json_t *right) {
    if (json_is_number(left) && json_is_number(right)) return json_number_value(left) == json_number_value(right);
    return json_equal(left, right);
}

/* A key that is absent has the value that the family's class gives it; null means to derive one. */
static bool is_absent(const struct config_file *file, const char *key) { return !json_object_get(file->root, key); }

int config_read_size(const struct config_file *file, const char *key, int64_t *out, struct error *error) {
    const json_t *value = config_value(file->root, key);
    if (!value) return error_set(error, STATUS_INPUT, "%s: has no %s", file->path, key);
    if (json_is_real(value) && json_real_value(value) == floor(json_real_value(value))) {
        return error_set(error, STATUS_INPUT,
                         "%s: %s is %.1f, not an integer, and transformers refuses it; write it without a point",
                         file->path, key, json_real_value(value));
    }
    if (!json_is_integer(value)) return error_set(error, STATUS_INPUT, "%s: %s is not an integer", file->path, key);
    *out = json_integer_value(value);
    return STATUS_OK;
}

/* ---- Family ---- */

/* Whether the model is a mixture of experts. */
static bool has_experts(const struct config_file *file, const char *family) {
    static const char *const keys[] = {"num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (config_value(file->root, keys[i])) return true;
    }
    return strstr(family, "moe") || strstr(family, "mixtral");
}

/* A model of images and text: its language part is a family of its own. */
static int refuse_parts(const struct config_file *file, const char *name, const char *supported, struct error *error) {
    const json_t *part = config_value(file->root, "text_config");
    const char *type = json_string_value(config_value(part, "model_type"));
    return error_set(error, STATUS_INPUT,
                     "%s: model_type \"%.60s\" has other inputs than text, which is not supported; save its language "
                     "part (text_config, model_type \"%.60s\") as a model of its own; supported: %s",
                     file->path, name, type ? type : "unknown", supported);
}

static int read_family(struct config_file *file, struct error *error) {
    const char *name = json_string_value(config_value(file->root, "model_type"));
    if (!name) {
        return error_set(error, STATUS_INPUT, "%s: has no model_type; is it the config.json of a language model?",
                         file->path);
    }
    file->family = family_find(name);
    if (file->family) return STATUS_OK;
    char supported[256];
    family_list(supported, sizeof supported);
    if (json_is_object(config_value(file->root, "text_config"))) return refuse_parts(file, name, supported, error);
    if (has_experts(file, name)) {
        return error_set(error, STATUS_INPUT,
                         "%s: model_type \"%.60s\" is a mixture of experts that is not supported; supported: %s",
                         file->path, name, supported);
    }
    return error_set(error, STATUS_INPUT, "%s: model_type \"%.60s\" is not supported; supported: %s", file->path, name,
                     supported);
}

/* Requirements of every family. Models of embeddings are such models whose tokens see those behind them. */
static const struct family_requirement common_requirements[] = {
    {"is_causal", "true"},
    {"quantization_config", "null"},
    {"compression_config", "null"},
    {NULL, NULL},
};

/* Whether transformers knows the required value by that name, too. */
static bool other_name(const struct family_requirement *requirement, const json_t *found) {
    const char *name = json_string_value(found);
    return strcmp(requirement->key, "hidden_act") == 0 && name && strcmp(name, "swish") == 0;
}

static int requirement_check(const struct config_file *file, const struct family_requirement *requirement,
                             struct error *error) {
    const json_t *found = config_value(file->root, requirement->key);
    if (!found || other_name(requirement, found)) return STATUS_OK;
    json_t *wanted = json_loads(requirement->value, JSON_DECODE_ANY, NULL);
    if (!wanted) return error_memory(error, (double)strlen(requirement->value), file->path);
    bool equal = config_values_equal(found, wanted);
    json_decref(wanted);
    if (equal) return STATUS_OK;

    char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
    int status =
        error_set(error, STATUS_INPUT, "%s: %s %.80s is not supported for %s, only %s; choose another model",
                  file->path, requirement->key, text ? text : "of that value", file->family->name, requirement->value);
    free(text);
    return status;
}

static int requirements_check(const struct config_file *file, const struct family_requirement *requirements,
                              struct error *error) {
    int status = STATUS_OK;
    for (const struct family_requirement *row = requirements; row->key && status == STATUS_OK; row++) {
        status = requirement_check(file, row, error);
    }
    return status;
}

/* ---- The parts of a configuration ---- */

static int read_sizes(const struct config_file *file, struct model_config *config, struct error *error) {
    for (size_t i = 0; i < COUNT(size_ranges); i++) {
        const struct size_range *range = &size_ranges[i];
        if (range->optional && !config_value(file->root, range->key)) continue;
        int status = config_read_size(file, range->key, size_of_config(config, range), error);
        if (status != STATUS_OK) return status;
    }
    if (is_absent(file, "num_key_value_heads")) config->kv_heads = file->family->kv_heads;
    if (is_absent(file, "head_dim")) config->head_width = file->family->head_width;
    return STATUS_OK;
}

/* Sizes that neither config.json nor the family states. */
static int derive_sizes(const struct config_file *file, struct model_config *config, struct error *error) {
    if (config->kv_heads == 0 && !config_value(file->root, "num_key_value_heads")) config->kv_heads = config->heads;
    if (config->head_width != 0 || config_value(file->root, "head_dim")) return STATUS_OK;
    if (config->heads <= 0) return STATUS_OK; /* model_config_sizes_check() refuses it */
    if (config->hidden % config->heads != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: has no head_dim, and hidden_size (%" PRId64
                         ") is not a multiple of num_attention_heads (%" PRId64 ")",
                         file->path, config->hidden, config->heads);
    }
    config->head_width = config->hidden / config->heads;
    return STATUS_OK;
}

static int read_norm_eps(const struct config_file *file, double *out, struct error *error) {
    const json_t *value = config_value(file->root, "rms_norm_eps");
    if (value && !json_is_number(value)) {
        return error_set(error, STATUS_INPUT, "%s: rms_norm_eps is not a number", file->path);
    }
    *out = value ? json_number_value(value) : file->family->norm_eps;
    return STATUS_OK;
}

static int read_flags(const struct config_file *file, struct model_config *config, struct error *error) {
    for (const struct family_flag *flag = file->family->flags; flag->field != FAMILY_FLAGS_END; flag++) {
        bool *out = (bool *)((char *)config + flag->field);
        const json_t *value = flag->key ? config_value(file->root, flag->key) : NULL;
        if (value && !json_is_boolean(value)) {
            return error_set(error, STATUS_INPUT, "%s: %s is not true or false", file->path, flag->key);
        }
        *out = value ? json_is_true(value) : flag->value;
    }
    return STATUS_OK;
}

/* transformers 5 calls the key "dtype", earlier versions "torch_dtype". No result depends on it, so other values are
 * not refused. */
static bool says_bf16(const struct config_file *file) {
    const char *type = json_string_value(config_value(file->root, "dtype"));
    if (!type) type = json_string_value(config_value(file->root, "torch_dtype"));
    return type && strcmp(type, "bfloat16") == 0;
}

/* ---- Experts ---- */

/* A size that either key may state; *out is unchanged if neither does. */
static int read_either_size(const struct config_file *file, const char *key, const char *other, int64_t *out,
                            struct error *error) {
    const json_t *value = config_value(file->root, key), *again = config_value(file->root, other);
    if (value && again && !config_values_equal(value, again)) {
        return error_set(error, STATUS_INPUT, "%s: %s and %s contradict each other; remove one", file->path, key,
                         other);
    }
    return value || again ? config_read_size(file, value ? key : other, out, error) : STATUS_OK;
}

static int read_optional_size(const struct config_file *file, const char *key, int64_t *out, struct error *error) {
    return config_value(file->root, key) ? config_read_size(file, key, out, error) : STATUS_OK;
}

static int read_experts(const struct config_file *file, struct model_config *config, struct error *error) {
    const struct family_experts *experts = file->family->experts;
    if (!experts) return STATUS_OK;
    config->experts = experts->count;
    config->experts_per_token = experts->per_token;
    config->expert_width = experts->width_key ? experts->width : config->intermediate;
    int status = read_either_size(file, "num_experts", "num_local_experts", &config->experts, error);
    if (status == STATUS_OK) {
        status = read_optional_size(file, "num_experts_per_tok", &config->experts_per_token, error);
    }
    if (status != STATUS_OK || !experts->width_key) return status;
    return read_optional_size(file, experts->width_key, &config->expert_width, error);
}

/* ---- Numbers ---- */

static int number_read(const struct config_file *file, const struct family_number *number, double *out,
                       struct error *error) {
    static const double least = 1e-6, most = 1e6;
    const json_t *value = number->key ? config_value(file->root, number->key) : NULL;
    *out = number->value;
    if (!value) return STATUS_OK;
    if (!json_is_number(value)) {
        return error_set(error, STATUS_INPUT, "%s: %s is not a number", file->path, number->key);
    }
    *out = json_number_value(value);
    if (*out >= least && *out <= most) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: %s is %g; it must lie within %g to %g", file->path, number->key, *out,
                     least, most);
}

static int read_numbers(const struct config_file *file, struct model_config *config, struct error *error) {
    double hidden = (double)config->hidden, layers = (double)config->layers, head = (double)config->head_width, x;
    for (const struct family_number *number = file->family->numbers; number && number->form; number++) {
        int status = number_read(file, number, &x, error);
        if (status != STATUS_OK) return status;
        double *out = (double *)((char *)config + number->field);
        switch (number->form) {
        case NUMBERS_END:
            break;
        case NUMBER_ITSELF:
            *out = x;
            break;
        case NUMBER_ROOT_OF_HIDDEN:
            *out = (double)(float)sqrt(hidden);
            break;
        case NUMBER_OVER_HIDDEN:
            *out = x / hidden;
            break;
        case NUMBER_OVER_ROOT_OF_LAYERS:
            *out = x / sqrt(layers);
            break;
        case NUMBER_HEAD_OVER_ROOT:
            *out = sqrt(head / x);
            break;
        }
    }
    return STATUS_OK;
}

/* ---- The file ---- */

static int config_read(struct config_file *file, struct model_config *out, struct error *error) {
    int status = read_family(file, error);
    if (status == STATUS_OK) status = requirements_check(file, common_requirements, error);
    if (status == STATUS_OK) status = requirements_check(file, file->family->requirements, error);
    if (status != STATUS_OK) return status;

    *out = (struct model_config){0};
    snprintf(out->family, sizeof out->family, "%s", file->family->name);
    out->says_bf16 = says_bf16(file);
    status = read_sizes(file, out, error);
    if (status == STATUS_OK) status = derive_sizes(file, out, error);
    if (status == STATUS_OK) status = read_experts(file, out, error);
    if (status == STATUS_OK) status = model_layers_read(file, out, error);
    if (status == STATUS_OK) status = model_config_sizes_check(file->path, out, error);
    if (status == STATUS_OK) status = read_norm_eps(file, &out->norm_eps, error);
    if (status == STATUS_OK) status = read_flags(file, out, error);
    if (status == STATUS_OK) status = read_numbers(file, out, error);
    if (status == STATUS_OK) status = model_rope_read(file, out, error);
    if (status == STATUS_OK) status = model_config_check(file->path, out, error);
    return status;
}

int model_config_parse(const char *path, const void *bytes, size_t size, struct model_config *out,
                       struct error *error) {
    json_error_t reason;
    bool repeats = false; /* model_notes.c says so */
    json_t *root = python_json_load(bytes, size, &reason, &repeats);
    if (!root && !reason.text[0]) return error_memory(error, (double)size, path); /* jansson's way to say so */
    if (!root) {
        int status = file_recognise(path, bytes, size, error);
        if (status != STATUS_OK) return status;
        return error_set(error, STATUS_INPUT, "%s:%d: is not valid JSON: %s; correct it", path, reason.line,
                         reason.text);
    }
    struct config_file file = {.path = path, .root = root};
    int status = json_is_object(root) ? config_read(&file, out, error)
                                      : error_set(error, STATUS_INPUT, "%s: is not a JSON object; correct it", path);
    json_decref(root);
    return status;
}
