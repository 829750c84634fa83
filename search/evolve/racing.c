#include "search/evolve/racing.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <inttypes.h>
#include <math.h>

#include "eval/base/trace.h"

const char *const racing_names[RACINGS] = {
    [RACING_NONE] = "none", [RACING_BOUND] = "bound", [RACING_STATISTICAL] = "statistical"};

const char *racing_name(enum racing racing) { return racing_names[racing]; }

static size_t count_scored(const struct window_nats *nats) {
    size_t count = 0;
    for (size_t w = 0; w < nats->windows; w++) count += window_nats_scored(nats, w);
    return count;
}

/* The order of the sum is perplexity_mean_nats()'s: rounding must not put the bound above the score. */
static bool bound_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats) {
    double sum = 0.0;
    for (size_t w = 0; w < nats->windows; w++) {
        if (window_nats_scored(nats, w)) sum += nats->nats[w];
    }
    double bound = sum / (double)scoring_tokens(scoring);
    if (!(bound >= race->rival_score)) return false;
    TRACE(TRACE_RACE,
          "individual %" PRId64 " given up after window %zu of %zu: its score is at least %.6f nats per token, "
          "individual %" PRId64 " has %.6f",
          race->candidate, count_scored(nats), scoring->count, bound, race->rival, race->rival_score);
    return true;
}

/* Whether the probability that the candidate beats its rival is below the risk. `mean` is the mean difference to the
 * rival, `deviation` the standard deviation of its error, `freedom` the degrees of freedom of that. */
static bool improbable(const struct race *race, const struct window_nats *nats, double mean, double deviation,
                       double freedom) {
    if (!(mean > 0.0)) return false;
    double probability = deviation == 0.0 ? 0.0 : gsl_cdf_tdist_Q(mean / deviation, freedom);
    if (!(probability < race->risk)) return false;
    TRACE(TRACE_RACE,
          "individual %" PRId64 " given up after window %zu of %zu: it beats individual %" PRId64
          " with probability %.3g, below %g",
          race->candidate, count_scored(nats), nats->windows, race->rival, probability, race->risk);
    return true;
}

static bool test_lost(const struct race *race, const struct window_nats *nats) {
    double n = (double)count_scored(nats), all = (double)nats->windows, mean = 0.0, squares = 0.0;
    if (n < 2.0) return false;
    for (size_t w = 0; w < nats->windows; w++) {
        if (window_nats_scored(nats, w)) mean += (nats->nats[w] - race->rival_nats->nats[w]) / n;
    }
    for (size_t w = 0; w < nats->windows; w++) {
        if (window_nats_scored(nats, w)) squares += pow(nats->nats[w] - race->rival_nats->nats[w] - mean, 2.0);
    }
    return improbable(race, nats, mean, sqrt(squares / (n - 1.0) / n * ((all - n) / all)), n - 1.0);
}

bool racing_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats) {
    assert(nats->windows == scoring->count);
    switch (race->racing) {
    case RACING_NONE:
    case RACINGS:
        break;
    case RACING_BOUND:
        return bound_lost(race, scoring, nats);
    case RACING_STATISTICAL:
        return bound_lost(race, scoring, nats) || test_lost(race, nats);
    }
    return false;
}
