/* The workers of a search or a measurement on several ranks, for rank 0: a thread of its own is worker 0, and rank r is
 * worker r. */
#ifndef LONGROPE_SEARCH_RANK_WORKERS_H
#define LONGROPE_SEARCH_RANK_WORKERS_H

#include "eval/model/model.h"
#include "search/ranks/rank_messages.h"
#include "search/ranks/ranks.h"
#include "search/ranks/window_thread.h"
#include "search/ranks/workers.h"

/* Waits for the other ranks' hello. STATUS_INPUT, naming one, if it would compute models of one of types[count] with
 * other kernels; its errors, and STATUS_STOPPED. `ranks` may be NULL. */
int rank_workers_meet(struct ranks *ranks, const enum model_type *types, size_t count, struct error *error);

struct rank_workers;

/* Says to the other ranks that a stage begins, so that they load its model and text while this one does. order[size]
 * begins with the number of the stage, an int64_t, and says to them which it is. The caller closes *out with
 * rank_workers_close(), which ends the stage for them; it is NULL if `ranks` is. */
int rank_workers_begin(struct ranks *ranks, const void *order, size_t size, struct rank_workers **out,
                       struct error *error);
/* Before the units of a stage that was stopped or failed are cancelled: all ranks stop, and their checkpoints stay.
 * NULL is allowed. */
void rank_workers_stop(struct rank_workers *workers);
/* `finished`: the results are final, and what checkpoints keep of finished windows is deleted on all ranks. NULL is
 * allowed. */
void rank_workers_close(struct rank_workers *workers, bool finished);

/* Starts this rank's thread, and waits until the others have loaded. All is borrowed. `threads` 0: this rank's share of
 * the node. task->checkpoints.tell() is called on this rank, with lines that name the rank. STATUS_INPUT, naming the
 * rank, if one has loaded something else than `loaded` says; its errors, those of window_thread_new(), and
 * STATUS_STOPPED. *out is valid until they are closed. */
int rank_workers_open(struct rank_workers *workers, const struct window_task *task, const struct rank_loaded *loaded,
                      int threads, const struct workers **out, struct error *error);

/* What a rank did since rank_workers_open(). */
struct rank_work {
    int64_t units;  /* that it computed to the end */
    double seconds; /* in which it computed, also units that were cancelled */
};

/* Of all ranks, in order; NULL until they are open. */
const struct rank_work *rank_workers_done(const struct rank_workers *workers);
/* Seconds since then. */
double rank_workers_present(const struct rank_workers *workers);

#endif
