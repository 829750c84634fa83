/* search/race: who is given up, and when. */
#include "search/evolve/racing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    assert_string_equal(racing_name(RACING_BLOCKS), "blocks");
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

/* Blocks -------------------------------------------------------------------------------------- */

/* Two windows of 512 predictions, which are 4 blocks each. */
enum { LONG_WINDOWS = 2, LONG_BLOCKS = 4, LONG_TOKENS = LONG_BLOCKS * SCORING_BLOCK };
static const struct window long_windows[LONG_WINDOWS] = {{.length = LONG_TOKENS + 1}, {.length = LONG_TOKENS + 1}};
static const struct scoring long_scoring = {.windows = long_windows, .count = LONG_WINDOWS};

/* Window 0 of a candidate whose blocks differ from its rival's by differences[LONG_BLOCKS]. */
static bool lost_after_one(const double *differences, double risk) {
    struct window_nats rival, candidate;
    struct error error;
    assert_int_equal(window_nats_open(&rival, &long_scoring, &error), STATUS_OK);
    assert_int_equal(window_nats_open(&candidate, &long_scoring, &error), STATUS_OK);
    for (size_t b = 0; b < LONG_WINDOWS * LONG_BLOCKS; b++) rival.blocks[b] = 200.0F;
    rival.nats[0] = rival.nats[1] = candidate.nats[0] = LONG_BLOCKS * 200.0;
    for (size_t b = 0; b < LONG_BLOCKS; b++) {
        candidate.blocks[b] = (float)(200.0 + differences[b]);
        candidate.nats[0] += differences[b];
    }
    const struct race race = {.racing = RACING_BLOCKS, .risk = risk, .rival_score = 0.5, .rival_nats = &rival};
    struct race endless = race;
    endless.rival_score = INFINITY; /* the bound gives nobody up */
    bool lost = racing_lost(&endless, &long_scoring, &candidate);
    assert_true(racing_lost(&race, &long_scoring, &candidate)); /* and here anybody */
    window_nats_close(&rival);
    window_nats_close(&candidate);
    return lost;
}

/* By hand: differences 5, 3, -1, 1 have the mean 2 and the errors 3, 1, -3, -1. With one lag, whose weight is 1/2, the
 * variance of their sum is (20 + 2 * 1/2 * 3) * 4/3 = 30.667, with (1 + 512/8192) for other windows 32.583. The sum
 * over both windows is predicted as 16; the variance of its error is 32.583 / 512 * 512 * 1024 / 512 = 65.167. So t =
 * 16 / 8.0726 = 1.9820 with 3 / 1.5 = 2 degrees of freedom, which is exceeded with a probability of 1/2 - t / (2 sqrt(2
 * + t^2)) = 0.09299. */
static void the_test_of_blocks_is_newey_and_wests(void **state) {
    (void)state;
    static const double differences[LONG_BLOCKS] = {5, 3, -1, 1}, better[LONG_BLOCKS] = {-5, -3, 1, 1};
    assert_true(lost_after_one(differences, 0.0931));
    assert_false(lost_after_one(differences, 0.0929));
    assert_false(lost_after_one(better, 0.499));
    /* the same differences, so that neighbours are alike, and so that they are not: the sums are equal */
    static const double alike[LONG_BLOCKS] = {5, 3, 1, -1}, unlike[LONG_BLOCKS] = {5, -1, 3, 1};
    assert_false(lost_after_one(alike, 0.0929));
    assert_true(lost_after_one(unlike, 0.0929));
    static const double none[LONG_BLOCKS] = {1, 1, 1, 1};
    assert_true(lost_after_one(none, 0.001)); /* no noise at all */
}

