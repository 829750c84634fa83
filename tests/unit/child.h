/* Child processes of one test, which may be killed, lose their rights or run out of room. */
#ifndef LONGROPE_TESTS_UNIT_CHILD_H
#define LONGROPE_TESTS_UNIT_CHILD_H

#include "tests/unit/scratch.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>

/* A child that runs `body` and ends with its result; `pipe` is for what it has to say, *pipe_out is where
 * that is read, and the caller closes it. */
static inline pid_t child_start(int (*body)(void *state, int pipe), void *state, int *pipe_out) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        _exit(body(state, ends[1]));
    }
    close(ends[1]);
    *pipe_out = ends[0];
    return child;
}

/* As waitpid() gives it. */
static inline int child_wait(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0) assert_int_equal(errno, EINTR);
    return status;
}

/* What a child says, up to the end of what it writes. */
static inline void child_read_all(int pipe, char *text, size_t size) {
    size_t used = 0;
    for (ssize_t got; used + 1 < size && (got = read(pipe, text + used, size - used - 1)) > 0;) used += (size_t)got;
    text[used] = '\0';
}

/* Runs a child to its end; its exit status. text[size] gets the first line of what it says. */
static inline int child_run(int (*body)(void *state, int pipe), void *state, char *text, size_t size) {
    int pipe;
    pid_t child = child_start(body, state, &pipe);
    child_read_all(pipe, text, size);
    close(pipe);
    text[strcspn(text, "\n")] = '\0';
    int status = child_wait(child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* In the child: one line. */
static inline void child_say(int pipe, const char *text) {
    if (write(pipe, text, strlen(text)) < 0 || write(pipe, "\n", 1) != 1) _exit(98);
}

/* In the child: root may write everywhere, so it gives that up. */
static inline void child_drop_root(void) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
}

/* In the child: no file can grow beyond `bytes`, as on a full disk. */
static inline void child_limit_files(rlim_t bytes) {
    struct rlimit limit = {bytes, bytes};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(99);
}

#endif
