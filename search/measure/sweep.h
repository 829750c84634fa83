/* Perplexity of many tables at many lengths, each window computed once for all rows that share it.
 *
 * In a causal model the nats of a token depend on those before it alone, so a window that is the beginning of a longer
 * one has its nats already where the table is the same: a method like none, or a factor file's one table, at all
 * lengths; and closed forms of scale 1 are one table. That holds to the last bit, because a row of the forward pass
 * does not depend on the rows computed with it (eval/kernels/kernels.h).
 *
 * Of windows that share, the longest is computed, as the window of its own row; the others are reused. A row that is
 * asked for twice, method and length, is computed twice: who does so times it. Rows can be
 * scored in any order: a row's windows are computed when it is asked for, in as long a form as any row wants them.
 */
#ifndef LONGROPE_SEARCH_SWEEP_H
#define LONGROPE_SEARCH_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/forward.h"
#include "eval/perplexity.h"
#include "search/measure/table_source.h"

struct sweep_window; /* what is known of one window of one row */

/* One table at one length. The caller fills in what is above the line. */
struct sweep_row {
    struct chosen_table table;
    int64_t length; /* as it was asked for; a document's last window may be shorter where they slide */
    struct scoring scoring;
    void (*progress)(void *state, size_t windows); /* so many windows of the row are known; may be NULL */
    void *progress_state;
    /* ---- */
    double *window_nats; /* [scoring.count], once the row is scored */
    size_t reused;       /* windows that other rows have; known from the beginning */
    double seconds;      /* that computing its other windows took, for whichever row that was; 0 where there are none */
    struct sweep_window *windows; /* [scoring.count] */
};

struct sweep {
    size_t count;
    struct sweep_row *rows; /* [count]; the caller's */
};

/* Finds what the rows share. All are of the same documents. The caller closes with sweep_close(), also after an error
 * (for lack of memory). */
int sweep_open(struct sweep *sweep, struct error *error);
void sweep_close(struct sweep *sweep); /* leaves the rows to the caller; one that was not opened is allowed */

/* Computes what is not known yet of a row's windows. token_nats[scoring_tokens()] receives each token's nats, window
 * by window, unless NULL; only in a sweep of one row. Errors are those of forward_nats(). */
int sweep_score(struct sweep *sweep, size_t row, struct forward *forward, double *token_nats, struct error *error);

#endif