/* With one block per window there is only the variance between windows. */
static void one_block_is_the_statistical_test(void **state) {
    (void)state;
    int given_up = 0;
    srand(5);
    for (int trial = 0; trial < 2000; trial++) {
        double of_rival[WINDOWS], nats[WINDOWS];
        float blocks[WINDOWS], rival_blocks[WINDOWS];
        size_t first_block[WINDOWS + 1];
        for (size_t w = 0; w <= WINDOWS; w++) first_block[w] = w;
        for (size_t w = 0; w < WINDOWS; w++) {
            of_rival[w] = 10.0, rival_blocks[w] = 10.0F;
            nats[w] = 10.2 + (double)rand() / RAND_MAX;
            blocks[w] = (float)nats[w];
        }
        struct window_nats rival = {WINDOWS, of_rival, rival_blocks, first_block};
        struct race race = {.racing = RACING_STATISTICAL, .risk = 0.05, .rival_score = INFINITY, .rival_nats = &rival};
        for (size_t scored = 1; scored < WINDOWS; scored++) {
            double some[WINDOWS];
            struct window_nats candidate = {WINDOWS, some, blocks, first_block};
            for (size_t w = 0; w < WINDOWS; w++) some[w] = w < scored ? nats[w] : NAN;
            race.racing = RACING_STATISTICAL;
            bool statistical = racing_lost(&race, &scoring, &candidate);
            race.racing = RACING_BLOCKS;
            assert_int_equal(racing_lost(&race, &scoring, &candidate), statistical);
            given_up += statistical;
        }
    }
    assert_true(given_up > 100);
}

static double normal(void) {
    double sum = -6.0; /* of twelve uniform numbers: near enough */
    for (int i = 0; i < 12; i++) sum += (double)rand() / RAND_MAX;
    return sum;
}

enum { BOOKS = 5, BOOK_BLOCKS = 16 };

/* The differences of the blocks of a window: an autoregression of first order around the window's own mean. */
static double draw_window(float *blocks, double mean) {
    double noise = normal() / sqrt(1.0 - 0.3 * 0.3), sum = 0.0;
    for (size_t b = 0; b < BOOK_BLOCKS; b++) {
        blocks[b] = (float)(200.0 + mean + noise);
        sum += blocks[b];
        noise = 0.3 * noise + normal();
    }
    return sum;
}

/* Blocks that are correlated, in windows that differ beyond that, by a quarter of the variance, as assumed: of the
 * candidates that would beat their rival, each look gives up a smaller share than the risk. */
static void the_risk_of_blocks_is_that_of_one_look(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    struct window book_windows[BOOKS];
    const struct scoring books = {.windows = book_windows, .count = BOOKS};
    for (size_t w = 0; w < BOOKS; w++) book_windows[w] = (struct window){.length = BOOK_BLOCKS * SCORING_BLOCK + 1};
    struct window_nats rival, whole, candidate;
    struct error error;
    assert_int_equal(window_nats_open(&rival, &books, &error), STATUS_OK);
    assert_int_equal(window_nats_open(&whole, &books, &error), STATUS_OK);
    assert_int_equal(window_nats_open(&candidate, &books, &error), STATUS_OK);
    for (size_t w = 0; w < BOOKS; w++) rival.nats[w] = BOOK_BLOCKS * 200.0;
    for (size_t b = 0; b < BOOKS * BOOK_BLOCKS; b++) rival.blocks[b] = 200.0F;
    const struct race race = {.racing = RACING_BLOCKS, .risk = 0.1, .rival_score = INFINITY, .rival_nats = &rival};
    int good = 0, given_up[BOOKS] = {0}, wrong[BOOKS] = {0};
    srand(13);
    for (int trial = 0; trial < TRIALS; trial++) {
        for (size_t w = 0; w < BOOKS; w++) {
            whole.nats[w] = draw_window(window_nats_blocks(&whole, w), normal() * 0.5 / sqrt(BOOK_BLOCKS) / 0.7);
        }
        bool beats = nats_sum(whole.nats, BOOKS) < nats_sum(rival.nats, BOOKS);
        good += beats;
        window_nats_clear(&candidate);
        memcpy(candidate.blocks, whole.blocks, BOOKS * BOOK_BLOCKS * sizeof *whole.blocks);
        for (size_t look = 1; look < BOOKS; look++) {
            candidate.nats[look - 1] = whole.nats[look - 1];
            if (!racing_lost(&race, &books, &candidate)) continue;
            given_up[look]++;
            wrong[look] += beats;
        }
    }
    for (size_t look = 1; look < BOOKS; look++) {
        assert_true(given_up[look] > TRIALS / 20);
        assert_true(wrong[look] < good / 10);
    }
    window_nats_close(&rival);
    window_nats_close(&whole);
    window_nats_close(&candidate);
}

