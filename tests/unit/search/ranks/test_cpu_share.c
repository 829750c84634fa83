/* How processes on one node share its processors. */
#include "search/ranks/cpu_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST = 8 };

static struct cpu_share_set range(int first, int count) {
    struct cpu_share_set set = {0};
    for (int cpu = first; cpu < first + count; cpu++) CPU_SET_S(cpu, sizeof set, set.parts);
    return set;
}

static void assert_shares(const struct cpu_share_set *allowed, size_t count, const int *shares) {
    for (size_t p = 0; p < count; p++) assert_int_equal(cpu_share(allowed, count, p), shares[p]);
}

static void processors_are_shared_evenly(void **state) {
    (void)state;
    struct cpu_share_set sets[MOST];
    for (int p = 0; p < MOST; p++) sets[p] = range(0, 10);
    assert_shares(sets, 1, (const int[]){10});
    assert_shares(sets, 2, (const int[]){5, 5});
    assert_shares(sets, 4, (const int[]){3, 3, 2, 2});
    /* more processes than processors, and none that is known */
    for (int p = 0; p < MOST; p++) sets[p] = range(4, 3);
    assert_shares(sets, 5, (const int[]){1, 1, 1, 1, 1});
    for (int p = 0; p < MOST; p++) sets[p] = range(0, 0);
    assert_shares(sets, 2, (const int[]){1, 1});
    /* each bound to its own, as mpirun --map-by slot:PE=4 does */
    for (int p = 0; p < 4; p++) sets[p] = range(4 * p, 4);
    assert_shares(sets, 4, (const int[]){4, 4, 4, 4});
    /* two on each socket */
    for (int p = 0; p < 4; p++) sets[p] = range(p < 2 ? 0 : 6, 6);
    assert_shares(sets, 4, (const int[]){3, 3, 3, 3});
    /* a large machine, and the last processor that fits into a set */
    for (int p = 0; p < 2; p++) sets[p] = range(1000, 512);
    assert_shares(sets, 2, (const int[]){256, 256});
    sets[0] = range(CPU_SHARE_MOST - 2, 2);
    assert_shares(sets, 1, (const int[]){2});
}

static void this_process_may_run_somewhere(void **state) {
    (void)state;
    const struct cpu_share_set own = cpu_share_allowed();
    assert_true(CPU_COUNT_S(sizeof own, own.parts) >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_are_shared_evenly),
        cmocka_unit_test(this_process_may_run_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
