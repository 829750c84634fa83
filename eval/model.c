#include "eval/model.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "eval/file.h"
#include "eval/rope.h"
#include "eval/safetensors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Families ---- */

/* A key of config.json that may have one value only, given as JSON text; "block.key" is a key of an
 * object. A key that is absent or null passes: it then means that value. */
struct requirement {
    const char *key;
    const char *value;
};

/* What a model_type means. The matrices' names are those of LlamaForCausalLM for every row. */
struct family {
    const char *name;
    const struct requirement *requirements; /* the last has no key */
    double rope_theta;                      /* what holds where config.json is silent */
    double norm_eps;
    bool tied_embeddings;
};

static const struct requirement llama_requirements[] = {
    {"hidden_act", "\"silu\""},
    {"attention_bias", "false"},
    {"mlp_bias", "false"},
    {"quantization_config", "null"},
    {"partial_rotary_factor", "1"},
    {"rope_scaling.rope_type", "\"default\""},
    {"rope_scaling.type", "\"default\""},
    {"rope_scaling.partial_rotary_factor", "1"},
    {"rope_parameters.rope_type", "\"default\""},
    {"rope_parameters.type", "\"default\""},
    {"rope_parameters.partial_rotary_factor", "1"},
    {NULL, NULL},
};

static const struct family families[] = {
    {"llama", llama_requirements, 10000.0, 1e-6, false},
};

/* ---- Sizes ---- */

/* The sizes of a model and what is believed of them. The bounds lie well above any model in use;
 * they are there so that no product of sizes can overflow: see storage_floats(). */
static const struct size_range {
    const char *key; /* of config.json */
    size_t field;    /* of struct model_config */
    int64_t minimum, maximum;
    bool optional;
} size_ranges[] = {
    {"vocab_size", offsetof(struct model_config, vocabulary), 1, 1 << 24, false},
    {"hidden_size", offsetof(struct model_config, hidden), 1, 1 << 20, false},
    {"intermediate_size", offsetof(struct model_config, intermediate), 1, 1 << 22, false},
    {"num_hidden_layers", offsetof(struct model_config, layers), 1, 1 << 12, false},
    {"num_attention_heads", offsetof(struct model_config, heads), 1, 1 << 13, false},
    {"num_key_value_heads", offsetof(struct model_config, kv_heads), 1, 1 << 13, true},
    {"head_dim", offsetof(struct model_config, head_width), 2, INT64_C(2) * ROPE_MAX_PAIRS, true},
    {"max_position_embeddings", offsetof(struct model_config, window), 1, 1 << 30, false},
};

static int64_t *size_of_config(struct model_config *config, const struct size_range *range) {
    return (int64_t *)((char *)config + range->field);
}

/* `where` is what messages begin with. */
static int config_check(const char *where, const struct model_config *config, struct error *error) {
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
    if (!isfinite(config->rope_theta) || config->rope_theta <= 1 || config->rope_theta > 1e15) {
        return error_set(error, STATUS_INPUT, "%s: rope_theta is %g; it must lie above 1 and not beyond 1e15", where,
                         config->rope_theta);
    }
    if (!(config->norm_eps > 0 && config->norm_eps < 1)) {
        return error_set(error, STATUS_INPUT, "%s: rms_norm_eps is %g; it must lie between 0 and 1", where,
                         config->norm_eps);
    }
    return STATUS_OK;
}

/* ---- config.json ---- */

/* The value of "key" or "block.key"; NULL where it is absent or null. */
static const json_t *config_value(const json_t *root, const char *key) {
    const char *dot = strchr(key, '.');
    if (dot) {
        char block[32];
        snprintf(block, sizeof block, "%.*s", (int)(dot - key), key);
        root = json_object_get(root, block);
        key = dot + 1;
    }
    const json_t *value = json_object_get(root, key);
    return json_is_null(value) ? NULL : value;
}

static bool values_equal(const json_t *left, const json_t *right) {
    if (json_is_number(left) && json_is_number(right)) return json_number_value(left) == json_number_value(right);
    return json_equal(left, right);
}

