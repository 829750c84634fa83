/* Who gets which window next, and that nothing that happens to messages on their way changes what a search hears. */
#include "search/ranks/handout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct handout *make(size_t workers) {
    struct handout *handout = NULL;
    struct error error = {""};
    if (handout_new(workers, &handout, &error) != STATUS_OK) fail_msg("%s", error.message);
    return handout;
}

static void add(struct handout *handout, int64_t table, size_t windows) {
    struct error error = {""};
    for (size_t w = 0; w < windows; w++) assert_int_equal(handout_add(handout, table, w, &error), STATUS_OK);
}

/* The worker gets that window of that table, and gives it back. */
static void assert_next(struct handout *handout, size_t worker, int64_t table, size_t window) {
    struct handout_unit unit, back;
    assert_true(handout_next(handout, worker, &unit));
    assert_true(unit.table == table && unit.window == window);
    assert_int_equal(handout_done(handout, worker, unit.id, &back), HANDOUT_WANTED);
    assert_true(back.id == unit.id && back.table == table && back.window == window);
}

static void assert_none(struct handout *handout, size_t worker) {
    struct handout_unit unit;
    assert_false(handout_next(handout, worker, &unit));
}

/* Order --------------------------------------------------------------------------------------- */

static void first_windows_go_first(void **state) {
    (void)state;
    struct handout *handout = make(1);
    for (int64_t t = 0; t < 3; t++) add(handout, 10 - t, 3);
    handout_to_front(handout, 9);
    for (int64_t t = 0; t < 3; t++) assert_next(handout, 0, 10 - t, 0);
    /* then the table in front, then the others as they were added */
    for (size_t w = 1; w < 3; w++) assert_next(handout, 0, 9, w);
    add(handout, 7, 2);
    assert_next(handout, 0, 7, 0);
    assert_next(handout, 0, 10, 1);
    handout_to_front(handout, 8);
    assert_next(handout, 0, 8, 1);
    assert_next(handout, 0, 8, 2);
    add(handout, 8, 1); /* a window more */
    assert_next(handout, 0, 8, 0);
    assert_next(handout, 0, 10, 2);
    assert_next(handout, 0, 7, 1);
    assert_none(handout, 0);
    handout_free(handout);
    handout_free(NULL);
}

static void held_tables_wait_for_the_front(void **state) {
    (void)state;
    struct handout *handout = make(1);
    handout_to_front(handout, 0);
    for (int64_t t = 0; t < 3; t++) add(handout, t, 2);
    for (int64_t t = 0; t < 3; t++) assert_next(handout, 0, t, 0);
    handout_hold(handout, 1);
    handout_hold(handout, 77); /* nobody */
    assert_next(handout, 0, 0, 1);
    assert_next(handout, 0, 2, 1);
    assert_none(handout, 0);
    handout_to_front(handout, 1);
    assert_next(handout, 0, 1, 1);
    assert_none(handout, 0);
    handout_free(handout);
}

static void dropped_units_come_back_as_dropped(void **state) {
    (void)state;
    struct handout *handout = make(2);
    struct handout_unit a, b, back, all[HANDOUT_MOST];
    add(handout, 1, 4), add(handout, 2, 1);
    assert_true(handout_next(handout, 0, &a) && handout_next(handout, 1, &b));
    assert_true(a.table == 1 && b.table == 2);
    handout_drop(handout, 1);
    assert_int_equal(handout_under_way(handout, 0, all), 1);
    assert_true(all[0].id == a.id && all[0].table == 1);
    assert_none(handout, 0); /* its other windows are gone */
    add(handout, 3, 1);
    assert_next(handout, 0, 3, 0); /* a dropped unit does not count */
    assert_int_equal(handout_done(handout, 0, a.id, &back), HANDOUT_DROPPED);
    assert_true(back.id == a.id && back.table == 1);
    assert_int_equal(handout_done(handout, 0, a.id, &back), HANDOUT_UNKNOWN); /* twice */
    assert_int_equal(handout_done(handout, 0, b.id, &back), HANDOUT_UNKNOWN); /* another worker's */
    assert_int_equal(handout_done(handout, 1, b.id + 100, &back), HANDOUT_UNKNOWN);
    assert_int_equal(handout_done(handout, 1, b.id, &back), HANDOUT_WANTED);
    handout_drop(handout, 1);
    handout_free(handout);
}

