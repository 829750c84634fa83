/* Windows that several workers compute for one search (search/ranks/workers.h).
 *
 * The search says which tables it is going to score, and then asks for their windows one by one, in an order of its
 * own. What comes early is kept until it is asked for, and put into the score cache at once. So the search hears the
 * same in the same order, whoever computes and whatever comes first.
 *
 * Windows of a table that racing gives up when the search comes to it may have been computed in vain. A table that
 * would be given up by what is known now is held back until then.
 */
#ifndef LONGROPE_SEARCH_WINDOW_POOL_H
#define LONGROPE_SEARCH_WINDOW_POOL_H

#include <signal.h>

#include "search/evolve/window_nats.h"
#include "search/ranks/workers.h"
#include "search/recipe/score_keys.h"
#include "search/store/score_cache.h"

struct window_pool_options {
    const struct workers *workers;
    const struct scoring *scoring;
    const struct score_keys *keys;
    struct score_cache *cache;
    bool blocks; /* the blocks of windows are required: windows that the cache has without them are computed again */
    const volatile sig_atomic_t *stop; /* non-zero: end with STATUS_STOPPED; may be NULL */
    /* Whether the table that was expected with that tag would be given up, by the windows that are known of it and all
     * that was told so far. It changes the order of work only. May be NULL. */
    int (*hopeless)(void *state, int64_t tag, const struct window_nats *known, bool *out, struct error *error);
    /* Called where a worker has nothing to do: more may be expected then. May be NULL. */
    int (*idle)(void *state, struct error *error);
    void *state;                                    /* of both */
    void (*progress)(void *state, double fraction); /* of the windows of the table that is waited for; may be NULL */
    void *progress_state;
};

struct window_pool;

/* All in `options` is borrowed. STATUS_FAILED for lack of memory. The caller frees *out with window_pool_free(), which
 * cancels what is under way and waits for it, so that another pool may follow with the same workers. */
int window_pool_new(const struct window_pool_options *options, struct window_pool **out, struct error *error);
void window_pool_free(struct window_pool *pool); /* NULL is allowed */

/* Says that the windows of `range` behind the first `have` of them will be asked for, of this table. To be said once
 * for each window_pool_begin() that follows. `tag` is for options->hopeless; SCORER_NO_TAG: it is not called. */
int window_pool_expect(struct window_pool *pool, const struct rope_table *table, struct window_range range, size_t have,
                       int64_t tag, struct error *error);

/* The search comes to the table, which need not have been expected, and asks for its windows until window_pool_end().
 */
struct pooled_table;
int window_pool_begin(struct window_pool *pool, const struct rope_table *table, struct pooled_table **out,
                      struct error *error);
/* Nats and blocks of a window, into *nats. *computed: it was computed for this, or for an expectation, and this is the
 * first to ask for it; false for one from the cache. STATUS_STOPPED if the stop flag rose; the errors of
 * forward_nats(), of the cache and of the workers. */
int window_pool_await(struct window_pool *pool, struct pooled_table *table, size_t window, struct window_nats *nats,
                      bool *computed, struct error *error);
/* Windows of the table that are not asked for by now are not required. */
void window_pool_end(struct window_pool *pool, struct pooled_table *table);

#endif
