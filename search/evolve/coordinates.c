#include "search/evolve/coordinates.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void coordinates_spread(struct coordinates *coordinates, int64_t pairs, int64_t count) {
    assert(pairs >= 1 && pairs <= ROPE_MAX_PAIRS && count >= 0);
    coordinates->pairs = pairs;
    if (count == 0 || count > pairs) count = pairs;
    if (count < COORDINATES_FEWEST && pairs >= COORDINATES_FEWEST) count = COORDINATES_FEWEST;
    coordinates->count = count;
    for (int64_t k = 0; k < count; k++) {
        coordinates->knots[k] = count == 1 ? 0 : (2 * k * (pairs - 1) + count - 1) / (2 * (count - 1)); /* rounded */
    }
}

bool coordinates_refine(struct coordinates *coordinates) {
    if (coordinates->count == coordinates->pairs) return false;
    int64_t knots[ROPE_MAX_PAIRS], count = 0;
    for (int64_t k = 0; k < coordinates->count; k++) {
        int64_t left = k > 0 ? coordinates->knots[k - 1] : coordinates->knots[k], right = coordinates->knots[k];
        if (right - left > 1) knots[count++] = (left + right) / 2;
        knots[count++] = right;
    }
    memcpy(coordinates->knots, knots, (size_t)count * sizeof *knots);
    coordinates->count = count;
    return true;
}

void coordinates_interpolate(const struct coordinates *coordinates, const double *knot_deviations, double *deviations) {
    deviations[0] = knot_deviations[0];
    for (int64_t k = 1; k < coordinates->count; k++) {
        int64_t left = coordinates->knots[k - 1], right = coordinates->knots[k];
        double slope = (knot_deviations[k] - knot_deviations[k - 1]) / (double)(right - left);
        for (int64_t i = left + 1; i <= right; i++) {
            deviations[i] = knot_deviations[k] - slope * (double)(right - i);
        }
    }
}

struct genome_space coordinates_space(const struct coordinates *coordinates, const struct genome_space *space) {
    assert(space->critical_high == 0);
    struct genome_space knots = *space;
    knots.pairs = coordinates->count;
    return knots;
}

void coordinates_genes(const struct coordinates *coordinates, const struct genome *genome, struct genome *knots) {
    *knots = (struct genome){.start = genome->start, .attention = genome->attention};
    for (int64_t k = 0; k < coordinates->count; k++) knots->genes[k] = genome->genes[coordinates->knots[k]];
}

void coordinates_move(const struct coordinates *coordinates, const struct genome_space *space,
                      const struct genome *from, const struct genome *knots, struct genome *out) {
    double moves[ROPE_MAX_PAIRS] = {0}, deviations[ROPE_MAX_PAIRS], factors[ROPE_MAX_PAIRS];
    for (int64_t k = 0; k < coordinates->count; k++) {
        moves[k] = log((double)knots->genes[k] / from->genes[coordinates->knots[k]]);
    }
    coordinates_interpolate(coordinates, moves, deviations);
    for (int64_t i = 0; i < space->pairs; i++) factors[i] = exp(deviations[i]) * from->genes[i] / space->unit;
    double attention = space->attention_unit > 0 ? (double)knots->attention / space->attention_unit : 1.0;
    genome_from_factors(space, factors, knots->start, attention, out);
}
