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

/* Of models without scaling of their own and a theta of 10000. */
static struct rope_setting make_setting(int64_t pairs, double scale) {
    static struct rope_model models[ROPE_MAX_PAIRS + 1];
    models[pairs] = rope_model_plain(pairs, 10000.0);
    return (struct rope_setting){.model = &models[pairs], .original_length = 4096, .scale = scale, .length = 4096};
}

/* The closed form, written over a table full of something else. */
static struct rope_table make_table(enum rope_method method, const struct rope_setting *setting) {
    struct rope_table table;
    memset(&table, 0x55, sizeof table);
    rope_closed_form(&table, method, setting);
    assert_int_equal(table.pairs, setting->model->pairs);
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
    const char *const names[] = {"none", "pi", "ntk", "dynamic-ntk", "yarn", "ntk-pi", "resonance-yarn"};
    const enum rope_method methods[] = {ROPE_NONE, ROPE_PI,     ROPE_NTK,           ROPE_DYNAMIC_NTK,
                                        ROPE_YARN, ROPE_NTK_PI, ROPE_RESONANCE_YARN};
    assert_int_equal(sizeof names / sizeof *names, ROPE_METHODS);
    for (int m = 0; m < ROPE_METHODS; m++) {
        enum rope_method method = ROPE_METHODS;
        assert_string_equal(rope_method_name(methods[m]), names[m]);
        assert_true(rope_method_parse(names[m], &method));
        assert_int_equal(method, methods[m]);
    }
}

static void type_names_round_trip(void **state) {
    (void)state;
    const char *const names[] = {"default", "linear", "dynamic", "llama3", "yarn", "longrope", "clex"};
    for (int t = 0; t < ROPE_TYPES; t++) {
        enum rope_type type = ROPE_TYPES;
        assert_string_equal(rope_type_name((enum rope_type)t), names[t]);
        assert_true(rope_type_parse(names[t], &type));
        assert_int_equal(type, t);
    }
    enum rope_type type = ROPE_TYPE_YARN;
    assert_false(rope_type_parse("su", &type) || rope_type_parse("", &type) || rope_type_parse("Linear", &type));
    assert_int_equal(type, ROPE_TYPE_YARN);
}

static void other_names_are_refused(void **state) {
    (void)state;
    const char *const names[] = {"",        "p",        "pi ",     "PI",        "Yarn",        "ntk-aware",
                                 "dynamic", "longrope", "none,pi", "resonance", "critical-ntk"};
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
            struct rope_model model = rope_model_plain(widths[w], thetas[t]);
            rope_model_table(&table, &model, 4096);
            assert_true(table.own_attention_factor == 1.0);
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
    struct rope_model model = rope_model_plain(4, 10000.0);
    rope_model_table(&table, &model, 1);
    const double decades[] = {1.0, 0.1, 0.01, 0.001};
    for (int i = 0; i < 4; i++) assert_near(table.frequencies[i], decades[i], 1e-15);
}

static void none_is_the_base(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        struct rope_setting setting = make_setting(widths[w], 8.0);
        struct rope_table table = make_table(ROPE_NONE, &setting), base;
        rope_model_table(&base, setting.model, setting.length);
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
    setting = make_setting(3, 16.0);
    table = make_table(ROPE_NTK, &setting);
    assert_factors(&table, (const double[]){1, 4, 16}, 1e-15);
    setting = make_setting(1, 16.0);
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
            assert_base_changed(&table, setting.model->theta, scales[s]);
            assert_rising(&table, 1.0, scales[s]);
            if (widths[w] > 1) assert_near(table.factors[widths[w] - 1], scales[s], 1e-14);
        }
    }
}

static void dynamic_ntk_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = make_setting(3, 2.0);
    setting.original_length = 256;
    setting.length = 640;
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
                assert_base_changed(&table, setting.model->theta, current[l] <= 4096 ? 1.0L : scale);
            }
        }
    }
}

