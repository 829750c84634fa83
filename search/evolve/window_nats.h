/* Nats of one candidate, or of one baseline, on the windows of a stage, and their sums per block of tokens. A candidate
 * may be scored on some windows only: on a cyclic range, which is a first window and those behind it; window 0 follows
 * the last one. */
#ifndef LONGROPE_SEARCH_WINDOW_NATS_H
#define LONGROPE_SEARCH_WINDOW_NATS_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"
#include "eval/perplexity.h"

struct window_nats {
    size_t windows;
    double *nats;  /* [windows] the nats_sum() of each window's predictions; NaN: not scored; infinite: failed, the
                    * model's numbers overflowed */
    float *blocks; /* [first_block[windows]] nats_blocks() of each window, one after another; NaN: not scored, or scored
                    * by a longrope that kept no blocks. NULL: the blocks of no window are read or stored */
    size_t *first_block; /* [windows + 1] position of each window in `blocks`; NULL if `blocks` is NULL */
};

/* The windows first, first + 1, ..., counted modulo the number of windows; count is at most that number. */
struct window_range {
    size_t first, count;
};

/* Allocates all arrays for the windows of `scoring`; no window is scored. STATUS_FAILED for lack of memory. The caller
 * closes *out, also after an error. */
int window_nats_open(struct window_nats *out, const struct scoring *scoring, struct error *error);
void window_nats_close(struct window_nats *nats);

/* Forgets the scores of all windows. */
void window_nats_clear(struct window_nats *nats);

/* Window `index` of a range, 0 <= index < range.count. */
size_t window_nats_at(const struct window_nats *nats, struct window_range range, size_t index);

/* The number of blocks of a window; 0 if `blocks` is NULL. window_nats_blocks() gives them, NULL if `blocks` is NULL.
 */
size_t window_nats_block_count(const struct window_nats *nats, size_t window);
float *window_nats_blocks(const struct window_nats *nats, size_t window);

bool window_nats_scored(const struct window_nats *nats, size_t window);
/* The window is scored and its blocks are known. */
bool window_nats_has_blocks(const struct window_nats *nats, size_t window);
/* A window failed. */
bool window_nats_failed(const struct window_nats *nats);
/* All windows of the range are scored. */
bool window_nats_complete(const struct window_nats *nats, struct window_range range);

#endif
