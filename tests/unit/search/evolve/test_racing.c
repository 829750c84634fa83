/* search/race: who is given up, and when. */
#include "search/evolve/racing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "eval/base/name.h"

/* Windows of 11 tokens, that is of 10 predictions, each. */
enum { WINDOWS = 5, PREDICTIONS = 50 };
static const struct window windows[WINDOWS] = {
    {0, 0, 11, 0}, {0, 11, 11, 0}, {0, 22, 11, 0}, {0, 33, 11, 0}, {0, 44, 11, 0}};
static const struct scoring scoring = {.windows = windows, .count = WINDOWS};

/* The first `scored` windows of nats[WINDOWS]. */
static bool lost(const struct race *race, const double *nats, size_t scored) {
    double some[WINDOWS];
    const struct window_nats known = {.windows = WINDOWS, .nats = some};
    for (size_t w = 0; w < WINDOWS; w++) some[w] = w < scored ? nats[w] : NAN;
    return racing_lost(race, &scoring, &known);
}

static void every_rule_has_its_name(void **state) {
    (void)state;
    assert_string_equal(racing_name(RACING_NONE), "none");
    assert_string_equal(racing_name(RACING_BOUND), "bound");
    assert_string_equal(racing_name(RACING_STATISTICAL), "statistical");
    for (int i = 0; i < RACINGS; i++) assert_int_equal(name_find(racing_names, RACINGS, racing_names[i]), i);
    assert_int_equal(name_find(racing_names, RACINGS, ""), NAME_UNKNOWN);
    assert_int_equal(name_find(racing_names, RACINGS, "bounds"), NAME_UNKNOWN);
}

static void without_racing_nobody_is_given_up(void **state) {
    (void)state;
    const double nats[WINDOWS] = {1e9, 1e9, 1e9, 1e9, 1e9};
    const struct race race = {.racing = RACING_NONE, .rival_score = 0.1};
    for (size_t scored = 1; scored < WINDOWS; scored++) assert_false(lost(&race, nats, scored));
}

static void the_bound_is_the_sum_so_far(void **state) {
    (void)state;
    const double nats[WINDOWS] = {10.0, 10.0, 10.0, 10.0, 10.0};
    struct race race = {.racing = RACING_BOUND, .rival_score = 30.0 / PREDICTIONS};
    assert_false(lost(&race, nats, 1));
    assert_false(lost(&race, nats, 2));
    assert_true(lost(&race, nats, 3)); /* an equal score does not beat the older one */
    race.rival_score = nextafter(30.0 / PREDICTIONS, 1.0);
    assert_false(lost(&race, nats, 3));
    assert_true(lost(&race, nats, 4));
    race.rival_score = INFINITY;
    assert_false(lost(&race, nats, 4));
    race.rival_score = NAN; /* a rival that is no number is beaten by any */
    assert_false(lost(&race, nats, 4));
}

/* Whoever is given up would have scored no lower than the rival, to the last bit. */
static void the_bound_loses_nothing(void **state) {
    (void)state;
    size_t given_up = 0;
    srand(7);
    for (int trial = 0; trial < 20000; trial++) {
        double nats[WINDOWS], rival[WINDOWS];
        for (int w = 0; w < WINDOWS; w++) {
            rival[w] = (double)rand() / RAND_MAX * 10.0;
            /* many ties, and last windows that add nothing or less than a bit */
            nats[w] = rand() % 3 ? rival[w] : rand() % 2 ? 1e-17 : (double)rand() / RAND_MAX * 30.0;
        }
        const struct race race = {.racing = RACING_BOUND, .rival_score = perplexity_mean_nats(&scoring, rival)};
        for (size_t scored = 1; scored < WINDOWS; scored++) {
            if (!lost(&race, nats, scored)) continue;
            given_up++;
            assert_true(perplexity_mean_nats(&scoring, nats) >= race.rival_score);
        }
    }
    assert_true(given_up > 1000);
}

/* By hand: differences 1, 2, 3 of 5 windows have the mean 2 and the standard deviation 1; t =
 * 2 / (1 / sqrt(3) sqrt(2/5)) = 5.4772 with 2 degrees of freedom, which is exceeded with a probability
 * of 1/2 - t / (2 sqrt(2 + t^2)) = 0.015875. */
static void the_test_is_students(void **state) {
    (void)state;
    double of_rival[WINDOWS] = {10.0, 10.0, 10.0, 10.0, 10.0};
    const struct window_nats rival = {.windows = WINDOWS, .nats = of_rival};
    const double nats[WINDOWS] = {11.0, 12.0, 13.0, 0.0, 0.0};
    struct race race = {
        .racing = RACING_STATISTICAL, .risk = 0.0159, .rival_score = 50.0 / PREDICTIONS, .rival_nats = &rival};
    assert_false(lost(&race, nats, 1)); /* one difference says nothing of its spread */
    assert_true(lost(&race, nats, 3));
    race.risk = 0.0158;
    assert_false(lost(&race, nats, 3));

    const double better[WINDOWS] = {9.0, 9.5, 9.0, 0.0, 0.0}, same[WINDOWS] = {10.0, 10.0, 10.0, 10.0, 0.0},
                 worse[WINDOWS] = {10.5, 10.5, 10.5, 0.0, 0.0};
    race.risk = 0.499;
    assert_false(lost(&race, better, 3));
    assert_false(lost(&race, same, 4));
    assert_true(lost(&race, worse, 3)); /* no spread at all */
    const double far[WINDOWS] = {60.0, 0.0, 0.0, 0.0, 0.0};
    assert_true(lost(&race, far, 1)); /* the bound is tested as well */
}

/* Where differences are normal and the candidate is as good as its rival, of those given up at a look a
 * smaller share than the risk would have beaten it. */
static void the_risk_is_that_of_one_look(void **state) {
    (void)state;
    enum { TRIALS = 20000, LOOK = 3 };
    int given_up = 0, wrong = 0;
    srand(11);
    for (int trial = 0; trial < TRIALS; trial++) {
        double rival[WINDOWS], nats[WINDOWS];
        for (int w = 0; w < WINDOWS; w++) {
            double normal = -6.0; /* of twelve uniform numbers: near enough */
            for (int i = 0; i < 12; i++) normal += (double)rand() / RAND_MAX;
            rival[w] = 100.0;
            nats[w] = 100.0 + normal;
        }
        const struct window_nats of_rival = {.windows = WINDOWS, .nats = rival};
        const struct race race = {.racing = RACING_STATISTICAL,
                                  .risk = 0.1,
                                  .rival_score = perplexity_mean_nats(&scoring, rival),
                                  .rival_nats = &of_rival};
        if (!lost(&race, nats, LOOK)) continue;
        given_up++;
        wrong += perplexity_mean_nats(&scoring, nats) < race.rival_score;
    }
    assert_true(given_up > TRIALS / 20);
    /* given what was seen, the final score is below the rival's with a probability under the risk */
    assert_true(wrong < given_up / 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_has_its_name),     cmocka_unit_test(without_racing_nobody_is_given_up),
        cmocka_unit_test(the_bound_is_the_sum_so_far), cmocka_unit_test(the_bound_loses_nothing),
        cmocka_unit_test(the_test_is_students),        cmocka_unit_test(the_risk_is_that_of_one_look),
    };
    return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
