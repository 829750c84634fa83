#include "search/recipe/finetune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "search/base/clock.h"
#include "search/base/progress.h"

extern char **environ;

static bool holds(const char *folder, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) return false;
    bool there = access(path, R_OK) == 0;
    free(path);
    return there;
}

bool finetune_is_model(const char *folder) {
    return holds(folder, "config.json") &&
           (holds(folder, "model.safetensors") || holds(folder, "model.safetensors.index.json"));
}

static void wait_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); }

static bool stopped(const struct finetune *job) { return job->stop && *job->stop; }

/* ---- the lock: held by the command itself, which inherits it, for as long as it lives ---- */

static int open_lock(const struct finetune *job, int *lock, struct error *error) {
    *lock = open(job->lock, O_RDWR | O_CREAT, 0666);
    if (*lock >= 0) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "%.300s: could not be opened: %s", job->lock, strerror(errno));
}

static int take_lock(const struct finetune *job, int *lock, struct error *error) {
    bool told = false;
    int status = open_lock(job, lock, error);
    if (status != STATUS_OK) return status;
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return error_set(error, STATUS_FAILED, "%.300s: could not be locked: %s", job->lock, strerror(errno));
        }
        if (stopped(job)) return error_set(error, STATUS_STOPPED, "stopped");
        if (!told) {
            fprintf(stderr, "%s: the fine-tuning command of an earlier longrope still runs; waiting for it\n",
                    job->stage);
        }
        told = true;
        wait_a_little();
    }
    return STATUS_OK;
}

/* The shell dies of the signal that its child still saves its work on: the lock is free when all of them are gone. */
static void outlive_command(const struct finetune *job, int *lock) {
    struct error ignored;
    close(*lock);
    if (open_lock(job, lock, &ignored) != STATUS_OK) return;
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) wait_a_little();
}

/* ---- the environment ---- */

enum { VARIABLES = 6 };

struct environment {
    char *own[VARIABLES]; /* "NAME=value", owned */
    char **all;           /* those, what this process has besides, NULL */
};

static void environment_free(struct environment *environment) {
    for (int i = 0; i < VARIABLES; i++) free(environment->own[i]);
    free(environment->all);
}

static bool is_own(const struct environment *environment, const char *variable) {
    for (int i = 0; i < VARIABLES; i++) {
        size_t name = strcspn(environment->own[i], "=") + 1;
        if (strncmp(environment->own[i], variable, name) == 0) return true;
    }
    return false;
}

static char *path_variable(const char *name, const char *path) {
    char *text = NULL, *folder = *path == '/' ? NULL : getcwd(NULL, 0);
    if (*path == '/' || folder) {
        if (asprintf(&text, "%s=%s%s%s", name, folder ? folder : "", folder ? "/" : "", path) < 0) text = NULL;
    }
    free(folder);
    return text;
}

static char *integer_variable(const char *name, int64_t value) {
    char *text = NULL;
    return asprintf(&text, "%s=%" PRId64, name, value) < 0 ? NULL : text;
}

