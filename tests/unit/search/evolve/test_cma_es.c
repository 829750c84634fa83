/* CMA-ES on functions whose difficulty is known, and what its update does to a distribution. */
#include "search/evolve/cma_es.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 40, OFFSPRING_MOST = 32 };

typedef double objective(const double *x, size_t n);

static double sphere(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

/* Condition 1e6, its axes turned away from the coordinates'. */
static double ellipsoid(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double turned = (x[i] + x[(i + 1) % n] - x[(i + 2) % n]) / sqrt(3.0);
        sum += pow(1e6, (double)i / (double)(n - 1)) * turned * turned;
    }
    return sum;
}

/* Its only minimum from here is at (1, ..., 1). */
static double rosenbrock(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i + 1 < n; i++) sum += 100 * pow(x[i + 1] - x[i] * x[i], 2) + pow(1 - x[i], 2);
    return sum;
}

static double linear(const double *x, size_t n) {
    (void)n;
    return x[0];
}

struct search {
    struct cma_es *es;
    gsl_rng *rng;
    size_t n, offspring, parents;
    double samples[OFFSPRING_MOST][MOST];
    double scores[OFFSPRING_MOST];
};

static struct search search_begin(size_t n, size_t offspring, size_t parents, double start, double sigma,
                                  unsigned long seed) {
    struct search search = {.n = n, .offspring = offspring, .parents = parents};
    double mean[MOST];
    for (size_t i = 0; i < n; i++) mean[i] = start;
    const struct cma_es_settings settings = {
        .dimension = n, .offspring = offspring, .parents = parents, .sigma = sigma};
    search.es = cma_es_new(&settings, mean);
    search.rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(search.es);
    assert_non_null(search.rng);
    gsl_rng_set(search.rng, seed);
    return search;
}

static void search_end(struct search *search) {
    cma_es_free(search->es);
    gsl_rng_free(search->rng);
}

/* One generation; the best score of it. */
static double search_step(struct search *search, objective *f) {
    const double *best[OFFSPRING_MOST];
    size_t order[OFFSPRING_MOST];
    for (size_t k = 0; k < search->offspring; k++) {
        cma_es_sample(search->es, search->rng, search->samples[k]);
        search->scores[k] = f(search->samples[k], search->n);
        size_t at = k;
        for (; at > 0 && search->scores[order[at - 1]] > search->scores[k]; at--) order[at] = order[at - 1];
        order[at] = k;
    }
    for (size_t i = 0; i < search->parents; i++) best[i] = search->samples[order[i]];
    cma_es_update(search->es, best);
    return search->scores[order[0]];
}

/* Evaluations until the score is below `goal`; 0 where `most` are not enough. */
static size_t evaluations(struct search *search, objective *f, double goal, size_t most) {
    for (size_t used = search->offspring; used <= most; used += search->offspring) {
        if (search_step(search, f) < goal) return used;
    }
    return 0;
}

/* In ten dimensions, with the tutorial's default population of ten, about 1500 evaluations of the sphere
 * and 6000 of the other two, as implementations of it commonly report. */
static void it_converges_as_fast_as_is_known(void **state) {
    (void)state;
    const struct {
        objective *f;
        double start, sigma;
        size_t low, high;
    } cases[] = {{sphere, 1, 0.5, 1200, 1800}, {ellipsoid, 1, 0.5, 4500, 7500}, {rosenbrock, 0, 0.1, 4500, 8000}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (unsigned long seed = 1; seed <= 5; seed++) {
            struct search search = search_begin(10, 10, 5, cases[c].start, cases[c].sigma, seed);
            size_t used = evaluations(&search, cases[c].f, 1e-9, 20000);
            if (used < cases[c].low || used > cases[c].high) fail_msg("function %zu, seed %lu: %zu", c, seed, used);
            search_end(&search);
        }
    }
}

/* Wherever the step begins, it finds its size. */
static void the_step_size_finds_its_scale(void **state) {
    (void)state;
    const double sigmas[] = {1e-3, 0.3, 100};
    for (size_t i = 0; i < sizeof sigmas / sizeof *sigmas; i++) {
        struct search search = search_begin(10, 10, 5, 1, sigmas[i], 7);
        size_t used = evaluations(&search, sphere, 1e-9, 6000);
        assert_true(used > 0);
        assert_true(cma_es_sigma(search.es) < 1e-3);
        search_end(&search);
    }
    /* Where lower is always further away it grows without end. */
    struct search search = search_begin(10, 10, 5, 0, 1, 8);
    for (int generation = 0; generation < 100; generation++) search_step(&search, linear);
    assert_true(cma_es_sigma(search.es) > 1e3 && isfinite(cma_es_sigma(search.es)));
    search_end(&search);
}

