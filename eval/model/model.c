#include "eval/model/model.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/base/trace.h"
#include "eval/model/clex_weights.h"
#include "eval/model/gguf_config.h"
#include "eval/model/model_config.h"
#include "eval/model/model_family.h"
#include "eval/model/model_notes.h"
#include "eval/model/required_tensor.h"
#include "eval/model/weights.h"

/* ---- Slots: the vectors and matrices of a model, and their tensors ---- */

static int64_t side_length(const struct model_config *config, enum side side) {
    int64_t query = config->heads * config->head_width, key = config->kv_heads * config->head_width;
    switch (side) {
    case SIDE_NONE:
        return 0;
    case SIDE_VOCABULARY:
        return config->vocabulary;
    case SIDE_HIDDEN:
        return config->hidden;
    case SIDE_INTERMEDIATE:
        return config->intermediate;
    case SIDE_TWO_INTERMEDIATE:
        return 2 * config->intermediate;
    case SIDE_HEAD:
        return config->head_width;
    case SIDE_QUERY:
        return query;
    case SIDE_KEY:
        return key;
    case SIDE_QUERY_KEY:
        return query + key;
    case SIDE_QUERY_TWO_KEY:
        return query + 2 * key;
    case SIDE_EXPERTS:
        return config->experts;
    case SIDE_EXPERT_WIDTH:
        return config->expert_width;
    }
    return 0;
}

/* `layer` is -1 for the model's own tensors. */
static bool condition_holds(const struct model_config *config, int64_t layer, enum condition condition) {
    switch (condition) {
    case ALWAYS:
        return true;
    case IF_QKV_BIAS:
        return config->qkv_bias;
    case IF_OUTPUT_BIAS:
        return config->output_bias;
    case IF_MLP_BIAS:
        return config->mlp_bias;
    case IF_HEAD_NORMS:
        return config->head_norms;
    case IF_EXPERTS:
        return config->layer_kinds[layer] & LAYER_HAS_EXPERTS;
    case UNLESS_EXPERTS:
        return !(config->layer_kinds[layer] & LAYER_HAS_EXPERTS);
    case UNLESS_TIED:
        return !config->tied_embeddings;
    }
    return false;
}

/* A vector or matrix of one model. */
struct slot {
    char name[96]; /* of its tensor */
    bool is_matrix;
    int64_t rows, columns; /* 1 column: a vector */
    int64_t first;         /* of the tensor's rows */
    int rank;              /* of the tensor, and its shape */
    int64_t shape[2];
    bool is_norm;   /* see struct family_tensor */
    size_t field;   /* of struct expert, struct model_layer or struct model */
    int64_t layer;  /* -1: the model's own */
    int64_t expert; /* -1: the layer's own */
};

/* A walk over all slots, in the order in which they lie in memory: begins as {.config = ...}. */
struct slots {
    const struct model_config *config;
    int64_t layer;
    size_t row;
    int64_t expert; /* of a row that each has */
};

static void slot_describe(const struct model_config *config, const struct family_tensor *tensor, int64_t layer,
                          int64_t expert, struct slot *out) {
    out->is_matrix = tensor->columns != SIDE_NONE;
    out->rows = side_length(config, tensor->rows);
    out->columns = out->is_matrix ? side_length(config, tensor->columns) : 1;
    out->first = side_length(config, tensor->first);
    out->rank = out->is_matrix ? 2 : 1;
    out->shape[0] = tensor->tensor_rows == SIDE_NONE ? out->rows : side_length(config, tensor->tensor_rows);
    out->shape[1] = out->columns;
    out->field = tensor->field;
    out->is_norm = tensor->is_norm;
    out->layer = layer;
    out->expert = tensor->of_expert ? expert : -1;
    if (tensor->of_expert) {
        snprintf(out->name, sizeof out->name, "model.layers.%" PRId64 ".%s%" PRId64 ".%s", layer, tensor->name, expert,
                 tensor->of_expert);
    } else if (layer < 0) {
        snprintf(out->name, sizeof out->name, "%s", tensor->name);
    } else {
        snprintf(out->name, sizeof out->name, "model.layers.%" PRId64 ".%s", layer, tensor->name);
    }
}

