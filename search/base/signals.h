/* SIGINT and SIGTERM as a wish to stop, for work that ends by itself soon after. */
#ifndef LONGROPE_SEARCH_SIGNALS_H
#define LONGROPE_SEARCH_SIGNALS_H

#include <signal.h>

/* Catches both signals from the first call on; the flag becomes non-zero when one comes. A second one
 * of the same kind kills at once: nothing that was saved is lost by that. */
const volatile sig_atomic_t *signals_caught(void);

/* For work that may take minutes, looks at no flag and has nothing to save: from here on a signal, also one that
 * came before, ends the process there and then with STATUS_STOPPED, after `message` (borrowed) on stderr. Until
 * the next call, with NULL. */
void signals_end_at_once(const char *message);

#endif
