#include "search/evolve/racing.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <inttypes.h>
#include <math.h>

#include "eval/base/trace.h"

const char *const racing_names[RACINGS] = {
    [RACING_NONE] = "none", [RACING_BOUND] = "bound", [RACING_STATISTICAL] = "statistical", [RACING_BLOCKS] = "blocks"};

const char *racing_name(enum racing racing) { return racing_names[racing]; }

bool racing_risks(enum racing racing) { return racing == RACING_STATISTICAL || racing == RACING_BLOCKS; }

struct scoring racing_windows(const struct scoring *all, struct window_range range) {
    struct scoring windows = *all;
    if (range.first == 0) windows.count = range.count;
    return windows;
}

static size_t count_scored(const struct scoring *scoring, const struct window_nats *nats) {
    size_t count = 0;
    for (size_t w = 0; w < scoring->count; w++) count += window_nats_scored(nats, w);
    return count;
}

/* The order of the sum is perplexity_mean_nats()'s: rounding must not put the bound above the score. */
static bool bound_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats) {
    double sum = 0.0;
    for (size_t w = 0; w < scoring->count; w++) {
        if (window_nats_scored(nats, w)) sum += nats->nats[w];
    }
    double bound = sum / (double)scoring_tokens(scoring);
    if (!(bound >= race->rival_score)) return false;
    if (race->quiet) return true;
    TRACE(TRACE_RACE,
          "individual %" PRId64 " given up after window %zu of %zu: its score is at least %.6f nats per token, "
          "individual %" PRId64 " has %.6f",
          race->candidate, count_scored(scoring, nats), scoring->count, bound, race->rival, race->rival_score);
    return true;
}

/* How much worse than its rival a candidate is over all windows, as the windows scored so far predict. */
struct prediction {
    double mean;      /* difference to the rival */
    double deviation; /* standard deviation of its error */
    double freedom;   /* degrees of freedom of that; below 1: nothing is predicted */
};

/* The probability that the candidate is better than its rival. */
static double probability_of(const struct prediction *prediction) {
    if (!(prediction->freedom >= 1.0)) return 0.5;
    if (prediction->deviation == 0.0) return prediction->mean > 0.0 ? 0.0 : prediction->mean < 0.0 ? 1.0 : 0.5;
    return gsl_cdf_tdist_Q(prediction->mean / prediction->deviation, prediction->freedom);
}

/* Whether the probability that the candidate beats its rival is below the risk. */
static bool improbable(const struct race *race, const struct scoring *scoring, const struct window_nats *nats,
                       const struct prediction *prediction) {
    if (!(prediction->mean > 0.0)) return false;
    double probability = probability_of(prediction);
    if (!(probability < race->risk)) return false;
    if (race->quiet) return true;
    TRACE(TRACE_RACE,
          "individual %" PRId64 " given up after window %zu of %zu: it beats individual %" PRId64
          " with probability %.3g, below %g",
          race->candidate, count_scored(scoring, nats), scoring->count, race->rival, probability, race->risk);
    return true;
}

static bool test_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats) {
    double n = (double)count_scored(scoring, nats), all = (double)scoring->count, mean = 0.0, squares = 0.0;
    if (n < 2.0) return false;
    for (size_t w = 0; w < scoring->count; w++) {
        if (window_nats_scored(nats, w)) mean += (nats->nats[w] - race->rival_nats->nats[w]) / n;
    }
    for (size_t w = 0; w < scoring->count; w++) {
        if (window_nats_scored(nats, w)) squares += pow(nats->nats[w] - race->rival_nats->nats[w] - mean, 2.0);
    }
    const struct prediction prediction = {mean, sqrt(squares / (n - 1.0) / n * ((all - n) / all)), n - 1.0};
    return improbable(race, scoring, nats, &prediction);
}

/* ---- blocks ---- */

/* Sums over the windows scored so far. */
struct block_sums {
    double windows;
    double tokens;
    double difference; /* nats, candidate less rival */
    double within;     /* variance of that, from blocks within windows, larger by what is assumed between windows */
    double freedom;    /* degrees of freedom of `within` */
    double between;    /* squared deviations of the windows' differences from the mean, per token */
};

/* Bartlett's weight of a lag, and the number of lags for so many blocks. */
static double bartlett(size_t lag, size_t lags) { return 1.0 - (double)lag / (double)(lags + 1); }

static size_t lag_count(size_t blocks) {
    size_t lags = (size_t)floor(4.0 * pow((double)blocks / 100.0, 2.0 / 9.0));
    return lags < blocks ? lags : blocks - 1;
}

