#include "search/evolve/racing.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <inttypes.h>
#include <math.h>

#include "eval/base/trace.h"

const char *const racing_names[RACINGS] = {
    [RACING_NONE] = "none", [RACING_BOUND] = "bound", [RACING_STATISTICAL] = "statistical"};

const char *racing_name(enum racing racing) { return racing_names[racing]; }

/* The sum is perplexity_mean_nats()'s: rounding must not put the bound above the score. */
static bool bound_lost(const struct race *race, const struct scoring *scoring, const double *window_nats,
                       size_t scored) {
    double bound = nats_sum(window_nats, scored) / (double)scoring_tokens(scoring);
    if (!(bound >= race->rival_score)) return false;
    TRACE(TRACE_RACE,
          "individual %" PRId64 " given up after window %zu of %zu: its score is at least %.6f nats per token, "
          "individual %" PRId64 " has %.6f",
          race->candidate, scored, scoring->count, bound, race->rival, race->rival_score);
    return true;
}

static bool test_lost(const struct race *race, const struct scoring *scoring, const double *window_nats,
                      size_t scored) {
    if (scored < 2) return false;
    double n = (double)scored, all = (double)scoring->count, mean = 0.0, squares = 0.0;
    for (size_t w = 0; w < scored; w++) mean += (window_nats[w] - race->rival_nats[w]) / n;
    for (size_t w = 0; w < scored; w++) squares += pow(window_nats[w] - race->rival_nats[w] - mean, 2.0);
    double deviation = sqrt(squares / (n - 1.0) / n * ((all - n) / all));
    if (!(mean > 0.0)) return false;
    double probability = deviation == 0.0 ? 0.0 : gsl_cdf_tdist_Q(mean / deviation, n - 1.0);
    if (!(probability < race->risk)) return false;
    TRACE(TRACE_RACE,
          "individual %" PRId64 " given up after window %zu of %zu: it beats individual %" PRId64
          " with probability %.3g, below %g",
          race->candidate, scored, scoring->count, race->rival, probability, race->risk);
    return true;
}

bool racing_lost(const struct race *race, const struct scoring *scoring, const double *window_nats, size_t scored) {
    assert(scored >= 1 && scored < scoring->count);
    switch (race->racing) {
    case RACING_NONE:
    case RACINGS:
        break;
    case RACING_BOUND:
        return bound_lost(race, scoring, window_nats, scored);
    case RACING_STATISTICAL:
        return bound_lost(race, scoring, window_nats, scored) || test_lost(race, scoring, window_nats, scored);
    }
    return false;
}
