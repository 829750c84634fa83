/* gnuplot as a child process: a script goes in, what it prints comes out. */
#ifndef LONGROPE_SEARCH_GNUPLOT_H
#define LONGROPE_SEARCH_GNUPLOT_H

#include <signal.h>
#include <stddef.h>

#include "eval/base/error.h"

struct gnuplot {
    const char *program;               /* searched for in PATH where it has no slash */
    double patience;                   /* seconds that one script may take */
    const volatile sig_atomic_t *stop; /* non-zero: the child is ended; may be NULL */
};

/* Runs script[size] with gnuplot's own defaults, no user's, and numbers with decimal points. *out is what it printed,
 * with a zero behind it, and the caller's to free; NULL on an error. STATUS_FAILED where gnuplot is not installed
 * (the message names the package), fails (the message has what it said), prints nothing or is out of time;
 * STATUS_STOPPED where the stop flag rose. No child is left, whatever is returned. */
int gnuplot_run(const struct gnuplot *gnuplot, const char *script, size_t size, char **out, struct error *error);

#endif
