/* What to do with a run that is done, for people. */
#ifndef LONGROPE_SEARCH_NEXT_STEPS_H
#define LONGROPE_SEARCH_NEXT_STEPS_H

#include <stdio.h>

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/store/store.h"

/* Prints commands that evaluate the tables of the run on other text, export them and write the report. Prints nothing
 * if no stage is done. `config` is what the run was searched with; `run_dir` is its folder. */
int next_steps_print(struct store *store, const struct config *config, const char *run_dir, FILE *out,
                     struct error *error);

#endif
