/* How long the search of a stage takes on several ranks, found by running it: the driver (search/evolve/evolve.h), the
 * scorer, the races and the hand-out are those of a search. Only windows are not computed: they take their time on a
 * simulated clock (search/recipe/simulated_workers.h) and have made-up nats, with a best table, texts that differ, and
 * noise. So the numbers of rounds, of tables per round and of windows that racing saves are those of some search, not
 * of this one.
 *
 * Not in it: loading models and text, fine-tuning, messages, and the time in which the driver proposes tables, which is
 * nothing beside windows of minutes. */
#ifndef LONGROPE_SEARCH_RANK_SIMULATION_H
#define LONGROPE_SEARCH_RANK_SIMULATION_H

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/config/config.h"

/* All is borrowed. */
struct simulated_stage {
    const struct stage_config *config; /* search, racing, objective and lattice count */
    const struct model_config *model;
    int64_t window;        /* tokens that the target length is compared with */
    double scale;          /* of the stage, at least 1 */
    int baselines;         /* closed forms that are scored first */
    size_t windows;        /* that each table is scored on */
    double window_seconds; /* that a rank computes one for */
};

/* Up to this share of its time a window takes more or less: nodes of one kind are not equally fast. */
extern const double simulated_spread;

struct simulated_time {
    double seconds; /* from the first window to the last */
    double busy;    /* seconds in which a rank computes, added up over ranks; those in vain included */
    double windows; /* that the search was told of, baselines included */
};

/* STATUS_FAILED for lack of memory; STATUS_INPUT if the stage has no lattice. */
int rank_simulation_run(const struct simulated_stage *stage, size_t ranks, struct simulated_time *out,
                        struct error *error);

#endif
