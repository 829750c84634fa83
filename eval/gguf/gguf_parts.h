/* The files of a GGUF model: one, or the parts that llama-gguf-split makes.
 *
 * Parts are NAME-00001-of-0000N.gguf and so on, beside each other. Each states split.no, from 0, and split.count; the
 * first one has all other keys. Tensors are divided among them.
 */
#ifndef LONGROPE_EVAL_GGUF_PARTS_H
#define LONGROPE_EVAL_GGUF_PARTS_H

#include <stddef.h>

#include "eval/gguf/gguf.h"

struct gguf_parts {
    struct gguf **files; /* [count], in order; files[0] has the metadata */
    size_t count;
};

/* Opens the file and, if it is the first part of several, the others. STATUS_INPUT for another part than the first, for
 * parts that are missing or do not belong together, and for the errors of gguf_open(); STATUS_FAILED for lack of
 * memory. The caller closes *out with gguf_parts_close(), which a zeroed struct may be given. */
int gguf_parts_open(const char *path, struct gguf_parts *out, struct error *error);
void gguf_parts_close(struct gguf_parts *parts);

#endif
