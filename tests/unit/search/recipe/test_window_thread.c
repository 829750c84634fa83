/* search/recipe/window_thread: units in, results out, also when they are cancelled or the thread ends at any moment. */
#include "search/recipe/window_thread.h"

#include "search/ranks/handout.h"
#include "tests/unit/tiny_model.h"

enum { WINDOWS = 3, LENGTH = 200 };
static const struct window windows[WINDOWS] = {{0, 0, LENGTH, 0}, {0, 100, LENGTH, 0}, {0, 20, LENGTH, 150}};

struct fixture {
    struct corpus corpus;
    struct scoring scoring;
    struct model *model;
    struct window_thread *thread;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct error error = {""};
    make_corpus(&f->corpus);
    f->scoring = (struct scoring){.documents = &f->corpus.documents, .windows = windows, .count = WINDOWS};
    f->model = make_model(NULL);
    int status = window_thread_new(f->model, &f->scoring, 2, &f->thread, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    window_thread_free(f->thread);
    model_free(f->model);
    free(f);
    return 0;
}

static int give(struct fixture *f, uint64_t id, size_t window) {
    const struct work_unit unit = {id, window, make_table()};
    struct error error = {""};
    return window_thread_give(f->thread, &unit, &error);
}

static struct work_result wait_for_result(struct fixture *f) {
    struct work_result result;
    for (int patience = 0; !window_thread_take(f->thread, &result); patience++) {
        assert_true(patience < 60000);
        window_thread_wait(f->thread, 0.01);
    }
    return result;
}

static void results_are_the_evaluators(void **state) {
    struct fixture *f = *state;
    struct forward_options options = {.threads = 1};
    struct forward *forward = NULL;
    struct error error = {""};
    assert_int_equal(forward_new(f->model, &options, &forward, &error), STATUS_OK);
    const struct rope_table table = make_table();
    for (uint64_t id = 1; id <= HANDOUT_MOST; id++) assert_int_equal(give(f, id, id % WINDOWS), STATUS_OK);
    assert_int_equal(give(f, 9, 0), STATUS_FAILED); /* one too many */
    for (uint64_t id = 1; id <= HANDOUT_MOST; id++) {
        const struct work_result result = wait_for_result(f);
        double nats = 0;
        float blocks[2];
        size_t window = id % WINDOWS;
        assert_int_equal(perplexity_window_blocks(forward, &table, &f->scoring, window, &nats, blocks, &error), 0);
        assert_true(result.id == id && result.worker == 0 && result.status == STATUS_OK && result.nats == nats);
        assert_int_equal(result.block_count, window == 2 ? 1 : 2);
        assert_memory_equal(result.blocks, blocks, result.block_count * sizeof *blocks);
    }
    struct work_result none;
    assert_false(window_thread_take(f->thread, &none));
    window_thread_wait(f->thread, 0.001); /* ends though there is nothing */
    forward_free(forward);
}

/* Cancelled or done, each comes back once, and later units are not affected. */
static void cancelled_units_come_back(void **state) {
    struct fixture *f = *state;
    for (uint64_t round = 0; round < 20; round++) {
        bool seen[3] = {false};
        for (uint64_t i = 0; i < 3; i++) assert_int_equal(give(f, 3 * round + i + 1, i), STATUS_OK);
        if (round % 3 == 0) window_thread_wait(f->thread, 0.0005);
        window_thread_cancel(f->thread, 3 * round + 1);
        window_thread_cancel(f->thread, 3 * round + 2);
        window_thread_cancel(f->thread, 77777); /* nobody's */
        for (int i = 0; i < 3; i++) {
            const struct work_result result = wait_for_result(f);
            uint64_t which = result.id - 3 * round - 1;
            assert_true(which < 3 && !seen[which]);
            seen[which] = true;
            assert_true(result.status == STATUS_OK || (result.status == STATUS_STOPPED && which < 2));
        }
    }
}

static void a_stopped_thread_answers_all_the_same(void **state) {
    struct fixture *f = *state;
    assert_int_equal(give(f, 1, 0), STATUS_OK);
    assert_int_equal(give(f, 2, 1), STATUS_OK);
    window_thread_stop(f->thread);
    assert_int_equal(give(f, 3, 2), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        const struct work_result result = wait_for_result(f);
        assert_true(result.status == STATUS_STOPPED || result.id == 1);
    }
}

/* Freed in the middle of its work. */
static void an_end_is_an_end(void **state) {
    struct fixture *f = *state;
    for (int round = 0; round < 10; round++) {
        struct error error = {""};
        for (uint64_t id = 1; id <= 3; id++) assert_int_equal(give(f, id, 0), STATUS_OK);
        if (round % 2) window_thread_wait(f->thread, 0.002);
        window_thread_free(f->thread);
        assert_int_equal(window_thread_new(f->model, &f->scoring, 1, &f->thread, &error), STATUS_OK);
    }
    window_thread_free(NULL);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(results_are_the_evaluators),
        TEST(cancelled_units_come_back),
        TEST(a_stopped_thread_answers_all_the_same),
        TEST(an_end_is_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
