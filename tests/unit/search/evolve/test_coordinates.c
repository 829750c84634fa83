/* Knots, their refinement, and what lies between them. */
#include "search/evolve/coordinates.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t most_pairs[] = {1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 48, 64, 65, 128, ROPE_MAX_PAIRS};
enum { SPACES = sizeof most_pairs / sizeof *most_pairs };

static void assert_knots(const struct coordinates *at, int64_t pairs) {
    assert_true(at->pairs == pairs);
    assert_true(at->knots[0] == 0);
    assert_true(at->knots[at->count - 1] == pairs - 1);
    for (int64_t k = 1; k < at->count; k++) assert_true(at->knots[k] > at->knots[k - 1]);
}

/* No gap is wider than another by more than a pair. */
static void knots_are_spread_evenly(void **state) {
    (void)state;
    for (size_t s = 0; s < SPACES; s++) {
        int64_t pairs = most_pairs[s];
        for (int64_t count = 0; count <= pairs + 3; count++) {
            struct coordinates at;
            coordinates_spread(&at, pairs, count);
            assert_knots(&at, pairs);
            int64_t wanted = count == 0 || count > pairs ? pairs : count;
            if (wanted == 1 && pairs > 1) wanted = COORDINATES_FEWEST;
            assert_true(at.count == wanted);
            int64_t narrowest = pairs, widest = 0;
            for (int64_t k = 1; k < at.count; k++) {
                int64_t gap = at.knots[k] - at.knots[k - 1];
                if (gap < narrowest) narrowest = gap;
                if (gap > widest) widest = gap;
            }
            if (at.count > 1) assert_true(widest - narrowest <= 1);
        }
    }
    struct coordinates at;
    coordinates_spread(&at, 64, INT64_MAX);
    assert_true(at.count == 64);
}

static bool is_knot(const struct coordinates *at, int64_t pair) {
    for (int64_t k = 0; k < at->count; k++) {
        if (at->knots[k] == pair) return true;
    }
    return false;
}

/* Every step keeps all knots, closes each gap by half, and nearly doubles their number while there is room. */
static void refinement_keeps_knots_and_reaches_every_pair(void **state) {
    (void)state;
    for (size_t s = 0; s < SPACES; s++) {
        int64_t pairs = most_pairs[s];
        for (int64_t count = 1; count <= pairs; count++) {
            struct coordinates at;
            coordinates_spread(&at, pairs, count);
            int steps = 0;
            for (struct coordinates before = at; coordinates_refine(&at); before = at, steps++) {
                assert_knots(&at, pairs);
                assert_true(at.count > before.count && at.count <= 2 * before.count - 1);
                for (int64_t k = 0; k < before.count; k++) assert_true(is_knot(&at, before.knots[k]));
                for (int64_t k = 1; k < before.count; k++) {
                    int64_t left = before.knots[k - 1], right = before.knots[k];
                    assert_true(right - left == 1 || is_knot(&at, (left + right) / 2));
                }
            }
            assert_true(at.count == pairs);
            assert_true(steps <= 9); /* 256 pairs are eight halvings */
            assert_false(coordinates_refine(&at));
            for (int64_t i = 0; i < pairs; i++) assert_true(at.knots[i] == i);
        }
    }
}

/* Exact at knots, a straight line between them. */
static void deviations_are_linear_between_knots(void **state) {
    (void)state;
    for (size_t s = 0; s < SPACES; s++) {
        int64_t pairs = most_pairs[s];
        for (int64_t count = 1; count <= pairs; count = 2 * count + 1) {
            struct coordinates at;
            double steps[ROPE_MAX_PAIRS], out[ROPE_MAX_PAIRS];
            coordinates_spread(&at, pairs, count);
            for (int64_t k = 0; k < at.count; k++) steps[k] = sin(7.0 * (double)k + 1) / 3;
            for (int64_t i = 0; i < ROPE_MAX_PAIRS; i++) out[i] = NAN;
            coordinates_interpolate(&at, steps, out);
            for (int64_t k = 0; k < at.count; k++) assert_true(out[at.knots[k]] == steps[k]);
            for (int64_t k = 1; k < at.count; k++) {
                int64_t left = at.knots[k - 1], right = at.knots[k];
                for (int64_t i = left; i <= right; i++) {
                    double share = (double)(i - left) / (double)(right - left);
                    assert_true(fabs(out[i] - (steps[k - 1] + share * (steps[k] - steps[k - 1]))) < 1e-12);
                }
            }
            for (int64_t i = pairs; i < ROPE_MAX_PAIRS; i++) assert_true(isnan(out[i]));
        }
    }
}

/* What the knots could reach they still can when there are more of them. */
static void refined_knots_reach_the_same_tables(void **state) {
    (void)state;
    struct coordinates few, more;
    double steps[ROPE_MAX_PAIRS], finer[ROPE_MAX_PAIRS], coarse_out[ROPE_MAX_PAIRS], fine_out[ROPE_MAX_PAIRS];
    coordinates_spread(&few, 64, 8);
    more = few;
    assert_true(coordinates_refine(&more));
    assert_true(more.count == 15);
    for (int64_t k = 0; k < few.count; k++) steps[k] = cos(3.0 * (double)k);
    coordinates_interpolate(&few, steps, coarse_out);
    for (int64_t k = 0; k < more.count; k++) finer[k] = coarse_out[more.knots[k]];
    coordinates_interpolate(&more, finer, fine_out);
    for (int64_t i = 0; i < 64; i++) assert_true(fabs(coarse_out[i] - fine_out[i]) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knots_are_spread_evenly),
        cmocka_unit_test(refinement_keeps_knots_and_reaches_every_pair),
        cmocka_unit_test(deviations_are_linear_between_knots),
        cmocka_unit_test(refined_knots_reach_the_same_tables),
    };
    return cmocka_run_group_tests_name("coordinates", tests, NULL, NULL);
}
