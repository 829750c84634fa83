/* What a rank does that is not rank 0: it computes windows that rank 0 (search/ranks/rank_workers.h) asks for. */
#ifndef LONGROPE_SEARCH_RANK_SERVICE_H
#define LONGROPE_SEARCH_RANK_SERVICE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/ranks/rank_messages.h"
#include "search/ranks/ranks.h"
#include "search/ranks/window_thread.h"

/* Says with which kernels this rank computes: the first of its messages. STATUS_FAILED for lack of memory. */
int rank_service_hello(struct ranks *ranks, struct error *error);

/* Says that a stage is loaded, and computes windows of `task` until rank 0 ends the stage, or the work as a whole:
 * *ended. `threads` 0: this rank's share of the node. All is borrowed. Errors are lack of memory, and requests
 * for windows outside the task, and those of checkpoints_open(); those of single windows go to rank 0, which has to say
 * what they mean, and so do lines of checkpoints. */
int rank_service_run(struct ranks *ranks, int64_t stage, const struct window_task *task,
                     const struct rank_loaded *loaded, int threads, bool *ended, struct error *error);

#endif
