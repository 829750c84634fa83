/* --into RUN_DIR [--label NAME] of the commands that measure: measurements are stored in a run, also while a search
 * works on it. */
#ifndef LONGROPE_SEARCH_MEASUREMENT_LOG_H
#define LONGROPE_SEARCH_MEASUREMENT_LOG_H

#include "eval/base/error.h"
#include "eval/kernels/kernels.h"
#include "eval/rope.h"
#include "search/store/store_measurements.h"

struct measurement_log {
    struct store *store; /* for store_put_length() and store_put_passkeys(); NULL: nothing is recorded */
    const char *label;   /* borrowed; NULL: each table's own */
};

/* Called before anything is computed, so that an error costs no computation. `into` and `label` may be NULL.
 * STATUS_INPUT for an invalid label or a label without a run, else as store_open(). The caller closes *out, also after
 * an error. */
int measurement_log_open(const char *into, const char *label, struct measurement_log *out, struct error *error);
void measurement_log_close(struct measurement_log *log); /* a zeroed struct is allowed */

/* What a table is measured with. */
struct measurement_setup {
    const char
        *name; /* the table's own label: a method, or the name in a factor file; "factors" replaces an invalid one */
    const char *model; /* folder */
    int64_t length;
    double scale, seconds;
    const struct rope_table *table;
    const struct kernels *kernels;
    enum rope_angles angles;
};

void measurement_log_describe(const struct measurement_log *log, const struct measurement_setup *setup,
                              struct measurement *out);

#endif