/* The numbers of the_test_of_blocks_is_newey_and_wests(). */
static void the_probability_is_that_of_the_test(void **state) {
    (void)state;
    static const double differences[LONG_BLOCKS] = {5, 3, -1, 1};
    struct window_nats rival, candidate;
    struct error error;
    assert_int_equal(window_nats_open(&rival, &long_scoring, &error), STATUS_OK);
    assert_int_equal(window_nats_open(&candidate, &long_scoring, &error), STATUS_OK);
    rival.nats[0] = candidate.nats[0] = LONG_BLOCKS * 200.0;
    for (size_t b = 0; b < LONG_BLOCKS; b++) {
        rival.blocks[b] = 200.0F;
        candidate.blocks[b] = (float)(200.0 + differences[b]);
        candidate.nats[0] += differences[b];
    }
    assert_true(fabs(racing_probability(&long_scoring, &candidate, &rival) - 0.09299) < 1e-5);
    rival.nats[1] = 0.0; /* a window that the candidate is not scored on */
    assert_true(fabs(racing_probability(&long_scoring, &candidate, &rival) - 0.09299) < 1e-5);
    assert_true(racing_probability(&long_scoring, &rival, &rival) == 0.5);
    rival.nats[1] = NAN;
    assert_true(fabs(racing_probability(&long_scoring, &rival, &candidate) - (1.0 - 0.09299)) < 1e-5);

    /* one window of a single block says nothing */
    double of_rival[WINDOWS] = {10.0, NAN, NAN, NAN, NAN}, nats[WINDOWS] = {99.0, NAN, NAN, NAN, NAN};
    const struct window_nats one = {.windows = WINDOWS, .nats = of_rival}, other = {.windows = WINDOWS, .nats = nats};
    assert_true(racing_probability(&scoring, &other, &one) == 0.5);
    of_rival[1] = 10.0, nats[1] = 99.0; /* two that agree say all */
    assert_true(racing_probability(&scoring, &other, &one) == 0.0);
    assert_true(racing_probability(&scoring, &one, &other) == 1.0);
    window_nats_close(&rival);
    window_nats_close(&candidate);
}

/* Of a candidate that is to be scored on the first three windows only. */
static void a_race_may_be_over_the_first_windows(void **state) {
    (void)state;
    double nats[WINDOWS] = {10.0, 10.0, NAN, NAN, NAN};
    const struct window_nats known = {.windows = WINDOWS, .nats = nats};
    const struct scoring first = racing_windows(&scoring, (struct window_range){0, 3});
    const struct race race = {.racing = RACING_BOUND, .rival_score = 20.0 / 30};
    assert_int_equal(first.count, 3);
    assert_true(racing_lost(&race, &first, &known));
    assert_false(racing_lost(&race, &scoring, &known));
    const struct scoring all = racing_windows(&scoring, (struct window_range){2, WINDOWS});
    assert_int_equal(all.count, WINDOWS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_has_its_name),
        cmocka_unit_test(without_racing_nobody_is_given_up),
        cmocka_unit_test(the_bound_is_the_sum_so_far),
        cmocka_unit_test(the_bound_loses_nothing),
        cmocka_unit_test(the_test_is_students),
        cmocka_unit_test(the_risk_is_that_of_one_look),
        cmocka_unit_test(the_test_of_blocks_is_newey_and_wests),
        cmocka_unit_test(one_block_is_the_statistical_test),
        cmocka_unit_test(the_risk_of_blocks_is_that_of_one_look),
        cmocka_unit_test(the_probability_is_that_of_the_test),
        cmocka_unit_test(a_race_may_be_over_the_first_windows),
    };
    return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
