#include <signal.h>
#include <stdio.h>

#include "search/base/signals.h"
#include "search/cli/commands.h"

int main(int argc, char **argv) {
    struct error error = {""};
    int status = commands_main(argc, argv, &error);
    if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        if (*signals_caught() == SIGPIPE) { /* all is done, but its reader has gone, as head does: no error */
            signal(SIGPIPE, SIG_DFL);
            raise(SIGPIPE);
        }
        status = error_set(&error, STATUS_FAILED, "standard output could not be written; is the disk full?");
    }
    if (status != STATUS_OK) fprintf(stderr, "longrope: %s\n", error.message);
    return status;
}
