#include "eval/model/gguf_weights.h"

#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/gguf/gguf_parts.h"
#include "eval/model/gguf_config.h"
#include "eval/model/gguf_names.h"

struct entry {
    struct tensor tensor;
    char name[GGUF_NAMES_SIZE]; /* which tensor.name is */
};

struct mapping {
    const unsigned char *bytes;
    size_t size;
};

struct gguf_weights {
    struct gguf_parts parts;
    struct mapping *mappings; /* [parts.count] */
    struct entry *entries;    /* [count], sorted by name */
    size_t count;
};

/* What is read by gguf_config.c, not here. */
static bool is_of_rope(const char *name) {
    static const char *const names[] = {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

/* Whether rows of the tensor are those of heads that turn. */
static bool turns(const char *name) {
    static const char *const endings[] = {"q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (name_ends_with(name, endings[i])) return true;
    }
    return false;
}

/* GGUF lists the fastest dimension first. */
static void describe(const struct gguf_tensor *from, const unsigned char *bytes, struct tensor *out) {
    uint64_t count = 1; /* fits: gguf_open() multiplied them in this order */
    out->type = from->type;
    out->type_name = block_type_name(from->type);
    out->rank = (int)from->rank;
    for (uint32_t i = 0; i < from->rank; i++) {
        count *= from->shape[i];
        out->shape[i] = (int64_t)from->shape[from->rank - 1 - i];
    }
    out->count = (int64_t)count;
    out->bytes = (int64_t)from->bytes;
    out->data = bytes + from->offset;
}

static int add_tensor(struct gguf_weights *weights, size_t part, const struct gguf_tensor *tensor,
                      const struct model_config *config, bool neighbours, struct error *error) {
    const char *path = gguf_path(weights->parts.files[part]);
    struct entry *entry = &weights->entries[weights->count];
    if (is_of_rope(tensor->name)) return STATUS_OK;
    if (!gguf_name_to_family(tensor->name, family_find(config->family), config->layers, entry->name)) {
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%s' is not one of family %s: what it does would not be computed; choose another "
                         "model",
                         path, tensor->name, config->family);
    }
    describe(tensor, weights->mappings[part].bytes, &entry->tensor);
    entry->tensor.head_rows = neighbours && turns(entry->name) ? config->head_width : 0;
    weights->count++;
    return STATUS_OK;
}

static int map_parts(struct gguf_weights *weights, size_t *tensors, struct error *error) {
    size_t parts = weights->parts.count;
    int status = STATUS_OK;
    *tensors = 0;
    weights->mappings = calloc(parts, sizeof *weights->mappings);
    if (!weights->mappings) return error_memory(error, (double)(parts * sizeof *weights->mappings), "a model's parts");
    for (size_t p = 0; p < parts && status == STATUS_OK; p++) {
        struct mapping *mapping = &weights->mappings[p];
        *tensors += gguf_tensor_count(weights->parts.files[p]);
        status = gguf_map(weights->parts.files[p], &mapping->bytes, &mapping->size, error);
    }
    return status;
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const struct entry *)left)->name, ((const struct entry *)right)->name);
}

/* Sorts the entries; their names do not move any more. */
static int sort(struct gguf_weights *weights, struct error *error) {
    qsort(weights->entries, weights->count, sizeof *weights->entries, by_name);
    for (size_t i = 0; i < weights->count; i++) {
        weights->entries[i].tensor.name = weights->entries[i].name;
        if (i == 0 || by_name(&weights->entries[i - 1], &weights->entries[i]) != 0) continue;
        char name[GGUF_NAMES_SIZE];
        gguf_name_of_family(weights->entries[i].name, name);
        return error_set(error, STATUS_INPUT, "%s: tensor '%s' occurs twice; the model is damaged, fetch it again",
                         gguf_path(weights->parts.files[0]), name);
    }
    return STATUS_OK;
}

static int add_all(struct gguf_weights *weights, const struct model_config *config, struct error *error) {
    const struct gguf_architecture *architecture;
    size_t tensors = 0;
    int status = gguf_config_architecture(weights->parts.files[0], &architecture, error);
    if (status == STATUS_OK) status = map_parts(weights, &tensors, error);
    if (status != STATUS_OK) return status;
    weights->entries = calloc(tensors + 1, sizeof *weights->entries); /* + 1: may be none */
    if (!weights->entries) return error_memory(error, (double)(tensors * sizeof *weights->entries), "tensors' names");
    for (size_t p = 0; p < weights->parts.count; p++) {
        const struct gguf *file = weights->parts.files[p];
        for (size_t i = 0; i < gguf_tensor_count(file) && status == STATUS_OK; i++) {
            status = add_tensor(weights, p, gguf_tensor_at(file, i), config, architecture->neighbours, error);
        }
    }
    return status == STATUS_OK ? sort(weights, error) : status;
}

int gguf_weights_open(const char *path, const struct model_config *config, struct gguf_weights **out,
                      struct error *error) {
    struct gguf_weights *weights = calloc(1, sizeof *weights);
    if (!weights) return error_memory(error, sizeof *weights, path);
    int status = gguf_parts_open(path, &weights->parts, error);
    if (status == STATUS_OK) status = add_all(weights, config, error);
    if (status != STATUS_OK) {
        gguf_weights_close(weights);
        return status;
    }
    *out = weights;
    return STATUS_OK;
}

void gguf_weights_close(struct gguf_weights *weights) {
    if (!weights) return;
    gguf_parts_close(&weights->parts);
    free(weights->mappings);
    free(weights->entries);
    free(weights);
}

const struct tensor *gguf_weights_find(const struct gguf_weights *weights, const char *name) {
    struct entry key;
    if (strlen(name) >= sizeof key.name) return NULL;
    strcpy(key.name, name);
    const struct entry *entry = bsearch(&key, weights->entries, weights->count, sizeof key, by_name);
    return entry ? &entry->tensor : NULL;
}

const void *gguf_weights_bytes(const struct gguf_weights *weights, size_t part, size_t *size) {
    if (part >= weights->parts.count) return NULL;
    *size = weights->mappings[part].size;
    return weights->mappings[part].bytes;
}
