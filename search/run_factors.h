/* The tables that a run has found. */
#ifndef LONGROPE_SEARCH_RUN_FACTORS_H
#define LONGROPE_SEARCH_RUN_FACTORS_H

#include "eval/error.h"
#include "search/factors.h"
#include "search/store.h"

/* The best tables of the stages that are done, in ascending max_length; none where no stage is. The caller frees
 * *out with factors_free(), also after an error. */
int run_factors(struct store *store, struct factor_file *out, struct error *error);

#endif
