/* What config.json says of single layers: which see a window only, which are not rotated. */
#include <inttypes.h>
#include <string.h>

#include "eval/model/model_config.h"

/* ---- Lists with an entry per layer ---- */

const char layer_type_full[] = "full_attention", layer_type_sliding[] = "sliding_attention";

/* layer_types: out[layers], whether each slides. *stated tells whether it is there. */
static int read_types(const struct config_file *file, int64_t layers, bool *out, bool *stated, struct error *error) {
    const json_t *types = config_value(file->root, "layer_types");
    *stated = types != NULL;
    if (!types) return STATUS_OK;
    if (!json_is_array(types) || json_array_size(types) != (size_t)layers) {
        return error_set(error, STATUS_INPUT, "%s: layer_types is not a list of num_hidden_layers (%" PRId64 ") names",
                         file->path, layers);
    }
    for (int64_t l = 0; l < layers; l++) {
        const char *type = json_string_value(json_array_get(types, (size_t)l));
        out[l] = type && strcmp(type, layer_type_sliding) == 0;
        if (out[l] || (type && strcmp(type, layer_type_full) == 0)) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: layer_types: layer %" PRId64 " is \"%.40s\"; only \"%s\" and \"%s\" are supported",
                         file->path, l, type ? type : "not a name", layer_type_full, layer_type_sliding);
    }
    return STATUS_OK;
}

/* A number of layers that is given by a key, or `silent`. */
static int read_interval(const struct config_file *file, const char *key, int64_t silent, int64_t *out,
                         struct error *error) {
    const json_t *value = config_value(file->root, key);
    *out = value ? json_integer_value(value) : silent; /* 0 of what is no integer */
    if (*out > 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: %s is not a positive integer", file->path, key);
}

/* ---- Sliding windows ---- */

static int read_sliding_window(const struct config_file *file, int64_t *out, struct error *error) {
    static const char key[] = "sliding_window";
    *out = json_object_get(file->root, key) ? 0 : file->family->sliding_window;
    if (!config_value(file->root, key)) return STATUS_OK;
    int status = config_read_size(file, key, out, error);
    if (status != STATUS_OK || *out > 0) return status;
    return error_set(error, STATUS_INPUT, "%s: sliding_window is %" PRId64 "; it must be positive, or null for none",
                     file->path, *out);
}

/* Only one kind for all layers: which, follows from sliding_window. */
static int check_alike(const struct config_file *file, const struct model_config *config, const bool *slides,
                       struct error *error) {
    for (int64_t l = 0; l < config->layers; l++) {
        if (slides[l] == (config->sliding_window > 0)) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: layer_types: layer %" PRId64 " is \"%s\"; only \"%s\" for all layers is supported here",
                         file->path, l, slides[l] ? layer_type_sliding : layer_type_full,
                         slides[l] ? layer_type_full : layer_type_sliding);
    }
    return STATUS_OK;
}

/* Layers that slide need a window. */
static int set_windows(const struct config_file *file, const bool *slides, struct model_config *config,
                       struct error *error) {
    int64_t sliding = 0;
    for (int64_t l = 0; l < config->layers; l++) {
        if (!slides[l]) config->layer_kinds[l] |= LAYER_SEES_ALL;
        if (slides[l] && sliding++ == 0 && config->sliding_window == 0) {
            return error_set(error, STATUS_INPUT,
                             "%s: layer %" PRId64 " is \"%s\", but there is no sliding_window%s; correct one of them",
                             file->path, l, layer_type_sliding,
                             file->family->layers == LAYERS_NO_ROPE ? ", or use_sliding_window is not true" : "");
        }
    }
    if (sliding > 0) return STATUS_OK;
    config->sliding_window = 0;
    memset(config->layer_kinds, 0, sizeof config->layer_kinds);
    return STATUS_OK;
}

/* ---- SmolLM3: layers that are not rotated ---- */

/* 1, or true, for a layer that is rotated; entries beyond the last layer have no effect. */
static int read_no_rope_list(const struct config_file *file, const json_t *list, int64_t layers, bool *rotated,
                             struct error *error) {
    if (!json_is_array(list) || json_array_size(list) < (size_t)layers) {
        return error_set(error, STATUS_INPUT,
                         "%s: no_rope_layers is not a list of a number for each of num_hidden_layers (%" PRId64
                         ") layers",
                         file->path, layers);
    }
    for (int64_t l = 0; l < layers; l++) {
        const json_t *item = json_array_get(list, (size_t)l);
        int64_t number = json_is_boolean(item) ? json_is_true(item) : json_integer_value(item);
        bool known = json_is_boolean(item) || (json_is_integer(item) && (number == 0 || number == 1));
        if (!known) {
            return error_set(error, STATUS_INPUT, "%s: no_rope_layers: item %" PRId64 " is neither 0 nor 1", file->path,
                             l);
        }
        rotated[l] = number != 0;
    }
    return STATUS_OK;
}