/* Pairs 0.84 and 12.88 of 32 turn 32 times and once in 256 tokens: the ramp runs from 0 to 13. */
static void yarn_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = make_setting(32, 4.0);
    setting.original_length = 256;
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

/* The same ramps, linear in lambda. */
static void yarn_over_lambda_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = make_setting(32, 4.0);
    setting.original_length = 256;
    struct rope_table table, yarn = make_table(ROPE_YARN, &setting);
    rope_yarn_lambda(&table, &setting);
    for (int i = 0; i < 32; i++) assert_near(table.factors[i], i < 13 ? 1.0 + 3.0 * i / 13.0 : 4.0, 1e-14);
    assert_true(table.attention_factor == 1.0 && table.start_tokens == 0 && table.pairs == 32);
    assert_memory_equal(table.frequencies, yarn.frequencies, sizeof table.frequencies);

    setting = make_setting(64, 16.0);
    rope_yarn_lambda(&table, &setting);
    assert_true(table.factors[20] == 1.0 && table.factors[21] > 1.0);
    assert_near(table.factors[33], 8.5, 1e-14);
    assert_true(table.factors[45] < 16.0 && table.factors[46] == 16.0);
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

/* The critical pairs that LongRoPE2 states, by a formula of its own (eq. 7), and at the ends. */
static void critical_pairs_are_those_of_longrope2(void **state) {
    (void)state;
    const struct {
        int64_t pairs, window, critical;
        double theta;
    } published[] = {{64, 8192, 35, 500000.0}, {48, 2048, 31, 10000.0}}; /* LLaMA3-8B, Phi3-mini */
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        struct rope_table table;
        const struct rope_model model = rope_model_plain(published[i].pairs, published[i].theta);
        rope_model_table(&table, &model, 1);
        assert_int_equal(rope_critical_pair(&table, published[i].window), published[i].critical);
    }
    const int64_t windows[] = {1, 6, 7, 63, 256, 4096, 100000, 2000000};
    for (int w = 0; w < WIDTHS; w++) {
        struct rope_setting setting = make_setting(widths[w], 8.0);
        struct rope_table table = make_table(ROPE_PI, &setting);
        for (size_t l = 0; l < sizeof windows / sizeof *windows; l++) {
            double pair = ceil((double)widths[w] * log((double)windows[l] / (2.0 * M_PI)) / log(10000.0));
            double window_pair = fmin(fmax(pair, 0.0), (double)widths[w]);
            assert_int_equal(rope_window_pair(&table, windows[l]), (int64_t)window_pair);
            assert_int_equal(rope_critical_pair(&table, windows[l]),
                             (int64_t)fmax(1.0, fmin(pair, (double)widths[w] - 1.0)));
        }
    }
}

/* Pair 12.88 of 32 turns once in 256 tokens. */
static void ntk_pi_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = make_setting(32, 4.0);
    setting.original_length = 256;
    struct rope_table table = make_table(ROPE_NTK_PI, &setting);
    for (int i = 0; i < 32; i++) assert_near(table.factors[i], i < 13 ? exp(log(4.0) * i / 13.0) : 4.0, 1e-14);
    assert_true(table.factors[13] == 4.0 && table.factors[31] == 4.0 && table.attention_factor == 1.0);
    /* No pair is as slow as the window: NTK. */
    setting.original_length = 1000000;
    struct rope_table ntk = make_table(ROPE_NTK, &setting);
    table = make_table(ROPE_NTK_PI, &setting);
    assert_factors(&table, ntk.factors, 1e-15);
    /* All are: PI but for the first. */
    setting.original_length = 2;
    table = make_table(ROPE_NTK_PI, &setting);
    for (int i = 0; i < 32; i++) assert_true(table.factors[i] == (i ? 4.0 : 1.0));
    setting = make_setting(1, 4.0);
    table = make_table(ROPE_NTK_PI, &setting);
    assert_unscaled(&table);
}

