/* The progressive recipe (LongRoPE, arXiv 2402.13753, section 3.3): the stages of a configuration in order, and the
 * fine-tuning between them. Stages whose fine-tuned model does not exist yet are skipped. */
#ifndef LONGROPE_SEARCH_RECIPE_H
#define LONGROPE_SEARCH_RECIPE_H

#include "eval/base/error.h"
#include "search/recipe/search_context.h"

/* Runs every stage and fine-tuning whose model exists. Writes run_dir/factors.json after each stage, and
 * run_dir/NAME-factors.json for the fine-tuning with stage NAME's table. STATUS_STOPPED where the stop flag rose, and
 * where somebody has to fine-tune a model before the recipe can continue: stderr then names the command. Other errors
 * are those of stage_run() and finetune_run(). */
int recipe_run(const struct search_context *context, struct error *error);

#endif