/* False when there are no more. */
static bool slot_next(struct slots *walk, struct slot *out) {
    const struct model_config *config = walk->config;
    const struct family_tensor *tensors = family_find(config->family)->tensors;
    while (walk->layer <= config->layers) {
        bool outer = walk->layer == config->layers; /* they come last */
        const struct family_tensor *tensor = (outer ? family_outer_tensors : tensors) + walk->row;
        if (!tensor->name) {
            walk->layer++;
            walk->row = 0;
            continue;
        }
        int64_t layer = outer ? -1 : walk->layer, expert = walk->expert;
        bool holds = condition_holds(config, layer, tensor->condition);
        bool more = holds && tensor->of_expert && expert + 1 < config->experts;
        walk->expert = more ? expert + 1 : 0;
        if (!more) walk->row++;
        if (!holds) continue;
        slot_describe(config, tensor, layer, expert, out);
        return true;
    }
    return false;
}

/* The field of the model: a struct matrix or a float *. */
static void *slot_place(struct model *model, const struct slot *slot) {
    if (slot->layer < 0) return (char *)model + slot->field;
    struct model_layer *layer = &model->layers[slot->layer];
    return (slot->expert < 0 ? (char *)layer : (char *)&layer->experts[slot->expert]) + slot->field;
}

/* ---- Kinds of layers ---- */

int64_t model_layer_window(const struct model_config *config, int64_t layer) {
    return config->layer_kinds[layer] & LAYER_SEES_ALL ? 0 : config->sliding_window;
}

bool model_layer_is_searched(const struct model_config *config, int64_t layer) {
    return !(config->layer_kinds[layer] & (LAYER_NOT_ROTATED | LAYER_ROTATED_APART));
}

int64_t model_searched_layers(const struct model_config *config) {
    int64_t count = 0;
    for (int64_t l = 0; l < config->layers; l++) count += model_layer_is_searched(config, l);
    return count;
}

int64_t model_searched_window(const struct model_config *config) {
    for (int64_t l = 0; l < config->layers; l++) {
        if (model_layer_is_searched(config, l) && model_layer_window(config, l) == 0) return 0;
    }
    return config->sliding_window;
}

/* ---- The model in memory ---- */

/* Bytes of a slot in the storage, rounded up so that the next slot is aligned. */
static size_t slot_bytes(const struct kernels *kernels, const struct slot *slot) {
    size_t bytes =
        slot->is_matrix ? kernels->matrix_bytes(slot->rows, slot->columns) : (size_t)slot->rows * sizeof(float);
    return (bytes + KERNELS_ALIGNMENT - 1) / KERNELS_ALIGNMENT * KERNELS_ALIGNMENT;
}

/* Within the bounds of model_config_check() a layer's matrices have at most 2^42 numbers each (query
 * width or intermediate x hidden), the seven of them less than 2^45, experts 2^46 (2^24 rows of hidden in
 * each of three matrices), 2^12 layers less than 2^59, and embedding and output matrix 2^44 each: with padding
 * to PACK_ROWS rows and 4 bytes a number the sum stays below 2^63. */
size_t model_bytes(const struct model_config *config, const struct kernels *kernels) {
    struct slots walk = {.config = config};
    struct slot slot;
    size_t total = 0;
    while (slot_next(&walk, &slot)) total += slot_bytes(kernels, &slot);
    return total;
}

static void storage_divide(struct model *model) {
    struct slots walk = {.config = &model->config};
    struct slot slot;
    unsigned char *next = model->storage;
    while (slot_next(&walk, &slot)) {
        if (slot.is_matrix) {
            struct matrix *matrix = slot_place(model, &slot);
            *matrix = (struct matrix){.outputs = slot.rows, .inputs = slot.columns, .data = next};
        } else {
            float **vector = slot_place(model, &slot);
            *vector = (float *)(void *)next;
        }
        next += slot_bytes(model->kernels, &slot);
    }
    if (model->config.tied_embeddings) model->logits = model->embedding;
}