static int requirement_check(const char *path, const json_t *root, const struct requirement *requirement,
                             struct error *error) {
    const json_t *found = config_value(root, requirement->key);
    if (!found) return STATUS_OK;
    json_t *wanted = json_loads(requirement->value, JSON_DECODE_ANY, NULL);
    if (!wanted) return error_memory(error, (double)strlen(requirement->value), path);
    bool equal = values_equal(found, wanted);
    json_decref(wanted);
    if (equal) return STATUS_OK;

    char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
    int status = error_set(error, STATUS_INPUT, "%s: %s %.80s is not supported, only %s; choose another model", path,
                           requirement->key, text ? text : "of that value", requirement->value);
    free(text);
    return status;
}

/* A block of rotary settings is either absent or says what type it is: guessing wrong would change
 * every score without a word. (Blocks that hold a block for each kind of layer end here, too.) */
static int rope_block_check(const char *path, const json_t *root, const char *name, struct error *error) {
    const json_t *block = config_value(root, name);
    if (!block) return STATUS_OK;
    if (!json_is_object(block)) return error_set(error, STATUS_INPUT, "%s: %s is not an object", path, name);
    if (!json_object_get(block, "rope_type") && !json_object_get(block, "type")) {
        return error_set(error, STATUS_INPUT, "%s: %s has no rope_type; only \"default\" is supported", path, name);
    }
    return STATUS_OK;
}

static int family_find(const char *path, const json_t *root, const struct family **out, struct error *error) {
    const char *name = json_string_value(config_value(root, "model_type"));
    if (!name) {
        return error_set(error, STATUS_INPUT, "%s: has no model_type; is it the config.json of a language model?",
                         path);
    }
    char supported[256] = "";
    for (size_t i = 0; i < COUNT(families); i++) {
        if (strcmp(name, families[i].name) == 0) {
            *out = &families[i];
            return STATUS_OK;
        }
        size_t used = strlen(supported);
        snprintf(supported + used, sizeof supported - used, "%s%s", i ? ", " : "", families[i].name);
    }
    return error_set(error, STATUS_INPUT, "%s: model_type \"%.60s\" is not supported; supported: %s", path, name,
                     supported);
}

static int family_check(const char *path, const json_t *root, const struct family *family, struct error *error) {
    int status = STATUS_OK;
    for (const struct requirement *row = family->requirements; row->key && status == STATUS_OK; row++) {
        status = requirement_check(path, root, row, error);
    }
    if (status == STATUS_OK) status = rope_block_check(path, root, "rope_scaling", error);
    if (status == STATUS_OK) status = rope_block_check(path, root, "rope_parameters", error);
    return status;
}

static int read_sizes(const char *path, const json_t *root, struct model_config *config, struct error *error) {
    for (size_t i = 0; i < COUNT(size_ranges); i++) {
        const struct size_range *range = &size_ranges[i];
        const json_t *value = config_value(root, range->key);
        if (!value && range->optional) continue;
        if (!value) return error_set(error, STATUS_INPUT, "%s: has no %s", path, range->key);
        if (!json_is_integer(value))
            return error_set(error, STATUS_INPUT, "%s: %s is not an integer", path, range->key);
        *size_of_config(config, range) = json_integer_value(value);
    }
    if (!config_value(root, "num_key_value_heads")) config->kv_heads = config->heads;
    if (config_value(root, "head_dim") || config->heads <= 0) return STATUS_OK; /* config_check() sees to the latter */
    if (config->hidden % config->heads != 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: has no head_dim, and hidden_size (%" PRId64
                         ") is not a multiple of num_attention_heads (%" PRId64 ")",
                         path, config->hidden, config->heads);
    }
    config->head_width = config->hidden / config->heads;
    return STATUS_OK;
}

/* Leaves *out as it is where the key is absent. */
static int read_number(const char *path, const json_t *root, const char *key, double *out, struct error *error) {
    const json_t *value = config_value(root, key);
    if (value && !json_is_number(value)) return error_set(error, STATUS_INPUT, "%s: %s is not a number", path, key);
    if (value) *out = json_number_value(value);
    return STATUS_OK;
}

/* transformers 5 writes rope_theta into rope_parameters, older versions to the top level. */
static int read_rope_theta(const char *path, const json_t *root, double *out, struct error *error) {
    static const char *const keys[] = {"rope_theta", "rope_scaling.rope_theta", "rope_parameters.rope_theta"};
    const char *seen = NULL;
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (!config_value(root, keys[i])) continue;
        double before = *out;
        int status = read_number(path, root, keys[i], out, error);
        if (status != STATUS_OK) return status;
        if (seen && *out != before) {
            return error_set(error, STATUS_INPUT, "%s: %s (%g) and %s (%g) contradict each other; remove one", path,
                             seen, before, keys[i], *out);
        }
        seen = keys[i];
    }
    return STATUS_OK;
}

