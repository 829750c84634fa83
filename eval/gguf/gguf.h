/* GGUF files, as llama.cpp reads them: reads the header. search/factors/gguf_write.h writes changed copies.
 *
 * Format (ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian:
 *
 *     "GGUF", u32 version, u64 tensors, u64 keys
 *     each key:     string name, u32 type, value; an array is u32 type, u64 count, its elements, which may be
 *                   arrays themselves; a string is u64 length and its bytes, without a terminating zero
 *     each tensor:  string name, u32 rank, u64 shape[rank] (the fastest dimension first), u32 number type,
 *                   u64 offset of its data
 *     zeros up to a multiple of general.alignment (default 32), then the data; offsets are relative to the start of
 *     the data and are multiples of the alignment
 *
 * A model can be larger than memory. An open file keeps names, types and offsets; values are read from the file on
 * request.
 *
 * Files are not trusted: every length, count and offset is checked against the size of the file before it is used.
 * Messages name the file, the key or tensor, and the byte.
 */
#ifndef LONGROPE_EVAL_GGUF_H
#define LONGROPE_EVAL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/gguf/block.h"

/* Types of values, with the numbers that a file stores. */
enum gguf_type {
    GGUF_U8 = 0,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
};

enum { GGUF_MAX_RANK = 4 };

/* One tensor of a file; valid until gguf_close(). */
struct gguf_tensor {
    char *name;
    enum block_type type;
    uint32_t rank;
    uint64_t shape[GGUF_MAX_RANK]; /* the fastest dimension first; 1 beyond the rank */
    uint64_t offset;               /* of its data in the file */
    uint64_t bytes;
};

struct gguf;

/* Reads everything except the data. STATUS_INPUT for a file that is missing, truncated, damaged, of another version or
 * byte order, or that contains a tensor of an unknown number type; STATUS_FAILED for errors of the machine. It checks
 * that names are unique and within the format's length limits, that arrays and strings end within the file, that the
 * alignment is a power of two, and that the data of each tensor are aligned, within the file, and do not overlap.
 * The file stays open. The caller closes *out. */
int gguf_open(const char *path, struct gguf **out, struct error *error);
void gguf_close(struct gguf *file); /* may be NULL */

const char *gguf_path(const struct gguf *file);

/* Keys, in the order of the file. */
size_t gguf_key_count(const struct gguf *file);
const char *gguf_key_name(const struct gguf *file, size_t index);
bool gguf_has_key(const struct gguf *file, const char *key);

/* The value of a key. If there is no such key, *out is unchanged: the caller sets it to the default before.
 * STATUS_INPUT for a value of another type: gguf_get_unsigned() reads integers that are not negative, gguf_get_number()
 * finite integers and floats, gguf_get_string() strings that fit into out[size] with a terminating zero and contain
 * none. */
int gguf_get_unsigned(const struct gguf *file, const char *key, uint64_t *out, struct error *error);
int gguf_get_number(const struct gguf *file, const char *key, double *out, struct error *error);
int gguf_get_string(const struct gguf *file, const char *key, char *out, size_t size, struct error *error);
int gguf_get_bool(const struct gguf *file, const char *key, bool *out, struct error *error);

/* A copy of the elements of an array; zeroed: none. */
struct gguf_array {
    enum gguf_type type; /* of the elements */
    uint64_t count;
    unsigned char *bytes; /* [size] the elements as they lie in the file */
    size_t size;
    size_t at; /* of the next string; the reader's */
};

/* Reads the array of a key; *out is zeroed if there is no such key. STATUS_INPUT unless it is an array of elements of
 * that type, STATUS_FAILED for lack of memory. The caller frees *out with gguf_array_free(). */
int gguf_read_array(const struct gguf *file, const char *key, enum gguf_type type, struct gguf_array *out,
                    struct error *error);
/* The next string of an array of strings, without a terminating zero; false at the end. */
bool gguf_array_next(struct gguf_array *array, const char **text, size_t *size);
void gguf_array_free(struct gguf_array *array);

/* NULL if there is no tensor of that name. */
const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name);

size_t gguf_tensor_count(const struct gguf *file);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, size_t index); /* in the order of the file */

/* The whole file in memory, read-only, until gguf_close(): tensors' data are at their offsets. STATUS_FAILED if it
 * cannot be mapped. As for every mapped file, the program ends by SIGBUS if it becomes shorter. */
int gguf_map(struct gguf *file, const unsigned char **bytes, size_t *size, struct error *error);

/* out[count] = the numbers of the tensor. STATUS_INPUT unless it is a vector of `count` f32 numbers. */
int gguf_read_vector(const struct gguf *file, const struct gguf_tensor *tensor, float *out, uint64_t count,
                     struct error *error);

#endif
