#include "search/ranks/rank_workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/clock.h"
#include "search/ranks/rank_arithmetic.h"

struct rank_workers {
    struct ranks *ranks;
    int64_t stage;
    struct window_thread *thread;
    struct checkpoints_options checkpoints; /* whom to tell */
    struct workers workers;
    struct rank_work *done; /* [ranks_count()]; NULL until it is open */
    double opened;          /* seconds of the clock */
};

static int malformed(const struct ranks *ranks, size_t rank, struct error *error) {
    char name[RANKS_NAME_SIZE];
    return error_set(error, STATUS_FAILED, "%s sent a message of another size than this program's",
                     ranks_name(ranks, rank, name));
}

/* ---- before the first stage ---- */

static int receive_hellos(struct ranks *ranks, struct rank_arithmetic *all, struct error *error) {
    struct ranks_message message;
    all[0] = rank_arithmetic_own();
    for (size_t missing = ranks_count(ranks) - 1; missing > 0;) {
        int status = ranks_wait(ranks, &message, error);
        if (status != STATUS_OK) return status;
        if (message.kind != RANK_HELLO) continue;
        if (message.size != sizeof *all) return malformed(ranks, message.from, error);
        memcpy(&all[message.from], message.data, sizeof *all);
        missing--;
    }
    return STATUS_OK;
}

static int compare_kernels(struct ranks *ranks, enum model_type type, const struct rank_arithmetic *all,
                           struct error *error) {
    char name[RANKS_NAME_SIZE];
    int status = STATUS_OK;
    for (size_t r = 1; r < ranks_count(ranks) && status == STATUS_OK; r++) {
        status =
            rank_arithmetic_compare(type, &all[0], &all[r], ranks_name(ranks, r, name), all, ranks_count(ranks), error);
    }
    return status;
}

int rank_workers_meet(struct ranks *ranks, const enum model_type *types, size_t count, struct error *error) {
    if (!ranks) return STATUS_OK;
    struct rank_arithmetic *all = calloc(ranks_count(ranks), sizeof *all);
    if (!all) return error_memory(error, (double)ranks_count(ranks) * sizeof *all, "the kernels of all ranks");
    int status = receive_hellos(ranks, all, error);
    for (size_t t = 0; t < count && status == STATUS_OK; t++) status = compare_kernels(ranks, types[t], all, error);
    free(all);
    return status;
}

/* ---- beginning and ending a stage ---- */

int rank_workers_begin(struct ranks *ranks, const void *order, size_t size, struct rank_workers **out,
                       struct error *error) {
    *out = NULL;
    if (!ranks) return STATUS_OK;
    struct rank_workers *workers = calloc(1, sizeof *workers);
    if (!workers) return error_memory(error, sizeof *workers, "the workers");
    workers->ranks = ranks;
    memcpy(&workers->stage, order, sizeof workers->stage);
    *out = workers;
    return ranks_send_all(ranks, RANK_STAGE, order, size, error);
}

/* Where a message cannot be sent for lack of memory, RANKS_END follows. */

void rank_workers_stop(struct rank_workers *workers) {
    struct error ignored;
    if (!workers) return;
    ranks_send_all(workers->ranks, RANK_STOP, NULL, 0, &ignored);
    if (workers->thread) window_thread_stop(workers->thread);
}

void rank_workers_close(struct rank_workers *workers, bool finished) {
    const int told = finished;
    struct error ignored;
    if (!workers) return;
    ranks_send_all(workers->ranks, RANK_CLOSE, &told, sizeof told, &ignored);
    window_thread_free(workers->thread, finished);
    free(workers->done);
    free(workers);
}

/* ---- what the others have loaded ---- */

static int compare_ready(const struct ranks *ranks, size_t rank, const struct rank_ready *ready,
                         const struct rank_loaded *own, struct error *error) {
    const struct rank_loaded *other = &ready->loaded;
    bool model = strncmp(other->model, own->model, sizeof own->model) == 0;
    bool arithmetic = strncmp(other->arithmetic, own->arithmetic, sizeof own->arithmetic) == 0;
    bool windows = strncmp(other->windows, own->windows, sizeof own->windows) == 0;
    char name[RANKS_NAME_SIZE];
    if (model && arithmetic && windows) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s has loaded %s than rank 0 on host %s; all ranks have to read the same files",
                     ranks_name(ranks, rank, name),
                     !model        ? "another model (weights or config.json)"
                     : !arithmetic ? "the model for other kernels"
                                   : "another text, or other windows of it,",
                     ranks_host(ranks, 0));
}

static int await_others(struct rank_workers *workers, const struct rank_loaded *own, struct error *error) {
    struct ranks *ranks = workers->ranks;
    struct ranks_message message;
    for (size_t missing = ranks_count(ranks) - 1; missing > 0;) {
        int status = ranks_wait(ranks, &message, error);
        if (status != STATUS_OK) return status;
        const struct rank_ready *ready = message.data;
        if (message.kind != RANK_READY) continue; /* of an earlier stage */
        if (message.size != sizeof *ready) return malformed(ranks, message.from, error);
        if (ready->stage != workers->stage) continue;
        status = compare_ready(ranks, message.from, ready, own, error);
        if (status != STATUS_OK) return status;
        missing--;
    }
    return STATUS_OK;
}

/* ---- as an interface ---- */

