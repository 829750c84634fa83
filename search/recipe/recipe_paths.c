#include "search/recipe/recipe_paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/file.h"
#include "search/recipe/finetune.h"

char *recipe_output(const struct search_context *context, size_t stage) {
    const struct stage_config *own = &context->config->stages[stage];
    char *path = NULL;
    if (own->finetune.output) return strdup(own->finetune.output);
    return asprintf(&path, "%s/%s-finetuned", context->run_dir, own->name) < 0 ? NULL : path;
}

int recipe_check_output(const struct search_context *context, size_t stage, struct error *error) {
    if (!context->config->stages[stage].finetune.command) return STATUS_OK;
    char *output = recipe_output(context, stage);
    if (!output) return error_memory(error, 0, "a path");
    int status = finetune_check_output(context->config->stages[stage].name, output, error);
    free(output);
    return status;
}

char *recipe_model(const struct search_context *context, size_t stage) {
    const struct stage_config *own = &context->config->stages[stage];
    return own->model ? strdup(own->model) : recipe_output(context, (size_t)own->base);
}

char *recipe_model_to_finetune(const struct search_context *context, size_t stage) {
    const struct finetune_config *own = &context->config->stages[stage].finetune;
    if (own->model) return strdup(own->model);
    if (own->base != CONFIG_NO_STAGE) return recipe_output(context, (size_t)own->base);
    return recipe_model(context, stage);
}

/* The stage whose fine-tuning writes `model`; CONFIG_NO_STAGE where none does. */
static int writer_of(const struct search_context *context, const char *model) {
    for (size_t i = 0; i < context->config->stage_count; i++) {
        if (!context->config->stages[i].finetune.given) continue;
        char *output = recipe_output(context, i);
        bool same = output && file_will_be_same(output, model);
        free(output);
        if (same) return (int)i;
    }
    return CONFIG_NO_STAGE;
}

int recipe_awaited_from(const struct search_context *context, const char *model) {
    return finetune_is_model(model) ? CONFIG_NO_STAGE : writer_of(context, model);
}

char *recipe_shape(const struct search_context *context, const char *model) {
    char *path = strdup(model);
    for (size_t steps = 0; path && steps < context->config->stage_count; steps++) {
        int writer = recipe_awaited_from(context, path);
        if (writer == CONFIG_NO_STAGE) break;
        char *before = recipe_model_to_finetune(context, (size_t)writer);
        free(path);
        path = before;
    }
    return path;
}
