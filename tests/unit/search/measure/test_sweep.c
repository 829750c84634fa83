/* search/measure/sweep: what a sweep computes is what single windows give, to the last bit, and each window that rows
 * share is computed once. */
#include "search/measure/sweep.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_model.h"

/* Passes of the forward, by what it reports of itself: a fraction that falls back is another pass. */
struct passes {
    size_t count;
    double last;
};

static void count_passes(void *state, double fraction) {
    struct passes *passes = state;
    if (passes->count == 0 || fraction < passes->last) passes->count++;
    passes->last = fraction;
}

struct bench {
    struct corpus corpus;
    struct model *model;
    struct forward *forward;
    struct passes passes;
    struct error error;
};

static int set_up(void **state) {
    struct bench *b = calloc(1, sizeof *b);
    if (!b) return -1;
    make_corpus(&b->corpus);
    b->model = make_model(NULL);
    const struct forward_options options = {.threads = 2, .progress = count_passes, .progress_state = &b->passes};
    *state = b;
    return forward_new(b->model, &options, &b->forward, &b->error) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state) {
    struct bench *b = *state;
    forward_free(b->forward);
    model_free(b->model);
    free(b);
    return 0;
}

static struct sweep_row make_row(const struct bench *b, const struct window *windows, size_t count, double factor) {
    struct sweep_row row = {.table = {.method = "none", .scale = 1.0, .rope = make_table()},
                            .length = windows[0].length,
                            .scoring = {.documents = &b->corpus.documents, .windows = windows, .count = count}};
    row.table.rope.factors[PAIRS - 1] = factor;
    return row;
}

/* Each window of each row by itself, in a forward that knows nothing of the others. */
static void assert_as_alone(const struct bench *b, const struct sweep_row *row) {
    struct forward *alone;
    const struct forward_options options = {.threads = 1};
    struct error error;
    assert_int_equal(forward_new(b->model, &options, &alone, &error), STATUS_OK);
    double *nats = calloc(row->scoring.count, sizeof *nats);
    assert_non_null(nats);
    assert_int_equal(score_windows(alone, &row->table.rope, &row->scoring, nats, NULL, &error), STATUS_OK);
    assert_memory_equal(nats, row->window_nats, row->scoring.count * sizeof *nats);
    free(nats);
    forward_free(alone);
}

static void score_all(struct bench *b, struct sweep *sweep, const size_t *order) {
    b->passes = (struct passes){0};
    assert_int_equal(sweep_open(sweep, &b->error), STATUS_OK);
    for (size_t r = 0; r < sweep->count; r++) {
        if (sweep_score(sweep, order[r], b->forward, NULL, &b->error) != STATUS_OK) fail_msg("%s", b->error.message);
    }
    for (size_t r = 0; r < sweep->count; r++) assert_as_alone(b, &sweep->rows[r]);
}

/* Lengths on both sides of the blocks that the forward works in, two tables, in several orders. */
static void test_prefixes(void **state) {
    static const struct window long_windows[] = {{0, 0, 320, 0}, {1, 0, 180, 0}},
                               middle[] = {{0, 0, 193, 0}, {1, 0, 97, 0}}, small[] = {{0, 0, 96, 0}, {1, 0, 96, 0}},
                               single[] = {{0, 0, 1, 0}, {1, 0, 2, 0}};
    static const size_t orders[][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {7, 6, 5, 4, 3, 2, 1, 0}, {2, 6, 0, 3, 7, 1, 5, 4}};
    struct bench *b = *state;
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        struct sweep_row rows[] = {make_row(b, small, 2, 1.5),        make_row(b, small, 2, 2.5),
                                   make_row(b, long_windows, 2, 1.5), make_row(b, long_windows, 2, 2.5),
                                   make_row(b, middle, 2, 1.5),       make_row(b, middle, 2, 2.5),
                                   make_row(b, single, 2, 1.5),       make_row(b, long_windows, 2, 1.5)};
        rows[7].table.method = "pi"; /* another name of the same table */
        struct sweep sweep = {.count = 8, .rows = rows};
        score_all(b, &sweep, orders[o]);
        assert_int_equal(b->passes.count, 4); /* two windows with each table */
        const size_t reused[] = {2, 2, 0, 0, 2, 2, 2, 2};
        for (size_t r = 0; r < 8; r++) {
            assert_int_equal(rows[r].reused, reused[r]);
            assert_true((rows[r].seconds > 0.0) == (reused[r] < 2)); /* time is that of what was computed */
        }
        sweep_close(&sweep);
    }
}

/* Who asks for a row twice times it; a shorter one has it from the first. */
static void test_asked_for_twice(void **state) {
    static const struct window windows[] = {{0, 0, 150, 0}}, shorter[] = {{0, 0, 99, 0}};
    struct bench *b = *state;
    struct sweep_row rows[] = {make_row(b, windows, 1, 1.5), make_row(b, shorter, 1, 1.5),
                               make_row(b, windows, 1, 1.5)};
    struct sweep sweep = {.count = 3, .rows = rows};
    score_all(b, &sweep, (const size_t[]){0, 1, 2});
    assert_int_equal(b->passes.count, 2);
    assert_true(rows[0].seconds > 0.0 && rows[2].seconds > 0.0);
    assert_int_equal(rows[1].reused, 1);
    sweep_close(&sweep);
}

