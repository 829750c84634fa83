/* Perplexity of a model with a RoPE table over windows of documents. */
#ifndef LONGROPE_EVAL_PERPLEXITY_H
#define LONGROPE_EVAL_PERPLEXITY_H

#include <stddef.h>
#include <stdint.h>

#include "eval/forward.h"
#include "eval/text/documents.h"

/* What candidates are scored on. Borrowed: the caller keeps and frees all of it. */
struct scoring {
    const struct documents *documents;
    const struct window *samples; /* [count] */
    size_t count;
    void (*progress)(void *state, size_t samples); /* so many are scored; may be NULL */
    void *progress_state;
};

/* Predictions that a window scores: length - 1 - skip. */
int64_t window_tokens(const struct window *sample);

/* Those of all windows. */
int64_t scoring_tokens(const struct scoring *scoring);

/* Nats of window `sample` (below scoring->count): *nats is their sum over its tokens in double, in order;
 * token_nats[window_tokens()] receives each, unless NULL. Errors are those of forward_nats(). */
int perplexity_window(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                      size_t sample, double *nats, double *token_nats, struct error *error);

/* The same of all windows, in order: window_nats[scoring->count], and token_nats[scoring_tokens()] window by
 * window, unless NULL. */
int perplexity_score(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                     double *window_nats, double *token_nats, struct error *error);

/* Mean nats a token: the samples' nats added up in order over scoring_tokens(), every prediction counting
 * the same; NaN where there is nothing to predict. Perplexity is exp of it. */
double perplexity_mean_nats(const struct scoring *scoring, const double *window_nats);

#endif
