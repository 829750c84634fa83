/* Racing: giving up a candidate before all its windows are scored, when it can, or most probably will,
 * not beat its rival: the individual whose score it has to better to make a difference (evolve_rival()).
 *
 * bound: nats are never negative, so the sum over the windows scored so far, divided by the predictions of
 * all windows, is a lower bound of the score, in floating point too, where adding what is not negative never
 * makes a sum smaller. A candidate whose bound is not below the rival's score is given up. This loses
 * nothing: the search proposes the same genomes as without racing.
 *
 * statistical: besides, Student's paired test on the differences of candidate and rival on the windows that
 * both are scored on, from the second one on. What is predicted is the difference over the finite number of
 * windows, so its variance has the factor (windows - scored) / windows. The candidate is given up where
 * the probability of ending below the rival is less than `risk`. Every look, that is every window from the
 * second to the last but one, may lose a candidate that belonged among the parents with at most this
 * probability, as far as differences are like draws of a normal distribution, which those of few
 * windows need not be; the search then takes another path than without racing.
 */
#ifndef LONGROPE_SEARCH_RACING_H
#define LONGROPE_SEARCH_RACING_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/perplexity.h"

enum racing { RACING_NONE, RACING_BOUND, RACING_STATISTICAL };
enum { RACINGS = RACING_STATISTICAL + 1 };
extern const char *const racing_names[RACINGS]; /* "none", "bound", "statistical"; see eval/base/name.h */
const char *racing_name(enum racing racing);

struct racing_test {
    enum racing racing;
    double risk;              /* statistical only: 0 < risk < 0.5 */
    double rival_score;       /* mean nats a token */
    const double *rival_nats; /* [windows], statistical only: the rival's nats of each window */
};

/* True where the candidate with these nats of the first `scored` windows, 1 <= scored < scoring->count, is to
 * be given up. */
bool racing_lost(const struct racing_test *race, const struct scoring *scoring, const double *window_nats,
                 size_t scored);

#endif
