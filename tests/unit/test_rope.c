/* RoPE tables: closed forms against values worked out by hand and against what defines them, and
 * rows of cosines and sines against long double arithmetic. */
#include "eval/rope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Tables -------------------------------------------------------------------------------------- */

enum { WIDTHS = 5, SCALES = 6, LENGTHS = 4 };
static const int64_t widths[WIDTHS] = {1, 2, 32, 64, 256}; /* in pairs */
static const double scales[SCALES] = {1.0, 1.5, 2.0, 8.0, 100.0, 512.0};
static const int64_t lengths[LENGTHS] = {256, 2048, 4096, 8192};

static struct rope_setting make_setting(int64_t pairs, double scale) {
    return (struct rope_setting){
        .pairs = pairs, .theta = 10000.0, .original_length = 4096, .scale = scale, .length = 4096};
}

/* The closed form, written over a table full of something else. */
static struct rope_table make_table(enum rope_method method, const struct rope_setting *setting) {
    struct rope_table table;
    memset(&table, 0x55, sizeof table);
    rope_closed_form(&table, method, setting);
    assert_int_equal(table.pairs, setting->pairs);
    assert_int_equal(table.start_tokens, 0);
    return table;
}

static void assert_near(double got, double expected, double relative) {
    if (fabs(got - expected) <= relative * fabs(expected)) return;
    fail_msg("%.17g is not %.17g within a relative %g", got, expected, relative);
}

static void assert_factors(const struct rope_table *table, const double *expected, double relative) {
    for (int64_t i = 0; i < table->pairs; i++) assert_near(table->factors[i], expected[i], relative);
}

static void assert_unscaled(const struct rope_table *table) {
    for (int64_t i = 0; i < table->pairs; i++) assert_true(table->factors[i] == 1.0);
    assert_true(table->attention_factor == 1.0);
}

static void assert_rising(const struct rope_table *table, double least, double most) {
    for (int64_t i = 0; i < table->pairs; i++) {
        assert_true(table->factors[i] >= (i ? table->factors[i - 1] : least));
        assert_true(table->factors[i] <= most * (1 + 1e-14));
    }
}

/* Names --------------------------------------------------------------------------------------- */

static void names_round_trip(void **state) {
    (void)state;
    const char *const names[] = {"none", "pi", "ntk", "dynamic-ntk", "yarn"};
    const enum rope_method methods[] = {ROPE_NONE, ROPE_PI, ROPE_NTK, ROPE_DYNAMIC_NTK, ROPE_YARN};
    for (int m = 0; m < ROPE_METHODS; m++) {
        enum rope_method method = ROPE_METHODS;
        assert_string_equal(rope_method_name(methods[m]), names[m]);
        assert_true(rope_method_parse(names[m], &method));
        assert_int_equal(method, methods[m]);
    }
}

static void other_names_are_refused(void **state) {
    (void)state;
    const char *const names[] = {"", "p", "pi ", "PI", "Yarn", "ntk-aware", "dynamic", "longrope", "none,pi"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum rope_method method = ROPE_YARN;
        assert_false(rope_method_parse(names[i], &method));
        assert_int_equal(method, ROPE_YARN);
    }
}

/* Frequencies and closed forms ---------------------------------------------------------------- */

static void frequencies_fall_geometrically(void **state) {
    (void)state;
    const double thetas[] = {10000.0, 500000.0, 1e6, 100.0};
    for (int w = 0; w < WIDTHS; w++) {
        for (size_t t = 0; t < sizeof thetas / sizeof *thetas; t++) {
            struct rope_table table;
            memset(&table, 0x55, sizeof table);
            rope_base(&table, widths[w], thetas[t]);
            assert_int_equal(table.pairs, widths[w]);
            assert_int_equal(table.start_tokens, 0);
            assert_unscaled(&table);
            for (int64_t i = 0; i < widths[w]; i++) {
                long double power = -2.0L * (long double)i / (2.0L * (long double)widths[w]);
                assert_near(table.frequencies[i], (double)powl(thetas[t], power), 1e-15);
            }
        }
    }
    struct rope_table table;
    rope_base(&table, 4, 10000.0);
    const double decades[] = {1.0, 0.1, 0.01, 0.001};
    for (int i = 0; i < 4; i++) assert_near(table.frequencies[i], decades[i], 1e-15);
}

static void none_is_the_base(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        struct rope_setting setting = make_setting(widths[w], 8.0);
        struct rope_table table = make_table(ROPE_NONE, &setting), base;
        rope_base(&base, widths[w], setting.theta);
        assert_unscaled(&table);
        assert_memory_equal(table.frequencies, base.frequencies, (size_t)widths[w] * sizeof(double));
    }
}

