/* Units that are all known before the first is computed, as those of a measurement are. Workers compute them in the
 * order of the list; the caller hears the results in an order of its own, and what comes early is kept until then. */
#ifndef LONGROPE_SEARCH_WORK_LIST_H
#define LONGROPE_SEARCH_WORK_LIST_H

#include <signal.h>

#include "search/ranks/workers.h"

struct work_list;

/* Both are borrowed. `stop`: non-zero ends work_list_hear() with STATUS_STOPPED; may be NULL. STATUS_FAILED for lack of
 * memory. The caller frees *out with work_list_free(), which cancels what is under way. */
int work_list_new(const struct workers *workers, const volatile sig_atomic_t *stop, struct work_list **out,
                  struct error *error);
void work_list_free(struct work_list *list); /* NULL is allowed */

/* Adds a unit, number 0, 1, ... of the list. The table is borrowed. STATUS_FAILED for lack of memory. */
int work_list_add(struct work_list *list, const struct rope_table *table, size_t window, struct error *error);

/* Waits for the result of that unit, which is heard once: *out, whose details are valid until the next call. `arrived`
 * is called, here, for each unit whose result comes, whichever it is. The unit's own status and error; STATUS_STOPPED
 * if the stop flag rose; the errors of the workers. */
int work_list_hear(struct work_list *list, size_t number, void (*arrived)(void *state, size_t number), void *state,
                   struct work_result *out, struct error *error);

#endif
