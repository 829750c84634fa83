#include "search/recipe/stage_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "search/recipe/stage_base.h"
#include "search/recipe/stage_initial.h"
#include "search/recipe/stage_space.h"

/* A stage on a fine-tuned model may refine the table of its base. */
static int check_target(const struct stage_config *stage, const struct model_config *model, struct error *error) {
    bool extends = stage->kind == STAGE_EXTEND && stage->base == CONFIG_NO_STAGE;
    if (!extends || stage->target_length > model->window) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "stage '%s': its target_length of %" PRId64 " tokens lies within the model's window of %" PRId64
                     ", where there is nothing to extend; raise target_length, or search a table for short inputs of a "
                     "model that was extended with 'kind: recover' and search.lambda_max",
                     stage->name, stage->target_length, model->window);
}

int stage_check(const struct config *config, size_t index, const struct model_config *model, struct error *error) {
    const struct stage_config *stage = &config->stages[index];
    int64_t base_length = stage->base == CONFIG_NO_STAGE ? 0 : config->stages[stage->base].target_length;
    int status = stage_initial_check(stage, model ? &model->rope : NULL, error);
    if (status != STATUS_OK || !model) return status;
    status = check_target(stage, model, error);
    return status == STATUS_OK ? stage_space_check(stage, model, base_length, error) : status;
}

void stage_warn(const struct config *config, size_t index) {
    const struct stage_config *stage = &config->stages[index], *longest = stage_space_longest(config, stage);
    bool own = stage->attention_rule == ATTENTION_SEARCH || stage->attention_rule == ATTENTION_YARN;
    if (stage->kind != STAGE_RECOVER || !longest || !own) return;
    fprintf(stderr,
            "%s: the table gets an attention factor of its own ('attention_factor: %s'), but engines use one for both "
            "tables, that of '%s'; set it to longrope in this stage, and the table is searched with that\n",
            stage->name, attention_rule_name(stage->attention_rule), longest->name);
}