static void pi_slows_every_pair_alike(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        for (int s = 0; s < SCALES; s++) {
            struct rope_setting setting = make_setting(widths[w], scales[s]);
            struct rope_table table = make_table(ROPE_PI, &setting);
            for (int64_t i = 0; i < widths[w]; i++) assert_true(table.factors[i] == scales[s]);
            assert_true(table.attention_factor == 1.0);
        }
    }
}

/* 16^(i/4) for ten rotary dimensions, 16^(i/2) for six. */
static void ntk_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = make_setting(5, 16.0);
    struct rope_table table = make_table(ROPE_NTK, &setting);
    assert_factors(&table, (const double[]){1, 2, 4, 8, 16}, 1e-15);
    setting.pairs = 3;
    table = make_table(ROPE_NTK, &setting);
    assert_factors(&table, (const double[]){1, 4, 16}, 1e-15);
    setting.pairs = 1;
    table = make_table(ROPE_NTK, &setting);
    assert_unscaled(&table);
}

/* What NTK-aware scaling is: the frequencies of another base, theta' = theta s^(d/(d-2)). */
static void assert_base_changed(const struct rope_table *table, double theta, long double scale) {
    long double d = 2.0L * (long double)table->pairs;
    long double base = d > 2.0L ? theta * powl(scale, d / (d - 2.0L)) : (long double)theta;
    for (int64_t i = 0; i < table->pairs; i++) {
        double expected = (double)powl(base, -2.0L * (long double)i / d);
        assert_near(table->frequencies[i] / table->factors[i], expected, 1e-14);
    }
    assert_true(table->attention_factor == 1.0);
}

static void ntk_is_a_change_of_base(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        for (int s = 0; s < SCALES; s++) {
            struct rope_setting setting = make_setting(widths[w], scales[s]);
            struct rope_table table = make_table(ROPE_NTK, &setting);
            assert_base_changed(&table, setting.theta, scales[s]);
            assert_rising(&table, 1.0, scales[s]);
            if (widths[w] > 1) assert_near(table.factors[widths[w] - 1], scales[s], 1e-14);
        }
    }
}

static void dynamic_ntk_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = {.pairs = 3, .theta = 10000.0, .original_length = 256, .scale = 2.0, .length = 640};
    struct rope_table table = make_table(ROPE_DYNAMIC_NTK, &setting); /* 2 x 2.5 - 1 */
    assert_factors(&table, (const double[]){1, 2, 4}, 1e-15);
    setting.length = 1280; /* 2 x 5 - 1 */
    table = make_table(ROPE_DYNAMIC_NTK, &setting);
    assert_factors(&table, (const double[]){1, 3, 9}, 1e-15);
    setting.scale = 1.0; /* L/L0 alone */
    table = make_table(ROPE_DYNAMIC_NTK, &setting);
    assert_factors(&table, (const double[]){1, 2.2360679774997896964, 5}, 1e-15);
}

static void dynamic_ntk_follows_the_length(void **state) {
    (void)state;
    const int64_t current[] = {1, 4095, 4096, 4097, 8192, 32768, 2000000};
    for (int w = 0; w < WIDTHS; w++) {
        for (int s = 0; s < SCALES; s++) {
            for (size_t l = 0; l < sizeof current / sizeof *current; l++) {
                struct rope_setting setting = make_setting(widths[w], scales[s]);
                setting.length = current[l];
                struct rope_table table = make_table(ROPE_DYNAMIC_NTK, &setting);
                long double scale = (long double)scales[s];
                scale = scale * (long double)current[l] / 4096.0L - (scale - 1.0L);
                if (current[l] <= 4096) assert_unscaled(&table);
                assert_base_changed(&table, setting.theta, current[l] <= 4096 ? 1.0L : scale);
            }
        }
    }
}

/* Pairs 0.84 and 12.88 of 32 turn 32 times and once in 256 tokens: the ramp runs from 0 to 13. */
static void yarn_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = {.pairs = 32, .theta = 10000.0, .original_length = 256, .scale = 4.0};
    struct rope_table table = make_table(ROPE_YARN, &setting);
    for (int i = 0; i < 32; i++) assert_near(table.factors[i], i < 13 ? 13.0 / (13.0 - 0.75 * i) : 4.0, 1e-14);
    assert_near(table.attention_factor, 1.1386294361119890, 1e-15);

    /* Pairs 20.9 and 45.03 of 64 in 4096 tokens: from 20 to 46, half way at 33. */
    setting = make_setting(64, 16.0);
    table = make_table(ROPE_YARN, &setting);
    assert_true(table.factors[20] == 1.0 && table.factors[21] > 1.0);
    assert_near(table.factors[33], 32.0 / 17.0, 1e-14);
    assert_true(table.factors[45] < 16.0 && table.factors[46] == 16.0);
    assert_near(table.attention_factor, 1.2772588722239781, 1e-15);
}