/* A model that was extended four times has pairs four times as slow, in a window four times as long: the critical pair
 * is the same. */
static void ntk_pi_heeds_own_scaling(void **state) {
    (void)state;
    const struct rope_model extended = {
        .pairs = 32, .theta = 10000.0, .type = ROPE_TYPE_LINEAR, .factor = 4.0, .original_length = 256};
    struct rope_setting plain = make_setting(32, 8.0), setting = plain;
    plain.original_length = 256;
    setting.model = &extended, setting.original_length = 1024;
    struct rope_table expected = make_table(ROPE_NTK_PI, &plain), table = make_table(ROPE_NTK_PI, &setting);
    assert_memory_equal(table.factors, expected.factors, sizeof(double) * 32);
}

/* 2 pi lambda_i / f_i is the whole number that is nearest to YaRN's. */
static void assert_whole_turns(const struct rope_table *table, const struct rope_table *yarn) {
    for (int64_t i = 0; i < table->pairs; i++) {
        double whole = 2.0 * M_PI * table->factors[i] / table->frequencies[i];
        double exact = 2.0 * M_PI * yarn->factors[i] / yarn->frequencies[i];
        assert_near(whole, round(whole), 1e-14);
        assert_true(fabs(whole - exact) <= 0.5 * (1.0 + 1e-12) && whole >= 1.0 - 1e-14);
    }
    assert_true(table->attention_factor == yarn->attention_factor);
}

static void resonance_yarn_has_whole_wavelengths(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        for (int s = 0; s < SCALES; s++) {
            for (int l = 0; l < LENGTHS; l++) {
                struct rope_setting setting = make_setting(widths[w], scales[s]);
                setting.original_length = lengths[l];
                struct rope_table table = make_table(ROPE_RESONANCE_YARN, &setting);
                struct rope_table yarn = make_table(ROPE_YARN, &setting);
                assert_whole_turns(&table, &yarn);
            }
        }
    }
}

/* Theta 10000 and YaRN's ramp from pair 0 to 13, as in yarn_by_hand(): lambda = 13 / (13 - 0.75 i), then 4. */
static void resonance_yarn_by_hand(void **state) {
    (void)state;
    struct rope_setting setting = make_setting(32, 4.0);
    setting.original_length = 256;
    struct rope_table table = make_table(ROPE_RESONANCE_YARN, &setting);
    for (int i = 0; i < 32; i++) {
        double own = 2.0 * M_PI * pow(10000.0, i / 32.0), yarn = i < 13 ? 13.0 / (13.0 - 0.75 * i) : 4.0;
        assert_near(table.factors[i], floor(own * yarn + 0.5) / own, 1e-14);
    }
    assert_near(table.factors[0], 3.0 / M_PI, 1e-15); /* 6.28 tokens become 6 */
    assert_near(table.attention_factor, 1.1386294361119890, 1e-15);
    /* Positions that are a whole turn of a pair apart have the same cosine and sine, however far from the beginning. */
    float cos[3][32], sin[3][32];
    const int64_t far[] = {5, 5 + 6 * 40, 5 + 6 * 100000};
    for (int p = 0; p < 3; p++) rope_rows(&table, ROPE_ANGLES_F64, far[p], 1, cos[p], sin[p]);
    for (int p = 1; p < 3; p++)
        assert_true(fabsf(cos[p][0] - cos[0][0]) < 1e-6F && fabsf(sin[p][0] - sin[0][0]) < 1e-6F);
}