static int read_tied(const char *path, const json_t *root, bool *out, struct error *error) {
    const json_t *value = config_value(root, "tie_word_embeddings");
    if (value && !json_is_boolean(value)) {
        return error_set(error, STATUS_INPUT, "%s: tie_word_embeddings is not true or false", path);
    }
    if (value) *out = json_is_true(value);
    return STATUS_OK;
}

static int config_read(const char *path, const json_t *root, struct model_config *out, struct error *error) {
    const struct family *family = NULL;
    int status = family_find(path, root, &family, error);
    if (status == STATUS_OK) status = family_check(path, root, family, error);
    if (status != STATUS_OK) return status;

    *out = (struct model_config){
        .rope_theta = family->rope_theta, .norm_eps = family->norm_eps, .tied_embeddings = family->tied_embeddings};
    snprintf(out->family, sizeof out->family, "%s", family->name);
    status = read_sizes(path, root, out, error);
    if (status == STATUS_OK) status = read_rope_theta(path, root, &out->rope_theta, error);
    if (status == STATUS_OK) status = read_number(path, root, "rms_norm_eps", &out->norm_eps, error);
    if (status == STATUS_OK) status = read_tied(path, root, &out->tied_embeddings, error);
    if (status == STATUS_OK) status = config_check(path, out, error);
    return status;
}

static int config_parse(const char *path, const unsigned char *text, size_t size, struct model_config *out,
                        struct error *error) {
    json_error_t reason;
    json_t *root = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, &reason);
    if (!root && !reason.text[0]) return error_memory(error, (double)size, path); /* jansson's way to say so */
    if (!root) {
        return error_set(error, STATUS_INPUT, "%s:%d: is not valid JSON: %s; correct it", path, reason.line,
                         reason.text);
    }
    int status = json_is_object(root) ? config_read(path, root, out, error)
                                      : error_set(error, STATUS_INPUT, "%s: is not a JSON object; correct it", path);
    json_decref(root);
    return status;
}

/* ---- Matrices ---- */

/* A matrix's sides, in terms of the configuration. */
enum side { SIDE_NONE, SIDE_VOCABULARY, SIDE_HIDDEN, SIDE_INTERMEDIATE, SIDE_QUERY, SIDE_KEY };

struct matrix {
    const char *name; /* Hugging Face's, after "model.layers.N." where it is a layer's */
    size_t field;     /* of struct model_layer or struct model */
    enum side rows, columns;
};

static const struct matrix layer_matrices[] = {
    {"input_layernorm.weight", offsetof(struct model_layer, attention_norm), SIDE_HIDDEN, SIDE_NONE},
    {"self_attn.q_proj.weight", offsetof(struct model_layer, query), SIDE_QUERY, SIDE_HIDDEN},
    {"self_attn.k_proj.weight", offsetof(struct model_layer, key), SIDE_KEY, SIDE_HIDDEN},
    {"self_attn.v_proj.weight", offsetof(struct model_layer, value), SIDE_KEY, SIDE_HIDDEN},
    {"self_attn.o_proj.weight", offsetof(struct model_layer, output), SIDE_HIDDEN, SIDE_QUERY},
    {"post_attention_layernorm.weight", offsetof(struct model_layer, mlp_norm), SIDE_HIDDEN, SIDE_NONE},
    {"mlp.gate_proj.weight", offsetof(struct model_layer, gate), SIDE_INTERMEDIATE, SIDE_HIDDEN},
    {"mlp.up_proj.weight", offsetof(struct model_layer, up), SIDE_INTERMEDIATE, SIDE_HIDDEN},
    {"mlp.down_proj.weight", offsetof(struct model_layer, down), SIDE_HIDDEN, SIDE_INTERMEDIATE},
};

/* The output matrix comes last: models with tied embeddings are without it. */
static const struct matrix outer_matrices[] = {
    {"model.embed_tokens.weight", offsetof(struct model, embedding), SIDE_VOCABULARY, SIDE_HIDDEN},
    {"model.norm.weight", offsetof(struct model, norm), SIDE_HIDDEN, SIDE_NONE},
    {"lm_head.weight", offsetof(struct model, logits), SIDE_VOCABULARY, SIDE_HIDDEN},
};

