/* search/ranks/window_thread: units in, results out, also when they are cancelled or the thread ends at any moment. */
#include "search/ranks/window_thread.h"

#include "search/ranks/handout.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tiny_model.h"

#include <dirent.h>

enum { WINDOWS = 3, LENGTH = 200 };
static const struct window windows[WINDOWS] = {{0, 0, LENGTH, 0}, {0, 100, LENGTH, 0}, {0, 20, LENGTH, 150}};

struct fixture {
    struct corpus corpus;
    struct scoring scoring;
    struct model *model;
    struct window_task task;
    struct window_thread *thread;
};

/* Details are the nats of the window's tokens. */
static int compute(const void *state, struct forward *forward, const struct work_unit *unit, double *nats,
                   void **details, size_t *size, struct error *error) {
    const struct scoring *scoring = state;
    *size = (size_t)window_tokens(&scoring->windows[unit->window]) * sizeof(double);
    *details = malloc(*size);
    assert_non_null(*details);
    return perplexity_window(forward, &unit->table, scoring, unit->window, nats, *details, error);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct error error = {""};
    make_corpus(&f->corpus);
    f->scoring = (struct scoring){.documents = &f->corpus.documents, .windows = windows, .count = WINDOWS};
    f->model = make_model(NULL);
    f->task = (struct window_task){
        .model = f->model, .angles = ROPE_ANGLES_F64, .windows = WINDOWS, .compute = compute, .state = &f->scoring};
    int status = window_thread_new(&f->task, 2, &f->thread, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    window_thread_free(f->thread, false);
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
        double nats = 0, each[LENGTH];
        size_t window = id % WINDOWS;
        assert_int_equal(perplexity_window(forward, &table, &f->scoring, window, &nats, each, &error), STATUS_OK);
        assert_true(result.id == id && result.worker == 0 && result.status == STATUS_OK && result.nats == nats);
        assert_int_equal(result.size, (window == 2 ? LENGTH - 151 : LENGTH - 1) * sizeof *each);
        assert_memory_equal(result.details, each, result.size);
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
        window_thread_free(f->thread, false);
        assert_int_equal(window_thread_new(&f->task, 1, &f->thread, &error), STATUS_OK);
    }
    window_thread_free(NULL, false);
}

/* ---- checkpoints ---- */

static void hear(void *state, double start, const char *line) {
    char *heard = state;
    (void)start;
    if (strncmp(line, "checkpoint at ", 14) == 0) heard[0] = 'w';
    if (strncmp(line, "continues at ", 13) == 0) heard[1] = 'c';
}

/* In a fixture's thread; what it tells is told to the thread that owns it. */
static void open_with_checkpoints(struct fixture *f, const struct scratch *scratch, char heard[2]) {
    struct error error = {""};
    f->task.checkpoints = (struct checkpoints_options){.folder = scratch->dir, .tell = hear, .tell_state = heard};
    window_thread_free(f->thread, false);
    assert_int_equal(window_thread_new(&f->task, 1, &f->thread, &error), STATUS_OK);
    heard[0] = heard[1] = '-';
}

static int count_files(const struct scratch *scratch) {
    DIR *folder = opendir(scratch->dir);
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) count += *entry->d_name != '.';
    closedir(folder);
    return count;
}

enum end { CANCEL, CANCEL_AND_STOP, STOP_AND_CANCEL };

/* Ends a unit with a checkpoint; whether it was under way still. */
static bool end_early(struct fixture *f, const char *heard, enum end end) {
    struct work_result result;
    bool taken = false;
    assert_int_equal(give(f, 1, 0), STATUS_OK);
    while (!taken && heard[0] == '-') taken = window_thread_take(f->thread, &result);
    if (end == STOP_AND_CANCEL) window_thread_stop(f->thread);
    window_thread_cancel(f->thread, 1);
    if (end == CANCEL_AND_STOP) window_thread_stop(f->thread);
    if (!taken) result = wait_for_result(f);
    return result.status == STATUS_STOPPED;
}

/* Units that are cancelled leave none, also if a stop follows; those that are stopped first do, and another thread
 * continues. */
static void checkpoints_stay_for_those_who_go_on(void **state) {
    struct fixture *f = *state;
    struct scratch scratch = scratch_make();
    char heard[2];
    int cancelled = 0, stopped = 0, continued = 0;
    for (int round = 0; round < 1000 && (cancelled < 4 || continued < 3); round++) {
        open_with_checkpoints(f, &scratch, heard);
        cancelled += end_early(f, heard, round % 2 ? CANCEL_AND_STOP : CANCEL);
        assert_int_equal(count_files(&scratch), 0);
        open_with_checkpoints(f, &scratch, heard);
        stopped = end_early(f, heard, STOP_AND_CANCEL);
        assert_int_equal(count_files(&scratch), stopped);
        open_with_checkpoints(f, &scratch, heard);
        assert_int_equal(give(f, 1, 0), STATUS_OK);
        assert_int_equal(wait_for_result(f).status, STATUS_OK);
        assert_int_equal(heard[1], stopped ? 'c' : '-');
        continued += stopped;
        assert_int_equal(count_files(&scratch), 0);
    }
    assert_true(cancelled >= 4 && continued >= 3);
    scratch_remove(&scratch);
}

/* Results that are kept go when those of all are final. */
static void results_are_kept_to_the_end(void **state) {
    struct fixture *f = *state;
    struct scratch scratch = scratch_make();
    char heard[2];
    struct error error = {""};
    for (int finished = 0; finished < 2; finished++) {
        open_with_checkpoints(f, &scratch, heard);
        f->task.checkpoints.keep = true;
        window_thread_free(f->thread, false);
        assert_int_equal(window_thread_new(&f->task, 1, &f->thread, &error), STATUS_OK);
        assert_int_equal(give(f, 1, 0), STATUS_OK);
        assert_int_equal(wait_for_result(f).status, STATUS_OK);
        window_thread_free(f->thread, finished);
        f->thread = NULL;
        assert_int_equal(count_files(&scratch), !finished);
    }
    scratch_remove(&scratch);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(results_are_the_evaluators),
        TEST(cancelled_units_come_back),
        TEST(a_stopped_thread_answers_all_the_same),
        TEST(an_end_is_an_end),
        TEST(checkpoints_stay_for_those_who_go_on),
        TEST(results_are_kept_to_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
