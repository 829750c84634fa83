/* The workers of a stage, for rank 0: a thread of its own is worker 0, and rank r is worker r. */
#ifndef LONGROPE_SEARCH_STAGE_WORKERS_H
#define LONGROPE_SEARCH_STAGE_WORKERS_H

#include "search/config/config.h"
#include "search/ranks/ranks.h"
#include "search/ranks/workers.h"
#include "search/recipe/score_keys.h"
#include "search/store/store_ranks.h"

/* Waits for the other ranks' hello. STATUS_INPUT, naming one, if it would compute a stage of the configuration with
 * other kernels; its errors, and STATUS_STOPPED. `ranks` may be NULL. */
int stage_workers_meet(struct ranks *ranks, const struct config *config, struct error *error);

struct stage_workers;

/* Says to the other ranks that stage `index` begins, so that they load its model and text while this one does. The
 * caller closes *out with stage_workers_close(), which ends the stage for them; it is NULL if `ranks` is. */
int stage_workers_begin(struct ranks *ranks, size_t index, struct stage_workers **out, struct error *error);
void stage_workers_close(struct stage_workers *workers); /* NULL is allowed */

/* Starts this rank's thread, and waits until the others have loaded. All is borrowed. STATUS_INPUT, naming the rank, if
 * one has loaded something else than `keys` says; its errors, and STATUS_STOPPED. *out is valid until they are closed.
 */
int stage_workers_open(struct stage_workers *workers, const struct model *model, const struct scoring *scoring,
                       const struct score_keys *keys, int threads, const struct workers **out, struct error *error);

/* What the ranks did since stage_workers_open(), one record for each, in *out, which the caller frees. It may be called
 * once. STATUS_FAILED for lack of memory. */
int stage_workers_records(const struct stage_workers *workers, struct rank_record **out, size_t *count,
                          struct error *error);

#endif
