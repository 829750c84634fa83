/* Which model is where in a progressive recipe: what a stage searches on, what its fine-tuning begins from, and where
 * that writes. `run_dir` is the run's folder, which need not be there. The caller frees the paths, which are NULL for
 * lack of memory. */
#ifndef LONGROPE_SEARCH_RECIPE_PATHS_H
#define LONGROPE_SEARCH_RECIPE_PATHS_H

#include <stddef.h>

#include "search/config/config.h"

/* The model that stage `stage` searches on. */
char *recipe_model(const struct config *config, const char *run_dir, size_t stage);

/* Of a stage with `finetune`: the model that this begins from, and the folder that it writes. */
char *recipe_model_to_finetune(const struct config *config, const char *run_dir, size_t stage);
char *recipe_output(const struct config *config, const char *run_dir, size_t stage);

/* The stage whose fine-tuning is to write the folder `model` and has not done so yet; CONFIG_NO_STAGE where the model
 * is there, or none writes it. */
int recipe_awaited_from(const struct config *config, const char *run_dir, const char *model);

#endif