static size_t block_tokens(size_t block, size_t tokens) {
    size_t rest = tokens - block * SCORING_BLOCK;
    return rest < SCORING_BLOCK ? rest : SCORING_BLOCK;
}

/* The difference of a block, less what a window without noise would have in it. */
static double block_error(const float *candidate, const float *rival, size_t block, size_t tokens, double per_token) {
    return (double)candidate[block] - (double)rival[block] - per_token * (double)block_tokens(block, tokens);
}

/* The variance of a window's difference from its blocks. */
static double newey_west(const float *candidate, const float *rival, size_t blocks, size_t tokens) {
    size_t lags = lag_count(blocks);
    double sum = 0.0, variance = 0.0;
    for (size_t b = 0; b < blocks; b++) sum += (double)candidate[b] - (double)rival[b];
    double per_token = sum / (double)tokens;
    for (size_t b = 0; b < blocks; b++) {
        double error = block_error(candidate, rival, b, tokens, per_token);
        variance += error * error;
        for (size_t lag = 1; lag <= lags && lag <= b; lag++) {
            variance += 2.0 * bartlett(lag, lags) * error * block_error(candidate, rival, b - lag, tokens, per_token);
        }
    }
    return fmax(variance, 0.0) * (double)blocks / (double)(blocks - 1); /* of the mean that was subtracted */
}

static double degrees_of_freedom(size_t blocks) {
    size_t lags = lag_count(blocks);
    double squares = 1.0;
    for (size_t lag = 1; lag <= lags; lag++) squares += 2.0 * pow(bartlett(lag, lags), 2.0);
    return (double)(blocks - 1) / squares;
}

static struct block_sums add_up(const struct scoring *scoring, const struct window_nats *nats,
                                const struct window_nats *rival) {
    struct block_sums sums = {.windows = 0.0};
    for (size_t w = 0; w < scoring->count; w++) {
        if (!window_nats_scored(nats, w)) continue;
        size_t tokens = (size_t)window_tokens(&scoring->windows[w]), blocks = window_nats_block_count(nats, w);
        sums.windows += 1.0;
        sums.tokens += (double)tokens;
        sums.difference += nats->nats[w] - rival->nats[w];
        if (blocks < 2) continue;
        sums.within += newey_west(window_nats_blocks(nats, w), window_nats_blocks(rival, w), blocks, tokens) *
                       (1.0 + (double)tokens / RACING_BETWEEN);
        sums.freedom += degrees_of_freedom(blocks);
    }
    for (size_t w = 0; w < scoring->count; w++) {
        if (!window_nats_scored(nats, w)) continue;
        double tokens = (double)window_tokens(&scoring->windows[w]);
        double error = nats->nats[w] - rival->nats[w] - sums.difference / sums.tokens * tokens;
        sums.between += error * error / tokens;
    }
    return sums;
}

/* The sum of the differences over all windows is predicted as all / tokens times that over the windows scored so far;
 * of the error's variance, rest tokens are from windows not scored, and rest^2 / tokens from those scored. */
static struct prediction predict(const struct scoring *scoring, const struct window_nats *nats,
                                 const struct window_nats *rival) {
    const struct block_sums sums = add_up(scoring, nats, rival);
    double all = (double)scoring_tokens(scoring), rest = all - sums.tokens;
    double within = fmin(sums.freedom, RACING_FREEDOM), freedom = within + sums.windows - 1.0;
    if (!(freedom >= 1.0)) return (struct prediction){.freedom = 0.0}; /* one window, of hardly a block */
    double per_token = (within * sums.within / sums.tokens + sums.between) / freedom;
    return (struct prediction){sums.difference * all / sums.tokens, sqrt(per_token * rest * all / sums.tokens),
                               freedom};
}

static bool blocks_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats) {
    const struct prediction prediction = predict(scoring, nats, race->rival_nats);
    return improbable(race, scoring, nats, &prediction);
}

double racing_probability(const struct scoring *scoring, const struct window_nats *candidate,
                          const struct window_nats *rival) {
    const struct prediction prediction = predict(scoring, candidate, rival);
    return probability_of(&prediction);
}

bool racing_lost(const struct race *race, const struct scoring *scoring, const struct window_nats *nats) {
    assert(nats->windows >= scoring->count);
    switch (race->racing) {
    case RACING_NONE:
    case RACINGS:
        break;
    case RACING_BOUND:
        return bound_lost(race, scoring, nats);
    case RACING_STATISTICAL:
        return bound_lost(race, scoring, nats) || test_lost(race, scoring, nats);
    case RACING_BLOCKS:
        return bound_lost(race, scoring, nats) || blocks_lost(race, scoring, nats);
    }
    return false;
}
