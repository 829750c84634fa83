/* The process against linear algebra that is done another way here, and what the search relies on. */
#include "search/evolve/gaussian_process.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 3, WINDOWS = 4, MOST = 60 };
static const double weights[WINDOWS] = {0.1, 0.2, 0.3, 0.4};

struct observation {
    double x[N];
    size_t window;
    double value;
};

static double wave(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (double)(1u << 24) * 2 - 1;
}

/* A smooth function, what windows add to it, and a little noise. */
static void make_observations(struct observation *out, size_t count, double noise) {
    unsigned state = 7;
    for (size_t i = 0; i < count; i++) {
        double *x = out[i].x;
        for (size_t d = 0; d < N; d++) x[d] = wave(&state);
        out[i].window = i % WINDOWS;
        out[i].value = 0.3 * x[0] * x[0] + 0.2 * sin(x[1] + 1) - 0.05 * x[2] +
                       0.03 * x[0] * ((double)out[i].window - 1.5) + noise * wave(&state);
    }
}

static struct gp *new_process(size_t capacity) {
    const struct gp_settings settings = {.dimension = N, .capacity = capacity, .windows = WINDOWS, .weights = weights};
    struct gp *gp = gp_new(&settings);
    assert_non_null(gp);
    return gp;
}

static void add_all(struct gp *gp, const struct observation *all, size_t count) {
    for (size_t i = 0; i < count; i++) gp_add(gp, all[i].x, all[i].window, all[i].value);
}

static struct gp *process_of(const struct observation *all, size_t count) {
    struct gp *gp = new_process(MOST);
    add_all(gp, all, count);
    gp_condition(gp);
    return gp;
}

/* Log hyperparameters as they are now. */
static void read_hyper(const struct gp *gp, double hyper[N + 3]) {
    for (size_t d = 0; d < N; d++) hyper[d] = log(gp_length_scale(gp, d));
    hyper[N] = log(gp_common_deviation(gp));
    hyper[N + 1] = log(gp_window_deviation(gp));
    hyper[N + 2] = log(gp_noise(gp));
}

/* What the header defines, done again ---------------------------------------------------------- */

/* exp(-1/2 sum ((a - b) / l)^2) */
static double correlation(const struct gp *gp, const double *a, const double *b) {
    double sum = 0;
    for (size_t d = 0; d < N; d++) sum += pow((a[d] - b[d]) / gp_length_scale(gp, d), 2);
    return exp(-0.5 * sum);
}

static double observed_covariance(const struct gp *gp, const struct observation *a, const struct observation *b) {
    double own = a->window == b->window ? pow(gp_window_deviation(gp), 2) : 0;
    double noise = a == b ? pow(gp_noise(gp), 2) : 0;
    return correlation(gp, a->x, b->x) * (pow(gp_common_deviation(gp), 2) + own) + noise;
}

/* Solves a x = b by Gauss's elimination with pivots; the determinant's logarithm is returned. */
static double solve(size_t n, double a[][MOST], double *b) {
    double determinant = 0;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k; i < n; i++) pivot = fabs(a[i][k]) > fabs(a[pivot][k]) ? i : pivot;
        for (size_t j = 0; j < n; j++) {
            double swapped = a[k][j];
            a[k][j] = a[pivot][j], a[pivot][j] = swapped;
        }
        double swapped = b[k];
        b[k] = b[pivot], b[pivot] = swapped;
        determinant += log(fabs(a[k][k]));
        for (size_t i = k + 1; i < n; i++) {
            double factor = a[i][k] / a[k][k];
            for (size_t j = k; j < n; j++) a[i][j] -= factor * a[k][j];
            b[i] -= factor * b[k];
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++) b[k] -= a[k][j] * b[j];
        b[k] /= a[k][k];
    }
    return determinant;
}

static void fill(const struct gp *gp, const struct observation *all, size_t n, double a[][MOST]) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) a[i][j] = observed_covariance(gp, &all[i], &all[j]);
    }
}

