/* CLEX tables: against the closed form that they have where D is 0, against Euler's method in small steps, and what a
 * model's own table takes of them. tests/interop/test_clex.py compares them with SciPy. */
#include "eval/clex.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PAIRS = 4, WIDTH = 8, TIMES = 6 };

/* Small weights of either sign, without a pattern that sums could cancel. */
struct network {
    float up[PAIRS * WIDTH], down[WIDTH * PAIRS];
};

static struct network make_network(double size) {
    struct network network;
    for (int i = 0; i < PAIRS * WIDTH; i++) {
        network.up[i] = (float)(0.3 * sin(1.7 * i + 0.4));
        network.down[i] = (float)(size * cos(2.3 * i + 0.9));
    }
    return network;
}

static struct clex make_clex(const struct network *network, enum rope_activation activation) {
    return (struct clex){.pairs = PAIRS,
                         .width = WIDTH,
                         .activation = activation,
                         .theta = 500000.0,
                         .step = 0.01,
                         .up = network->up,
                         .down = network->down};
}

static void integrate(const struct clex *clex, const double *times, int64_t count, double *out) {
    struct error error;
    if (clex_factors(clex, "model", times, count, out, &error) != STATUS_OK) fail_msg("%s", error.message);
}

static void assert_near(double got, double expected, double relative) {
    if (fabs(got - expected) <= relative * fabs(expected)) return;
    fail_msg("%.17g is not %.17g within a relative %g", got, expected, relative);
}

static void is_plain_at_one(void **state) {
    (void)state;
    const double one[] = {1.0, 1.0};
    for (int a = 0; a < ROPE_ACTIVATIONS; a++) {
        const struct network network = make_network(0.5);
        const struct clex clex = make_clex(&network, (enum rope_activation)a);
        double factors[2 * PAIRS];
        integrate(&clex, one, 2, factors);
        for (int i = 0; i < 2 * PAIRS; i++) assert_true(factors[i] == 1.0);
    }
}

/* What is left without D is d ln f_ntk: NTK at the ratio 2t - 1, rising with t and with the pair. */
static void is_ntk_without_a_network(void **state) {
    (void)state;
    const double times[TIMES] = {1.0, 1.7, 2.0, 3.005, 8.0, 16.0};
    const struct network network = make_network(0.0);
    const struct clex clex = make_clex(&network, ROPE_ACTIVATION_SILU);
    double factors[TIMES][PAIRS];
    integrate(&clex, times, TIMES, factors[0]);
    for (int n = 0; n < TIMES; n++) {
        for (int i = 0; i < PAIRS; i++) {
            double exponent = 2.0 * i / (2.0 * PAIRS - 2.0);
            assert_near(factors[n][i], pow(2.0 * times[n] - 1.0, exponent), 1e-9);
            if (n > 0) assert_true(i == 0 ? factors[n][i] == 1.0 : factors[n][i] > factors[n - 1][i]);
            if (i > 0) assert_true(factors[n][i] >= factors[n][i - 1]);
        }
    }
}

static double activate(enum rope_activation activation, double x) {
    return activation == ROPE_ACTIVATION_TANH ? tanh(x) : x / (1.0 + exp(-x));
}

