/* The tables that a run has found. */
#ifndef LONGROPE_SEARCH_RUN_TABLES_H
#define LONGROPE_SEARCH_RUN_TABLES_H

#include "eval/base/error.h"
#include "search/factors/factors.h"
#include "search/store/store.h"

/* The best tables of the stages that are done, in ascending max_length; none where no stage is. They are chosen from
 * by length, so all are of one model: where stages name a base, those of the last base's fine-tuned model, which are
 * the base's own and those found on that model. `stage` names the only one to look at, whatever its model; NULL: all
 * are looked at. STATUS_INPUT where there is none of that name. The caller frees *out with factors_free(), also after
 * an error. */
int run_tables_read(struct store *store, const char *stage, struct factor_file *out, struct error *error);

/* The folder of the model that they are of, as it was when the search loaded it: that which was fine-tuned last, or
 * that of the longest table. "" where the run does not know. `stage` and errors as above. */
int run_tables_model(struct store *store, const char *stage, char out[STORE_PATH_SIZE], struct error *error);

/* Writes run_tables_read() of all stages to `path`, as factors_write() does. */
int run_tables_write(struct store *store, const char *path, struct error *error);

#endif
