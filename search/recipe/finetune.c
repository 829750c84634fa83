#include "search/recipe/finetune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "eval/model/weights.h"
#include "search/base/clock.h"
#include "search/base/output_path.h"
#include "search/base/signals.h"
#include "search/ranks/launcher.h"

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

int finetune_check_output(const char *stage, const char *output, struct error *error) {
    const char *slash = strrchr(output, '/');
    size_t most = NAME_MAX - strlen(".part"), length = strlen(slash ? slash + 1 : output);
    if (length > most) {
        return error_set(
            error, STATUS_INPUT,
            "stage '%s': the name of its fine-tuned model has %zu bytes; choose a 'finetune.output' whose name "
            "has at most %zu",
            stage, length, most);
    }
    if (finetune_is_model(output) || access(output, F_OK) != 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%.300s: exists and is not a model; stage '%s' writes its fine-tuned model there; delete it, "
                     "or choose another 'finetune.output'",
                     output, stage);
}

static void wait_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); }

static bool stopped(const struct finetune *job) {
    ranks_listen(job->ranks);
    return job->stop && *job->stop;
}

/* The command while it runs. */
struct child {
    pid_t process;  /* also its process group */
    double told_at; /* when the group got SIGTERM; 0: not yet */
    bool said;      /* that it is waited for */
    bool killed;    /* the group got SIGKILL */
};

/* Tells the group to stop, and kills it when the patience is over. */
static void end_child(const struct finetune *job, struct child *child) {
    const double silence = 2.0; /* seconds */
    double waited = child->told_at == 0.0 ? 0.0 : clock_seconds() - child->told_at;
    if (child->told_at == 0.0) {
        kill(-child->process, SIGTERM);
        kill(-child->process, SIGCONT); /* what is suspended would not see the other */
        child->told_at = clock_seconds();
    } else if (!child->said && waited > silence) {
        fprintf(stderr, "%s: waiting for the fine-tuning command, which was told to stop (SIGTERM), at most %g s\n",
                job->stage, job->patience);
        child->said = true;
    } else if (!child->killed && waited > job->patience) {
        fprintf(stderr, "%s: the fine-tuning command did not end within %g s of SIGTERM; it is killed\n", job->stage,
                job->patience);
        kill(-child->process, SIGKILL);
        child->killed = true;
    }
}

/* ---- the lock: held by the command itself, which inherits it, for as long as it lives ---- */

static int open_lock(const struct finetune *job, int *lock, struct error *error) {
    *lock = open(job->lock, O_RDWR | O_CREAT, 0666);
    if (*lock >= 0) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "%.300s: could not be opened: %s; %s", job->lock, strerror(errno),
                     output_remedy(errno));
}

static int take_lock(const struct finetune *job, int *lock, struct error *error) {
    bool told = false;
    int status = open_lock(job, lock, error);
    if (status != STATUS_OK) return status;
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return error_set(error, STATUS_FAILED,
                             "%.300s: could not be locked: %s; use a folder on a local disk for the run", job->lock,
                             strerror(errno));
        }
        if (stopped(job)) return error_set(error, STATUS_STOPPED, "stopped by %s", signals_name());
        if (!told) {
            fprintf(stderr, "%s: the fine-tuning command of an earlier longrope still runs; waiting for it\n",
                    job->stage);
        }
        told = true;
        wait_a_little();
    }
    return STATUS_OK;
}

/* The shell dies of the signal that its child still saves its work on: the lock is free when all of them are gone. What
 * has left the process group is not killed; the next longrope waits for it. */
static void outlive_command(const struct finetune *job, struct child *child, int *lock) {
    enum { LAST_CHECKS = 20 }; /* after SIGKILL */
    struct error ignored;
    close(*lock);
    if (open_lock(job, lock, &ignored) != STATUS_OK) return;
    if (!stopped(job)) child->told_at = clock_seconds(); /* it stops by itself */
    for (int last = 0; last < LAST_CHECKS; last += child->killed) {
        if (flock(*lock, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR)) return;
        end_child(job, child);
        wait_a_little();
    }
    fprintf(stderr, "%s: a process of the fine-tuning command still runs; the next search waits for it\n", job->stage);
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
        bool launchers = job->ranks && launcher_sets(environ[i]);
        if (!is_own(out, environ[i]) && !launchers) out->all[count++] = environ[i];
    }
    return STATUS_OK;
}

/* ---- the command ---- */