/* The weighted mean over windows of f + g_w at x, by its definition: no sum over weights is done in advance. */
static struct gp_prediction predict_slowly(const struct gp *gp, const struct observation *all, size_t n,
                                           const double *x) {
    static double a[MOST][MOST], solved[MOST], k[MOST];
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) {
        k[i] = 0;
        for (size_t w = 0; w < WINDOWS; w++) {
            double own = all[i].window == w ? pow(gp_window_deviation(gp), 2) : 0;
            k[i] += weights[w] * correlation(gp, x, all[i].x) * (pow(gp_common_deviation(gp), 2) + own);
        }
    }
    for (size_t v = 0; v < WINDOWS; v++) {
        for (size_t w = 0; w < WINDOWS; w++) {
            double own = v == w ? pow(gp_window_deviation(gp), 2) : 0;
            variance += weights[v] * weights[w] * (pow(gp_common_deviation(gp), 2) + own);
        }
    }
    fill(gp, all, n, a);
    for (size_t i = 0; i < n; i++) solved[i] = all[i].value;
    solve(n, a, solved);
    for (size_t i = 0; i < n; i++) mean += k[i] * solved[i];
    fill(gp, all, n, a);
    memcpy(solved, k, sizeof k);
    solve(n, a, solved);
    for (size_t i = 0; i < n; i++) variance -= k[i] * solved[i];
    return (struct gp_prediction){mean, sqrt(variance)};
}

/* Predicting ---------------------------------------------------------------------------------- */

static void predictions_are_those_of_the_definition(void **state) {
    (void)state;
    struct observation all[40];
    make_observations(all, 40, 0.01);
    for (size_t count = 1; count <= 40; count = 2 * count + 1) {
        for (int steps = 0; steps <= 30; steps += 30) {
            struct gp *gp = process_of(all, count);
            if (steps) gp_learn(gp, steps);
            unsigned random = 99;
            for (int i = 0; i < 20; i++) {
                double x[N];
                for (size_t d = 0; d < N; d++) x[d] = 1.5 * wave(&random);
                struct gp_prediction is = gp_predict(gp, x), due = predict_slowly(gp, all, count, x);
                assert_true(fabs(is.mean - due.mean) < 1e-7);
                assert_true(fabs(is.deviation - due.deviation) < 1e-6);
            }
            gp_free(gp);
        }
    }
}

/* Two observations of one window and one of another, small enough for a formula: f and g at one point. */
static void two_windows_at_one_point(void **state) {
    (void)state;
    const double x[N] = {0.5, -0.5, 0};
    struct gp *gp = new_process(2);
    double f = pow(gp_common_deviation(gp), 2), g = pow(gp_window_deviation(gp), 2), e = pow(gp_noise(gp), 2);
    gp_add(gp, x, 0, 0.7);
    gp_condition(gp);
    struct gp_prediction one = gp_predict(gp, x);
    assert_true(fabs(one.mean - (f + weights[0] * g) / (f + g + e) * 0.7) < 1e-12);
    gp_add(gp, x, 3, 0.1);
    gp_condition(gp);
    double a = f + g + e, determinant = a * a - f * f;
    double first = (a * 0.7 - f * 0.1) / determinant, second = (a * 0.1 - f * 0.7) / determinant;
    double due = (f + weights[0] * g) * first + (f + weights[3] * g) * second;
    struct gp_prediction two = gp_predict(gp, x);
    assert_true(fabs(two.mean - due) < 1e-12);
    assert_true(two.deviation < one.deviation);
    assert_true(two.mean < one.mean); /* the other window has its say */
    gp_free(gp);
}

static void nothing_is_known_far_away(void **state) {
    (void)state;
    struct observation all[20];
    make_observations(all, 20, 0);
    struct gp *gp = process_of(all, 20);
    const double far[N] = {100, 100, 100};
    struct gp_prediction prediction = gp_predict(gp, far);
    double square = 0;
    for (size_t w = 0; w < WINDOWS; w++) square += weights[w] * weights[w];
    double prior = sqrt(pow(gp_common_deviation(gp), 2) + square * pow(gp_window_deviation(gp), 2));
    assert_true(prediction.mean == 0 && fabs(prediction.deviation - prior) < 1e-12);
    gp_clear(gp);
    gp_condition(gp); /* of nothing */
    assert_int_equal(gp_count(gp), 0);
    prediction = gp_predict(gp, all[0].x);
    assert_true(prediction.mean == 0 && fabs(prediction.deviation - prior) < 1e-12);
    gp_free(gp);
}

