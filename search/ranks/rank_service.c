#include "search/ranks/rank_service.h"

#include <string.h>

#include "search/base/signals.h"
#include "search/ranks/rank_arithmetic.h"

/* A stage that is being served. */
struct service {
    struct ranks *ranks;
    int64_t stage;
    const struct window_task *task;
    struct window_thread *thread;
    bool closed, finished; /* as rank 0 said with RANK_CLOSE */
};

int rank_service_hello(struct ranks *ranks, struct error *error) {
    const struct rank_arithmetic own = rank_arithmetic_own();
    return ranks_send(ranks, 0, RANK_HELLO, &own, sizeof own, NULL, 0, error);
}

/* ---- answering ---- */

static int send_trouble(const struct service *service, const struct work_result *result, struct error *error) {
    struct rank_trouble trouble;
    memset(&trouble, 0, sizeof trouble);
    trouble.stage = service->stage, trouble.unit = result->id, trouble.status = result->status;
    trouble.seconds = result->seconds;
    trouble.error = result->error;
    return ranks_send(service->ranks, 0, RANK_TROUBLE, &trouble, sizeof trouble, NULL, 0, error);
}

static int send_result(const struct service *service, const struct work_result *result, struct error *error) {
    if (result->status != STATUS_OK) return send_trouble(service, result, error);
    const struct rank_result head = {service->stage, result->id, result->seconds, result->nats, result->size};
    return ranks_send(service->ranks, 0, RANK_RESULT, &head, sizeof head, result->details, result->size, error);
}

/* Of a checkpoint. A line that cannot be sent for lack of memory is lost, and nothing else. */
static void send_note(void *state, double start, const char *line) {
    const struct service *service = state;
    struct error ignored;
    (void)start;
    ranks_send(service->ranks, 0, RANK_NOTE, &service->stage, sizeof service->stage, line, strlen(line) + 1, &ignored);
}

static int send_ready(const struct service *service, const struct rank_loaded *loaded, struct error *error) {
    struct rank_ready ready;
    memset(&ready, 0, sizeof ready);
    ready.stage = service->stage;
    ready.loaded = *loaded;
    return ranks_send(service->ranks, 0, RANK_READY, &ready, sizeof ready, NULL, 0, error);
}

/* ---- working ---- */

static int take_unit(const struct service *service, const struct ranks_message *message, struct error *error) {
    const struct work_unit *unit = message->data;
    bool valid = message->size == sizeof *unit && unit->window < service->task->windows &&
                 unit->table.pairs == service->task->model->config.rope.pairs;
    if (!valid) return error_set(error, STATUS_FAILED, "rank 0 asked for a window that this stage does not have");
    return window_thread_give(service->thread, unit, error);
}

static int heed(struct service *service, const struct ranks_message *message, struct error *error) {
    switch (message->kind) {
    case RANK_UNIT:
        return take_unit(service, message, error);
    case RANK_CANCEL:
        if (message->size == sizeof(uint64_t)) {
            window_thread_cancel(service->thread, *(const uint64_t *)message->data);
        }
        break;
    case RANK_STOP:
        window_thread_stop(service->thread);
        break;
    case RANK_CLOSE:
        service->finished = message->size == sizeof(int) && *(const int *)message->data;
        /* fall through */
    case RANKS_END:
        service->closed = true;
    }
    return STATUS_OK;
}

static int work(struct service *service, bool *ended, struct error *error) {
    const volatile sig_atomic_t *stop = signals_caught();
    struct ranks_message message;
    struct work_result result;
    int status = STATUS_OK;
    while (status == STATUS_OK && !service->closed) {
        bool received = false;
        const bool stopped =
            *stop; /* read first: ranks_receive() tells rank 0 of it, and results that are cut short follow */
        status = ranks_receive(service->ranks, &message, &received, error);
        if (status == STATUS_OK && received) status = heed(service, &message, error);
        if (received) *ended = message.kind == RANKS_END;
        if (stopped) window_thread_stop(service->thread);
        while (status == STATUS_OK && window_thread_take(service->thread, &result)) {
            status = send_result(service, &result, error);
        }
        if (status == STATUS_OK && !received) window_thread_wait(service->thread, 0.001);
    }
    return status;
}

int rank_service_run(struct ranks *ranks, int64_t stage, const struct window_task *task,
                     const struct rank_loaded *loaded, int threads, bool *ended, struct error *error) {
    struct service service = {.ranks = ranks, .stage = stage, .task = task};
    struct window_task own = *task;
    own.checkpoints.tell = send_note, own.checkpoints.tell_state = &service;
    own.checkpoints.strays = CHECKPOINT_STRAYS_NONE; /* rank 0 tells of them */
    int status = window_thread_new(&own, threads ? threads : ranks_threads(ranks), &service.thread, error);
    if (status == STATUS_OK) status = send_ready(&service, loaded, error);
    if (status == STATUS_OK) status = work(&service, ended, error);
    window_thread_free(service.thread, service.finished);
    return status;
}
