#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "search/base/atomic_output.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"

/* An error that occurred earlier has left no errno. */
static int end_output(struct error *error) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return STATUS_OK;
    if (*signals_caught() == SIGPIPE) { /* all is done, but its reader has gone, as head does: no error */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (errno) return atomic_output_failed("standard output", errno, error);
    return error_set(error, STATUS_FAILED, "standard output: could not be written; is the disk full?");
}

int main(int argc, char **argv) {
    struct error error = {""};
    signal(SIGXFSZ, SIG_IGN); /* a file that becomes too large is an error of writing */
    int status = commands_main(argc, argv, &error);
    if (status == STATUS_OK) status = end_output(&error);
    if (status != STATUS_OK && *error.message) fprintf(stderr, "longrope: %s\n", error.message);
    return status;
}