static int give(void *state, size_t worker, const struct work_unit *unit, struct error *error) {
    struct rank_workers *workers = state;
    if (worker == 0) return window_thread_give(workers->thread, unit, error);
    return ranks_send(workers->ranks, worker, RANK_UNIT, unit, sizeof *unit, NULL, 0, error);
}

static void cancel(void *state, size_t worker, uint64_t unit) {
    struct rank_workers *workers = state;
    struct error ignored;
    if (worker == 0) {
        window_thread_cancel(workers->thread, unit);
    } else {
        ranks_send(workers->ranks, worker, RANK_CANCEL, &unit, sizeof unit, NULL, 0, &ignored);
    }
}

static int take_result(const struct rank_workers *workers, const struct ranks_message *message, struct work_result *out,
                       bool *taken, struct error *error) {
    const struct rank_result *result = message->data;
    if (message->size < sizeof *result || message->size - sizeof *result != result->size) {
        return malformed(workers->ranks, message->from, error);
    }
    *taken = result->stage == workers->stage;
    *out = (struct work_result){.worker = message->from,
                                .id = result->unit,
                                .seconds = result->seconds,
                                .nats = result->nats,
                                .details = result + 1,
                                .size = result->size};
    return STATUS_OK;
}

static int take_trouble(const struct rank_workers *workers, const struct ranks_message *message,
                        struct work_result *out, bool *taken, struct error *error) {
    const struct rank_trouble *trouble = message->data;
    char name[RANKS_NAME_SIZE];
    if (message->size != sizeof *trouble) return malformed(workers->ranks, message->from, error);
    *taken = trouble->stage == workers->stage;
    *out = (struct work_result){
        .worker = message->from, .id = trouble->unit, .status = (int)trouble->status, .seconds = trouble->seconds};
    error_set(&out->error, out->status, "%s: %s", ranks_name(workers->ranks, message->from, name),
              trouble->error.message);
    return STATUS_OK;
}

static void tell(const struct rank_workers *workers, size_t rank, const char *text) {
    const struct checkpoints_options *to = &workers->checkpoints;
    char name[RANKS_NAME_SIZE], line[1024 + RANKS_NAME_SIZE];
    snprintf(line, sizeof line, "%s: %s", ranks_name(workers->ranks, rank, name), text);
    if (to->tell) to->tell(to->tell_state, 0.0, line);
}

/* Of this rank's own thread. */
static void own_told(void *state, double start, const char *line) {
    (void)start;
    tell(state, 0, line);
}

static int take_note(const struct rank_workers *workers, const struct ranks_message *message, struct error *error) {
    int64_t stage;
    const char *text = (const char *)message->data + sizeof stage;
    bool whole = message->size > sizeof stage && text[message->size - sizeof stage - 1] == '\0';
    if (!whole) return malformed(workers->ranks, message->from, error);
    memcpy(&stage, message->data, sizeof stage);
    if (stage == workers->stage) tell(workers, message->from, text);
    return STATUS_OK;
}

static void note(struct rank_workers *workers, const struct work_result *result) {
    struct rank_work *work = &workers->done[result->worker];
    work->units += result->status == STATUS_OK;
    work->seconds += result->seconds;
}

static int take(void *state, struct work_result *out, bool *taken, struct error *error) {
    struct rank_workers *workers = state;
    struct ranks_message message;
    bool received = true;
    *taken = window_thread_take(workers->thread, out);
    while (!*taken && received) {
        int status = ranks_receive(workers->ranks, &message, &received, error);
        if (status == STATUS_OK && received && message.kind == RANK_RESULT) {
            status = take_result(workers, &message, out, taken, error);
        } else if (status == STATUS_OK && received && message.kind == RANK_TROUBLE) {
            status = take_trouble(workers, &message, out, taken, error);
        } else if (status == STATUS_OK && received && message.kind == RANK_NOTE) {
            status = take_note(workers, &message, error);
        }
        if (status != STATUS_OK) return status;
    }
    if (*taken) note(workers, out);
    return STATUS_OK;
}

/* Messages are looked for as often. */
static void wait_a_little(void *state) {
    const struct rank_workers *workers = state;
    window_thread_wait(workers->thread, 0.001);
}

int rank_workers_open(struct rank_workers *workers, const struct window_task *task, const struct rank_loaded *loaded,
                      int threads, const struct workers **out, struct error *error) {
    int share = threads ? threads : ranks_threads(workers->ranks);
    struct window_task own = *task;
    workers->checkpoints = task->checkpoints;
    own.checkpoints.tell = own_told, own.checkpoints.tell_state = workers;
    own.checkpoints.strays = CHECKPOINT_STRAYS_FOREIGN; /* windows of this stage are other ranks' */
    int status = window_thread_new(&own, share, &workers->thread, error);
    if (status == STATUS_OK) status = await_others(workers, loaded, error);
    workers->workers = (struct workers){workers, ranks_count(workers->ranks), give, cancel, take, wait_a_little};
    *out = &workers->workers;
    if (status != STATUS_OK) return status;
    workers->done = calloc(ranks_count(workers->ranks), sizeof *workers->done);
    workers->opened = clock_seconds();
    return workers->done ? STATUS_OK : error_memory(error, 0, "what ranks do");
}

const struct rank_work *rank_workers_done(const struct rank_workers *workers) { return workers->done; }

double rank_workers_present(const struct rank_workers *workers) { return clock_seconds() - workers->opened; }