/* A point that is observed on all windows without noise is predicted to have their mean. */
static void observed_points_are_met(void **state) {
    (void)state;
    struct gp *gp = new_process(MOST);
    struct observation all[8];
    make_observations(all, 8, 0);
    double means[8] = {0};
    for (size_t i = 0; i < 8; i++) {
        for (size_t w = 0; w < WINDOWS; w++) {
            double value = all[i].value + 0.01 * (double)w;
            means[i] += weights[w] * value;
            gp_add(gp, all[i].x, w, value);
        }
    }
    gp_condition(gp);
    for (size_t i = 0; i < 8; i++) {
        struct gp_prediction prediction = gp_predict(gp, all[i].x);
        assert_true(fabs(prediction.mean - means[i]) < 0.003); /* noise is 0.002 */
        assert_true(prediction.deviation < 2 * gp_noise(gp));
    }
    gp_free(gp);
}

/* Windows that were never observed profit, too: what all have in common is learned from any. */
static void one_window_tells_of_the_others(void **state) {
    (void)state;
    struct gp *gp = new_process(MOST);
    struct observation all[50];
    make_observations(all, 50, 0);
    for (size_t i = 0; i < 40; i++) gp_add(gp, all[i].x, 0, all[i].value);
    gp_condition(gp);
    double error = 0, spread = 0;
    for (size_t i = 40; i < 50; i++) {
        error += pow(gp_predict(gp, all[i].x).mean - all[i].value, 2);
        spread += pow(all[i].value - 0.2, 2);
    }
    assert_true(error < 0.2 * spread);
    gp_free(gp);
}

/* Conditioning -------------------------------------------------------------------------------- */

static bool same_prediction(struct gp_prediction a, struct gp_prediction b) {
    return memcmp(&a.mean, &b.mean, sizeof a.mean) == 0 && memcmp(&a.deviation, &b.deviation, sizeof a.deviation) == 0;
}

/* Bit for bit: a resumed search adds its observations at once, where the first one had them bit by bit. */
static void added_observations_condition_as_all_at_once(void **state) {
    (void)state;
    struct observation all[MOST];
    make_observations(all, MOST, 0.01);
    struct gp *slow = new_process(MOST);
    for (size_t count = 1; count <= MOST; count += 1 + count % 5) {
        add_all(slow, all + gp_count(slow), count - gp_count(slow));
        gp_condition(slow);
        struct gp *fresh = process_of(all, count);
        for (size_t i = 0; i < MOST; i++)
            assert_true(same_prediction(gp_predict(slow, all[i].x), gp_predict(fresh, all[i].x)));
        gp_free(fresh);
    }
    gp_clear(slow); /* nothing remains */
    add_all(slow, all + 10, 20);
    gp_condition(slow);
    struct gp *fresh = process_of(all + 10, 20);
    for (size_t i = 0; i < MOST; i++)
        assert_true(same_prediction(gp_predict(slow, all[i].x), gp_predict(fresh, all[i].x)));
    gp_free(fresh);
    gp_free(slow);
}

/* The same point on the same window, again and again, with hardly any noise: no covariance of it is regular. */
static void equal_observations_are_survived(void **state) {
    (void)state;
    struct gp *gp = new_process(MOST);
    struct observation one;
    make_observations(&one, 1, 0);
    for (size_t i = 0; i < MOST; i++) gp_add(gp, one.x, 1, one.value);
    gp_condition(gp);
    assert_true(fabs(gp_predict(gp, one.x).mean - one.value) < 0.01);
    gp_learn(gp, 200); /* towards no noise at all */
    struct gp_prediction prediction = gp_predict(gp, one.x);
    assert_true(isfinite(prediction.mean) && prediction.deviation > 0 && isfinite(prediction.deviation));
    assert_true(fabs(prediction.mean - one.value) < 0.01);
    gp_free(gp);
}

