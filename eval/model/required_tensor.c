#include "eval/model/required_tensor.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "[2, 3]". */
static const char *shape_text(char *out, size_t size, int rank, const int64_t *shape) {
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < rank && i < TENSOR_MAX_RANK && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? ", " : "", shape[i]);
    }
    if (rank > TENSOR_MAX_RANK && used < size) used += (size_t)snprintf(out + used, size - used, ", ...");
    if (used < size) snprintf(out + used, size - used, "]");
    return out;
}

static bool shapes_equal(const struct required_tensor *required, const struct tensor *tensor) {
    return tensor->rank == required->rank &&
           memcmp(tensor->shape, required->shape, (size_t)required->rank * sizeof *required->shape) == 0;
}

static int refuse_missing(const struct weights *weights, const struct required_tensor *required, struct error *error) {
    char name[WEIGHTS_NAME_SIZE], shape[64]; /* at most two numbers of 19 digits */
    bool gguf = weights_is_gguf(weights);
    weights_name(weights, required->name, name);
    return error_set(error, STATUS_INPUT, "%s: has no tensor '%s'; %s requires it with shape %s; fetch %s again",
                     weights_path(weights), name, gguf ? "its metadata" : "config.json",
                     shape_text(shape, sizeof shape, required->rank, required->shape),
                     gguf ? "the file" : "both files");
}

static int refuse_shape(const struct weights *weights, const struct required_tensor *required,
                        const struct tensor *tensor, struct error *error) {
    char name[WEIGHTS_NAME_SIZE], shape[64], found[128]; /* at most two and four numbers of 19 digits */
    bool gguf = weights_is_gguf(weights);
    weights_name(weights, required->name, name);
    return error_set(error, STATUS_INPUT, "%s: tensor '%s' has shape %s, %s requires %s; %s", weights_path(weights),
                     name, shape_text(found, sizeof found, tensor->rank, tensor->shape),
                     gguf ? "its metadata" : "config.json",
                     shape_text(shape, sizeof shape, required->rank, required->shape),
                     gguf ? "convert the model again" : "the two files do not belong together");
}

static int refuse_type(const struct weights *weights, const struct required_tensor *required,
                       const struct tensor *tensor, struct error *error) {
    char name[WEIGHTS_NAME_SIZE], readable[256];
    bool gguf = weights_is_gguf(weights);
    weights_name(weights, required->name, name);
    block_type_list(readable, sizeof readable);
    return error_set(error, STATUS_INPUT, "%s: tensor '%s': number type '%.40s' is not supported; convert it to %s",
                     weights_path(weights), name, tensor->type_name, gguf ? readable : "F32, F16 or BF16");
}

/* No program quantises vectors, and rows of one number are not whole blocks. */
static int refuse_blocks(const struct weights *weights, const struct required_tensor *required,
                         const struct tensor *tensor, struct error *error) {
    char name[WEIGHTS_NAME_SIZE];
    weights_name(weights, required->name, name);
    return error_set(error, STATUS_INPUT,
                     "%s: tensor '%s': number type '%.40s' is supported for matrices, not for vectors; convert it to "
                     "F32, F16 or BF16",
                     weights_path(weights), name, tensor->type_name);
}

int required_tensor_check(const struct weights *weights, const struct required_tensor *required,
                          const struct tensor *tensor, struct error *error) {
    if (!tensor) return refuse_missing(weights, required, error);
    if (!shapes_equal(required, tensor)) return refuse_shape(weights, required, tensor, error);
    if (!tensor_is_readable(tensor)) return refuse_type(weights, required, tensor, error);
    bool blocks = required->rank < 2 && block_numbers(tensor->type) > 1;
    return blocks ? refuse_blocks(weights, required, tensor, error) : STATUS_OK;
}
