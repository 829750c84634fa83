/* Changed copies of GGUF files. A copy passes through a buffer of one MiB. */
#ifndef LONGROPE_SEARCH_GGUF_WRITE_H
#define LONGROPE_SEARCH_GGUF_WRITE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/gguf/gguf.h"

/* A key to set, and its value: the member of its type. */
struct gguf_setting {
    const char *key;
    enum gguf_type type; /* GGUF_U32, GGUF_F32 or GGUF_STRING */
    uint32_t u32;
    float f32;
    const char *string;
};

/* An f32 vector to write. */
struct gguf_vector {
    const char *name;
    uint64_t count;
    const float *numbers; /* [count] */
};

/* The changes of a copy; all members are borrowed. No key or vector may occur twice, and general.alignment must not be
 * changed. Replaced keys and tensors keep their position, new ones follow the others. One that is both set and removed
 * is set. */
struct gguf_edit {
    const struct gguf_setting *settings; /* keys to replace, of any type, or to add */
    size_t setting_count;
    const char *const *removed_keys; /* need not exist */
    size_t removed_key_count;
    const struct gguf_vector *vectors; /* tensors to replace, of any type and shape, or to add */
    size_t vector_count;
    const char *const *removed_tensors; /* need not exist */
    size_t removed_tensor_count;
};

/* How a copy is written. Zeroed: it replaces nothing, cannot be stopped and reports no progress. */
struct gguf_control {
    bool replace;                                   /* an existing file at `path` */
    const volatile sig_atomic_t *stop;              /* read once per MiB; may be NULL */
    void (*progress)(void *state, double fraction); /* of the bytes written, 0..1; may be NULL */
    void *progress_state;
};

/* Writes `file` with the changes of `edit` to `path` in one pass. Version, alignment and the data of kept tensors are
 * unchanged; the data have no gaps, as llama.cpp requires. `path` is complete or unchanged
 * (search/base/atomic_output.h). STATUS_INPUT if `path` exists, unless it is to be replaced, STATUS_FAILED for a full
 * disk and other errors of the file system, STATUS_STOPPED if *stop became non-zero, STATUS_INPUT if `file` became
 * shorter since it was opened.
 */
int gguf_write(const struct gguf *file, const struct gguf_edit *edit, const char *path,
               const struct gguf_control *control, struct error *error);

#endif