/* Euler's method: one step of h. */
static void euler_step(const struct clex *clex, double t, double h, double *z) {
    double d = 2.0 * PAIRS, alpha = 2.0 * t - 1.0, hidden[WIDTH] = {0.0}, slope[PAIRS];
    for (int k = 0; k < WIDTH; k++) {
        for (int i = 0; i < PAIRS; i++) {
            double ntk = log(1.0 / pow(10000.0 * pow(alpha, d / (d - 2.0)), 2.0 * i / d));
            hidden[k] += (z[i] + ntk) * (double)clex->up[i * WIDTH + k];
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        slope[i] = -4.0 * i / (d - 2.0) / alpha;
        for (int k = 0; k < WIDTH; k++) {
            slope[i] += activate(clex->activation, hidden[k]) * (double)clex->down[k * PAIRS + i];
        }
    }
    for (int i = 0; i < PAIRS; i++) z[i] += h * slope[i];
}

static void follows_the_equation(void **state) {
    (void)state;
    enum { STEPS = 20000 };
    for (int a = 0; a < ROPE_ACTIVATIONS; a++) {
        const struct network network = make_network(0.05);
        const struct clex clex = make_clex(&network, (enum rope_activation)a);
        const double end = 3.0;
        double factors[PAIRS], without[PAIRS], z[PAIRS], begin[PAIRS];
        for (int i = 0; i < PAIRS; i++) z[i] = begin[i] = log(pow(clex.theta, -(double)i / PAIRS));
        for (int s = 0; s < STEPS; s++) euler_step(&clex, 1.0 + 2.0 * s / STEPS, 2.0 / STEPS, z);
        integrate(&clex, &end, 1, factors);
        const struct network none = make_network(0.0);
        const struct clex plain = make_clex(&none, (enum rope_activation)a);
        integrate(&plain, &end, 1, without);
        for (int i = 0; i < PAIRS; i++) {
            assert_near(factors[i], exp(begin[i] - z[i]), 5e-4);
            assert_true(fabs(factors[i] / without[i] - 1.0) > 5e-3); /* the network counts */
        }
    }
}

/* Times in between end a step early, and change little. */
static void steps_end_at_each_time(void **state) {
    (void)state;
    const struct network network = make_network(0.05);
    const struct clex clex = make_clex(&network, ROPE_ACTIVATION_TANH);
    const double all[] = {1.0, 1.333, 2.0, 2.9999, 4.0}, last = 4.0;
    double factors[5][PAIRS], alone[PAIRS];
    integrate(&clex, all, 5, factors[0]);
    integrate(&clex, &last, 1, alone);
    for (int i = 0; i < PAIRS; i++) assert_near(factors[4][i], alone[i], 1e-9);
}

static void refuses_tables_that_are_no_numbers(void **state) {
    (void)state;
    const double sizes[] = {300.0, 1e30}, end = 16.0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const struct network network = make_network(sizes[s]);
        const struct clex clex = make_clex(&network, ROPE_ACTIVATION_TANH);
        double factors[PAIRS];
        struct error error = {""};
        assert_int_equal(clex_factors(&clex, "here", &end, 1, factors, &error), STATUS_INPUT);
        assert_non_null(strstr(error.message, "here: the CLEX tensors"));
        assert_non_null(strstr(error.message, "extension factor 16"));
        assert_non_null(strstr(error.message, "ode_up_proj"));
    }
}

/* ---- A model's own table ---- */

static struct rope_model model_of(const double *factors) {
    struct rope_model model = rope_model_plain(PAIRS, 500000.0);
    model.type = ROPE_TYPE_CLEX;
    model.factor = 1.0;
    model.original_length = 100;
    model.max_factor = 3.0;
    model.clex_factors = factors;
    return model;
}

static void chooses_a_table_by_length(void **state) {
    (void)state;
    static const struct {
        int64_t length, time;
    } cases[] = {{1, 1}, {99, 1}, {100, 1}, {101, 2}, {200, 2}, {201, 3}, {300, 3}, {301, 3}, {1 << 30, 3}};
    const double factors[3 * PAIRS] = {1, 1, 1, 1, 1, 1.5, 2, 3, 0.9, 2.5, 4, 5};
    const struct rope_model model = model_of(factors), plain = rope_model_plain(PAIRS, 500000.0);
    struct rope_table table, unscaled;
    rope_model_table(&unscaled, &plain, 100);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        assert_int_equal(rope_clex_time(&model, cases[c].length), cases[c].time);
        rope_model_table(&table, &model, cases[c].length);
        assert_true(rope_same(&table, &unscaled) == (cases[c].time == 1));
        for (int i = 0; i < PAIRS; i++) {
            assert_true(table.own_factors[i] == factors[(cases[c].time - 1) * PAIRS + i]);
            assert_near(table.frequencies[i] * table.own_factors[i], unscaled.frequencies[i], 1e-15);
            assert_true(table.factors[i] == 1.0);
        }
        assert_true(table.own_attention_factor == 1.0 && table.attention_factor == 1.0);
    }
}

static void log_scale_is_an_attention_factor(void **state) {
    (void)state;
    const double factors[3 * PAIRS] = {1, 1, 1, 1, 1, 1.5, 2, 3, 0.9, 2.5, 4, 5};
    struct rope_model model = model_of(factors);
    struct rope_table table;
    model.log_scale = true;
    rope_model_table(&table, &model, 10000); /* ln 10000 / ln 100 */
    assert_near(table.own_attention_factor, sqrt(2.0), 1e-15);
    rope_model_table(&table, &model, 100);
    assert_true(table.own_attention_factor == 1.0);
    rope_model_table(&table, &model, 10);
    assert_near(table.own_attention_factor, sqrt(0.5), 1e-15);
    rope_model_table(&table, &model, 1);
    assert_true(isfinite(table.own_attention_factor) && table.own_attention_factor > 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_plain_at_one),
        cmocka_unit_test(is_ntk_without_a_network),
        cmocka_unit_test(follows_the_equation),
        cmocka_unit_test(steps_end_at_each_time),
        cmocka_unit_test(refuses_tables_that_are_no_numbers),
        cmocka_unit_test(chooses_a_table_by_length),
        cmocka_unit_test(log_scale_is_an_attention_factor),
    };
    return cmocka_run_group_tests_name("clex", tests, NULL, NULL);
}