/* The wavelengths that a model with scaling has; none of less than a token. */
static void resonance_yarn_heeds_own_scaling(void **state) {
    (void)state;
    struct rope_model own = {
        .pairs = 4, .theta = 10000.0, .type = ROPE_TYPE_LONGROPE, .factor = 1.0, .original_length = 64};
    for (int i = 0; i < 4; i++) own.short_factors[i] = own.long_factors[i] = i == 0 ? 0.01 : 1.3;
    struct rope_setting setting = {&own, 64, 2.0, 64};
    struct rope_table table = make_table(ROPE_RESONANCE_YARN, &setting), yarn = make_table(ROPE_YARN, &setting);
    assert_near(table.factors[0], 100.0 / (2.0 * M_PI), 1e-14);
    for (int i = 1; i < 4; i++) {
        double wavelength = 2.0 * M_PI * 1.3 * pow(10.0, i);
        assert_near(table.factors[i], floor(wavelength * yarn.factors[i] + 0.5) / wavelength, 1e-14);
    }
    /* Wavelengths that are no number: YaRN's table. */
    own = rope_model_plain(4, 1e300);
    own.type = ROPE_TYPE_LINEAR, own.factor = 1e100;
    table = make_table(ROPE_RESONANCE_YARN, &setting), yarn = make_table(ROPE_YARN, &setting);
    assert_true(table.factors[3] == yarn.factors[3] && table.factors[3] >= 1.0 && isfinite(table.factors[0]));
}

/* Resonance YaRN rounds wavelengths at every scale. */
static void nothing_changes_at_scale_one(void **state) {
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        for (int m = 0; m < ROPE_RESONANCE_YARN; m++) {
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
    rope_rows(table, ROPE_ANGLES_F64, first, rows, cosines, sines);
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
    struct rope_model model = rope_model_plain(pairs, 10000.0);
    rope_model_table(&table, &model, 4096);
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
    struct rope_model model = rope_model_plain(1, 10000.0);
    rope_model_table(&table, &model, 4096);
    table.factors[0] = 2.0;
    table.start_tokens = 3;
    table.attention_factor = 0.5;
    table.own_attention_factor = 4.0; /* together 2 */
    float cosines[5], sines[5];
    rope_rows(&table, ROPE_ANGLES_F64, 0, 5, cosines, sines);
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
    static const enum rope_angles angles[] = {ROPE_ANGLES_F64, ROPE_ANGLES_F32};
    struct rope_table table = uneven_table(PAIRS, 28, 1.1);
    float cosines[ROWS * PAIRS], sines[ROWS * PAIRS], cosine[PAIRS], sine[PAIRS];
    for (int a = 0; a < 2; a++) {
        rope_rows(&table, angles[a], 0, ROWS, cosines, sines);
        for (int r = 0; r < ROWS; r++) {
            rope_rows(&table, angles[a], r, 1, cosine, sine);
            assert_memory_equal(cosine, cosines + r * PAIRS, sizeof cosine);
            assert_memory_equal(sine, sines + r * PAIRS, sizeof sine);
        }
    }
}

/* What LlamaRotaryEmbedding of transformers 5.23 gives for theta 10000, eight rotary dimensions, these
 * long factors and an attention factor of 1.19, in f32 throughout. A frequency that is one bit off
 * would show at the later positions. */
static void f32_rows_are_those_of_transformers(void **state) {
    (void)state;
    static const struct {
        int64_t position;
        float cosines[4], sines[4];
    } cases[] = {
        {1000,
         {-0.0529003665f, -0.915334404f, -0.424283862f, 1.17997873f},
         {-1.18882358f, -0.760436118f, -1.11179292f, 0.1541114f}},
        {131071,
         {0.886163116f, -0.320371956f, -0.380163848f, -0.301959246f},
         {-0.794238687f, -1.14606369f, -1.12764156f, -1.151052f}},
        {1999999,
         {-0.400768518f, -0.694679558f, 1.14332521f, -0.630818963f},
         {-1.12048411f, -0.96618861f, -0.330011517f, 1.00904298f}},
    };
    const double factors[4] = {1.07, 1.5, 2.3, 7.7};
    struct rope_model model = rope_model_plain(4, 10000.0);
    struct rope_table table;
    rope_model_table(&table, &model, 4096);
    memcpy(table.factors, factors, sizeof factors);
    table.attention_factor = 1.19;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        float cosines[4], sines[4];
        rope_rows(&table, ROPE_ANGLES_F32, cases[c].position, 1, cosines, sines);
        for (int i = 0; i < 4; i++) {
            assert_true(fabsf(cosines[i] - cases[c].cosines[i]) < 3e-7f);
            assert_true(fabsf(sines[i] - cases[c].sines[i]) < 3e-7f);
        }
    }
}