enum { LAYER_MATRICES = COUNT(layer_matrices), OUTER_MATRICES = COUNT(outer_matrices) };

static int64_t side_length(const struct model_config *config, enum side side) {
    switch (side) {
    case SIDE_VOCABULARY:
        return config->vocabulary;
    case SIDE_HIDDEN:
        return config->hidden;
    case SIDE_INTERMEDIATE:
        return config->intermediate;
    case SIDE_QUERY:
        return config->heads * config->head_width;
    case SIDE_KEY:
        return config->kv_heads * config->head_width;
    case SIDE_NONE:
        break;
    }
    return 1;
}

/* One matrix of one model. */
struct slot {
    char name[96];
    int rank;
    int64_t shape[2];
    int64_t count; /* product of the shape */
    const struct matrix *matrix;
    int64_t layer; /* -1: the model's own */
};

static int64_t slot_count(const struct model_config *config) {
    return config->layers * LAYER_MATRICES + OUTER_MATRICES - (config->tied_embeddings ? 1 : 0);
}

static void slot_describe(const struct model_config *config, int64_t index, struct slot *out) {
    int64_t outer = index - config->layers * LAYER_MATRICES;
    out->layer = outer < 0 ? index / LAYER_MATRICES : -1;
    out->matrix = outer < 0 ? &layer_matrices[index % LAYER_MATRICES] : &outer_matrices[outer];
    if (outer < 0) {
        snprintf(out->name, sizeof out->name, "model.layers.%" PRId64 ".%s", out->layer, out->matrix->name);
    } else {
        snprintf(out->name, sizeof out->name, "%s", out->matrix->name);
    }
    out->rank = out->matrix->columns == SIDE_NONE ? 1 : 2;
    out->shape[0] = side_length(config, out->matrix->rows);
    out->shape[1] = side_length(config, out->matrix->columns);
    out->count = out->shape[0] * out->shape[1];
}

/* Where the model keeps the pointer to that matrix. */
static float **slot_pointer(struct model *model, const struct slot *slot) {
    char *base = slot->layer < 0 ? (char *)model : (char *)&model->layers[slot->layer];
    return (float **)(base + slot->matrix->field);
}

/* ---- The model in memory ---- */

enum { ALIGNMENT = 64, ALIGNED_FLOATS = ALIGNMENT / sizeof(float) };

/* What a matrix takes of the storage, so that the next begins aligned as well. */
static int64_t slot_room(const struct slot *slot) {
    return (slot->count + ALIGNED_FLOATS - 1) / ALIGNED_FLOATS * ALIGNED_FLOATS;
}

/* Within size_ranges a layer's matrices have at most 2^42 numbers each (query width or intermediate
 * x hidden), the nine of them less than 2^46, 2^12 layers less than 2^58, and embedding and output
 * matrix 2^44 each: the sum stays far below 2^63, in bytes as well. */
static int64_t storage_floats(const struct model_config *config) {
    struct slot slot;
    int64_t total = 0;
    for (int64_t i = 0; i < slot_count(config); i++) {
        slot_describe(config, i, &slot);
        total += slot_room(&slot);
    }
    return total;
}

static void storage_divide(struct model *model) {
    struct slot slot;
    float *next = model->storage;
    for (int64_t i = 0; i < slot_count(&model->config); i++) {
        slot_describe(&model->config, i, &slot);
        *slot_pointer(model, &slot) = next;
        next += slot_room(&slot);
    }
    if (model->config.tied_embeddings) model->logits = model->embedding;
}

int model_create(const struct model_config *config, struct model **out, struct error *error) {
    int status = config_check("model", config, error);
    if (status != STATUS_OK) return status;

    size_t bytes = (size_t)storage_floats(config) * sizeof(float);
    struct model *model = calloc(1, sizeof *model);
    if (!model) return error_memory(error, sizeof *model, "the model");
    model->config = *config;
    model->layers = calloc((size_t)config->layers, sizeof *model->layers);
    model->storage = aligned_alloc(ALIGNMENT, bytes);
    if (!model->layers || !model->storage) {
        model_free(model);
        return error_memory(error, (double)bytes, "the model's weights");
    }
    storage_divide(model);
    *out = model;
    return STATUS_OK;
}

