#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "search/base/output_stream.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"

/* A file that is opened must not take the number of a standard stream that is closed: what is printed would end in it.
 * The streams stay unusable. */
static void fill_streams(void) {
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
    }
}

static int end_output(struct error *error) {
    int status = output_stream_flush(stdout, error);
    if (status == STATUS_OK && ferror(stdout)) { /* all is done, but its reader has gone, as head does: no error */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    return status;
}

int main(int argc, char **argv) {
    struct error error = {""};
    fill_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file that becomes too large is an error of writing */
    signal(SIGCHLD, SIG_DFL); /* whoever ignores it is not told how a child ended, and that is inherited */
    int status = commands_main(argc, argv, &error);
    if (status == STATUS_OK) status = end_output(&error);
    if (status != STATUS_OK && *error.message) fprintf(stderr, "longrope: %s\n", error.message);
    return status;
}
