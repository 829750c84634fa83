/* Scores tables on the windows of a stage, window by window. Nats that the cache has are read from it; others are
 * computed and added to it at once, so a killed process loses only the current window. Racing may end a score early.
 *
 * Windows are computed one after another by this thread, or at once by workers (search/recipe/window_pool.h). Nats,
 * decisions of races and counts are the same. */
#ifndef LONGROPE_SEARCH_SCORER_H
#define LONGROPE_SEARCH_SCORER_H

#include <signal.h>

#include "eval/base/error.h"
#include "eval/checkpoint.h"
#include "eval/model/model.h"
#include "eval/perplexity.h"
#include "search/evolve/racing.h"
#include "search/evolve/window_nats.h"
#include "search/ranks/workers.h"
#include "search/store/score_cache.h"
#include "search/store/scored.h"

struct score_keys;

enum { SCORER_NO_TAG = -1 }; /* of a table that options->hopeless is not called for */

struct scorer_options {
    const struct model *model;     /* not used with workers */
    const struct scoring *scoring; /* at least one window */
    const struct score_keys *keys; /* of both */
    struct score_cache *cache;
    bool blocks; /* the blocks of windows are required: windows that the cache has without them are computed again */
    int threads; /* 0: as many as the machine offers; not used with workers */
    const volatile sig_atomic_t *stop;              /* non-zero: end with STATUS_STOPPED */
    void (*progress)(void *state, double fraction); /* 0..1 of the current table; may be NULL */
    void *progress_state;
    struct checkpoints *checkpoints; /* of windows; NULL: none. Not used with workers */
    const struct workers *workers;   /* NULL: this thread computes */
    /* With workers, see struct window_pool_options; may be NULL. */
    int (*hopeless)(void *state, int64_t tag, const struct window_nats *known, bool *out, struct error *error);
    int (*idle)(void *state, struct error *error);
    void *workers_state;
};

struct scorer;

/* All in `options` is borrowed and must outlive *out. STATUS_FAILED for lack of memory. The caller frees *out with
 * scorer_free(). */
int scorer_new(const struct scorer_options *options, struct scorer **out, struct error *error);
void scorer_free(struct scorer *scorer); /* NULL is allowed */

/* Says that scorer_score() will be called for this table and range, of which the first `have` windows are scored
 * already. Workers begin with it; without workers it does nothing. `tag` is for options->hopeless. STATUS_FAILED for
 * lack of memory, and the errors of the cache. */
int scorer_expect(struct scorer *scorer, const struct rope_table *table, struct window_range range, size_t have,
                  int64_t tag, struct error *error);

/* Scores the windows of `range`, one after another, into `nats`, made by window_nats_open() for the same scoring.
 * Windows that are scored in it already, by the caller, are kept and not scored again; if blocks are required, their
 * blocks are known. Ends early when `race`, NULL: none, is lost, and behind a window that fails, whose nats are
 * infinite: then windows of the range are not scored. *scored counts the windows that this call scored; scored->first
 * is the first of them, or the window behind the range. perplexity_mean_nats() of nats->nats is the score; it is NaN
 * until all windows are scored. STATUS_STOPPED if the stop flag rose; otherwise errors are those of forward_nats(), of
 * the cache and of workers. */
int scorer_score(struct scorer *scorer, const struct rope_table *table, const struct race *race,
                 struct window_range range, struct window_nats *nats, struct scored *scored, struct error *error);

#endif
