/* GGUF files, as llama.cpp reads them: the header read, and a changed copy written.
 *
 * Format (ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian:
 *
 *     "GGUF", u32 version, u64 tensors, u64 keys
 *     each key:     string name, u32 type, value; an array is u32 type, u64 count, its elements, which may be
 *                   arrays themselves; a string is u64 length and its bytes, without a terminator
 *     each tensor:  string name, u32 rank, u64 shape[rank] (the fastest dimension first), u32 number type,
 *                   u64 offset of its data
 *     zeros up to a multiple of general.alignment (32 where there is no such key), then the data; offsets are
 *     counted from there and are multiples of the alignment
 *
 * Models have the size of a disk rather than of memory. Reading keeps names, types and places; values are
 * fetched from the file when they are asked for, and a copy passes through a buffer of one MiB.
 *
 * A file is hostile until proven otherwise: every length, count and offset is checked against the file's size
 * before it is used. Messages name the file, the key or tensor, and the byte.
 */
#ifndef LONGROPE_SEARCH_GGUF_H
#define LONGROPE_SEARCH_GGUF_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

/* As they are stored. */
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

/* Number types of tensors: ggml's numbers, of which only f32 is looked into. */
enum { GGUF_TENSOR_F32 = 0 };

enum { GGUF_MAX_RANK = 4 };

/* One tensor of a file; lives until gguf_close(). */
struct gguf_tensor {
    char *name;
    uint32_t type;
    uint32_t rank;
    uint64_t shape[GGUF_MAX_RANK]; /* the fastest dimension first; 1 beyond the rank */
    uint64_t offset;               /* of its data, from the beginning of the file */
    uint64_t bytes;
};

struct gguf;

/* ---- Reading ---- */

/* Reads all but the data. STATUS_INPUT for a file that is missing, cut short, damaged, of another version or byte
 * order, or that holds tensors of a number type whose size is not known here; STATUS_FAILED where the machine is
 * at fault. Checked: names are unique and of sane length, arrays and strings end within the file, the alignment is
 * a power of two, each tensor's data is aligned, lies within the file and overlaps no other's.
 * The file stays open. The caller closes *out. */
int gguf_open(const char *path, struct gguf **out, struct error *error);
void gguf_close(struct gguf *file); /* NULL is allowed */

const char *gguf_path(const struct gguf *file);

/* Keys in the order of the file. */
size_t gguf_key_count(const struct gguf *file);
const char *gguf_key_name(const struct gguf *file, size_t index);
bool gguf_has_key(const struct gguf *file, const char *key);

/* The value of a key; *out stays as it was where there is no such key, so that the caller puts a default there.
 * STATUS_INPUT for a value of another kind: unsigned takes any integer that is not negative, number any integer
 * or float that is finite, string what fits into out[size] with its terminator and holds no zero byte. */
int gguf_get_unsigned(const struct gguf *file, const char *key, uint64_t *out, struct error *error);
int gguf_get_number(const struct gguf *file, const char *key, double *out, struct error *error);
int gguf_get_string(const struct gguf *file, const char *key, char *out, size_t size, struct error *error);

/* Tensors in the order of the file; gguf_find_tensor() gives NULL where there is none of that name. */
size_t gguf_tensor_count(const struct gguf *file);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, size_t index);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name);

/* out[count] = the tensor's numbers. STATUS_INPUT where it is not f32, or not `count` numbers in one dimension. */
int gguf_read_vector(const struct gguf *file, const struct gguf_tensor *tensor, float *out, uint64_t count,
                     struct error *error);

/* ---- Writing ---- */

/* A key to set: the member of its type is written. */
struct gguf_setting {
    const char *key;
    enum gguf_type type; /* GGUF_U32, GGUF_F32 or GGUF_STRING */
    uint32_t u32;
    float f32;
    const char *string;
};

/* An f32 vector to put in. */
struct gguf_vector {
    const char *name;
    uint64_t count;
    const float *numbers; /* [count] */
};

/* What is to be different in the copy. All is borrowed. Nothing is set twice, and general.alignment stays as it is.
 * What is replaced stays in its place, what is new follows the others; what is both set and removed is set. */
struct gguf_edit {
    const struct gguf_setting *settings; /* keys replaced, whatever their type was, or added */
    size_t setting_count;
    const char *const *removed_keys; /* there or not */
    size_t removed_key_count;
    const struct gguf_vector *vectors; /* tensors replaced, whatever their type and shape were, or added */
    size_t vector_count;
    const char *const *removed_tensors; /* there or not */
    size_t removed_tensor_count;
};

/* Of work that takes as long as a disk does. Zeroed: neither. */
struct gguf_control {
    const volatile sig_atomic_t *stop;              /* looked at for every MiB; NULL: never stop */
    void (*progress)(void *state, double fraction); /* of the bytes written, 0..1; may be NULL */
    void *progress_state;
};

/* Writes `file`, changed by `edit`, to `path` in one pass: same version and alignment, the data of what is kept bit
 * for bit, packed without gaps as llama.cpp demands. Goes to path.part, is synced and renamed, so that `path` is
 * complete or not there; on any failure path.part is removed. Nothing that exists is overwritten: STATUS_INPUT where
 * `path` is there already, or path.part from a copy under way or killed. STATUS_FAILED for a full disk and the
 * like, STATUS_STOPPED when *stop became non-zero. STATUS_INPUT where `file` turns out shorter than it was. */
int gguf_write(const struct gguf *file, const struct gguf_edit *edit, const char *path,
               const struct gguf_control *control, struct error *error);

#endif
