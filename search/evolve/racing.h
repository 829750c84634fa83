/* Racing gives up a candidate before all its windows are scored, if it cannot, or probably will not, beat its rival:
 * the individual whose score it must beat to change the search (evolve_rival()).
 *
 * bound: nats are never negative. So the sum over the windows scored so far, divided by the predictions of all windows,
 * is a lower bound of the score; this holds in floating point too. A candidate whose bound is not below the rival's
 * score is given up. The search proposes the same genomes as without racing.
 *
 * statistical: the bound, and from the second window on Student's paired t test on the differences between candidate
 * and rival over the windows scored so far. The test predicts the difference over all windows, whose number is finite,
 * so the variance has the factor (windows - scored) / windows. The candidate is given up if the probability that it
 * ends below the rival is less than `risk`. Each test, after any window from the second to the last but one, may lose a
 * good candidate with at most this probability if the differences are normally distributed; those of few windows need
 * not be. The search then takes another path than without racing.
 */
#ifndef LONGROPE_SEARCH_RACING_H
#define LONGROPE_SEARCH_RACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/perplexity.h"
#include "search/evolve/window_nats.h"

enum racing { RACING_NONE, RACING_BOUND, RACING_STATISTICAL, RACINGS };
extern const char *const racing_names[RACINGS]; /* "none", "bound", "statistical"; see eval/base/name.h */
const char *racing_name(enum racing racing);

struct race {
    enum racing racing;
    double risk;                          /* statistical only: 0 < risk < 0.5 */
    int64_t candidate, rival;             /* ids, for TRACE_RACE */
    double rival_score;                   /* mean nats per token */
    const struct window_nats *rival_nats; /* statistical only: the rival's nats of all windows */
};

/* Whether to give up the candidate, which is scored on at least one window and not on all. */
bool racing_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats);

#endif
