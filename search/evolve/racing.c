#include "search/evolve/racing.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

const char *const racing_names[RACINGS] = {
    [RACING_NONE] = "none", [RACING_BOUND] = "bound", [RACING_STATISTICAL] = "statistical"};

const char *racing_name(enum racing racing) { return racing_names[racing]; }

/* The sum is perplexity_mean_nats()'s: rounding must not put the bound above the score. */
static bool bound_lost(const struct racing_test *race, const struct scoring *scoring, const double *window_nats,
                       size_t scored) {
    return nats_sum(window_nats, scored) / (double)scoring_tokens(scoring) >= race->rival_score;
}

static bool test_lost(const struct racing_test *race, const struct scoring *scoring, const double *window_nats,
                      size_t scored) {
    if (scored < 2) return false;
    double n = (double)scored, all = (double)scoring->count, mean = 0.0, squares = 0.0;
    for (size_t s = 0; s < scored; s++) mean += (window_nats[s] - race->rival_nats[s]) / n;
    for (size_t s = 0; s < scored; s++) squares += pow(window_nats[s] - race->rival_nats[s] - mean, 2.0);
    double deviation = sqrt(squares / (n - 1.0) / n * ((all - n) / all));
    if (!(mean > 0.0)) return false;
    return deviation == 0.0 || gsl_cdf_tdist_Q(mean / deviation, n - 1.0) < race->risk;
}

bool racing_lost(const struct racing_test *race, const struct scoring *scoring, const double *window_nats,
                 size_t scored) {
    assert(scored >= 1 && scored < scoring->count);
    switch (race->racing) {
    case RACING_NONE:
        return false;
    case RACING_BOUND:
        return bound_lost(race, scoring, window_nats, scored);
    case RACING_STATISTICAL:
        return bound_lost(race, scoring, window_nats, scored) || test_lost(race, scoring, window_nats, scored);
    }
    return false;
}
