/* Runs gnuplot as a child process: a script goes in, its output comes out. */
#ifndef LONGROPE_SEARCH_GNUPLOT_H
#define LONGROPE_SEARCH_GNUPLOT_H

#include <signal.h>
#include <stddef.h>

#include "eval/base/error.h"

struct gnuplot {
    const char *program;               /* searched for in PATH if it has no slash */
    double patience;                   /* seconds that one script may take */
    const volatile sig_atomic_t *stop; /* non-zero: the child is killed; may be NULL */
};

/* Runs script[size] without the user's gnuplot settings and with decimal points in numbers. *out is the output,
 * zero-terminated; the caller frees it; NULL on an error. STATUS_FAILED if gnuplot is not installed (the message
 * names the package), fails (the message has its error output), prints nothing or exceeds its time; STATUS_STOPPED
 * if the stop flag is set. The child has always ended on return. */
int gnuplot_run(const struct gnuplot *gnuplot, const char *script, size_t size, char **out, struct error *error);

#endif
