/* A thread that computes windows, one after another, with as many threads of OpenMP as it is given. The thread that
 * owns it stays free to talk to others. */
#ifndef LONGROPE_SEARCH_WINDOW_THREAD_H
#define LONGROPE_SEARCH_WINDOW_THREAD_H

#include "eval/checkpoint.h"
#include "eval/forward.h"
#include "eval/model/model.h"
#include "search/ranks/workers.h"

/* What workers compute: the same on all ranks. All is borrowed. */
struct window_task {
    const struct model *model;
    enum rope_angles angles;
    size_t kept_bytes; /* as struct forward_options has it */
    size_t windows;    /* those of units are below it */
    /* Computes the window of a unit: *nats, and *size bytes of details in *details, which the caller frees (NULL where
     * there are none). Errors are those of forward_nats(), and others of the task. */
    int (*compute)(const void *state, struct forward *forward, const struct work_unit *unit, double *nats,
                   void **details, size_t *size, struct error *error);
    const void *state;
    /* Of windows; its folder is NULL where there are none. Patience and stop flag are the thread's own. tell() is
     * called in the thread that owns this one, by window_thread_take(). */
    struct checkpoints_options checkpoints;
};

struct window_thread;

/* The task is copied. `threads` 0: as many as the machine offers. STATUS_FAILED for lack of memory or threads, and the
 * errors of checkpoints_open(). */
int window_thread_new(const struct window_task *task, int threads, struct window_thread **out, struct error *error);
/* Stops what is under way and waits for its end, at most the time of a block of rows. `finished`: see
 * checkpoints_close(). NULL is allowed. */
void window_thread_free(struct window_thread *thread, bool finished);

/* Takes a unit behind those that it has. STATUS_FAILED if it has HANDOUT_MOST, results that were not taken included,
 * and for lack of memory. */
int window_thread_give(struct window_thread *thread, const struct work_unit *unit, struct error *error);

/* The unit ends soon, with STATUS_STOPPED unless it is done already; an unknown one is ignored. It is not required:
 * its checkpoint is deleted. */
void window_thread_cancel(struct window_thread *thread, uint64_t unit);
/* All its units do, and those that it is given later; their checkpoints stay, also if they are cancelled afterwards,
 * but not if they were cancelled before. */
void window_thread_stop(struct window_thread *thread);

/* The next result, if there is one. Tells first what checkpoints have to tell. out->worker is 0; out->details are valid
 * until the next call. */
bool window_thread_take(struct window_thread *thread, struct work_result *out);

/* Returns when there is a result, after `seconds` at most. */
void window_thread_wait(struct window_thread *thread, double seconds);

#endif
