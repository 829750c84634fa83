/* Few windows first: on how many windows of a stage the generations of a search are scored.
 *
 * They begin with the first few windows. windows_choose() (eval/text/documents.h) puts the beginnings of all documents
 * first, so as many windows as there are documents are spread over the text; those of a single document are its
 * beginning. The search ranks its individuals by their mean on them. When the parents are within the noise of these
 * windows, twice as many windows are used from then on, up to all, and the individuals that are still ranked are scored
 * on those that they lack. So what is ranked together was scored on the same windows.
 *
 * Within the noise: at least half of the other parents have a probability of `schedule_risk` or more to be better than
 * the best one on all windows, by the paired test of `racing: blocks` (search/evolve/racing.h), which takes the
 * autocorrelation of neighbouring blocks into account. That is a difference of a standard error or less. In simulated
 * searches, whose windows prefer different tables, CMA-ES and the genetic algorithms end best or nearly so with 0.16 to
 * 0.25: with 0.05 they use all windows soon, and with more they choose by noise. With one parent the number of windows
 * stays.
 *
 * At the end of the search the best few are scored on all windows, and the best of these is the result. Windows of the
 * budget are kept for that.
 */
#ifndef LONGROPE_SEARCH_WINDOW_SCHEDULE_H
#define LONGROPE_SEARCH_WINDOW_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/perplexity.h"
#include "search/evolve/ranking.h"
#include "search/evolve/window_nats.h"

enum {
    SCHEDULE_FINALISTS = 8,       /* most individuals that are scored on all windows at the end */
    SCHEDULE_FINALISTS_SHARE = 8, /* they cost at most this part of the budget, if that is a finalist or more */
    SCHEDULE_FACTOR = 2           /* by which the number of windows grows */
};
extern const double schedule_risk; /* 0.16 */

struct window_schedule {
    size_t now;               /* the generations are scored on windows 0..now - 1 */
    size_t windows;           /* of the stage */
    struct scoring scoring;   /* on all windows, as far as tests require it; owned */
    struct window_nats *nats; /* [slots] of the parents; NULL if the search begins with all windows */
    size_t slots;
};

/* Begins with `first` windows, 0: all, of `windows` of window_tokens[windows] predictions each, for so many parents.
 * False if memory is short. The caller closes *out, also then; a zeroed struct is allowed there. */
bool window_schedule_open(struct window_schedule *out, size_t first, size_t windows, const int64_t *window_tokens,
                          size_t parents);
void window_schedule_close(struct window_schedule *schedule);

/* Whether there are windows that the generations are not scored on. */
bool window_schedule_is_partial(const struct window_schedule *schedule);

/* Keeps nats and blocks of a parent for the test below; of the first `now` windows. Nothing happens in a search that
 * begins with all windows. */
void window_schedule_keep(struct window_schedule *schedule, const struct ranked *parent,
                          const struct window_nats *nats);

/* Whether the parents are within the noise of the windows; false where they are scored on all. */
bool window_schedule_is_noisy(const struct window_schedule *schedule, const struct ranking *parents);

/* The number of windows behind `now`. */
size_t window_schedule_next(const struct window_schedule *schedule);

/* How many individuals are scored on all windows at the end of a budget of so many evaluations, 0: no limit. */
size_t window_schedule_finalists(size_t evaluations);
/* The windows that `ranked` individuals, each scored on the first `now`, or so many finalists of them lack. */
size_t window_schedule_reserve(const struct window_schedule *schedule, size_t evaluations, size_t ranked);

#endif
