/* search/evolve/window_nats: which windows are scored, cyclic ranges, blocks. */
#include "search/evolve/window_nats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

/* 127, 128, 129 and 1000 predictions. */
enum { WINDOWS = 4 };
static const struct window windows[WINDOWS] = {
    {.length = 128}, {.length = 129}, {.length = 130}, {.length = 1011, .skip = 10}};
static const struct scoring scoring = {.windows = windows, .count = WINDOWS};

static struct window_nats open_nats(void) {
    struct window_nats nats;
    struct error error;
    assert_int_equal(window_nats_open(&nats, &scoring, &error), STATUS_OK);
    return nats;
}

static void blocks_lie_one_after_another(void **state) {
    (void)state;
    static const size_t counts[WINDOWS] = {1, 1, 2, 8};
    struct window_nats nats = open_nats();
    const float *next = nats.blocks;
    for (size_t w = 0; w < WINDOWS; w++) {
        assert_int_equal(window_nats_block_count(&nats, w), counts[w]);
        assert_ptr_equal(window_nats_blocks(&nats, w), next);
        next += counts[w];
    }
    window_nats_close(&nats);
    assert_null(nats.nats);
    double sums[2] = {1, 2};
    const struct window_nats without = {.windows = 2, .nats = sums};
    assert_int_equal(window_nats_block_count(&without, 1), 0);
    assert_null(window_nats_blocks(&without, 1));
    assert_true(window_nats_scored(&without, 1) && !window_nats_has_blocks(&without, 1));
}

static void ranges_are_cyclic(void **state) {
    (void)state;
    struct window_nats nats = open_nats();
    const struct window_range range = {2, 3}, all = {1, WINDOWS};
    static const size_t order[3] = {2, 3, 0};
    for (size_t i = 0; i < 3; i++) assert_int_equal(window_nats_at(&nats, range, i), order[i]);
    for (size_t i = 0; i < 3; i++) {
        assert_false(window_nats_complete(&nats, range));
        nats.nats[order[i]] = 0.0;
    }
    assert_true(window_nats_complete(&nats, range));
    assert_false(window_nats_complete(&nats, all));
    assert_true(window_nats_complete(&nats, (struct window_range){1, 0}));
    window_nats_close(&nats);
}

static void nothing_is_scored_at_first(void **state) {
    (void)state;
    struct window_nats nats = open_nats();
    for (int round = 0; round < 2; round++) {
        for (size_t w = 0; w < WINDOWS; w++) {
            assert_false(window_nats_scored(&nats, w));
            assert_false(window_nats_has_blocks(&nats, w));
            nats.nats[w] = 1.0;
            assert_true(window_nats_scored(&nats, w));
            assert_false(window_nats_has_blocks(&nats, w));
            for (size_t b = 0; b < window_nats_block_count(&nats, w); b++) window_nats_blocks(&nats, w)[b] = 1.0F;
            assert_true(window_nats_has_blocks(&nats, w));
        }
        window_nats_clear(&nats);
    }
    window_nats_close(&nats);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_lie_one_after_another),
        cmocka_unit_test(ranges_are_cyclic),
        cmocka_unit_test(nothing_is_scored_at_first),
    };
    return cmocka_run_group_tests_name("window_nats", tests, NULL, NULL);
}
