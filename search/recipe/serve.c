#include "search/recipe/serve.h"

#include <stdlib.h>
#include <string.h>

#include "search/base/signals.h"
#include "search/ranks/rank_service.h"
#include "search/recipe/old_window.h"
#include "search/recipe/recipe_paths.h"
#include "search/recipe/stage_state.h"

static int load(const struct search_context *context, const struct stage_order *order, struct stage *stage,
                char **folder, struct error *error) {
    *folder = order->old_window ? strdup(order->model) : recipe_model(context, (size_t)order->index);
    if (!*folder) return error_memory(error, 0, "a path");
    stage->folder = *folder;
    signals_end_at_once(""); /* it takes minutes; rank 0 or the launcher says that it was stopped */
    int status = stage_load(stage, error);
    signals_end_at_once(NULL);
    return status;
}

static int serve_stage(const struct search_context *context, const struct stage_order *order, bool *ended,
                       struct error *error) {
    if (order->index < 0 || (size_t)order->index >= context->config->stage_count ||
        order->model[sizeof order->model - 1]) {
        return error_set(error, STATUS_INPUT, "rank 0 works on a stage that this rank's configuration does not have");
    }
    const struct stage_config *config = &context->config->stages[order->index];
    const struct stage_config scored = order->old_window ? old_window_config(config, order->old_window) : *config;
    struct stage stage = {
        .context = context, .config = &scored, .checkpoint_folder = order->old_window ? NULL : context->checkpoints};
    const int64_t number = order->number;
    char *folder = NULL;
    int status = load(context, order, &stage, &folder, error);
    if (status == STATUS_OK) {
        const struct window_task task = stage_task(&stage);
        const struct rank_loaded loaded = score_keys_loaded(&stage.keys);
        status = rank_service_run(context->ranks, number, &task, &loaded, context->threads, ended, error);
    }
    stage_close(&stage);
    free(folder);
    return status;
}

int serve_run(const struct search_context *context, struct error *error) {
    struct ranks_message message;
    bool ended = false;
    int status = rank_service_hello(context->ranks, error);
    while (status == STATUS_OK && !ended) {
        status = ranks_wait(context->ranks, &message, error);
        if (status != STATUS_OK) break;
        ended = message.kind == RANKS_END;
        if (message.kind == RANK_STAGE && message.size == sizeof(struct stage_order)) {
            status = serve_stage(context, message.data, &ended, error);
        }
    }
    return status;
}