static void a_second_unit_only_while_many_wait(void **state) {
    (void)state;
    struct handout *handout = make(3);
    struct handout_unit unit;
    add(handout, 1, 8);
    for (size_t w = 0; w < 3; w++) assert_true(handout_next(handout, w, &unit));
    assert_true(handout_next(handout, 0, &unit)); /* five wait, then four */
    assert_none(handout, 0);                      /* never a third */
    assert_true(handout_next(handout, 1, &unit));
    assert_none(handout, 2); /* three wait: one for each */
    handout_free(handout);
}

static void units_dropped_pile_up_to_a_limit(void **state) {
    (void)state;
    struct handout *handout = make(1);
    struct handout_unit unit;
    for (int64_t t = 0; t < HANDOUT_MOST; t++) {
        add(handout, t, 1);
        assert_true(handout_next(handout, 0, &unit));
        handout_drop(handout, t);
    }
    add(handout, 100, 1);
    assert_none(handout, 0);
    assert_int_equal(handout_done(handout, 0, 2, &unit), HANDOUT_DROPPED);
    assert_next(handout, 0, 100, 0);
    handout_free(handout);
}

/* A simulation -------------------------------------------------------------------------------- */

/* A generation whose tables race against the best so far, with workers whose messages are late, overtake each other and
 * come twice. What the search hears must be what it hears without workers. */
enum { TABLES = 24, WINDOWS = 5, MOST_WORKERS = 9, MOST_MESSAGES = 4096 };

static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* Nats of a window. */
static double nats(int64_t table, size_t window) {
    uint32_t seed = (uint32_t)table * 7919u + (uint32_t)window * 104729u + 1;
    draw(&seed, 2);
    return 1.0 + draw(&seed, 1000) / 1000.0 + (double)(table * 7 % 11) / 5.0;
}

struct outcome {
    size_t windows[TABLES]; /* that were heard of each */
    double sums[TABLES], best;
};

/* Hears a window of a table; true if the table is given up, or all of it is known. */
static bool hear(struct outcome *heard, int64_t table, double window_nats) {
    heard->sums[table] += window_nats;
    heard->windows[table]++;
    if (heard->windows[table] < WINDOWS) return heard->sums[table] >= heard->best;
    if (heard->sums[table] < heard->best) heard->best = heard->sums[table];
    return true;
}

static struct outcome serially(void) {
    struct outcome heard = {.best = 1e9};
    for (int64_t t = 0; t < TABLES; t++) {
        for (size_t w = 0; w < WINDOWS && !hear(&heard, t, nats(t, w)); w++) {}
    }
    return heard;
}

enum kind { UNIT, CANCEL, RESULT };
struct message {
    enum kind kind;
    size_t worker;
    struct handout_unit unit;
    uint32_t due;
};

struct simulation {
    struct handout *handout;
    size_t workers;
    uint32_t seed, now;
    struct message messages[MOST_MESSAGES];
    size_t count;
    struct handout_unit working[MOST_WORKERS][HANDOUT_MOST * 8]; /* units of each */
    size_t queued[MOST_WORKERS];
    bool handed[TABLES][WINDOWS], known[TABLES][WINDOWS];
};

static void post(struct simulation *s, enum kind kind, size_t worker, const struct handout_unit *unit) {
    assert_true(s->count < MOST_MESSAGES);
    s->messages[s->count++] = (struct message){kind, worker, *unit, s->now + 1 + draw(&s->seed, 12)};
}

static void hand_out(struct simulation *s) {
    struct handout_unit unit, all[HANDOUT_MOST];
    for (size_t w = 0; w < s->workers; w++) {
        while (handout_next(s->handout, w, &unit)) {
            assert_false(s->handed[unit.table][unit.window]); /* nothing goes out twice */
            s->handed[unit.table][unit.window] = true;
            post(s, UNIT, w, &unit);
            if (draw(&s->seed, 10) == 0) post(s, UNIT, w, &unit);
        }
        assert_true(handout_under_way(s->handout, w, all) <= HANDOUT_MOST);
    }
}

