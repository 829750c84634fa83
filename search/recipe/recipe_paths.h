/* The folders of the models in a progressive recipe: the model that a stage searches on, the model that its fine-tuning
 * starts from, and the folder that the fine-tuning writes. The caller frees the paths; they are NULL if memory is
 * short. */
#ifndef LONGROPE_SEARCH_RECIPE_PATHS_H
#define LONGROPE_SEARCH_RECIPE_PATHS_H

#include <stddef.h>

#include "eval/base/error.h"
#include "search/recipe/search_context.h"

/* The model that stage `stage` searches on. */
char *recipe_model(const struct search_context *context, size_t stage);

/* For a stage with `finetune`: the model that the fine-tuning starts from, and the folder that it writes. */
char *recipe_model_to_finetune(const struct search_context *context, size_t stage);
char *recipe_output(const struct search_context *context, size_t stage);

/* STATUS_INPUT if the stage has a fine-tuning command and its model cannot be written there, as finetune_check_output()
 * says. Who fine-tunes by hand may be at work in that folder. */
int recipe_check_output(const struct search_context *context, size_t stage, struct error *error);

/* The stage whose fine-tuning has to write the folder `model` and has not done so yet; CONFIG_NO_STAGE where the model
 * exists, or where no stage writes it. */
int recipe_awaited_from(const struct search_context *context, const char *model);

/* `model` if it exists, or else the first that does of those that it is fine-tuned from, one from the other: it has the
 * same shape. Configurations whose fine-tunings begin from each other end at some model that is not there. */
char *recipe_shape(const struct search_context *context, const char *model);

#endif
