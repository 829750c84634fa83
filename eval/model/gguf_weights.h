/* The weights of a GGUF model, as Hugging Face names and orders them. */
#ifndef LONGROPE_EVAL_GGUF_WEIGHTS_H
#define LONGROPE_EVAL_GGUF_WEIGHTS_H

#include <stddef.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/model/tensor.h"

struct family;
struct gguf_weights;

/* Maps the model of several parts or one whose configuration is *config. STATUS_INPUT for a tensor that the family does
 * not have, since what it does would not be computed, and for the errors of gguf_parts_open(); STATUS_FAILED. The
 * caller closes *out. */
int gguf_weights_open(const char *path, const struct model_config *config, struct gguf_weights **out,
                      struct error *error);
void gguf_weights_close(struct gguf_weights *weights); /* NULL is allowed */

/* The tensor that Hugging Face calls `name`, or NULL. */
const struct tensor *gguf_weights_find(const struct gguf_weights *weights, const char *name);

/* Says that a tensor is one that the model computes with; a name that is not there says nothing. */
void gguf_weights_use(struct gguf_weights *weights, const char *name);
/* STATUS_INPUT where gguf_weights_use() was not called for a tensor: what it does would not be computed. */
int gguf_weights_check_used(const struct gguf_weights *weights, const struct family *family, struct error *error);

/* The mapped bytes of part `part`; NULL if there is no such part. */
const void *gguf_weights_bytes(const struct gguf_weights *weights, size_t part, size_t *size);

#endif
