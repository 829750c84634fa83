#include "search/recipe/serve.h"

#include <stdlib.h>
#include <string.h>

#include "search/base/signals.h"
#include "search/recipe/rank_arithmetic.h"
#include "search/recipe/rank_messages.h"
#include "search/recipe/recipe_paths.h"
#include "search/recipe/stage_state.h"
#include "search/recipe/window_thread.h"

/* A stage that is being served. */
struct service {
    struct ranks *ranks;
    int64_t index;
    struct stage stage;
    struct window_thread *thread;
    bool closed; /* by rank 0 */
};

/* ---- answering ---- */

static int send_trouble(const struct service *service, const struct work_result *result, struct error *error) {
    struct rank_trouble trouble;
    memset(&trouble, 0, sizeof trouble);
    trouble.stage = service->index, trouble.unit = result->id, trouble.status = result->status;
    trouble.seconds = result->seconds;
    trouble.error = result->error;
    return ranks_send(service->ranks, 0, RANK_TROUBLE, &trouble, sizeof trouble, NULL, 0, error);
}

static int send_result(const struct service *service, const struct work_result *result, struct error *error) {
    if (result->status != STATUS_OK) return send_trouble(service, result, error);
    const struct rank_result head = {service->index, result->id, result->seconds, result->nats, result->block_count};
    return ranks_send(service->ranks, 0, RANK_RESULT, &head, sizeof head, result->blocks,
                      result->block_count * sizeof *result->blocks, error);
}

static int send_ready(const struct service *service, struct error *error) {
    const struct score_keys *keys = &service->stage.keys;
    struct rank_ready ready;
    memset(&ready, 0, sizeof ready);
    ready.stage = service->index;
    strcpy(ready.model, keys->model);
    strcpy(ready.windows, keys->all_windows);
    strcpy(ready.arithmetic, keys->arithmetic);
    return ranks_send(service->ranks, 0, RANK_READY, &ready, sizeof ready, NULL, 0, error);
}

/* ---- working ---- */

static int take_unit(const struct service *service, const struct ranks_message *message, struct error *error) {
    const struct work_unit *unit = message->data;
    bool valid = message->size == sizeof *unit && unit->window < service->stage.scoring.count &&
                 unit->table.pairs == service->stage.model->config.rope.pairs;
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
    case RANK_CLOSE:
    case RANKS_END:
        service->closed = true;
    }
    return STATUS_OK;
}

static int work(struct service *service, bool *ended, struct error *error) {
    struct ranks_message message;
    struct work_result result;
    int status = STATUS_OK;
    while (status == STATUS_OK && !service->closed) {
        bool received = false;
        status = ranks_receive(service->ranks, &message, &received, error);
        if (status == STATUS_OK && received) status = heed(service, &message, error);
        if (received) *ended = message.kind == RANKS_END;
        if (*service->stage.context->stop) window_thread_stop(service->thread);
        while (status == STATUS_OK && window_thread_take(service->thread, &result)) {
            status = send_result(service, &result, error);
        }
        if (status == STATUS_OK && !received) window_thread_wait(service->thread, 0.001);
    }
    return status;
}

static int serve_stage(const struct search_context *context, int64_t index, bool *ended, struct error *error) {
    if (index < 0 || (size_t)index >= context->config->stage_count) {
        return error_set(error, STATUS_INPUT, "rank 0 works on a stage that this rank's configuration does not have");
    }
    char *folder = recipe_model(context, (size_t)index);
    if (!folder) return error_memory(error, 0, "a path");
    struct service service = {
        .ranks = context->ranks,
        .index = index,
        .stage = {.context = context, .config = &context->config->stages[index], .folder = folder}};
    int threads = context->threads ? context->threads : ranks_threads(context->ranks);
    signals_end_at_once(""); /* loading takes minutes; rank 0 or the launcher says that it was stopped */
    int status = stage_load(&service.stage, error);
    signals_end_at_once(NULL);
    if (status == STATUS_OK) {
        status = window_thread_new(service.stage.model, &service.stage.scoring, threads, &service.thread, error);
    }
    if (status == STATUS_OK) status = send_ready(&service, error);
    if (status == STATUS_OK) status = work(&service, ended, error);
    window_thread_free(service.thread);
    stage_close(&service.stage);
    free(folder);
    return status;
}

int serve_run(const struct search_context *context, struct error *error) {
    const struct rank_arithmetic own = rank_arithmetic_own();
    struct ranks_message message;
    bool ended = false;
    int status = ranks_send(context->ranks, 0, RANK_HELLO, &own, sizeof own, NULL, 0, error);
    while (status == STATUS_OK && !ended) {
        status = ranks_wait(context->ranks, &message, error);
        if (status != STATUS_OK) break;
        ended = message.kind == RANKS_END;
        if (message.kind == RANK_STAGE && message.size == sizeof(int64_t)) {
            status = serve_stage(context, *(const int64_t *)message.data, &ended, error);
        }
    }
    return status;
}