/* Without factors and with 24 rotary dimensions, position 1999999: the exponents 2i/d are rounded, too. */
static void f32_powers_are_those_of_transformers(void **state) {
    (void)state;
    enum { PAIRS = 12 };
    static const float expected_cosines[PAIRS] = {-0.143831417f, -0.242856205f, -0.0236972161f, 0.986375153f,
                                                  -0.698548675f, 0.16103667f,   0.818844259f,   -0.973326385f,
                                                  0.171522453f,  -0.366664708f, -0.0231832117f, -0.883068919f};
    static const float expected_sines[PAIRS] = {-0.989602208f, 0.970062315f,  -0.999719203f, -0.164511591f,
                                                -0.715562522f, -0.986948431f, 0.574015737f,  0.22942479f,
                                                -0.985180199f, 0.930353165f,  -0.999731243f, -0.469243288f};
    struct rope_model model = rope_model_plain(PAIRS, 10000.0);
    struct rope_table table;
    rope_model_table(&table, &model, 4096);
    float cosines[PAIRS], sines[PAIRS];
    rope_rows(&table, ROPE_ANGLES_F32, 1999999, 1, cosines, sines);
    for (int i = 0; i < PAIRS; i++) {
        assert_true(fabsf(cosines[i] - expected_cosines[i]) < 3e-7f);
        assert_true(fabsf(sines[i] - expected_sines[i]) < 3e-7f);
    }
}

/* The largest difference between rows of f32 and f64 angles at a position. */
static double rounding(const struct rope_table *table, int64_t position) {
    float cosines[2][ROPE_MAX_PAIRS], sines[2][ROPE_MAX_PAIRS];
    rope_rows(table, ROPE_ANGLES_F64, position, 1, cosines[0], sines[0]);
    rope_rows(table, ROPE_ANGLES_F32, position, 1, cosines[1], sines[1]);
    double most = 0.0;
    for (int64_t i = 0; i < table->pairs; i++) {
        most = fmax(most, hypot((double)cosines[0][i] - cosines[1][i], (double)sines[0][i] - sines[1][i]));
    }
    return most;
}

/* An angle of f32 is off by up to 2^-24 of itself for each of its roundings: hardly at first, and by
 * about 0.1 rad at position two million. Start tokens keep their angles here, too. */
static void f32_angles_lose_precision_with_the_position(void **state) {
    (void)state;
    struct rope_table table = uneven_table(64, 0, 1.0);
    assert_true(rounding(&table, 0) == 0.0);
    assert_true(rounding(&table, 10) < 5e-6);
    assert_true(rounding(&table, 4096) < 2e-3);
    assert_true(rounding(&table, 1999999) > 0.02 && rounding(&table, 1999999) < 0.5);
    table.start_tokens = 5;
    for (int64_t position = 0; position < 10; position++) assert_true(rounding(&table, position) < 5e-6);
}

/* The model's own scaling ---------------------------------------------------------------------- */

enum { OWN_PAIRS = 8 };
#define LONG_FACTORS                                                                                                   \
    { 1, 1.5, 2, 3, 5, 8, 13, 21 }
#define SHORT_FACTORS                                                                                                  \
    { 1, 1, 1.01, 1.02, 1.03, 1.05, 1.08, 1.13 }