/* A pair that turns 32 times in the window keeps its pace, one that turns at most once is slowed by
 * s, and in between 1/lambda falls by the same amount from pair to pair. */
static void assert_ramp(const struct rope_table *table, const struct rope_setting *setting) {
    double s = setting->scale, step = 0.0;
    for (int64_t i = 0; i < table->pairs; i++) {
        double turns = (double)setting->original_length * table->frequencies[i] / (2.0 * M_PI);
        bool fast = turns >= 32.0 || i == 0, slow = turns <= 1.0;
        if (fast) assert_near(table->factors[i], 1.0, 1e-15);
        if (slow) assert_near(table->factors[i], s, 1e-15);
        if (fast || slow || s == 1.0) continue;
        assert_true(table->factors[i] > 1.0 && table->factors[i] < s);
        double fall = 1.0 / table->factors[i - 1] - 1.0 / table->factors[i];
        if (step > 0.0) assert_true(fabs(fall - step) < 1e-14);
        step = fall;
    }
}

static void yarn_ramps_between_fast_and_slow_pairs(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        for (int s = 0; s < SCALES; s++) {
            for (int l = 0; l < LENGTHS; l++) {
                struct rope_setting setting = make_setting(widths[w], scales[s]);
                setting.original_length = lengths[l];
                struct rope_table table = make_table(ROPE_YARN, &setting);
                assert_rising(&table, 1.0, scales[s]);
                assert_ramp(&table, &setting);
                assert_near(table.attention_factor, 0.1 * log(scales[s]) + 1.0, 1e-15);
            }
        }
    }
}

static void nothing_changes_at_scale_one(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        for (int m = 0; m < ROPE_METHODS; m++) {
            struct rope_setting setting = make_setting(widths[w], 1.0);
            struct rope_table table = make_table((enum rope_method)m, &setting);
            assert_unscaled(&table);
        }
    }
}

static void attention_factors(void **state) {
    (void)state;
    assert_near(rope_longrope_attention_factor(8.0, 4096), 1.1180339887498949, 1e-15);  /* sqrt(1 + 3/12) */
    assert_near(rope_longrope_attention_factor(32.0, 4096), 1.1902380714238083, 1e-15); /* sqrt(1 + 5/12) */
    assert_near(rope_longrope_attention_factor(256.0, 256), 1.4142135623730951, 1e-15); /* sqrt(2) */
    assert_true(rope_longrope_attention_factor(1.0, 4096) == 1.0);
    assert_true(rope_longrope_attention_factor(0.25, 4096) == 1.0);
    assert_true(rope_longrope_attention_factor(4.0, 1) == 1.0);
    assert_near(rope_yarn_attention_factor(32.0), 1.3465735902799727, 1e-15);
    assert_true(rope_yarn_attention_factor(1.0) == 1.0);
    assert_true(rope_yarn_attention_factor(0.25) == 1.0);
}

/* Rows ---------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 9 };
static const float guard = 1234.5f;

/* A float nearest to a number up to m is off by m 2^-24 at most; double angles add next to nothing. */
static void assert_rows(const struct rope_table *table, int64_t first, int64_t rows) {
    size_t count = (size_t)(rows * table->pairs);
    float *cosines = malloc((count + 1) * sizeof *cosines), *sines = malloc((count + 1) * sizeof *sines);
    assert_true(cosines && sines);
    cosines[count] = sines[count] = guard;
    rope_rows(table, first, rows, cosines, sines);
    assert_true(cosines[count] == guard && sines[count] == guard);
    double tolerance = 7e-8 * table->attention_factor;
    for (size_t at = 0; at < count; at++) {
        int64_t position = first + (int64_t)at / table->pairs, pair = (int64_t)at % table->pairs;
        long double angle = (long double)position * powl(10000.0L, -(long double)pair / (long double)table->pairs);
        if (position >= table->start_tokens) angle /= (long double)table->factors[pair];
        long double m = (long double)table->attention_factor;
        if (fabsl(cosines[at] - m * cosl(angle)) > tolerance || fabsl(sines[at] - m * sinl(angle)) > tolerance) {
            fail_msg("pair %ld of %ld at position %ld", (long)pair, (long)table->pairs, (long)position);
        }
    }
    free(cosines);
    free(sines);
}