static int read_rotated(const struct config_file *file, int64_t layers, bool *rotated, struct error *error) {
    const json_t *list = config_value(file->root, "no_rope_layers");
    int64_t interval;
    int status = read_interval(file, "no_rope_layer_interval", 4, &interval, error);
    if (status != STATUS_OK) return status;
    if (list) return read_no_rope_list(file, list, layers, rotated, error);
    for (int64_t l = 0; l < layers; l++) rotated[l] = (l + 1) % interval != 0;
    return STATUS_OK;
}

static int read_no_rope(const struct config_file *file, bool *slides, struct model_config *config,
                        struct error *error) {
    bool rotated[MODEL_MAX_LAYERS], uses = false, stated;
    const json_t *use = config_value(file->root, "use_sliding_window");
    if (use && !json_is_boolean(use)) {
        return error_set(error, STATUS_INPUT, "%s: use_sliding_window is not true or false", file->path);
    }
    uses = json_is_true(use);
    if (!uses) config->sliding_window = 0;
    int status = read_rotated(file, config->layers, rotated, error);
    if (status == STATUS_OK) status = read_types(file, config->layers, slides, &stated, error);
    if (status != STATUS_OK) return status;
    for (int64_t l = 0; l < config->layers && !stated; l++) slides[l] = config->sliding_window > 0 && !rotated[l];
    status = set_windows(file, slides, config, error);
    for (int64_t l = 0; l < config->layers; l++) {
        if (!rotated[l]) config->layer_kinds[l] |= LAYER_NOT_ROTATED;
    }
    return status;
}

/* ---- Gemma 3: sliding layers with rotary settings of their own ---- */

static int read_pattern(const struct config_file *file, bool *slides, struct model_config *config,
                        struct error *error) {
    bool stated;
    int64_t pattern;
    int status = read_interval(file, "sliding_window_pattern", 6, &pattern, error);
    if (status == STATUS_OK) status = read_types(file, config->layers, slides, &stated, error);
    if (status != STATUS_OK) return status;
    for (int64_t l = 0; l < config->layers && !stated; l++) slides[l] = (l + 1) % pattern != 0;
    status = set_windows(file, slides, config, error);
    for (int64_t l = 0; l < config->layers; l++) {
        if (slides[l]) config->layer_kinds[l] |= LAYER_ROTATED_APART;
    }
    return status;
}

/* ---- Layers with experts ---- */

/* mlp_only_layers: numbers of layers that have none. */
static int clear_dense(const struct config_file *file, struct model_config *config, struct error *error) {
    const json_t *list = config_value(file->root, "mlp_only_layers");
    if (list && !json_is_array(list)) {
        return error_set(error, STATUS_INPUT, "%s: mlp_only_layers is not a list", file->path);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        int64_t layer = json_integer_value(item);
        if (!json_is_integer(item)) {
            return error_set(error, STATUS_INPUT, "%s: mlp_only_layers: item %zu is not an integer", file->path, i);
        }
        if (layer >= 0 && layer < config->layers) config->layer_kinds[layer] &= (uint8_t)~LAYER_HAS_EXPERTS;
    }
    return STATUS_OK;
}

static int read_experts(const struct config_file *file, struct model_config *config, struct error *error) {
    const struct family_experts *experts = file->family->experts;
    int64_t step = 1;
    if (!experts) return STATUS_OK;
    int status = experts->some_layers ? read_interval(file, "decoder_sparse_step", 1, &step, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    for (int64_t l = 0; l < config->layers; l++) {
        if ((l + 1) % step == 0) config->layer_kinds[l] |= LAYER_HAS_EXPERTS;
    }
    return experts->some_layers ? clear_dense(file, config, error) : STATUS_OK;
}

/* ---- All of them ---- */

/* A table that rotates no layer could not be searched. */
static int check_searched(const struct config_file *file, const struct model_config *config, struct error *error) {
    if (model_searched_layers(config) > 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: no layer of the model is rotated by a table that could be searched; choose another model",
                     file->path);
}

static int read_attention(const struct config_file *file, struct model_config *config, struct error *error) {
    bool slides[MODEL_MAX_LAYERS], stated = false;
    int status = file->family->slides ? read_sliding_window(file, &config->sliding_window, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    switch (file->family->layers) {
    case LAYERS_ALIKE:
        status = read_types(file, config->layers, slides, &stated, error);
        return status == STATUS_OK && stated ? check_alike(file, config, slides, error) : status;
    case LAYERS_NO_ROPE:
        status = read_no_rope(file, slides, config, error);
        break;
    case LAYERS_PATTERN:
        status = read_pattern(file, slides, config, error);
        break;
    }
    return status == STATUS_OK ? check_searched(file, config, error) : status;
}

int model_layers_read(const struct config_file *file, struct model_config *config, struct error *error) {
    if (config->layers < 1 || config->layers > MODEL_MAX_LAYERS) return STATUS_OK; /* refused with the other sizes */
    int status = read_attention(file, config, error);
    return status == STATUS_OK ? read_experts(file, config, error) : status;
}
