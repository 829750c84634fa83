/* The factor tables that a run has found. */
#ifndef LONGROPE_SEARCH_RUN_TABLES_H
#define LONGROPE_SEARCH_RUN_TABLES_H

#include "eval/base/error.h"
#include "search/factors/factors.h"
#include "search/store/store.h"

/* The best tables of the stages that are done, in ascending max_length; none if no stage is done. Readers choose one by
 * length, so all belong to one model: if stages name a base, to the model that was fine-tuned with the last base's
 * table. Its tables are the base's and those found on that model. If `stage` is not NULL, only the stage of that name
 * is read, whatever its model; STATUS_INPUT if there is none. The caller frees *out with factors_free(), also after an
 * error. */
int run_tables_read(struct store *store, const char *stage, struct factor_file *out, struct error *error);

/* The same of the run in the folder `source`; another `source` is read by factors_read(). STATUS_INPUT if no stage of
 * the run is done. After an error there is nothing to free. */
int run_tables_source(const char *source, struct factor_file *out, struct error *error);

/* STATUS_INPUT: no stage of the run in that folder is done. */
int run_tables_none(const char *run_dir, struct error *error);

/* The folder of the model that these tables belong to, as the search loaded it: the model that was fine-tuned last, or
 * the model of the longest table. "" if the run does not record it. `stage` and errors as above. */
int run_tables_model(struct store *store, const char *stage, char out[STORE_PATH_SIZE], struct error *error);

/* The stage whose table the model of these tables was fine-tuned with; "" where it was not fine-tuned. */
int run_tables_base(struct store *store, char out[STORE_NAME_SIZE], struct error *error);

/* Writes run_tables_read() of all stages to `path`, as factors_write() does. */
int run_tables_write(struct store *store, const char *path, struct error *error);

#endif