void model_free(struct model *model) {
    if (!model) return;
    free(model->storage);
    free(model->layers);
    free(model);
}

/* ---- The weights' file ---- */

static int path_join(char out[PATH_MAX], const char *dir, const char *name, struct error *error) {
    int length = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (length >= 0 && length < PATH_MAX) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%.100s...: the path is too long", dir);
}

static int weights_open(const char *dir, const char *path, struct safetensors **out, struct error *error) {
    char index[PATH_MAX];
    int status = path_join(index, dir, "model.safetensors.index.json", error);
    if (status != STATUS_OK) return status;
    if (access(path, F_OK) != 0 && access(index, F_OK) == 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: sharded weights are not supported; save the model again as one model.safetensors", index);
    }
    return safetensors_open(path, out, error);
}

/* "[2, 3]". */
static const char *shape_text(char *out, size_t size, int rank, const int64_t *shape) {
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < rank && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? ", " : "", shape[i]);
    }
    if (used < size) snprintf(out + used, size - used, "]");
    return out;
}

static bool shapes_equal(const struct slot *slot, const struct tensor *tensor) {
    return tensor->rank == slot->rank &&
           memcmp(tensor->shape, slot->shape, (size_t)slot->rank * sizeof *slot->shape) == 0;
}

/* All tensors are there and have the shapes that config.json asks for. From here on the sizes of
 * the model are bounded by the size of the file. */
static int weights_check(const char *path, const struct safetensors *weights, const struct model_config *config,
                         struct error *error) {
    struct slot slot;
    char wanted[64], found[128]; /* at most two and four numbers of 19 digits */
    for (int64_t i = 0; i < slot_count(config); i++) {
        slot_describe(config, i, &slot);
        const struct tensor *tensor = safetensors_find(weights, slot.name);
        shape_text(wanted, sizeof wanted, slot.rank, slot.shape);
        if (!tensor) {
            return error_set(error, STATUS_INPUT,
                             "%s: has no tensor '%s', which config.json wants with shape %s; fetch both files again",
                             path, slot.name, wanted);
        }
        if (!shapes_equal(&slot, tensor)) {
            return error_set(error, STATUS_INPUT,
                             "%s: tensor '%s' has shape %s, config.json wants %s; the two files do not belong together",
                             path, slot.name, shape_text(found, sizeof found, tensor->rank, tensor->shape), wanted);
        }
    }
    return STATUS_OK;
}

static void weights_copy(const struct safetensors *weights, struct model *model) {
    struct slot slot;
    for (int64_t i = 0; i < slot_count(&model->config); i++) {
        slot_describe(&model->config, i, &slot);
        tensor_to_f32(safetensors_find(weights, slot.name), *slot_pointer(model, &slot));
    }
}

static int fingerprint(const unsigned char *config, size_t config_size, const struct safetensors *weights,
                       uint64_t *out, struct error *error) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) return error_set(error, STATUS_FAILED, "out of memory for the model's fingerprint");
    size_t size;
    const void *bytes = safetensors_bytes(weights, &size);
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, config, config_size);
    XXH3_64bits_update(state, bytes, size);
    *out = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return STATUS_OK;
}

int model_load(const char *dir, struct model **out, struct error *error) {
    char config_path[PATH_MAX], weights_path[PATH_MAX];
    unsigned char *text = NULL; /* config.json */
    size_t text_size = 0;
    struct model_config config = {0};
    struct safetensors *weights = NULL;
    struct model *model = NULL;

    int status = path_join(config_path, dir, "config.json", error);
    if (status == STATUS_OK) status = path_join(weights_path, dir, "model.safetensors", error);
    if (status == STATUS_OK) status = file_read(config_path, &text, &text_size, error);
    if (status == STATUS_OK) status = config_parse(config_path, text, text_size, &config, error);
    if (status == STATUS_OK) status = weights_open(dir, weights_path, &weights, error);
    if (status == STATUS_OK) status = weights_check(weights_path, weights, &config, error);
    if (status == STATUS_OK) status = model_create(&config, &model, error);
    if (status == STATUS_OK) status = fingerprint(text, text_size, weights, &model->fingerprint, error);
    if (status == STATUS_OK) weights_copy(weights, model);

    safetensors_close(weights);
    free(text);
    if (status != STATUS_OK) {
        model_free(model);
        return status;
    }
    *out = model;
    return STATUS_OK;
}