static struct rope_table uneven_table(int64_t pairs, int64_t start_tokens, double attention_factor) {
    struct rope_table table;
    rope_base(&table, pairs, 10000.0);
    for (int64_t i = 0; i < pairs; i++) table.factors[i] = 1.07 + 0.13 * (double)i;
    table.start_tokens = start_tokens;
    table.attention_factor = attention_factor;
    return table;
}

static void rows_are_accurate_at_every_position(void **state) {
    (void)state;
    const int64_t firsts[] = {0, 1, 4090, 65531, 131072, 999999, 1999993, 2000000};
    for (int w = 0; w < WIDTHS; w++) {
        struct rope_table plain = uneven_table(widths[w], 0, 1.0), louder = uneven_table(widths[w], 0, 1.2);
        for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
            assert_rows(&plain, firsts[f], MOST_ROWS);
            assert_rows(&louder, firsts[f], 1);
        }
    }
}

static void start_tokens_keep_their_angles(void **state) {
    (void)state;
    const int64_t starts[] = {1, 4, 28, 256, 1000000};
    for (int w = 0; w < WIDTHS; w++) {
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
            struct rope_table table = uneven_table(widths[w], starts[s], 1.19);
            assert_rows(&table, starts[s] > 4 ? starts[s] - 4 : 0, MOST_ROWS); /* across the boundary */
            assert_rows(&table, starts[s] - 1, 1);
            assert_rows(&table, starts[s], 1);
        }
    }
}

/* One pair of a radian a token and lambda = 2, by hand: 0, 1, 2, then 3/2 on. */
static void rows_by_hand(void **state) {
    (void)state;
    struct rope_table table;
    rope_base(&table, 1, 10000.0);
    table.factors[0] = 2.0;
    table.start_tokens = 3;
    table.attention_factor = 2.0;
    float cosines[5], sines[5];
    rope_rows(&table, 0, 5, cosines, sines);
    const double expected[5][2] = {{1.0, 0.0},
                                   {0.54030230586813977, 0.84147098480789651},
                                   {-0.41614683654714239, 0.90929742682568170},
                                   {0.07073720166770291, 0.99749498660405443},
                                   {-0.41614683654714239, 0.90929742682568170}};
    for (int r = 0; r < 5; r++) {
        assert_true(fabs(cosines[r] - 2.0 * expected[r][0]) < 1.4e-7);
        assert_true(fabs(sines[r] - 2.0 * expected[r][1]) < 1.4e-7);
    }
}

/* A row is the same whichever call makes it. */
static void rows_do_not_depend_on_the_first(void **state) {
    (void)state;
    enum { PAIRS = 32, ROWS = 40 };
    struct rope_table table = uneven_table(PAIRS, 28, 1.1);
    float cosines[ROWS * PAIRS], sines[ROWS * PAIRS], cosine[PAIRS], sine[PAIRS];
    rope_rows(&table, 0, ROWS, cosines, sines);
    for (int r = 0; r < ROWS; r++) {
        rope_rows(&table, r, 1, cosine, sine);
        assert_memory_equal(cosine, cosines + r * PAIRS, sizeof cosine);
        assert_memory_equal(sine, sines + r * PAIRS, sizeof sine);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_round_trip),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(frequencies_fall_geometrically),
        cmocka_unit_test(none_is_the_base),
        cmocka_unit_test(pi_slows_every_pair_alike),
        cmocka_unit_test(ntk_by_hand),
        cmocka_unit_test(ntk_is_a_change_of_base),
        cmocka_unit_test(dynamic_ntk_by_hand),
        cmocka_unit_test(dynamic_ntk_follows_the_length),
        cmocka_unit_test(yarn_by_hand),
        cmocka_unit_test(yarn_ramps_between_fast_and_slow_pairs),
        cmocka_unit_test(nothing_changes_at_scale_one),
        cmocka_unit_test(attention_factors),
        cmocka_unit_test(rows_are_accurate_at_every_position),
        cmocka_unit_test(start_tokens_keep_their_angles),
        cmocka_unit_test(rows_by_hand),
        cmocka_unit_test(rows_do_not_depend_on_the_first),
    };
    return cmocka_run_group_tests_name("rope", tests, NULL, NULL);
}