/* In a process group of its own, so that all of it can be told to stop. */
static int start(const struct finetune *job, char **environment, struct child *out, struct error *error) {
    char *arguments[] = {"sh", "-c", (char *)job->command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t heeded;
    sigemptyset(&heeded);
    sigaddset(&heeded, SIGINT);
    sigaddset(&heeded, SIGTERM);
    sigaddset(&heeded, SIGXFSZ);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = posix_spawn_file_actions_addchdir_np(&actions, job->folder) ||
                 posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) ||
                 posix_spawnattr_setsigdefault(&attributes, &heeded) || posix_spawnattr_setpgroup(&attributes, 0) ||
                 posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    if (!failed) failed = posix_spawn(&out->process, "/bin/sh", &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (!failed) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "stage '%s': its fine-tuning command could not be started in %.300s: %s",
                     job->stage, job->folder, strerror(failed));
}

static int wait_for(const struct finetune *job, struct child *child) {
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(child->process, &status, WNOHANG);
        if (ended == child->process) return status;
        if (ended < 0 && errno != EINTR) return -1; /* it is over, and nobody knows how */
        if (stopped(job)) end_child(job, child);
        wait_a_little();
    }
}

/* A batch system sends its signal to all processes of a job, and the command may die of it first. */
static bool signal_follows(const struct finetune *job, int status) {
    enum { CHECKS = 20 };
    bool by_signal = WIFSIGNALED(status) || WEXITSTATUS(status) > 128; /* the shell says so of what it started */
    for (int i = 0; i < CHECKS && by_signal && !stopped(job); i++) wait_a_little();
    return stopped(job);
}

/* What the command's end means. */
static int judge(const struct finetune *job, int status, struct error *error) {
    if (signal_follows(job, status) || (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_STOPPED)) {
        return error_set(error, STATUS_STOPPED, "the fine-tuning command stopped");
    }
    if (status == 0) return STATUS_OK;
    char how[60];
    if (WIFEXITED(status)) {
        snprintf(how, sizeof how, "failed with status %d", WEXITSTATUS(status));
    } else {
        snprintf(how, sizeof how, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    return error_set(error, STATUS_FAILED,
                     "stage '%s': its fine-tuning command %s; its output is above; fix it and resume with "
                     "--resume",
                     job->stage, how);
}

static int run_command(const struct finetune *job, const char *part, struct child *child, struct error *error) {
    struct environment environment;
    int status = environment_make(job, part, &environment, error);
    if (status == STATUS_OK) status = start(job, environment.all, child, error);
    environment_free(&environment);
    return status == STATUS_OK ? judge(job, wait_for(job, child), error) : status;
}

static int accept_output(const struct finetune *job, const char *part, struct error *error) {
    if (!finetune_is_model(part)) {
        return error_set(
            error, STATUS_FAILED,
            "stage '%s': its fine-tuning command ended with status 0, but %.300s holds no config.json with "
            "model.safetensors or model.safetensors.index.json; it must write to $LONGROPE_OUTPUT",
            job->stage, part);
    }
    struct weights *weights = NULL;
    struct error why;
    if (weights_open(part, &weights, &why) != STATUS_OK) {
        return error_set(error, STATUS_FAILED,
                         "stage '%s': its fine-tuning command ended with status 0, but not with a model: %.500s; fix "
                         "the command, and resume with --resume",
                         job->stage, why.message);
    }
    weights_close(weights);
    if (rename(part, job->output) == 0) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "stage '%s': %.300s could not be renamed to %.300s: %s; %s", job->stage,
                     part, job->output, strerror(errno), output_remedy(errno));
}

static int run_locked(const struct finetune *job, const char *part, struct child *child, struct error *error) {
    double began = clock_seconds();
    if (finetune_is_model(job->output)) return STATUS_OK; /* the one that was waited for */
    int status = finetune_check_output(job->stage, job->output, error);
    if (status != STATUS_OK) return status;
    fprintf(stderr, "%s: fine-tuning: %s\n", job->stage, job->command);
    status = run_command(job, part, child, error);
    if (status == STATUS_OK) status = accept_output(job, part, error);
    if (status == STATUS_OK) {
        fprintf(stderr, "%s: fine-tuned in %.0f s: %s\n", job->stage, clock_seconds() - began, job->output);
    }
    return status;
}

int finetune_run(const struct finetune *job, struct error *error) {
    struct child child = {0};
    char *part = NULL;
    int lock = -1;
    if (asprintf(&part, "%s.part", job->output) < 0) return error_memory(error, 0, "a path");
    int status = take_lock(job, &lock, error);
    if (status == STATUS_OK) {
        status = run_locked(job, part, &child, error);
        if (status == STATUS_STOPPED) outlive_command(job, &child, &lock);
    }
    if (lock >= 0) close(lock);
    free(part);
    return status;
}