static char *text_variable(const char *name, const char *value) {
    char *text = NULL;
    return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

static int environment_make(const struct finetune *job, const char *part, struct environment *out,
                            struct error *error) {
    size_t count = 0, others = 0;
    *out = (struct environment){
        {path_variable("LONGROPE_MODEL", job->model), path_variable("LONGROPE_FACTORS", job->factors),
         path_variable("LONGROPE_OUTPUT", part), text_variable("LONGROPE_STAGE", job->stage),
         integer_variable("LONGROPE_LENGTH", job->length), integer_variable("LONGROPE_THREADS", job->threads)},
        NULL};
    while (environ[others]) others++;
    out->all = calloc(others + VARIABLES + 1, sizeof *out->all);
    if (!out->all) return error_memory(error, (double)others * sizeof *out->all, "an environment");
    for (; count < VARIABLES; count++) {
        if (!out->own[count]) return error_memory(error, 0, "an environment");
        out->all[count] = out->own[count];
    }
    for (size_t i = 0; i < others; i++) {
        if (!is_own(out, environ[i])) out->all[count++] = environ[i];
    }
    return STATUS_OK;
}

/* ---- the command ---- */

/* In a process group of its own, so that all of it can be told to stop. */
static int start(const struct finetune *job, char **environment, pid_t *out, struct error *error) {
    char *arguments[] = {"sh", "-c", (char *)job->command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t heeded;
    sigemptyset(&heeded);
    sigaddset(&heeded, SIGINT);
    sigaddset(&heeded, SIGTERM);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = posix_spawn_file_actions_addchdir_np(&actions, job->folder) ||
                 posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) ||
                 posix_spawnattr_setsigdefault(&attributes, &heeded) || posix_spawnattr_setpgroup(&attributes, 0) ||
                 posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    if (!failed) failed = posix_spawn(out, "/bin/sh", &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (!failed) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "stage '%s': its fine-tuning command could not be started in %.300s: %s",
                     job->stage, job->folder, strerror(failed));
}

static int wait_for(const struct finetune *job, pid_t process) {
    int status = 0;
    bool told = false;
    for (;;) {
        pid_t ended = waitpid(process, &status, WNOHANG);
        if (ended == process) return status;
        if (ended < 0 && errno != EINTR) return -1; /* somebody ignores SIGCHLD: it is over, and nobody knows how */
        if (stopped(job) && !told) {
            kill(-process, SIGTERM);
            told = true;
        }
        wait_a_little();
    }
}

/* What the command's end means. */
static int judge(const struct finetune *job, int status, struct error *error) {
    if (stopped(job) || (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_STOPPED)) {
        return error_set(error, STATUS_STOPPED, "stopped");
    }
    if (status == 0) return STATUS_OK;
    char how[60];
    if (WIFEXITED(status)) {
        snprintf(how, sizeof how, "failed with status %d", WEXITSTATUS(status));
    } else {
        snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(status));
    }
    return error_set(error, STATUS_FAILED,
                     "stage '%s': its fine-tuning command %s; its output is above; fix it and resume with "
                     "--resume",
                     job->stage, how);
}

static int run_command(const struct finetune *job, const char *part, struct error *error) {
    struct environment environment;
    pid_t process = 0;
    int status = environment_make(job, part, &environment, error);
    if (status == STATUS_OK) status = start(job, environment.all, &process, error);
    environment_free(&environment);
    return status == STATUS_OK ? judge(job, wait_for(job, process), error) : status;
}

static int accept_output(const struct finetune *job, const char *part, struct error *error) {
    if (!finetune_is_model(part)) {
        return error_set(
            error, STATUS_FAILED,
            "stage '%s': its fine-tuning command ended with status 0, but %.300s holds no config.json with "
            "model.safetensors or model.safetensors.index.json; it must write to $LONGROPE_OUTPUT",
            job->stage, part);
    }
    if (rename(part, job->output) == 0) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "stage '%s': %.300s could not be renamed to %.300s: %s", job->stage, part,
                     job->output, strerror(errno));
}

static int run_locked(const struct finetune *job, const char *part, struct error *error) {
    double began = clock_seconds();
    if (finetune_is_model(job->output)) return STATUS_OK; /* the one that was waited for */
    if (access(job->output, F_OK) == 0) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: exists and is not a model; stage '%s' writes its fine-tuned model there; delete it, "
                         "or choose another 'finetune.output'",
                         job->output, job->stage);
    }
    fprintf(stderr, "%s: fine-tuning: %s\n", job->stage, job->command);
    int status = run_command(job, part, error);
    if (status == STATUS_OK) status = accept_output(job, part, error);
    if (status == STATUS_OK) {
        fprintf(stderr, "%s: fine-tuned in %.0f s: %s\n", job->stage, clock_seconds() - began, job->output);
    }
    return status;
}

int finetune_run(const struct finetune *job, struct error *error) {
    char *part = NULL;
    int lock = -1;
    if (asprintf(&part, "%s.part", job->output) < 0) return error_memory(error, 0, "a path");
    int status = take_lock(job, &lock, error);
    if (status == STATUS_OK) {
        status = run_locked(job, part, error);
        if (status == STATUS_STOPPED) outlive_command(job, &lock);
    }
    if (lock >= 0) close(lock);
    free(part);
    return status;
}
