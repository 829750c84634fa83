/* Perplexity of a model with a RoPE table over windows of documents. */
#ifndef LONGROPE_EVAL_PERPLEXITY_H
#define LONGROPE_EVAL_PERPLEXITY_H

#include <stddef.h>
#include <stdint.h>

#include "eval/forward.h"
#include "eval/text/documents.h"

/* What tables are scored on. Borrowed: the caller keeps and frees all of it. */
struct scoring {
    const struct documents *documents;
    const struct window *windows; /* [count] */
    size_t count;
};

/* Predictions that a window scores: length - 1 - skip. */
int64_t window_tokens(const struct window *window);

/* Predictions that all windows score. */
int64_t scoring_tokens(const struct scoring *scoring);

/* The sum of nats[count] in double, added one by one from the first to the last. Tokens of a window and windows of a
 * score are added up by this function only: two sums of equal terms are then equal to the last bit, which racing's
 * bound, the cache and reused windows rely on. */
double nats_sum(const double *nats, size_t count);

/* Predicted tokens in a block; the last block of a window has the rest. */
enum { SCORING_BLOCK = 128 };

/* The number of blocks of `tokens` predictions. */
size_t nats_block_count(size_t tokens);
/* Sets blocks[nats_block_count(count)] to the nats_sum() of each block of nats[count], rounded to float: a float has
 * seven digits, enough for statistics over blocks. A window's nats are not the sum of its blocks. */
void nats_blocks(const double *nats, size_t count, float *blocks);

/* Scores window `window` (below scoring->count): *nats is the nats_sum() of its tokens; token_nats[window_tokens()]
 * receives the nats of each token, unless it is NULL. Errors are those of forward_nats(). */
int perplexity_window(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                      size_t window, double *nats, double *token_nats, struct error *error);

/* The same for searches, with the nats_blocks() of the window in blocks[nats_block_count()], unless it is NULL. A table
 * with which the model's numbers overflow is no error here: *nats is infinite, and the blocks are NaN. */
int perplexity_window_blocks(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                             size_t window, double *nats, float *blocks, struct error *error);

/* Mean nats per token: the nats_sum() of window_nats[scoring->count] over scoring_tokens(), so every prediction has the
 * same weight; NaN without predictions. Perplexity is exp of it. */
double perplexity_mean_nats(const struct scoring *scoring, const double *window_nats);

#endif
