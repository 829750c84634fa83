/* SIGINT and SIGTERM as a wish to stop, for work that ends by itself soon after. */
#ifndef LONGROPE_SEARCH_SIGNALS_H
#define LONGROPE_SEARCH_SIGNALS_H

#include <signal.h>

/* Catches both signals from the first call on; the flag becomes non-zero when one comes. A second one
 * of the same kind kills at once: nothing that was saved is lost by that. */
const volatile sig_atomic_t *signals_caught(void);

#endif
