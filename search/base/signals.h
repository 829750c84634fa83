/* SIGINT and SIGTERM set a flag; long work reads it and stops with everything saved. */
#ifndef LONGROPE_SEARCH_SIGNALS_H
#define LONGROPE_SEARCH_SIGNALS_H

#include <signal.h>

/* Catches both signals from the first call on. The flag becomes non-zero when one arrives. A second signal of the same
 * kind ends the process at once; saved work is not affected. */
const volatile sig_atomic_t *signals_caught(void);

/* For work that takes minutes, does not read the flag and has nothing to save: until the next call, with NULL, a signal
 * prints `message` (borrowed) on stderr and ends the process at once with STATUS_STOPPED. This includes a signal that
 * arrived before the call. */
void signals_end_at_once(const char *message);

#endif
