#include "search/ranks/window_thread.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/base/clock.h"
#include "search/ranks/handout.h"

/* Seconds that a window waits for a process that has locked its checkpoint. */
static const double lock_patience = 120.0;

/* A unit, and what came of it. */
struct job {
    struct work_unit unit;
    int status;
    double seconds, nats;
    void *details; /* [size] bytes, owned */
    size_t size;
    struct error error;
};

/* What a checkpoint told. */
struct line {
    struct line *next;
    char text[];
};

/* A queue of at most HANDOUT_MOST. */
struct jobs {
    struct job *items[HANDOUT_MOST];
    size_t count;
};

struct window_thread {
    struct window_task task;
    struct checkpoints *checkpoints; /* NULL: none */
    struct forward *forward;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t given, finished;
    struct jobs waiting, done;
    struct job *running;
    struct line *lines, **last;   /* that the owner is to be told */
    struct job *taken;            /* by the owner, whose details are borrowed */
    volatile sig_atomic_t cancel; /* ends the pass that runs; atomic. 1, or CHECKPOINTS_FORGET */
    bool stopped, ending;
};

/* ---- jobs ---- */

static void job_free(struct job *job) {
    if (!job) return;
    free(job->details);
    free(job);
}

static void push(struct jobs *jobs, struct job *job) { jobs->items[jobs->count++] = job; }

static struct job *remove_at(struct jobs *jobs, size_t at) {
    struct job *job = jobs->items[at];
    jobs->count--;
    memmove(&jobs->items[at], &jobs->items[at + 1], (jobs->count - at) * sizeof *jobs->items);
    return job;
}

static void job_stop(struct job *job) { job->status = error_set(&job->error, STATUS_STOPPED, "stopped"); }

static void job_run(struct window_thread *thread, struct job *job) {
    const struct window_task *task = &thread->task;
    double began = clock_seconds();
    job->status =
        task->compute(task->state, thread->forward, &job->unit, &job->nats, &job->details, &job->size, &job->error);
    job->seconds = clock_seconds() - began;
}

static void set_cancel(struct window_thread *thread, int value) {
    __atomic_store_n(&thread->cancel, value, __ATOMIC_RELAXED);
}

/* ---- what checkpoints tell: in the thread, and to its owner ---- */

/* Without memory the line is lost, and nothing else. */
static void note_line(void *state, double start, const char *text) {
    struct window_thread *thread = state;
    struct line *line = malloc(sizeof *line + strlen(text) + 1);
    (void)start;
    if (!line) return;
    line->next = NULL;
    strcpy(line->text, text);
    pthread_mutex_lock(&thread->mutex);
    *thread->last = line;
    thread->last = &line->next;
    pthread_mutex_unlock(&thread->mutex);
}

static struct line *take_lines(struct window_thread *thread) {
    pthread_mutex_lock(&thread->mutex);
    struct line *lines = thread->lines;
    thread->lines = NULL;
    thread->last = &thread->lines;
    pthread_mutex_unlock(&thread->mutex);
    return lines;
}

static void tell_lines(struct window_thread *thread, bool aloud) {
    const struct checkpoints_options *options = &thread->task.checkpoints;
    for (struct line *line = take_lines(thread), *next; line; line = next) {
        next = line->next;
        if (aloud && options->tell) options->tell(options->tell_state, 0.0, line->text);
        free(line);
    }
}

static int open_checkpoints(struct window_thread *thread, struct error *error) {
    struct checkpoints_options options = thread->task.checkpoints;
    if (!options.folder) return STATUS_OK;
    options.patience = lock_patience;
    options.stop = &thread->cancel;
    options.tell = note_line, options.tell_state = thread;
    return checkpoints_open(&options, &thread->checkpoints, error);
}

/* ---- the thread ---- */

static void *run(void *state) {
    struct window_thread *thread = state;
    pthread_mutex_lock(&thread->mutex);
    while (!thread->ending) {
        if (thread->waiting.count == 0) {
            pthread_cond_wait(&thread->given, &thread->mutex);
            continue;
        }
        struct job *job = thread->running = remove_at(&thread->waiting, 0);
        set_cancel(thread, 0);
        pthread_mutex_unlock(&thread->mutex);
        job_run(thread, job);
        pthread_mutex_lock(&thread->mutex);
        thread->running = NULL;
        push(&thread->done, job);
        pthread_cond_signal(&thread->finished);
    }
    pthread_mutex_unlock(&thread->mutex);
    return NULL;
}

/* Signals are for the thread that owns this one. */
static int start(struct window_thread *thread) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&thread->thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->started = failed == 0;
    return failed;
}

static void init_locks(struct window_thread *thread) {
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->given, NULL);
    pthread_cond_init(&thread->finished, &clock);
    pthread_condattr_destroy(&clock);
}

