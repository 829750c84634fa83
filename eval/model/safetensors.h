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
#include "eval/model/tensor.h"

struct safetensors;

/* Maps `path` and reads its header. Every length, shape and offset is checked against the file
 * before it is used: header within the file, offsets in order and within the file, byte counts
 * equal to shape times size (of the number types that the format had in its version 0.8), no two tensors overlapping.
 * A file may hold tensors that nobody reads, such as masks and counters: of these any number type and any number of
 * dimensions is accepted. STATUS_INPUT for a missing, truncated or malformed file. The caller closes *out. */
int safetensors_open(const char *path, struct safetensors **out, struct error *error);
void safetensors_close(struct safetensors *file); /* NULL is allowed */

/* The tensor called `name`, or NULL. It lives until safetensors_close(). */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/* The bytes mapped, header included, for fingerprints. */
const void *safetensors_bytes(const struct safetensors *file, size_t *size);

#endif
