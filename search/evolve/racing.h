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
 *
 * blocks: the bound, and from the first window on a paired test on the differences between candidate and rival per
 * block of SCORING_BLOCK tokens. It predicts the sum of the differences over all windows from that over the windows
 * scored so far. The variance per token has two sources:
 * - Within windows: the long-run variance of the blocks by Newey and West's estimator (Econometrica 55, 1987), whose
 *   Bartlett weights take the autocorrelation of neighbouring blocks into account, with 4 (blocks / 100)^(2/9) lags
 *   (Newey and West, Review of Economic Studies 61, 1994). Windows of several books differ by more than their tokens
 *   explain, and one window cannot show by how much. So it is assumed that the variance of a window of L tokens is 1 +
 *   L / RACING_BETWEEN times as large: 1.25 times at 2 048 bytes, where 1.2 was measured on five books, for candidates
 *   within 0.005 nats per token of their rival.
 * - Between windows, from the second one on: the sample variance of their differences.
 * Both are averaged, weighted by their degrees of freedom. The first has blocks - 1, divided by the sum of the squared
 * weights of all lags (Priestley, Spectral Analysis and Time Series, 1981, section 6.2.4), at most RACING_FREEDOM in
 * all, so that a few windows show where the assumption is too small. The candidate is given up if Student's t
 * distribution gives it a probability below `risk` to end below the rival. Each test gives up a candidate that would
 * beat its rival with at most this probability if the differences are normally distributed and the assumption holds;
 * the search then takes another path. With one block per window, as `objective: needle` has, it is the test of
 * `statistical`.
 */
#ifndef LONGROPE_SEARCH_RACING_H
#define LONGROPE_SEARCH_RACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/perplexity.h"
#include "search/evolve/window_nats.h"

enum racing { RACING_NONE, RACING_BOUND, RACING_STATISTICAL, RACING_BLOCKS, RACINGS };
extern const char *const racing_names[RACINGS]; /* "none", "bound", "statistical", "blocks"; see eval/base/name.h */
const char *racing_name(enum racing racing);

enum {
    RACING_BETWEEN = 8192, /* tokens of a window that differs from others by as much as its tokens' noise explains */
    RACING_FREEDOM = 8     /* the most degrees of freedom of the variance within windows */
};

/* Whether the rule may give up a candidate that would beat its rival, and so has a risk. */
bool racing_risks(enum racing racing);

struct race {
    enum racing racing;
    double risk;              /* statistical and blocks only: 0 < risk < 0.5 */
    int64_t candidate, rival; /* ids, for TRACE_RACE */
    double rival_score;       /* mean nats per token */
    /* statistical and blocks only: the rival's nats of the windows compared, with blocks also their blocks */
    const struct window_nats *rival_nats;
    bool quiet; /* nothing is decided yet: no line of TRACE_RACE */
};

/* The windows that candidate and rival are compared on, where the candidate is to be scored on `range` of all: the
 * range, or all if it does not begin with window 0. */
struct scoring racing_windows(const struct scoring *all, struct window_range range);

/* Whether to give up the candidate, which is scored on at least one window of `scoring` and not on all; `nats` may have
 * more windows behind those. With `blocks` the blocks of the windows are known. */
bool racing_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats);

/* The probability that the candidate's nats over all windows are fewer than the rival's, by the test of `blocks`: from
 * the windows that the candidate is scored on, of which the rival's nats and the blocks of both are known. 0.5 where
 * they say nothing. */
double racing_probability(const struct scoring *scoring, const struct window_nats *candidate,
                          const struct window_nats *rival);

#endif