/* Layers' arrays of experts. */
static bool make_experts(struct model *model) {
    const struct model_config *config = &model->config;
    int64_t layers = 0;
    for (int64_t l = 0; l < config->layers; l++) layers += (config->layer_kinds[l] & LAYER_HAS_EXPERTS) != 0;
    if (layers == 0) return true;
    model->experts = calloc((size_t)(layers * config->experts), sizeof *model->experts);
    struct expert *next = model->experts;
    for (int64_t l = 0; l < config->layers && next; l++) {
        if (!(config->layer_kinds[l] & LAYER_HAS_EXPERTS)) continue;
        model->layers[l].experts = next;
        next += config->experts;
    }
    return next != NULL;
}

static int model_allocate(const struct model_config *config, const struct kernels *kernels, struct model **out,
                          struct error *error) {
    size_t bytes = model_bytes(config, kernels);
    struct model *model = calloc(1, sizeof *model);
    if (!model) return error_memory(error, sizeof *model, "the model");
    model->config = *config;
    model->kernels = kernels;
    model->layers = calloc((size_t)config->layers, sizeof *model->layers);
    model->storage = aligned_alloc(KERNELS_ALIGNMENT, bytes);
    if (!model->layers || !model->storage || !make_experts(model)) {
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
    free(model->experts);
    free(model->notes);
    free(model->clex_factors);
    free(model);
}

/* ---- Packing ---- */

enum { BUFFER_BYTES = 1 << 22 }; /* of rows that are read before they are packed, if at least PACK_ROWS rows fit */

/* Rows read and packed at a time. */
static int64_t block_rows(const struct slot *slot) {
    int64_t fit = BUFFER_BYTES / ((int64_t)sizeof(float) * slot->columns) / PACK_ROWS * PACK_ROWS;
    int64_t rows = fit > 0 ? fit : PACK_ROWS;
    return rows < slot->rows ? rows : slot->rows;
}

/* The largest such block of all matrices, in bytes. */
static size_t buffer_bytes(const struct model_config *config) {
    struct slots walk = {.config = config};
    struct slot slot;
    size_t most = 0;
    while (slot_next(&walk, &slot)) {
        size_t bytes = slot.is_matrix ? (size_t)(block_rows(&slot) * slot.columns) * sizeof(float) : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

static int fill_matrix(struct model *model, const struct slot *slot, const struct weight_source *source, float *buffer,
                       struct error *error) {
    struct matrix *matrix = slot_place(model, slot);
    int64_t step = block_rows(slot);
    for (int64_t row = 0; row < slot->rows; row += step) {
        int64_t rows = slot->rows - row < step ? slot->rows - row : step;
        int status = source->read(source->state, slot->name, slot->first + row, rows, slot->columns, buffer, error);
        if (status != STATUS_OK) return status;
        model->kernels->pack(matrix, buffer, row, rows);
    }
    return STATUS_OK;
}

static int fill(struct model *model, const struct weight_source *source, float *buffer, struct error *error) {
    struct slots walk = {.config = &model->config};
    struct slot slot;
    int status = STATUS_OK;
    while (status == STATUS_OK && slot_next(&walk, &slot)) {
        if (slot.is_matrix) {
            status = fill_matrix(model, &slot, source, buffer, error);
        } else {
            float **vector = slot_place(model, &slot);
            status = source->read(source->state, slot.name, slot.first, slot.rows, 1, *vector, error);
            bool less = slot.is_norm && model->config.norms_less_one && status == STATUS_OK;
            for (int64_t i = 0; less && i < slot.rows; i++) (*vector)[i] += 1.0f;
        }
    }
    return status;
}

int model_build(const struct model_config *config, const struct kernels *kernels, const struct weight_source *source,
                struct model **out, struct error *error) {
    struct model *model = NULL;
    int status = model_config_check("model", config, error);
    if (status == STATUS_OK) status = model_allocate(config, kernels, &model, error);
    if (status != STATUS_OK) return status;

    size_t bytes = buffer_bytes(config);
    float *buffer = malloc(bytes);
    status = buffer ? fill(model, source, buffer, error)
                    : error_memory(error, (double)bytes, "weights on their way into the model");
    free(buffer);
    if (status != STATUS_OK) {
        model_free(model);
        return status;
    }
    *out = model;
    return STATUS_OK;
}

/* ---- Tied embeddings ---- */

static const char embedding_name[] = "model.embed_tokens.weight", output_name[] = "lm_head.weight";

/* Whether all numbers are equal; both have `rows` rows. */
static int compare_rows(const struct tensor *a, const struct tensor *b, int64_t rows, bool *equal,
                        struct error *error) {
    int64_t width = a->count / rows;
    float *row = calloc((size_t)width * 2, sizeof *row);
    if (!row) return error_memory(error, (double)width * 2 * sizeof *row, "the embeddings");
    *equal = true;
    for (int64_t r = 0; r < rows && *equal; r++) {
        tensor_rows_to_f32(a, r, 1, row);
        tensor_rows_to_f32(b, r, 1, row + width);
        for (int64_t i = 0; i < width && *equal; i++) *equal = row[i] == row[width + i];
    }
    free(row);
    return STATUS_OK;
}

/* Embeddings that config.json ties are tied unless the weights have both and they differ. Those that cannot be compared
 * are left to weights_check(). */
static int settle_ties(const struct weights *weights, struct model_config *config, struct error *error) {
    if (!config->tied_embeddings) return STATUS_OK;
    const struct tensor *embedding = weights_find(weights, embedding_name),
                        *output = weights_find(weights, output_name);
    if (!embedding || !output) return STATUS_OK;
    bool comparable = tensor_is_readable(embedding) && tensor_is_readable(output) && embedding->rank == 2 &&
                      output->rank == 2 && memcmp(embedding->shape, output->shape, 2 * sizeof *output->shape) == 0;
    bool equal = false;
    int status = STATUS_OK;
    if (comparable && embedding->count > 0) {
        status = compare_rows(embedding, output, embedding->shape[0], &equal, error);
    }
    config->tied_embeddings = equal;
    return status;
}

/* ---- The weights' files ---- */

/* What a slot is read from: with tied embeddings, either stands for the other. */
static const struct tensor *slot_tensor(const struct weights *weights, const struct model_config *config,
                                        const char *name) {
    const struct tensor *tensor = weights_find(weights, name);
    bool other = !tensor && config->tied_embeddings && strcmp(name, embedding_name) == 0;
    return other ? weights_find(weights, output_name) : tensor;
}

/* Checks that all tensors exist and have the shapes that the configuration requires, and that a GGUF has no others. The
 * sizes of the model are then bounded by the size of the files. */
static int weights_check(struct weights *weights, const struct model_config *config, struct error *error) {
    struct slots walk = {.config = config};
    struct slot slot;
    while (slot_next(&walk, &slot)) {
        const struct required_tensor required = {slot.name, slot.rank, {slot.shape[0], slot.shape[1]}};
        int status = required_tensor_check(weights, &required, slot_tensor(weights, config, slot.name), error);
        if (status != STATUS_OK) return status;
        weights_use(weights, slot.name);
    }
    if (config->tied_embeddings) weights_use(weights, output_name);
    return weights_check_used(weights, error);
}

/* Converters to GGUF store routers as f32 whatever the others are. */
static bool matrices_are_bf16(const struct weights *weights, const struct model_config *config) {
    struct slots walk = {.config = config};
    struct slot slot;
    bool gguf = weights_is_gguf(weights);
    while (slot_next(&walk, &slot)) {
        bool router = slot.layer >= 0 && slot.expert < 0 && slot.field == offsetof(struct model_layer, router);
        if (!slot.is_matrix || (gguf && router)) continue;
        if (slot_tensor(weights, config, slot.name)->type != BLOCK_BF16) return false;
    }
    return true;
}

const char *const model_type_names[MODEL_TYPES] = {[MODEL_AUTO] = "auto", [MODEL_F32] = "f32", [MODEL_BF16] = "bf16"};

int model_kernels(enum model_type type, bool bf16_weights, const struct kernels **out, struct error *error) {
    bool bf16 = type == MODEL_BF16 || (type == MODEL_AUTO && bf16_weights && kernels_bf16_is_fast());
    return kernels_choose(bf16 ? NUMBER_BF16 : NUMBER_F32, out, error);
}

struct checked_weights {
    const struct weights *weights;
    const struct model_config *config;
};

/* A weight_source of files that weights_check() has passed. */
static int read_weights(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                        struct error *error) {
    (void)columns, (void)error;
    const struct checked_weights *checked = state;
    tensor_rows_to_f32(slot_tensor(checked->weights, checked->config, name), first, rows, out);
    return STATUS_OK;
}

/* ---- A model's folder, or its GGUF ---- */

bool model_is_gguf(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static bool holds(const char *dir, const char *name) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", dir, name);
    return length > 0 && length < (int)sizeof path && access(path, F_OK) == 0;
}

/* `path` is that of config.json in `dir`. */
static int check_folder(const char *dir, const char *path, struct error *error) {
    struct stat info;
    if (stat(dir, &info) != 0 && errno == ENOENT) {
        const char *home = file_home_advice(dir);
        return error_set(error, STATUS_INPUT, "%s: does not exist; %s", dir,
                         home ? home : "name the folder of a model that is downloaded, or a GGUF file");
    }
    if (lstat(path, &info) == 0 || errno != ENOENT) return STATUS_OK; /* reading reports every other problem */
    if (holds(dir, "adapter_config.json")) {
        return error_set(error, STATUS_INPUT,
                         "%s: holds adapter_config.json, an adapter, but not its model; merge them and name the result",
                         dir);
    }
    if (holds(dir, "params.json")) {
        return error_set(error, STATUS_INPUT,
                         "%s: holds params.json, of a format that is not read, but no config.json; use the model in "
                         "Hugging Face's format",
                         dir);
    }
    return error_set(error, STATUS_INPUT,
                     "%s: holds no config.json; name the folder of a model in Hugging Face's format, or a GGUF file",
                     dir);
}

/* The text of config.json, which the caller frees, and its meaning. */
static int folder_config(const char *dir, unsigned char **text, size_t *size, struct model_config *out,
                         struct error *error) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/config.json", dir);
    if (length < 0 || length >= (int)sizeof path) {
        return error_set(error, STATUS_INPUT, "%.100s...: the path is too long; a path has at most %d bytes", dir,
                         PATH_MAX - 1);
    }
    int status = check_folder(dir, path, error);
    if (status == STATUS_OK) status = file_read(path, text, size, error);
    return status == STATUS_OK ? model_config_parse(path, *text, *size, out, error) : status;
}

/* Refuses files of other kinds, by their kind where it is known. */
static int check_gguf(const char *path, struct error *error) {
    char begin[64];
    int descriptor;
    size_t size;
    int status = file_open(path, &descriptor, &size, error);
    if (status != STATUS_OK) return status;
    ssize_t got = pread(descriptor, begin, sizeof begin, 0);
    close(descriptor);
    if (got >= 4 && memcmp(begin, "GGUF", 4) == 0) return STATUS_OK;
    if (got > 0) status = file_recognise(path, begin, (size_t)got, error);
    if (status != STATUS_OK) return status;
    return error_set(error, STATUS_INPUT, "%s: is neither the folder of a model nor a GGUF file; name one of these",
                     path);
}

static int gguf_config(const char *path, struct model_config *out, struct error *error) {
    struct gguf_parts parts;
    int status = check_gguf(path, error);
    if (status == STATUS_OK) status = gguf_parts_open(path, &parts, error);
    if (status != STATUS_OK) return status;
    status = gguf_config_read(&parts, out, error);
    gguf_parts_close(&parts);
    return status;
}

/* *text is NULL for a GGUF, whose configuration is in the file of weights. */
static int config_load(const char *path, unsigned char **text, size_t *size, struct model_config *out,
                       struct error *error) {
    *text = NULL, *size = 0;
    return model_is_gguf(path) ? gguf_config(path, out, error) : folder_config(path, text, size, out, error);
}

int model_read_config(const char *path, struct model_config *out, struct error *error) {
    unsigned char *text;
    size_t size;
    int status = config_load(path, &text, &size, out, error);
    free(text);
    return status;
}

int model_read_clex(const char *path, double max_factor, struct model_config *config, double **out,
                    struct error *error) {
    struct weights *weights = NULL;
    *out = NULL;
    if (config->rope.type != ROPE_TYPE_CLEX) return STATUS_OK;
    if (max_factor > 0.0) config->rope.max_factor = max_factor;
    int status = model_rope_check(path, &config->rope, config->head_width, error);
    if (status == STATUS_OK) status = weights_open(path, &weights, error);
    if (status == STATUS_OK) status = clex_weights_read(weights, &config->rope, out, error);
    weights_close(weights);
    return status;
}

/* Sets rope->clex_factors of a model of type clex: `known`'s, or else *out, which are integrated. */
static int find_clex(const struct weights *weights, const struct rope_model *known, struct rope_model *rope,
                     double **out, struct error *error) {
    if (rope->type != ROPE_TYPE_CLEX) return STATUS_OK;
    if (!known || !known->clex_factors) return clex_weights_read(weights, rope, out, error);
    *rope = *known;
    return STATUS_OK;
}

int model_load(const char *path, enum model_type type, struct model **out, struct error *error) {
    return model_load_again(path, type, NULL, out, error);
}

int model_load_again(const char *path, enum model_type type, const struct rope_model *rope, struct model **out,
                     struct error *error) {
    unsigned char *text; /* config.json */
    size_t text_size;
    uint64_t fingerprint = 0;
    struct model_config stated = {0}, config;
    struct weights *weights = NULL;
    double *clex = NULL;
    const struct kernels *kernels = NULL;

    int status = config_load(path, &text, &text_size, &stated, error);
    config = stated;
    if (status == STATUS_OK) {
        status = text ? weights_open(path, &weights, error) : weights_open_gguf(path, &config, &weights, error);
    }
    if (status == STATUS_OK) status = settle_ties(weights, &config, error);
    if (status == STATUS_OK) status = weights_check(weights, &config, error);
    if (status == STATUS_OK) status = find_clex(weights, rope, &config.rope, &clex, error);
    if (status == STATUS_OK) status = model_kernels(type, matrices_are_bf16(weights, &config), &kernels, error);
    if (status == STATUS_OK) status = weights_fingerprint(weights, text, text_size, &fingerprint, error);
    if (status == STATUS_OK) {
        struct checked_weights checked = {weights, &config};
        const struct weight_source source = {.state = &checked, .read = read_weights};
        status = model_build(&config, kernels, &source, out, error);
    }
    if (status == STATUS_OK) {
        /* earlier versions tied them: their scores are another model's */
        bool untied = stated.tied_embeddings && !config.tied_embeddings;
        (*out)->clex_factors = clex;
        (*out)->fingerprint = untied ? ~fingerprint : fingerprint;
        (*out)->notes = model_notes_make(text, text_size, &stated, &config, weights);
        TRACE(TRACE_MODEL, "%s: family %s, %s, kernels %s, %.1f MiB packed, fingerprint %016" PRIx64, path,
              config.family, number_type_name(kernels->type), kernels->name,
              (double)model_bytes(&config, kernels) / (1024.0 * 1024.0), (*out)->fingerprint);
    }

    if (status != STATUS_OK) free(clex);
    weights_close(weights);
    free(text);
    return status;
}
