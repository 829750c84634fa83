/* search/ranks/work_list: whatever becomes of messages on their way, each result is heard where it is asked for. */
#include "search/ranks/work_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "search/ranks/handout.h"

enum { UNITS = 60, MOST_WORKERS = 7, MOST_RESULTS = 512, FAILS = 41 };

static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* A result on its way, which may come twice. */
struct pending {
    size_t worker, window;
    uint64_t id;
    uint32_t due;
};

struct crew {
    struct workers workers;
    uint32_t seed, now;
    struct pending pending[MOST_RESULTS];
    size_t count;
    size_t given[UNITS], cancelled;
    uint64_t last_window; /* units go out in the order of the list */
    double details[UNITS];
};

static int give(void *state, size_t worker, const struct work_unit *unit, struct error *error) {
    (void)error;
    struct crew *crew = state;
    assert_true(worker < crew->workers.count && unit->window < UNITS && unit->table.pairs == 3);
    assert_true(unit->window == 0 || unit->window == crew->last_window + 1);
    crew->last_window = unit->window;
    crew->given[unit->window]++;
    for (int copies = draw(&crew->seed, 5) == 0 ? 2 : 1; copies > 0; copies--) {
        assert_true(crew->count < MOST_RESULTS);
        crew->pending[crew->count++] =
            (struct pending){worker, unit->window, unit->id, crew->now + draw(&crew->seed, 20)};
    }
    return STATUS_OK;
}

static void cancel(void *state, size_t worker, uint64_t unit) {
    struct crew *crew = state;
    (void)worker, (void)unit;
    crew->cancelled++;
}

/* Window w has nats w + 0.5, and w details. */
static int take(void *state, struct work_result *out, bool *taken, struct error *error) {
    struct crew *crew = state;
    (void)error;
    *taken = false;
    for (size_t tries = 0; tries < crew->count && !*taken; tries++) {
        size_t at = draw(&crew->seed, (uint32_t)crew->count);
        const struct pending one = crew->pending[at];
        if (one.due > crew->now) continue;
        crew->pending[at] = crew->pending[--crew->count];
        size_t window = one.window;
        for (size_t i = 0; i < window; i++) crew->details[i] = (double)(window * i);
        *out = (struct work_result){.worker = one.worker,
                                    .id = one.id,
                                    .nats = (double)window + 0.5,
                                    .details = crew->details,
                                    .size = window * sizeof *crew->details};
        if (window == FAILS) out->status = error_set(&out->error, STATUS_FAILED, "window %zu has no nats", window);
        *taken = true;
    }
    return STATUS_OK;
}

static void wait_a_moment(void *state) {
    struct crew *crew = state;
    crew->now++;
    assert_true(crew->now < 100000);
}

static const struct rope_table table = {.pairs = 3};

static struct work_list *make_list(struct crew *crew, size_t workers, uint32_t seed,
                                   const volatile sig_atomic_t *stop) {
    struct work_list *list = NULL;
    struct error error = {""};
    *crew = (struct crew){.seed = seed};
    crew->workers = (struct workers){crew, workers, give, cancel, take, wait_a_moment};
    assert_int_equal(work_list_new(&crew->workers, stop, &list, &error), STATUS_OK);
    for (size_t w = 0; w < UNITS; w++) assert_int_equal(work_list_add(list, &table, w, &error), STATUS_OK);
    return list;
}

struct arrivals {
    size_t counts[UNITS];
};

static void count(void *state, size_t number) {
    struct arrivals *arrivals = state;
    arrivals->counts[number]++;
}

static void assert_heard(struct work_list *list, size_t number, struct arrivals *arrivals) {
    struct work_result result;
    struct error error = {""};
    int status = work_list_hear(list, number, count, arrivals, &result, &error);
    assert_int_equal(arrivals->counts[number], 1);
    if (number == FAILS) {
        assert_int_equal(status, STATUS_FAILED);
        assert_string_equal(error.message, "window 41 has no nats");
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(result.nats == (double)number + 0.5 && result.size == number * sizeof(double));
    const double *details = result.details;
    for (size_t i = 0; i < number; i++) assert_true(details[i] == (double)(number * i));
}

/* In the order of the list, backwards, and in any other. */
static void results_are_heard_where_they_are_asked_for(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 60; seed++) {
        struct crew crew;
        struct work_list *list = make_list(&crew, 1 + seed % MOST_WORKERS, seed, NULL);
        struct arrivals arrivals = {{0}};
        for (size_t i = 0; i < UNITS; i++) {
            size_t number = seed % 3 == 0 ? i : seed % 3 == 1 ? UNITS - 1 - i : i * 7 % UNITS;
            assert_heard(list, number, &arrivals);
        }
        for (size_t w = 0; w < UNITS; w++) assert_int_equal(crew.given[w], 1);
        work_list_free(list);
        assert_int_equal(crew.cancelled, 0);
    }
}

static void a_signal_stops_it(void **state) {
    (void)state;
    volatile sig_atomic_t stop = 0;
    struct crew crew;
    struct work_list *list = make_list(&crew, 3, 1, &stop);
    struct arrivals arrivals = {{0}};
    struct work_result result;
    struct error error = {""};
    assert_heard(list, 0, &arrivals);
    stop = 15;
    assert_int_equal(work_list_hear(list, 1, count, &arrivals, &result, &error), STATUS_STOPPED);
    work_list_free(list);
    assert_true(crew.cancelled > 0); /* what is under way */
    work_list_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_heard_where_they_are_asked_for),
        cmocka_unit_test(a_signal_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
