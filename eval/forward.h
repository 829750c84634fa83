/* The forward pass: tokens and a RoPE table in, nats of every next token out.
 *
 * Layer-major: the residual stream of the whole window is kept, [tokens][hidden], and each layer
 * passes over it in blocks of rows. Keys and values are kept for one layer only, attention runs in
 * tiles with a running softmax (Milakov and Gimelshein, arXiv 1805.02867), and logits exist for
 * one block of rows at a time: memory grows as tokens x (hidden + key/value width), never as tokens
 * squared, and as tokens x layers only where keys and values of all layers are kept (below). Each thread
 * also has logits [FORWARD_BLOCK_ROWS][vocabulary]. The first layer's query, key and value before rotation
 * are kept for each distinct token: they depend on the token only, not on its position or the table.
 *
 * A block of rows is computed by one thread from start to end, so results do not depend on the
 * number of threads, bit for bit.
 *
 * A forward can keep the keys and values of all layers of its last pass. If the next pass has the same table and begins
 * with the same tokens, it computes only the rows after them. Its nats are equal to the last bit, because the result of
 * a row does not depend on the rows computed with it (kernels.h), and its keys and values only on the rows before it.
 *
 * A pass can write checkpoints (eval/checkpoint.h): between layers its state is the residual stream. Within a layer
 * blocks of rows are taken from the last to the first and change their rows of the stream only, so its state is the
 * stream, the layer's keys and values, and the number of blocks that are left. In the output matrix nats take the place
 * of keys and values. Nothing is computed in another way than without checkpoints.
 */
#ifndef LONGROPE_EVAL_FORWARD_H
#define LONGROPE_EVAL_FORWARD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/checkpoint.h"
#include "eval/kernels/kernels.h"
#include "eval/model/model.h"
#include "eval/rope.h"

enum {
    FORWARD_BLOCK_ROWS = 96, /* rows that a thread takes through a layer at a time */
    FORWARD_REVISION = 2     /* raised when the last bits of nats change: caches do not mix revisions */
};

struct forward_options {
    int threads;                       /* 0: as many as the machine offers */
    enum rope_angles angles;           /* F64, or F32 for comparison with inference engines */
    const volatile sig_atomic_t *stop; /* a value other than 0 stops the pass; read atomically; may be NULL */
    void (*progress)(void *state, double fraction); /* called by one thread at a time; may be NULL */
    void *progress_state;
    struct checkpoints *checkpoints; /* NULL: none are written */
    size_t kept_bytes;               /* a pass keeps the keys and values of all layers for the next one if they take
                                      * no more bytes; 0: none does. Must be 0 with checkpoints */
};

/* The model with the buffers that a pass needs; they grow to the longest window seen. */
struct forward;

/* Bytes of a forward's buffers. */
struct forward_memory {
    size_t window;      /* residual stream, keys and values of a layer, cosines and sines */
    size_t first_layer; /* its queries, keys and values per distinct token, and their index */
    size_t threads;     /* the buffers of all threads */
};

/* What a forward of such a model that keeps nothing allocates if its longest window has `count` tokens and all windows
 * together have `distinct` distinct tokens. Nothing overflows within the bounds of model_config_check() and 2^30
 * tokens. */
struct forward_memory forward_memory(const struct model_config *config, const struct kernels *kernels, int64_t count,
                                     int64_t distinct, int threads);

/* `model` must outlive *out. STATUS_FAILED for lack of memory or threads. The caller frees *out with forward_free(). */
int forward_new(const struct model *model, const struct forward_options *options, struct forward **out,
                struct error *error);
void forward_free(struct forward *forward); /* NULL is allowed */

/* nats[count-1-skip]: -ln p(tokens[i+1] | tokens[0..i]) for i = skip..count-2; tokens 0..skip are
 * context only. Requires tokens[count] within the vocabulary, table->pairs equal to the model's, and
 * 0 <= skip < count. STATUS_STOPPED if the stop flag was set (nats are then undefined, and the last checkpoint stays);
 * STATUS_FAILED for lack of memory, or for a result that is not finite: the message names the first such layer. With
 * checkpoints also the errors of checkpoint_begin(); the checkpoint of a pass that ends otherwise is deleted, unless
 * it is kept as checkpoint_finish() says. */
int forward_nats(struct forward *forward, const struct rope_table *table, const int32_t *tokens, int64_t count,
                 int64_t skip, double *nats, struct error *error);

/* Whether the last pass failed because numbers of the model overflowed after its embedding: another table may be
 * without fault. */
bool forward_overflowed(const struct forward *forward);

/* Seconds of work that the last pass took over from a checkpoint. */
double forward_earlier_seconds(const struct forward *forward);

/* The number of rows that the last pass computed: count - 1, less those whose keys and values were kept. */
int64_t forward_computed_rows(const struct forward *forward);

/* As forward_nats(), with equal nats to the last bit, and the model's own predictions: arg_max[count-1-skip] is the
 * token of the largest logit given tokens[0..i], the lowest token of equal logits, as torch.argmax chooses. */
int forward_predict(struct forward *forward, const struct rope_table *table, const int32_t *tokens, int64_t count,
                    int64_t skip, double *nats, int32_t *arg_max, struct error *error);

#endif
