/* The tables that a run has found. */
#ifndef LONGROPE_SEARCH_RUN_FACTORS_H
#define LONGROPE_SEARCH_RUN_FACTORS_H

#include "eval/error.h"
#include "search/factors.h"
#include "search/store.h"

/* The best tables of the stages that are done, in ascending max_length; none where no stage is. They are chosen from
 * by length, so all are of one model: where stages name a base, those of the last base's fine-tuned model, which are
 * the base's own and those found on that model. The caller frees *out with factors_free(), also after an error. */
int run_factors(struct store *store, struct factor_file *out, struct error *error);

#endif
