/* search/evolve/ranking: the best few, in order. */
#include "search/evolve/ranking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

enum { MOST = 5 };

static void assert_ids(const struct ranking *ranking, const size_t *ids, size_t count) {
    assert_int_equal(ranking->count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(ranking->items[i].id, ids[i]);
}

static void assert_slots_differ(const struct ranking *ranking) {
    bool used[MOST] = {false};
    for (size_t i = 0; i < ranking->count; i++) {
        size_t slot = ranking->items[i].slot;
        assert_true(slot < ranking->capacity && !used[slot]);
        used[slot] = true;
    }
}

static void the_best_stay_in_order(void **state) {
    (void)state;
    struct ranking ranking;
    assert_true(ranking_open(&ranking, 3));
    assert_int_equal(ranking_add(&ranking, 10, 2.0)->id, 10);
    ranking_add(&ranking, 11, 1.0);
    ranking_add(&ranking, 12, 2.0); /* behind its older equal */
    assert_ids(&ranking, (const size_t[]){11, 10, 12}, 3);
    assert_null(ranking_add(&ranking, 13, 2.0));
    assert_null(ranking_add(&ranking, 14, NAN));
    size_t freed = ranking.items[2].slot;
    assert_int_equal(ranking_add(&ranking, 15, 1.5)->slot, freed);
    assert_ids(&ranking, (const size_t[]){11, 15, 10}, 3);
    assert_int_equal(ranking_find(&ranking, 10)->mean, 2.0);
    assert_null(ranking_find(&ranking, 12));
    ranking_clear(&ranking);
    assert_null(ranking_find(&ranking, 11));
    ranking_add(&ranking, 16, NAN); /* while there is room */
    ranking_add(&ranking, 17, NAN);
    ranking_add(&ranking, 18, 9.0);
    assert_ids(&ranking, (const size_t[]){18, 16, 17}, 3);
    ranking_close(&ranking);
    ranking_close(&ranking);
}

static void sorting_follows_new_means(void **state) {
    (void)state;
    struct ranking ranking;
    assert_true(ranking_open(&ranking, 4));
    for (size_t i = 0; i < 4; i++) ranking_add(&ranking, i, (double)i);
    const double means[] = {NAN, 3.0, 0.5, 3.0};
    for (size_t i = 0; i < 4; i++) ranking.items[i].mean = means[i];
    ranking_sort(&ranking);
    assert_ids(&ranking, (const size_t[]){2, 1, 3, 0}, 4);
    assert_slots_differ(&ranking);
    ranking_close(&ranking);
}

/* As if all were sorted, whatever comes. */
static void it_is_the_beginning_of_all_sorted(void **state) {
    (void)state;
    srand(3);
    for (int trial = 0; trial < 200; trial++) {
        struct ranking ranking;
        double means[40];
        assert_true(ranking_open(&ranking, MOST));
        for (size_t i = 0; i < 40; i++) {
            means[i] = rand() % 7 ? (double)(rand() % 10) : NAN;
            ranking_add(&ranking, i, means[i]);
            assert_slots_differ(&ranking);
        }
        for (size_t i = 0; i < 40; i++) {
            size_t before = 0;
            for (size_t k = 0; k < 40; k++)
                before += ranking_before(means[k], means[i]) || (!ranking_before(means[i], means[k]) && k < i);
            if (before < MOST) assert_int_equal(ranking.items[before].id, i);
        }
        ranking_close(&ranking);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_stay_in_order),
        cmocka_unit_test(sorting_follows_new_means),
        cmocka_unit_test(it_is_the_beginning_of_all_sorted),
    };
    return cmocka_run_group_tests_name("ranking", tests, NULL, NULL);
}