/* Frequencies and attention factors that ROPE_INIT_FUNCTIONS of transformers 5.23 gave for these
 * settings with 16 rotary dimensions, with its f32 replaced by f64. */
static const struct own {
    const char *name;
    struct rope_model model;
    int64_t length;
    double attention_factor;
    double frequencies[OWN_PAIRS];
} own_scalings[] = {
    {"linear",
     {.pairs = OWN_PAIRS, .theta = 10000, .type = ROPE_TYPE_LINEAR, .factor = 8},
     4096,
     1,
     {0.125, 0.039528470752104743, 0.012500000000000001, 0.0039528470752104739, 0.00125, 0.00039528470752104737,
      0.000125, 3.9528470752104742e-05}},
    {"dynamic 100",
     {.pairs = OWN_PAIRS, .theta = 10000, .type = ROPE_TYPE_DYNAMIC, .factor = 2.5, .original_length = 4096},
     100,
     1,
     {1, 0.31622776601683794, 0.10000000000000001, 0.031622776601683791, 0.01, 0.003162277660168379, 0.001,
      0.00031622776601683794}},
    {"dynamic 4096",
     {.pairs = OWN_PAIRS, .theta = 10000, .type = ROPE_TYPE_DYNAMIC, .factor = 2.5, .original_length = 4096},
     4096,
     1,
     {1, 0.31622776601683794, 0.10000000000000001, 0.031622776601683791, 0.01, 0.003162277660168379, 0.001,
      0.00031622776601683794}},
    {"dynamic 4097",
     {.pairs = OWN_PAIRS, .theta = 10000, .type = ROPE_TYPE_DYNAMIC, .factor = 2.5, .original_length = 4096},
     4097,
     1,
     {1, 0.31620020275628891, 0.099982568223118198, 0.031614508344244459, 0.0099965139484904861, 0.0031608997373687615,
      0.00099947713784830257, 0.00031603487363790857}},
    {"dynamic 10000",
     {.pairs = OWN_PAIRS, .theta = 10000, .type = ROPE_TYPE_DYNAMIC, .factor = 2.5, .original_length = 4096},
     10000,
     1,
     {1, 0.25425699578493927, 0.064646619905582625, 0.01643685536484429, 0.0041791854652168704, 0.0010625871412141255,
      0.00027017021428481057, 6.8692667034629204e-05}},
    {"llama3",
     {.pairs = OWN_PAIRS,
      .theta = 500000,
      .type = ROPE_TYPE_LLAMA3,
      .factor = 8,
      .original_length = 8192,
      .low_freq_factor = 1,
      .high_freq_factor = 4},
     4096,
     1,
     {1, 0.19392274474868576, 0.037606030930863933, 0.0072926647372171085, 0.00052484616099295468,
      3.4281021959525912e-05, 6.6478698711812362e-06, 1.2891731721515574e-06}},
    {"yarn",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 4,
      .original_length = 4096,
      .beta_fast = 32,
      .beta_slow = 1,
      .truncate = true},
     4096,
     1.1386294361119891,
     {1, 0.31622776601683794, 0.10000000000000001, 0.02569350598886808, 0.0062500000000000003, 0.0013834964763236657,
      0.00025000000000000001, 7.9056941504209485e-05}},
    {"yarn, other betas, not truncated",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 16,
      .original_length = 4096,
      .beta_fast = 128,
      .beta_slow = 2,
      .truncate = false},
     4096,
     1.2772588722239782,
     {1, 0.31622776601683794, 0.084790246494379981, 0.01860610913272542, 0.0032885120011764937, 0.00021922669403066558,
      6.2500000000000001e-05, 1.9764235376052371e-05}},
    {"yarn, both mscales",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 40,
      .original_length = 4096,
      .beta_fast = 32,
      .beta_slow = 1,
      .truncate = true,
      .mscale = 0.707,
      .mscale_all_dim = 0.5},
     4096,
     1.064468903941252,
     {1, 0.31622776601683794, 0.10000000000000001, 0.023914724805023366, 0.0051250000000000002, 0.00084986212117025184,
      2.5000000000000001e-05, 7.9056941504209471e-06}},
    {"yarn, one mscale",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 40,
      .original_length = 4096,
      .beta_fast = 32,
      .beta_slow = 1,
      .truncate = true,
      .mscale = 0.707},
     4096,
     1.3688879454113936,
     {1, 0.31622776601683794, 0.10000000000000001, 0.023914724805023366, 0.0051250000000000002, 0.00084986212117025184,
      2.5000000000000001e-05, 7.9056941504209471e-06}},
    {"yarn, attention_factor",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 4,
      .original_length = 4096,
      .beta_fast = 32,
      .beta_slow = 1,
      .truncate = true,
      .attention_factor = 0.75},
     4096,
     0.75,
     {1, 0.31622776601683794, 0.10000000000000001, 0.02569350598886808, 0.0062500000000000003, 0.0013834964763236657,
      0.00025000000000000001, 7.9056941504209485e-05}},
    {"yarn, ramp below the pairs",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 4,
      .original_length = 6,
      .beta_fast = 32,
      .beta_slow = 1,
      .truncate = true},
     4096,
     1.1386294361119891,
     {1, 0.079056941504209485, 0.025000000000000001, 0.0079056941504209478, 0.0025000000000000001,
      0.00079056941504209474, 0.00025000000000000001, 7.9056941504209485e-05}},
    {"yarn, ramp beyond the pairs",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_YARN,
      .factor = 4,
      .original_length = 1000000000,
      .beta_fast = 32,
      .beta_slow = 1,
      .truncate = true},
     4096,
     1.1386294361119891,
     {1, 0.31622776601683794, 0.10000000000000001, 0.031622776601683791, 0.01, 0.003162277660168379, 0.001,
      0.00031622776601683794}},
    {"longrope 4096",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_LONGROPE,
      .factor = 32,
      .original_length = 4096,
      .short_factors = SHORT_FACTORS,
      .long_factors = LONG_FACTORS},
     4096,
     1.1902380714238083,
     {1, 0.31622776601683794, 0.099009900990099015, 0.031002722158513522, 0.0097087378640776691, 0.0030116930096841707,
      0.00092592592592592596, 0.00027984758054587429}},
    {"longrope 4097",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_LONGROPE,
      .factor = 32,
      .original_length = 4096,
      .short_factors = SHORT_FACTORS,
      .long_factors = LONG_FACTORS},
     4097,
     1.1902380714238083,
     {1, 0.21081851067789195, 0.050000000000000003, 0.010540925533894598, 0.002, 0.00039528470752104737,
      7.6923076923076926e-05, 1.5058465048420853e-05}},
    {"longrope, factor",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_LONGROPE,
      .factor = 8,
      .original_length = 4096,
      .short_factors = SHORT_FACTORS,
      .long_factors = LONG_FACTORS},
     4097,
     1.1180339887498949,
     {1, 0.21081851067789195, 0.050000000000000003, 0.010540925533894598, 0.002, 0.00039528470752104737,
      7.6923076923076926e-05, 1.5058465048420853e-05}},
    {"longrope, attention_factor",
     {.pairs = OWN_PAIRS,
      .theta = 10000,
      .type = ROPE_TYPE_LONGROPE,
      .factor = 32,
      .original_length = 4096,
      .short_factors = SHORT_FACTORS,
      .long_factors = LONG_FACTORS,
      .attention_factor = 1.25},
     4097,
     1.25,
     {1, 0.21081851067789195, 0.050000000000000003, 0.010540925533894598, 0.002, 0.00039528470752104737,
      7.6923076923076926e-05, 1.5058465048420853e-05}},
};