static void drop(struct simulation *s, int64_t table) {
    struct handout_unit all[HANDOUT_MOST];
    handout_drop(s->handout, table);
    for (size_t w = 0; w < s->workers; w++) {
        size_t count = handout_under_way(s->handout, w, all);
        for (size_t i = 0; i < count; i++) {
            if (all[i].table == table && draw(&s->seed, 2)) post(s, CANCEL, w, &all[i]);
        }
    }
}

static void deliver(struct simulation *s, const struct message *message) {
    struct handout_unit unit;
    size_t w = message->worker;
    switch (message->kind) {
    case UNIT:
        s->working[w][s->queued[w]++] = message->unit;
        break;
    case CANCEL:
        for (size_t i = 0; i < s->queued[w]; i++) {
            if (s->working[w][i].id != message->unit.id) continue;
            s->working[w][i] = s->working[w][--s->queued[w]];
            post(s, RESULT, w, &message->unit);
            break;
        }
        break;
    case RESULT:
        switch (handout_done(s->handout, w, message->unit.id, &unit)) {
        case HANDOUT_WANTED:
            assert_false(s->known[unit.table][unit.window]);
            s->known[unit.table][unit.window] = true;
            break;
        case HANDOUT_DROPPED:
        case HANDOUT_UNKNOWN:
            break;
        }
    }
}

/* A moment passes: messages that are due arrive in any order, workers finish what they have in any order. */
static void pass(struct simulation *s) {
    s->now++;
    for (size_t i = 0; i < s->count;) {
        if (s->messages[i].due > s->now) {
            i++;
            continue;
        }
        struct message message = s->messages[i];
        s->messages[i] = s->messages[--s->count];
        deliver(s, &message);
    }
    for (size_t w = 0; w < s->workers; w++) {
        if (s->queued[w] == 0 || draw(&s->seed, 3)) continue;
        size_t at = draw(&s->seed, (uint32_t)s->queued[w]);
        struct handout_unit unit = s->working[w][at];
        s->working[w][at] = s->working[w][--s->queued[w]];
        post(s, RESULT, w, &unit);
        while (draw(&s->seed, 4) == 0) post(s, RESULT, w, &unit);
    }
    hand_out(s);
}

static struct outcome with_workers(size_t workers, uint32_t seed) {
    struct simulation *s = calloc(1, sizeof *s);
    assert_non_null(s);
    *s = (struct simulation){.handout = make(workers), .workers = workers, .seed = seed};
    struct outcome heard = {.best = 1e9};
    for (int64_t t = 0; t < TABLES; t++) add(s->handout, t, WINDOWS);
    for (int64_t t = 0; t < TABLES; t++) {
        handout_to_front(s->handout, t);
        if (draw(&s->seed, 3) == 0) handout_hold(s->handout, (int64_t)draw(&s->seed, TABLES));
        for (size_t w = 0;; w++) {
            for (int patience = 0; !s->known[t][w]; patience++) {
                assert_true(patience < 10000);
                pass(s);
            }
            if (hear(&heard, t, nats(t, w))) break;
        }
        drop(s, t);
    }
    handout_free(s->handout);
    free(s);
    return heard;
}

static void what_is_heard_does_not_depend_on_messages(void **state) {
    (void)state;
    const struct outcome expected = serially();
    size_t stopped = 0;
    for (int64_t t = 0; t < TABLES; t++) stopped += expected.windows[t] < WINDOWS;
    assert_true(stopped > 5 && stopped < TABLES - 2);
    for (size_t workers = 1; workers <= MOST_WORKERS; workers++) {
        for (uint32_t seed = 0; seed < 40; seed++) {
            const struct outcome heard = with_workers(workers, seed);
            assert_memory_equal(heard.windows, expected.windows, sizeof heard.windows);
            assert_memory_equal(heard.sums, expected.sums, sizeof heard.sums);
            assert_true(heard.best == expected.best);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_windows_go_first),
        cmocka_unit_test(held_tables_wait_for_the_front),
        cmocka_unit_test(dropped_units_come_back_as_dropped),
        cmocka_unit_test(a_second_unit_only_while_many_wait),
        cmocka_unit_test(units_dropped_pile_up_to_a_limit),
        cmocka_unit_test(what_is_heard_does_not_depend_on_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
