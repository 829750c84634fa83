/* A safetensors file, mapped read-only.
 *
 * Format (huggingface/safetensors): 8 bytes little-endian header length, a JSON header
 * {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ..., "__metadata__": {...}}, then the
 * tensors' bytes, offsets counted from the end of the header.
 */
#ifndef LONGROPE_EVAL_SAFETENSORS_H
#define LONGROPE_EVAL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/base/number.h"

enum { TENSOR_MAX_RANK = 4 };

/* One tensor of a file. `data` points into the mapping: row-major, little-endian, of any
 * alignment; it and `name` live until safetensors_close(). */
struct tensor {
    const char *name;
    enum number_type type;
    int rank;
    int64_t shape[TENSOR_MAX_RANK];
    int64_t count; /* product of the shape */
    const void *data;
};

struct safetensors;

/* Maps `path` and reads its header. Every length, shape and offset is checked against the file
 * before it is used: header within the file, offsets in order and within the file, byte counts
 * equal to shape times size, no two tensors overlapping, number types F32, F16 and BF16 only.
 * STATUS_INPUT for a missing, truncated or malformed file. The caller closes *out. */
int safetensors_open(const char *path, struct safetensors **out, struct error *error);
void safetensors_close(struct safetensors *file); /* NULL is allowed */

/* The tensor called `name`, or NULL. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/* The bytes mapped, header included, for fingerprints. */
const void *safetensors_bytes(const struct safetensors *file, size_t *size);

/* out[rows][numbers in a row]: rows first..first+rows-1 of the tensor as f32; exact for all three
 * types. Rows are along the first dimension; a tensor without dimensions is one row of one number. Reading by
 * rows never needs a whole tensor in f32. */
void tensor_rows_to_f32(const struct tensor *tensor, int64_t first, int64_t rows, float *out);

#endif