static void odd_shapes_work(void **state) {
    (void)state;
    const struct {
        size_t n, offspring, parents;
    } cases[] = {{1, 6, 3}, {2, 2, 1}, {3, 1, 1}, {5, 8, 8}, {MOST, 15, 7}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct search search = search_begin(cases[c].n, cases[c].offspring, cases[c].parents, 1, 0.5, 3);
        double last = 0;
        for (int generation = 0; generation < 200; generation++) last = search_step(&search, sphere);
        for (size_t i = 0; i < cases[c].n; i++) assert_true(isfinite(cma_es_mean(search.es)[i]));
        assert_true(cma_es_sigma(search.es) > 0);
        /* without selection there is nothing to follow */
        if (cases[c].parents < cases[c].offspring) assert_true(last < 0.5 * (double)cases[c].n);
        search_end(&search);
    }
}

static void weights_fall_and_add_up(void **state) {
    (void)state;
    struct search search = search_begin(4, 12, 6, 0, 1, 1);
    double sum = 0;
    for (size_t i = 0; i < 6; i++) {
        sum += cma_es_weight(search.es, i);
        if (i > 0) assert_true(cma_es_weight(search.es, i) < cma_es_weight(search.es, i - 1));
    }
    assert_true(fabs(sum - 1) < 1e-15);
    /* ln 6.5 - ln 1 over the sum of ln 6.5 - ln i */
    assert_true(fabs(cma_es_weight(search.es, 0) - log(6.5) / (6 * log(6.5) - log(720))) < 1e-15);
    search_end(&search);
}

static void samples_are_normal_at_first(void **state) {
    (void)state;
    enum { DRAWS = 40000, N = 3 };
    struct search search = search_begin(N, 2, 1, 5, 2, 9);
    double sums[N] = {0}, squares[N][N] = {{0}}, x[N];
    for (int draw = 0; draw < DRAWS; draw++) {
        cma_es_sample(search.es, search.rng, x);
        for (int i = 0; i < N; i++) {
            sums[i] += x[i] - 5;
            for (int j = 0; j < N; j++) squares[i][j] += (x[i] - 5) * (x[j] - 5);
        }
    }
    for (int i = 0; i < N; i++) {
        assert_true(fabs(sums[i] / DRAWS) < 0.05);
        for (int j = 0; j < N; j++) assert_true(fabs(squares[i][j] / DRAWS - (i == j ? 4 : 0)) < 0.1);
    }
    search_end(&search);
}

/* The mean goes to the weighted mean of the best (eq. 41, 42). */
static void the_mean_is_that_of_the_best(void **state) {
    (void)state;
    struct search search = search_begin(2, 4, 2, 0, 1, 1);
    const double a[2] = {1, 0}, b[2] = {0, 2};
    const double *const best[2] = {a, b};
    double first = cma_es_weight(search.es, 0);
    cma_es_update(search.es, best);
    assert_true(fabs(cma_es_mean(search.es)[0] - first) < 1e-15);
    assert_true(fabs(cma_es_mean(search.es)[1] - 2 * (1 - first)) < 1e-15);
    search_end(&search);
}

/* Once the distribution has the ellipsoid's shape, a condition of 1e6 is as easy as one of 1. */
static void the_covariance_is_learnt(void **state) {
    (void)state;
    struct search search = search_begin(10, 10, 5, 1, 0.5, 4);
    assert_true(evaluations(&search, ellipsoid, 1e-9, 20000) > 0);
    size_t again = evaluations(&search, ellipsoid, 1e-18, 20000);
    assert_true(again > 0 && again < 1800); /* nine decades, as on the sphere */
    search_end(&search);
}

static void one_stream_gives_the_same_bits(void **state) {
    (void)state;
    struct search a = search_begin(12, 12, 6, 0, 0.3, 5), b = search_begin(12, 12, 6, 0, 0.3, 5);
    for (int generation = 0; generation < 100; generation++) {
        search_step(&a, rosenbrock);
        search_step(&b, rosenbrock);
        assert_memory_equal(a.samples, b.samples, sizeof a.samples);
        assert_memory_equal(cma_es_mean(a.es), cma_es_mean(b.es), 12 * sizeof(double));
    }
    search_end(&a);
    search_end(&b);
    cma_es_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_converges_as_fast_as_is_known),
        cmocka_unit_test(the_step_size_finds_its_scale),
        cmocka_unit_test(odd_shapes_work),
        cmocka_unit_test(weights_fall_and_add_up),
        cmocka_unit_test(samples_are_normal_at_first),
        cmocka_unit_test(the_mean_is_that_of_the_best),
        cmocka_unit_test(the_covariance_is_learnt),
        cmocka_unit_test(one_stream_gives_the_same_bits),
    };
    return cmocka_run_group_tests_name("cma_es", tests, NULL, NULL);
}
