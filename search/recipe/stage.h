/* One stage of a run: loads its model and text, scores the closed-form baselines and then the individuals that the
 * search proposes, and keeps every score in the store. An interrupted stage resumes by replaying the stored scores. */
#ifndef LONGROPE_SEARCH_STAGE_H
#define LONGROPE_SEARCH_STAGE_H

#include "eval/base/error.h"
#include "search/recipe/search_context.h"

/* Runs stage `index` of the configuration to its end on the model in the folder `model`: the configuration's, or the
 * one that was fine-tuned with the base's table. The stage of its base must be done. STATUS_STOPPED if the stop flag
 * rose: every score is saved. STATUS_INPUT for a wrong model, text or setting, or one that changed since the stage
 * began, but for the budget, with which a stage goes on; STATUS_FAILED if memory, a file or the database failed. */
int stage_run(const struct search_context *context, size_t index, const char *model, struct error *error);

/* STATUS_INPUT, naming what and the remedy, if stage `index` is done, has a larger budget now, and a fine-tuned model
 * or another stage rests on its table, which a longer search may change. To be called for all stages before any is run.
 */
int stage_check_budget(const struct search_context *context, size_t index, struct error *error);

/* The number of closed-form methods, from the first of enum rope_method on, that a stage of that kind scores. */
int stage_baselines(enum stage_kind kind);

#endif
