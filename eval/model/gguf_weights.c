#include "eval/model/gguf_weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/array.h"
#include "eval/base/name.h"
#include "eval/gguf/gguf_parts.h"
#include "eval/model/gguf_config.h"
#include "eval/model/gguf_names.h"

struct entry {
    struct tensor tensor;
    char name[GGUF_NAMES_SIZE]; /* which tensor.name is */
    bool used;
};

struct mapping {
    const unsigned char *bytes;
    size_t size;
};

struct gguf_weights {
    struct gguf_parts parts;
    struct mapping *mappings; /* [parts.count] */
    struct entry *entries;    /* [count], sorted by name */
    size_t count, capacity;
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

static int refuse_tensor(const char *path, const char *name, const char *family, struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "%s: tensor '%s' is not one of family %s: what it does would not be computed; choose another "
                     "model",
                     path, name, family);
}

static int refuse_experts(const char *path, const struct gguf_tensor *tensor, const struct model_config *config,
                          struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "%s: tensor '%s' does not hold a matrix for each of %" PRId64
                     " experts, which its metadata requires; convert the model again",
                     path, tensor->name, config->experts);
}

/* The matrices of the experts lie behind one another. `first` is the name of that of expert 0, and `number` the place
 * of the 0 within it. */
static int add_experts(struct gguf_weights *weights, size_t part, const struct gguf_tensor *tensor,
                       const struct model_config *config, const char *first, size_t number, struct error *error) {
    struct tensor all = {.head_rows = 0};
    describe(tensor, weights->mappings[part].bytes, &all);
    if (all.rank != 3 || all.shape[0] != config->experts || all.count == 0) {
        return refuse_experts(gguf_path(weights->parts.files[part]), tensor, config, error);
    }
    all.rank = 2, all.shape[0] = all.shape[1], all.shape[1] = all.shape[2];
    all.count /= config->experts, all.bytes /= config->experts; /* rows consist of whole blocks */
    struct entry *entries =
        array_reserve(weights->entries, &weights->capacity, weights->count + (size_t)config->experts, sizeof *entries);
    if (!entries) return error_memory(error, (double)config->experts * (double)sizeof *entries, "tensors' names");
    weights->entries = entries;
    for (int64_t e = 0; e < config->experts; e++) {
        struct entry *entry = &entries[weights->count++];
        entry->tensor = all, entry->used = false;
        entry->tensor.data = (const unsigned char *)all.data + e * all.bytes;
        snprintf(entry->name, sizeof entry->name, "%.*s%" PRId64 "%s", (int)number, first, e, first + number + 1);
    }
    return STATUS_OK;
}

static int add_tensor(struct gguf_weights *weights, size_t part, const struct gguf_tensor *tensor,
                      const struct model_config *config, bool neighbours, struct error *error) {
    const char *path = gguf_path(weights->parts.files[part]);
    const struct family *family = family_find(config->family);
    char name[GGUF_NAMES_SIZE];
    size_t number;
    if (is_of_rope(tensor->name)) return STATUS_OK;
    if (gguf_name_to_experts(tensor->name, family, config->layers, name, &number)) {
        return add_experts(weights, part, tensor, config, name, number, error);
    }
    if (!gguf_name_to_family(tensor->name, family, config->layers, name)) {
        return refuse_tensor(path, tensor->name, config->family, error);
    }
    struct entry *entries = array_reserve(weights->entries, &weights->capacity, weights->count + 1, sizeof *entries);
    if (!entries) return error_memory(error, sizeof *entries, "tensors' names");
    weights->entries = entries;
    struct entry *entry = &entries[weights->count++];
    *entry = (struct entry){.name = ""};
    memcpy(entry->name, name, sizeof name);
    describe(tensor, weights->mappings[part].bytes, &entry->tensor);
    entry->tensor.head_rows = neighbours && turns(entry->name) ? config->head_width : 0;
    return STATUS_OK;
}

static int map_parts(struct gguf_weights *weights, struct error *error) {
    size_t parts = weights->parts.count;
    int status = STATUS_OK;
    weights->mappings = calloc(parts, sizeof *weights->mappings);
    if (!weights->mappings) return error_memory(error, (double)(parts * sizeof *weights->mappings), "a model's parts");
    for (size_t p = 0; p < parts && status == STATUS_OK; p++) {
        struct mapping *mapping = &weights->mappings[p];
        status = gguf_map(weights->parts.files[p], &mapping->bytes, &mapping->size, error);
    }
    return status;
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const struct entry *)left)->name, ((const struct entry *)right)->name);
}

/* Sorts the entries; their names do not move any more. */
static int sort(struct gguf_weights *weights, const struct family *family, struct error *error) {
    if (weights->count > 1) qsort(weights->entries, weights->count, sizeof *weights->entries, by_name);
    for (size_t i = 0; i < weights->count; i++) {
        weights->entries[i].tensor.name = weights->entries[i].name;
        if (i == 0 || by_name(&weights->entries[i - 1], &weights->entries[i]) != 0) continue;
        char name[GGUF_NAMES_SIZE];
        gguf_name_of_family(weights->entries[i].name, family, name);
        return error_set(error, STATUS_INPUT, "%s: tensor '%s' occurs twice; the model is damaged, fetch it again",
                         gguf_path(weights->parts.files[0]), name);
    }
    return STATUS_OK;
}

static int add_all(struct gguf_weights *weights, const struct model_config *config, struct error *error) {
    const struct gguf_architecture *architecture;
    int status = gguf_config_architecture(weights->parts.files[0], &architecture, error);
    if (status == STATUS_OK) status = map_parts(weights, error);
    if (status != STATUS_OK) return status;
    for (size_t p = 0; p < weights->parts.count; p++) {
        const struct gguf *file = weights->parts.files[p];
        for (size_t i = 0; i < gguf_tensor_count(file) && status == STATUS_OK; i++) {
            status = add_tensor(weights, p, gguf_tensor_at(file, i), config, architecture->neighbours, error);
        }
    }
    return status == STATUS_OK ? sort(weights, family_find(config->family), error) : status;
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

static struct entry *find(const struct gguf_weights *weights, const char *name) {
    struct entry key;
    if (strlen(name) >= sizeof key.name || weights->count == 0) return NULL;
    strcpy(key.name, name);
    return bsearch(&key, weights->entries, weights->count, sizeof key, by_name);
}

const struct tensor *gguf_weights_find(const struct gguf_weights *weights, const char *name) {
    const struct entry *entry = find(weights, name);
    return entry ? &entry->tensor : NULL;
}

void gguf_weights_use(struct gguf_weights *weights, const char *name) {
    struct entry *entry = find(weights, name);
    if (entry) entry->used = true;
}

int gguf_weights_check_used(const struct gguf_weights *weights, const struct family *family, struct error *error) {
    for (size_t i = 0; i < weights->count; i++) {
        if (weights->entries[i].used) continue;
        char name[GGUF_NAMES_SIZE];
        gguf_name_of_family(weights->entries[i].name, family, name);
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%s' would not be computed with: family %s has none of that name, or the first "
                         "layer has none; choose another model",
                         gguf_path(weights->parts.files[0]), name, family->name);
    }
    return STATUS_OK;
}

const void *gguf_weights_bytes(const struct gguf_weights *weights, size_t part, size_t *size) {
    if (part >= weights->parts.count) return NULL;
    *size = weights->mappings[part].size;
    return weights->mappings[part].bytes;
}
