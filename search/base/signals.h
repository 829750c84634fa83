/* Signals that ask a program to stop set a flag; long work reads it and stops with everything saved.
 *
 * They are what people, terminals and batch systems send: SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 (before
 * a time limit), SIGXCPU and SIGVTALRM (limits of processor time), SIGALRM (timeout), SIGPWR (the machine loses its
 * power), and SIGPIPE (nobody reads the output). */
#ifndef LONGROPE_SEARCH_SIGNALS_H
#define LONGROPE_SEARCH_SIGNALS_H

#include <signal.h>

/* Catches these signals from the first call on, except a SIGHUP that nohup had the process ignore. The flag becomes
 * non-zero when one arrives. A second SIGINT, SIGTERM or SIGQUIT ends the process at once; saved work is not affected.
 * Batch systems and terminals repeat the others, so these are caught each time. */
const volatile sig_atomic_t *signals_caught(void);

/* The signal that set the flag, as "SIGTERM"; "a signal" if the flag was set otherwise or is not set. */
const char *signals_name(void);

/* Sets the flag as that signal does, which another process of the same search caught. */
void signals_ask_to_stop(int number);

/* For work that takes minutes, does not read the flag and has nothing to save: until the next call, with NULL, a signal
 * prints "longrope: stopped by SIGTERM; " and `message` (borrowed; with a newline) on stderr and ends the process at
 * once with STATUS_STOPPED; with "" it prints nothing. This includes a signal that arrived before the call. */
void signals_end_at_once(const char *message);

#endif