int window_thread_new(const struct window_task *task, int threads, struct window_thread **out, struct error *error) {
    *out = NULL;
    struct window_thread *thread = calloc(1, sizeof *thread);
    if (!thread) return error_memory(error, sizeof *thread, "a thread");
    thread->task = *task;
    thread->last = &thread->lines;
    init_locks(thread);
    int status = open_checkpoints(thread, error);
    /* LLVM's OpenMP ends with the last thread that used it, and does not survive that: this one uses it, too */
    int most = omp_get_max_threads();
    const struct forward_options forward = {.threads = threads ? threads : most,
                                            .angles = task->angles,
                                            .stop = &thread->cancel,
                                            .checkpoints = thread->checkpoints,
                                            .kept_bytes = task->kept_bytes};
    if (status == STATUS_OK) status = forward_new(task->model, &forward, &thread->forward, error);
    int failed = status == STATUS_OK ? start(thread) : 0;
    if (failed) status = error_set(error, STATUS_FAILED, "a thread could not be started: %s", strerror(failed));
    if (status != STATUS_OK) {
        window_thread_free(thread, false);
        return status;
    }
    *out = thread;
    return STATUS_OK;
}

/* A unit that was cancelled before is not required after a stop either: its checkpoint goes. */
static void stop_locked(struct window_thread *thread) {
    thread->stopped = true;
    if (thread->cancel != CHECKPOINTS_FORGET) set_cancel(thread, 1);
    while (thread->waiting.count) {
        struct job *job = remove_at(&thread->waiting, 0);
        job_stop(job);
        push(&thread->done, job);
    }
}

void window_thread_free(struct window_thread *thread, bool finished) {
    if (!thread) return;
    pthread_mutex_lock(&thread->mutex);
    stop_locked(thread);
    thread->ending = true;
    pthread_cond_signal(&thread->given);
    pthread_mutex_unlock(&thread->mutex);
    if (thread->started) pthread_join(thread->thread, NULL);
    while (thread->done.count) job_free(remove_at(&thread->done, 0));
    job_free(thread->taken);
    tell_lines(thread, false);
    forward_free(thread->forward);
    checkpoints_close(thread->checkpoints, finished);
    pthread_cond_destroy(&thread->finished);
    pthread_cond_destroy(&thread->given);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
}

/* ---- the owner's side ---- */

int window_thread_give(struct window_thread *thread, const struct work_unit *unit, struct error *error) {
    struct job *job = calloc(1, sizeof *job);
    if (!job) return error_memory(error, sizeof *job, "a unit of work");
    job->unit = *unit;
    pthread_mutex_lock(&thread->mutex);
    bool fits = thread->waiting.count + thread->done.count + (thread->running != NULL) < HANDOUT_MOST;
    if (fits && thread->stopped) {
        job_stop(job);
        push(&thread->done, job);
    } else if (fits) {
        push(&thread->waiting, job);
        pthread_cond_signal(&thread->given);
    }
    pthread_mutex_unlock(&thread->mutex);
    if (fits) return STATUS_OK;
    job_free(job);
    return error_set(error, STATUS_FAILED, "a thread was given more than %d windows", HANDOUT_MOST);
}

void window_thread_cancel(struct window_thread *thread, uint64_t unit) {
    pthread_mutex_lock(&thread->mutex);
    bool running = thread->running && thread->running->unit.id == unit;
    if (running && !thread->stopped) set_cancel(thread, CHECKPOINTS_FORGET);
    for (size_t i = 0; i < thread->waiting.count; i++) {
        if (thread->waiting.items[i]->unit.id != unit) continue;
        struct job *job = remove_at(&thread->waiting, i);
        job_stop(job);
        push(&thread->done, job);
        break;
    }
    pthread_mutex_unlock(&thread->mutex);
}

void window_thread_stop(struct window_thread *thread) {
    pthread_mutex_lock(&thread->mutex);
    stop_locked(thread);
    pthread_mutex_unlock(&thread->mutex);
}

bool window_thread_take(struct window_thread *thread, struct work_result *out) {
    pthread_mutex_lock(&thread->mutex);
    struct job *job = thread->done.count ? remove_at(&thread->done, 0) : NULL;
    pthread_mutex_unlock(&thread->mutex);
    tell_lines(thread, true); /* what it told before it was done, at the least */
    if (!job) return false;
    job_free(thread->taken);
    thread->taken = job;
    *out = (struct work_result){.id = job->unit.id,
                                .status = job->status,
                                .seconds = job->seconds,
                                .nats = job->nats,
                                .details = job->details,
                                .size = job->size,
                                .error = job->error};
    return true;
}

void window_thread_wait(struct window_thread *thread, double seconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(seconds * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&thread->mutex);
    int failed = 0;
    while (thread->done.count == 0 && failed == 0) {
        failed = pthread_cond_timedwait(&thread->finished, &thread->mutex, &until);
    }
    pthread_mutex_unlock(&thread->mutex);
}