/* Learning ------------------------------------------------------------------------------------ */

/* Log density by elimination; priors are not known here, so it is compared up to what does not depend on values. */
static double likelihood(const struct gp *gp, const struct observation *all, size_t n, double share) {
    static double a[MOST][MOST], solved[MOST];
    fill(gp, all, n, a);
    for (size_t i = 0; i < n; i++) solved[i] = share * all[i].value;
    double sum = -0.5 * solve(n, a, solved);
    for (size_t i = 0; i < n; i++) sum -= 0.5 * share * all[i].value * solved[i];
    return sum;
}

static double density_of(const struct gp *like, const struct observation *all, size_t n, double share) {
    double hyper[N + 3], gradient[N + 3];
    struct gp *gp = new_process(MOST);
    for (size_t i = 0; i < n; i++) gp_add(gp, all[i].x, all[i].window, share * all[i].value);
    read_hyper(like, hyper);
    double density = gp_density(gp, hyper, gradient);
    gp_free(gp);
    return density;
}

/* Differences of the density for other values and for fewer observations are those of the likelihood, eq. 2.30. */
static void the_density_has_the_likelihood(void **state) {
    (void)state;
    struct observation all[25];
    make_observations(all, 25, 0.01);
    struct gp *gp = process_of(all, 25);
    double prior = density_of(gp, all, 25, 1) - likelihood(gp, all, 25, 1);
    assert_true(fabs(density_of(gp, all, 25, 2) - likelihood(gp, all, 25, 2) - prior) < 1e-6);
    assert_true(fabs(density_of(gp, all, 9, 1) - likelihood(gp, all, 9, 1) - prior) < 1e-6);
    gp_free(gp);
}

static void the_gradient_is_that_of_the_density(void **state) {
    (void)state;
    struct observation all[30];
    make_observations(all, 30, 0.02);
    struct gp *gp = process_of(all, 30);
    for (int turn = 0; turn < 4; turn++) {
        double hyper[N + 3], gradient[N + 3], unused[N + 3];
        read_hyper(gp, hyper);
        for (size_t h = 0; h < N + 3; h++) hyper[h] += 0.3 * sin(5.0 * turn + (double)h);
        assert_true(isfinite(gp_density(gp, hyper, gradient)));
        for (size_t h = 0; h < N + 3; h++) {
            double kept = hyper[h], step = 1e-5;
            hyper[h] = kept + step;
            double above = gp_density(gp, hyper, unused);
            hyper[h] = kept - step;
            double below = gp_density(gp, hyper, unused);
            hyper[h] = kept;
            assert_true(fabs((above - below) / (2 * step) - gradient[h]) < 1e-4 * (1 + fabs(gradient[h])));
        }
    }
    gp_free(gp);
}

static double density_now(struct gp *gp) {
    double hyper[N + 3], gradient[N + 3];
    read_hyper(gp, hyper);
    double density = gp_density(gp, hyper, gradient);
    gp_condition(gp);
    return density;
}

static void learning_never_lowers_the_density(void **state) {
    (void)state;
    struct observation all[MOST];
    for (size_t count = 1; count <= MOST; count += 13) {
        make_observations(all, count, 0.01);
        struct gp *gp = process_of(all, count);
        double density = density_now(gp), first = density;
        for (int turn = 0; turn < 12; turn++) {
            gp_learn(gp, 1 + 3 * turn);
            double now = density_now(gp);
            assert_true(now >= density - 1e-9 * fabs(density));
            density = now;
        }
        if (count > 20) assert_true(density > first + 1);
        gp_free(gp);
    }
}