static void own_scaling_is_that_of_transformers(void **state) {
    (void)state;
    for (size_t c = 0; c < sizeof own_scalings / sizeof *own_scalings; c++) {
        const struct own *own = &own_scalings[c];
        struct rope_table table;
        memset(&table, 0x55, sizeof table);
        rope_model_table(&table, &own->model, own->length);
        assert_int_equal(table.pairs, OWN_PAIRS);
        assert_int_equal(table.start_tokens, 0);
        assert_unscaled(&table);
        if (fabs(table.own_attention_factor - own->attention_factor) > 1e-14)
            fail_msg("%s: %.17g", own->name, table.own_attention_factor);
        for (int i = 0; i < OWN_PAIRS; i++) {
            double ratio = table.frequencies[i] / own->frequencies[i];
            if (fabs(ratio - 1.0) > 1e-14) fail_msg("%s: pair %d is off by %g", own->name, i, ratio - 1.0);
        }
    }
}

/* Closed forms multiply what the model does of itself; those behind YaRN depend on it, too. */
static void closed_forms_build_on_own_scaling(void **state) {
    (void)state;
    for (size_t c = 0; c < sizeof own_scalings / sizeof *own_scalings; c++) {
        const struct own *own = &own_scalings[c];
        struct rope_model plain = rope_model_plain(OWN_PAIRS, own->model.theta);
        for (int m = 0; m <= ROPE_YARN; m++) {
            struct rope_setting setting = {&own->model, 4096, 4.0, own->length}, bare = setting;
            bare.model = &plain;
            struct rope_table table = make_table((enum rope_method)m, &setting);
            struct rope_table alone = make_table((enum rope_method)m, &bare);
            assert_memory_equal(table.factors, alone.factors, sizeof(double) * OWN_PAIRS);
            assert_true(table.attention_factor == alone.attention_factor);
            assert_near(table.own_attention_factor, own->attention_factor, 1e-14);
            for (int i = 0; i < OWN_PAIRS; i++) assert_near(table.frequencies[i], own->frequencies[i], 1e-14);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_round_trip),
        cmocka_unit_test(type_names_round_trip),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(frequencies_fall_geometrically),
        cmocka_unit_test(none_is_the_base),
        cmocka_unit_test(pi_slows_every_pair_alike),
        cmocka_unit_test(ntk_by_hand),
        cmocka_unit_test(ntk_is_a_change_of_base),
        cmocka_unit_test(dynamic_ntk_by_hand),
        cmocka_unit_test(dynamic_ntk_follows_the_length),
        cmocka_unit_test(yarn_by_hand),
        cmocka_unit_test(yarn_over_lambda_by_hand),
        cmocka_unit_test(yarn_ramps_between_fast_and_slow_pairs),
        cmocka_unit_test(critical_pairs_are_those_of_longrope2),
        cmocka_unit_test(ntk_pi_by_hand),
        cmocka_unit_test(ntk_pi_heeds_own_scaling),
        cmocka_unit_test(resonance_yarn_has_whole_wavelengths),
        cmocka_unit_test(resonance_yarn_by_hand),
        cmocka_unit_test(resonance_yarn_heeds_own_scaling),
        cmocka_unit_test(nothing_changes_at_scale_one),
        cmocka_unit_test(attention_factors),
        cmocka_unit_test(rows_are_accurate_at_every_position),
        cmocka_unit_test(start_tokens_keep_their_angles),
        cmocka_unit_test(rows_by_hand),
        cmocka_unit_test(rows_do_not_depend_on_the_first),
        cmocka_unit_test(f32_rows_are_those_of_transformers),
        cmocka_unit_test(f32_powers_are_those_of_transformers),
        cmocka_unit_test(f32_angles_lose_precision_with_the_position),
        cmocka_unit_test(own_scaling_is_that_of_transformers),
        cmocka_unit_test(closed_forms_build_on_own_scaling),
    };
    return cmocka_run_group_tests_name("rope", tests, NULL, NULL);
}