/* Windows that begin elsewhere, or want a prediction that the longer one leaves out, are others. */
static void test_what_is_not_shared(void **state) {
    static const struct window first[] = {{0, 0, 150, 0}, {0, 50, 150, 0}, {1, 0, 150, 100}},
                               second[] = {{1, 0, 120, 99}, {0, 50, 100, 20}, {0, 49, 100, 0}, {1, 0, 130, 110}};
    struct bench *b = *state;
    struct sweep_row rows[] = {make_row(b, first, 3, 1.5), make_row(b, second, 4, 1.5)};
    struct sweep sweep = {.count = 2, .rows = rows};
    score_all(b, &sweep, (const size_t[]){1, 0});
    assert_int_equal(rows[0].reused, 0);
    assert_int_equal(rows[1].reused, 2); /* the second and the last */
    assert_int_equal(b->passes.count, 5);
    sweep_close(&sweep);
}

/* Whatever a table consists of makes it another one. */
static void test_tables_that_differ(void **state) {
    static const struct window windows[] = {{0, 0, 64, 0}};
    struct bench *b = *state;
    static const char *const methods[] = {"none", "pi", "ntk", "yarn", "factors"}; /* so that none is asked for twice */
    struct sweep_row rows[5];
    for (int r = 0; r < 5; r++) {
        rows[r] = make_row(b, windows, 1, 1.5);
        rows[r].table.method = methods[r];
    }
    rows[1].table.rope.start_tokens += 1;
    rows[2].table.rope.attention_factor *= 1.0 + 1e-12;
    rows[3].table.rope.own_attention_factor *= 1.5;
    rows[4].table.rope.frequencies[2] *= 1.0 + 1e-12;
    struct sweep sweep = {.count = 5, .rows = rows};
    score_all(b, &sweep, (const size_t[]){0, 1, 2, 3, 4});
    assert_int_equal(b->passes.count, 5);
    sweep_close(&sweep);
}

/* Closed forms of scale 1 are the model as it is, to the last bit, but for the one that rounds wavelengths. */
static void test_closed_forms_of_scale_1(void **state) {
    (void)state;
    const struct rope_model plain = rope_model_plain(PAIRS, 10000.0);
    const struct rope_setting setting = {.model = &plain, .original_length = 256, .scale = 1.0, .length = 200};
    struct rope_table none, other;
    rope_closed_form(&none, ROPE_NONE, &setting);
    for (int method = ROPE_PI; method < ROPE_RESONANCE_YARN; method++) {
        rope_closed_form(&other, (enum rope_method)method, &setting);
        assert_true(rope_same(&none, &other));
    }
}

/* The tokens' nats of a row that is alone, and the stop flag. */
static void test_single_row(void **state) {
    static const struct window windows[] = {{0, 0, 150, 20}, {1, 0, 2, 0}, {1, 40, 97, 0}};
    struct bench *b = *state;
    struct sweep_row row = make_row(b, windows, 3, 1.5);
    struct sweep sweep = {.count = 1, .rows = &row};
    double got[TOKENS], expected[TOKENS], sums[3];
    assert_int_equal(sweep_open(&sweep, &b->error), STATUS_OK);
    assert_int_equal(sweep_score(&sweep, 0, b->forward, got, &b->error), STATUS_OK);
    assert_int_equal(score_windows(b->forward, &row.table.rope, &row.scoring, sums, expected, &b->error), STATUS_OK);
    assert_memory_equal(got, expected, (size_t)scoring_tokens(&row.scoring) * sizeof *got);
    assert_memory_equal(sums, row.window_nats, sizeof sums);
    sweep_close(&sweep);
    sweep_close(&(struct sweep){0});
}

static void test_stopped(void **state) {
    static const struct window windows[] = {{0, 0, 150, 0}};
    struct bench *b = *state;
    volatile sig_atomic_t stop = 1;
    const struct forward_options options = {.threads = 1, .stop = &stop};
    struct forward *forward;
    assert_int_equal(forward_new(b->model, &options, &forward, &b->error), STATUS_OK);
    struct sweep_row rows[] = {make_row(b, windows, 1, 1.5), make_row(b, windows, 1, 1.5)};
    rows[1].table.method = "pi";
    struct sweep sweep = {.count = 2, .rows = rows};
    assert_int_equal(sweep_open(&sweep, &b->error), STATUS_OK);
    assert_int_equal(sweep_score(&sweep, 1, forward, NULL, &b->error), STATUS_STOPPED);
    stop = 0; /* nothing of it counts as known */
    assert_int_equal(sweep_score(&sweep, 1, forward, NULL, &b->error), STATUS_OK);
    assert_as_alone(b, &rows[1]);
    sweep_close(&sweep);
    forward_free(forward);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_prefixes),
        TEST(test_asked_for_twice),
        TEST(test_what_is_not_shared),
        TEST(test_tables_that_differ),
        TEST(test_closed_forms_of_scale_1),
        TEST(test_single_row),
        TEST(test_stopped),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
