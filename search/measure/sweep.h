/* Perplexity of many tables at many lengths. Each window is evaluated once for all rows that share it.
 *
 * A row is one table at one length. If several rows share a table, each window is evaluated once, at the greatest
 * length; shorter rows reuse its prefix. In a causal model the nats of a token depend only on the tokens before it, and
 * a row of the forward pass does not depend on the rows computed with it (eval/kernels/kernels.h), so reused nats are
 * equal to the last bit. Rows share a table if the method does not depend on the length (none, a single table of a
 * factor file) or if all scales are 1.
 *
 * Rows can be scored in any order: the windows of a row are evaluated when that row is scored. A method and length that
 * occur twice are evaluated twice, because somebody who asks for both wants two timings.
 *
 * Windows are evaluated by this thread, or by workers (search/ranks/workers.h), which begin with those of later rows
 * while a row is scored. Results are equal to the last bit.
 */
#ifndef LONGROPE_SEARCH_SWEEP_H
#define LONGROPE_SEARCH_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/forward.h"
#include "eval/perplexity.h"
#include "search/measure/table_source.h"
#include "search/ranks/work_list.h"

struct sweep_window; /* one window of one row */

/* One table at one length. The caller sets the fields above the line. */
struct sweep_row {
    struct chosen_table table;
    int64_t length; /* as requested; with a stride, the last window of a document may be shorter */
    struct scoring scoring;
    size_t first_window; /* for workers: the number of its first window among those of `all` in sweep_compute() */
    void (*progress)(void *state, size_t known); /* called while the row is scored; may be NULL */
    void *progress_state;
    /* ---- */
    double *window_nats; /* [scoring.count], once the row is scored */
    size_t known;        /* windows with known nats, or with workers those that have come */
    size_t reused;       /* windows whose nats come from other rows; set by sweep_open() */
    /* For its other windows, including those evaluated for shorter rows, and what earlier processes spent on
     * checkpoints that were used; with workers: waited for them. */
    double seconds;
    struct sweep_window *windows; /* [scoring.count] */
};

struct sweep {
    size_t count;
    struct sweep_row *rows;       /* [count]; the caller's */
    struct work_list *list;       /* set by sweep_hand_out() */
    struct sweep_window **listed; /* [units of the list] */
};

/* Finds the windows that rows share. All rows have the same documents. STATUS_FAILED for lack of memory. The caller
 * closes with sweep_close(), also after an error. */
int sweep_open(struct sweep *sweep, struct error *error);
void sweep_close(struct sweep *sweep); /* the caller keeps the rows; a zeroed struct is allowed */

/* Has all windows that are evaluated computed by workers, in the order of the rows. The list, which is empty, is
 * borrowed. STATUS_FAILED for lack of memory. */
int sweep_hand_out(struct sweep *sweep, struct work_list *list, struct error *error);

/* How a worker computes a window: for struct window_task. `all` is a struct scoring, with the windows of all rows. */
int sweep_compute(const void *all, struct forward *forward, const struct work_unit *unit, double *nats, void **details,
                  size_t *size, struct error *error);

/* Evaluates the windows of a row that are not known yet; `forward` is not used with workers.
 * token_nats[scoring_tokens()] receives the nats of each token, window by window, unless it is NULL; a sweep of one row
 * only. Errors are those of forward_nats(), and of work_list_hear(). */
int sweep_score(struct sweep *sweep, size_t row, struct forward *forward, double *token_nats, struct error *error);

#endif
