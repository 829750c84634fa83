/* A safetensors file, mapped read-only.
 *
 * Format (huggingface/safetensors): 8 bytes little-endian header length, a JSON header
 * {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ..., "__metadata__": {...}}, then the
 * tensors' bytes, offsets counted from the end of the header.
 */
#ifndef LONGROPE_EVAL_SAFETENSORS_H
#define LONGROPE_EVAL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/base/number.h"

enum { TENSOR_MAX_RANK = 4 };

/* One tensor of a file. `data` points into the mapping: row-major, little-endian, of any
 * alignment; it, `name` and `type_name` live until safetensors_close(). */
struct tensor {
    const char *name;
    const char *type_name;          /* as the file spells it: "BF16", "I64" */
    enum number_type type;          /* NUMBER_TYPES: none that can be read */
    int rank;                       /* may exceed TENSOR_MAX_RANK */
    int64_t shape[TENSOR_MAX_RANK]; /* the first dimensions */
    int64_t count;                  /* product of the whole shape */
    int64_t bytes;
    const void *data;
};

struct safetensors;

/* Maps `path` and reads its header. Every length, shape and offset is checked against the file
 * before it is used: header within the file, offsets in order and within the file, byte counts
 * equal to shape times size (of the number types that the format had in its version 0.8), no two tensors overlapping.
 * A file may hold tensors that nobody reads, such as masks and counters: of these any number type and any number of
 * dimensions is accepted. STATUS_INPUT for a missing, truncated or malformed file. The caller closes *out. */
int safetensors_open(const char *path, struct safetensors **out, struct error *error);
void safetensors_close(struct safetensors *file); /* NULL is allowed */

/* The tensor called `name`, or NULL. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/* Whether tensor_rows_to_f32() can read it: F32, F16 or BF16, and at most TENSOR_MAX_RANK dimensions. */
bool tensor_is_readable(const struct tensor *tensor);

/* The bytes mapped, header included, for fingerprints. */
const void *safetensors_bytes(const struct safetensors *file, size_t *size);

/* out[rows][numbers in a row] of a tensor that is readable: rows first..first+rows-1 of the tensor as f32; exact for
 * all three types. Rows are along the first dimension; a tensor without dimensions is one row of one number. Reading by
 * rows never needs a whole tensor in f32. */
void tensor_rows_to_f32(const struct tensor *tensor, int64_t first, int64_t rows, float *out);

#endif
