/* A thread that computes windows of a stage, one after another, with as many threads of OpenMP as it is given. The
 * thread that owns it stays free to talk to others. */
#ifndef LONGROPE_SEARCH_WINDOW_THREAD_H
#define LONGROPE_SEARCH_WINDOW_THREAD_H

#include "eval/model/model.h"
#include "eval/perplexity.h"
#include "search/ranks/workers.h"

struct window_thread;

/* `model` and `scoring` are borrowed. `threads` 0: as many as the machine offers. STATUS_FAILED for lack of memory or
 * threads. The caller frees *out with window_thread_free(), which cancels what is under way and waits for its end, at
 * most the time of a block of rows. */
int window_thread_new(const struct model *model, const struct scoring *scoring, int threads, struct window_thread **out,
                      struct error *error);
void window_thread_free(struct window_thread *thread); /* NULL is allowed */

/* Takes a unit behind those that it has. STATUS_FAILED if it has HANDOUT_MOST, results that were not taken included,
 * and for lack of memory. */
int window_thread_give(struct window_thread *thread, const struct work_unit *unit, struct error *error);

/* The unit ends soon, with STATUS_STOPPED unless it is done already; an unknown one is ignored. */
void window_thread_cancel(struct window_thread *thread, uint64_t unit);
/* All its units do, and those that it is given later. */
void window_thread_stop(struct window_thread *thread);

/* The next result, if there is one. out->worker is 0; out->blocks are valid until the next call. */
bool window_thread_take(struct window_thread *thread, struct work_result *out);

/* Returns when there is a result, after `seconds` at most. */
void window_thread_wait(struct window_thread *thread, double seconds);

#endif