/* A dimension without effect gets a long scale, one that bends the values a short one. */
static void length_scales_tell_what_matters(void **state) {
    (void)state;
    struct gp *gp = new_process(MOST);
    unsigned random = 3;
    for (size_t i = 0; i < MOST; i++) {
        double x[N];
        for (size_t d = 0; d < N; d++) x[d] = wave(&random);
        gp_add(gp, x, i % WINDOWS, 0.2 * sin(4 * x[1]));
    }
    gp_learn(gp, 60);
    assert_true(gp_length_scale(gp, 1) < 0.5 * gp_length_scale(gp, 0));
    assert_true(gp_length_scale(gp, 1) < 0.5 * gp_length_scale(gp, 2));
    assert_true(gp_window_deviation(gp) < 0.2 * gp_common_deviation(gp)); /* windows agree */
    gp_free(gp);
}

/* Dimensions ---------------------------------------------------------------------------------- */

static void another_dimension_is_another_process(void **state) {
    (void)state;
    struct observation all[30];
    make_observations(all, 30, 0.01);
    struct gp *gp = process_of(all, 30);
    gp_learn(gp, 30);
    double noise = gp_noise(gp), common = gp_common_deviation(gp), window = gp_window_deviation(gp);
    assert_true(gp_length_scale(gp, 1) != gp_length_scale(gp, 0));
    for (size_t dimension = 2; dimension <= N; dimension++) { /* down, and up again */
        gp_set_dimension(gp, dimension);
        assert_int_equal(gp_count(gp), 0);
        for (size_t d = 1; d < dimension; d++) assert_true(gp_length_scale(gp, d) == gp_length_scale(gp, 0));
        assert_true(gp_noise(gp) == noise && gp_common_deviation(gp) == common && gp_window_deviation(gp) == window);
        add_all(gp, all, 30);
        gp_condition(gp);
        double x[N] = {all[4].x[0], all[4].x[1], all[4].x[2] + 50};
        double same = gp_predict(gp, all[4].x).mean, moved = gp_predict(gp, x).mean;
        assert_true((same == moved) == (dimension == 2)); /* the third number is read by three dimensions alone */
    }
    gp_free(gp);
}

static void the_largest_dimension_works(void **state) {
    (void)state;
    static double x[2][GP_MAX_DIMENSION];
    const struct gp_settings settings = {
        .dimension = GP_MAX_DIMENSION, .capacity = 2, .windows = WINDOWS, .weights = weights};
    struct gp *gp = gp_new(&settings);
    assert_non_null(gp);
    x[1][GP_MAX_DIMENSION - 1] = 1;
    gp_add(gp, x[0], 0, 0.1);
    gp_add(gp, x[1], 1, -0.1);
    gp_learn(gp, 20);
    assert_true(gp_predict(gp, x[0]).mean > gp_predict(gp, x[1]).mean);
    gp_free(gp);
}

static void absurd_sizes_are_refused(void **state) {
    (void)state;
    struct gp_settings settings = {.dimension = N, .capacity = SIZE_MAX, .windows = WINDOWS, .weights = weights};
    const size_t capacities[] = {SIZE_MAX, SIZE_MAX / 8, (size_t)1 << 32, 100000};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        settings.capacity = capacities[i];
        assert_null(gp_new(&settings));
    }
    settings.capacity = 1;
    settings.windows = SIZE_MAX / 8;
    assert_null(gp_new(&settings));
    gp_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_those_of_the_definition),
        cmocka_unit_test(two_windows_at_one_point),
        cmocka_unit_test(nothing_is_known_far_away),
        cmocka_unit_test(observed_points_are_met),
        cmocka_unit_test(one_window_tells_of_the_others),
        cmocka_unit_test(added_observations_condition_as_all_at_once),
        cmocka_unit_test(equal_observations_are_survived),
        cmocka_unit_test(the_density_has_the_likelihood),
        cmocka_unit_test(the_gradient_is_that_of_the_density),
        cmocka_unit_test(learning_never_lowers_the_density),
        cmocka_unit_test(length_scales_tell_what_matters),
        cmocka_unit_test(another_dimension_is_another_process),
        cmocka_unit_test(the_largest_dimension_works),
        cmocka_unit_test(absurd_sizes_are_refused),
    };
    return cmocka_run_group_tests_name("gaussian_process", tests, NULL, NULL);
}
