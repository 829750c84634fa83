#include "search/html/gnuplot.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "search/base/clock.h"
#include "search/base/signals.h"

extern char **environ;

/* The child's three streams are files in memory, not pipes: neither side waits for the other to read, and a child that
 * ends early causes no SIGPIPE. */
enum { STREAMS = 3 }; /* by descriptor: the script, the output, the error output */

struct child {
    FILE *streams[STREAMS];
    pid_t process;
};

/* ---- the streams ---- */

static int scratch_failed(struct error *error) {
    return error_set(error, STATUS_FAILED, "a file in memory could not be made for gnuplot: %s; free memory",
                     strerror(errno));
}

static int open_streams(struct child *child, const char *script, size_t size, struct error *error) {
    for (int i = 0; i < STREAMS; i++) {
        int memory = memfd_create("gnuplot", MFD_CLOEXEC); /* no other child inherits it */
        child->streams[i] = memory >= 0 ? fdopen(memory, "w+b") : NULL;
        if (!child->streams[i]) {
            if (memory >= 0) close(memory);
            return scratch_failed(error);
        }
    }
    FILE *in = child->streams[STDIN_FILENO];
    bool written = fwrite(script, 1, size, in) == size && fflush(in) == 0;
    return written && lseek(fileno(in), 0, SEEK_SET) == 0 ? STATUS_OK : scratch_failed(error);
}

static void close_streams(struct child *child) {
    for (int i = 0; i < STREAMS; i++) {
        if (child->streams[i]) fclose(child->streams[i]);
    }
}

/* All that the child wrote to a stream, zero-terminated; NULL, with errno set, where it cannot be read. */
static char *contents(const struct child *child, int stream, size_t *size) {
    FILE *file = child->streams[stream];
    off_t end = lseek(fileno(file), 0, SEEK_END);
    char *text = end >= 0 ? malloc((size_t)end + 1) : NULL;
    *size = 0;
    if (!text) return NULL;
    rewind(file);
    *size = fread(text, 1, (size_t)end, file);
    text[*size] = '\0';
    return text;
}

/* ---- the process ---- */

static int not_started(const struct gnuplot *gnuplot, int cause, struct error *error) {
    if (cause == ENOENT) {
        return error_set(error, STATUS_FAILED,
                         "%.200s: is not installed; the report needs it to draw charts; install gnuplot "
                         "(Debian, Ubuntu: apt-get install gnuplot-nox)",
                         gnuplot->program);
    }
    return error_set(error, STATUS_FAILED, "%.200s: could not be started: %s", gnuplot->program, strerror(cause));
}

/* The child's environment: LC_ALL=C in place of any other LC_ALL. NULL for lack of memory; the caller frees the array
 * alone. */
static char **environment_make(void) {
    static char locale[] = "LC_ALL=C";
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **all = calloc(count + 2, sizeof *all);
    if (!all) return NULL;
    all[kept++] = locale;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "LC_ALL=", 7) != 0) all[kept++] = environ[i];
    }
    return all;
}

static int start(const struct gnuplot *gnuplot, struct child *child, struct error *error) {
    char defaults[] = "-d"; /* no ~/.gnuplot */
    char *arguments[] = {(char *)gnuplot->program, defaults, NULL}, **environment = environment_make();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t heeded;
    if (!environment) return error_memory(error, 0, "an environment");
    sigemptyset(&heeded);
    sigaddset(&heeded, SIGINT);
    sigaddset(&heeded, SIGTERM);
    sigaddset(&heeded, SIGXFSZ);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = posix_spawnattr_setsigdefault(&attributes, &heeded);
    if (!failed) failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    for (int i = 0; i < STREAMS && !failed; i++) {
        failed = posix_spawn_file_actions_adddup2(&actions, fileno(child->streams[i]), i);
    }
    if (!failed)
        failed = posix_spawnp(&child->process, gnuplot->program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return failed ? not_started(gnuplot, failed, error) : STATUS_OK;
}

static void end_child(pid_t process) {
    kill(process, SIGKILL); /* it has nothing to save */
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR) continue;
}

/* Waits until the child ends; *how is the status of waitpid(). */
static int wait_for(const struct gnuplot *gnuplot, pid_t process, int *how, struct error *error) {
    double began = clock_seconds();
    for (;;) {
        pid_t ended = waitpid(process, how, WNOHANG);
        if (ended == process) return STATUS_OK;
        if (ended < 0 && errno != EINTR) {
            return error_set(error, STATUS_FAILED, "%.200s: waiting for the process failed: %s", gnuplot->program,
                             strerror(errno));
        }
        if (gnuplot->stop && *gnuplot->stop) {
            end_child(process);
            return error_set(error, STATUS_STOPPED, "stopped by %s; nothing was written", signals_name());
        }
        if (clock_seconds() - began > gnuplot->patience) {
            end_child(process);
            return error_set(error, STATUS_FAILED, "%.200s: drew no chart within %g s and was killed", gnuplot->program,
                             gnuplot->patience);
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* The status of a child that ended `how` and printed `out`. */
static int judge(const struct gnuplot *gnuplot, const struct child *child, int how, const char *out,
                 struct error *error) {
    char end[60];
    size_t size;
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0 && *out) return STATUS_OK;
    if (WIFSIGNALED(how)) {
        snprintf(end, sizeof end, "was terminated by signal %d", WTERMSIG(how));
    } else if (WEXITSTATUS(how) != 0) {
        snprintf(end, sizeof end, "failed with status %d", WEXITSTATUS(how));
    } else {
        snprintf(end, sizeof end, "drew nothing");
    }
    char *said = contents(child, STDERR_FILENO, &size);
    int status = error_set(error, STATUS_FAILED, "%.200s: %s; its error output: %.600s", gnuplot->program, end,
                           said && *said ? said : "none");
    free(said);
    return status;
}

int gnuplot_run(const struct gnuplot *gnuplot, const char *script, size_t size, char **out, struct error *error) {
    struct child child = {.process = 0};
    int how = 0;
    size_t printed;
    *out = NULL;
    int status = open_streams(&child, script, size, error);
    if (status == STATUS_OK) status = start(gnuplot, &child, error);
    if (status == STATUS_OK) status = wait_for(gnuplot, child.process, &how, error);
    if (status == STATUS_OK) {
        *out = contents(&child, STDOUT_FILENO, &printed);
        status = *out ? judge(gnuplot, &child, how, *out, error) : scratch_failed(error);
    }
    close_streams(&child);
    if (status == STATUS_OK) return STATUS_OK;
    free(*out);
    *out = NULL;
    return status;
}
