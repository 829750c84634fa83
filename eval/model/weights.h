/* The weights of a model: of its folder, model.safetensors or the shards that model.safetensors.index.json names; or of
 * a GGUF.
 *
 * The index (transformers' save_pretrained) is {"metadata": {...}, "weight_map": {tensor: file, ...}}.
 * It may name files of its own folder only.
 */
#ifndef LONGROPE_EVAL_WEIGHTS_H
#define LONGROPE_EVAL_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/model/tensor.h"

struct weights;

/* Maps the weights in the folder `dir`. If model.safetensors and the index both exist, model.safetensors is
 * used, as in transformers. Each shard must exist and hold the tensors that the index assigns to it.
 * STATUS_INPUT for what is missing, truncated or malformed. The caller closes *out. */
int weights_open(const char *dir, struct weights **out, struct error *error);
/* Maps a GGUF. Errors are those of gguf_weights_open(). */
int weights_open_gguf(const char *path, const struct model_config *config, struct weights **out, struct error *error);
void weights_close(struct weights *weights); /* NULL is allowed */

/* The tensor called `name`, or NULL. As in transformers, tensors may also be called so without "model." before it, as
 * models without a head were saved, or with one "model." more. */
const struct tensor *weights_find(const struct weights *weights, const char *name);

/* Says that a tensor is one that the model computes with. */
void weights_use(struct weights *weights, const char *name);
/* STATUS_INPUT where a GGUF has a tensor that weights_use() was not called for: llama.cpp computes with some that only
 * a few models have. transformers does not look at such tensors of a folder. */
int weights_check_used(const struct weights *weights, struct error *error);

/* One line on what the weights are read from and what lies beside it and is not read; "" where nothing does. The line
 * ends at `size` bytes. */
void weights_describe(const struct weights *weights, char *out, size_t size);

/* The path of model.safetensors, of the index or of the GGUF, for messages. */
const char *weights_path(const struct weights *weights);
bool weights_is_gguf(const struct weights *weights);
/* The file's own name of a tensor, for messages. */
enum { WEIGHTS_NAME_SIZE = 96 };
void weights_name(const struct weights *weights, const char *name, char out[WEIGHTS_NAME_SIZE]);

/* XXH3 of `bytes`, then of the index if there is one, then of each file in the order of names or parts.
 * STATUS_FAILED for lack of memory. */
int weights_fingerprint(const struct weights *weights, const void *bytes, size_t size, uint64_t *out,
                        struct error *error);

#endif
