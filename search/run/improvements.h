/* How the tables of a stage became better, for tables and plots of convergence. */
#ifndef LONGROPE_SEARCH_IMPROVEMENTS_H
#define LONGROPE_SEARCH_IMPROVEMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "search/run/run_view.h"

/* The individuals that are better than all whose scores were known before, in the order in which they were known. Those
 * whose work is not stored come first, by id: an older longrope scored them. */
struct improvements {
    size_t count;
    const struct individual **items; /* [count] into stage->individuals */
};

/* False if memory is short. The caller frees *out with improvements_free(). */
bool improvements_read(const struct stage_view *stage, struct improvements *out);
void improvements_free(struct improvements *improvements);

#endif
