/* Who says that this process is one of several, and who does not. */
#include "search/ranks/launcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const names[] = {
    "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE",    "PMI_RANK", "PMIX_RANK",
    "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS",         "SLURM_PROCID"};
enum { NAMES = sizeof names / sizeof *names };

static void assert_found(const char *const values[NAMES], bool several, int64_t count, int64_t rank) {
    for (int i = 0; i < NAMES; i++) {
        if (values[i]) {
            setenv(names[i], values[i], 1);
        } else {
            unsetenv(names[i]);
        }
    }
    const struct launcher found = launcher_find();
    assert_int_equal(found.several, several);
    assert_int_equal(found.count, count);
    assert_int_equal(found.rank, rank);
}

static void launchers_are_found(void **state) {
    (void)state;
    assert_found((const char *[NAMES]){NULL}, false, 0, -1);
    assert_found((const char *[NAMES]){"8", "3", NULL, NULL, "3"}, true, 8, 3);         /* mpirun */
    assert_found((const char *[NAMES]){"1", "0", NULL, NULL, "0"}, false, 1, -1);       /* mpirun -n 1 */
    assert_found((const char *[NAMES]){NULL, NULL, "4", "2"}, true, 4, 2);              /* PMI */
    assert_found((const char *[NAMES]){NULL, NULL, NULL, NULL, "2"}, true, 0, 2);       /* of PMIx alone */
    assert_found((const char *[NAMES]){[5] = "6", [6] = "6", [7] = "5"}, true, 6, 5);   /* srun */
    assert_found((const char *[NAMES]){[6] = "6", [7] = "0"}, false, 0, -1);            /* a batch script */
    assert_found((const char *[NAMES]){[4] = "0", [5] = "1", [7] = "0"}, false, 1, -1); /* srun -n 1 */
    assert_found((const char *[NAMES]){"many", "first"}, false, 0, -1);
    assert_found((const char *[NAMES]){"8x", "3", "0", "99999999999999999999"}, false, 0, -1);
    assert_found((const char *[NAMES]){"", "", "-4"}, false, 0, -1);
}

static void variables_of_launchers(void **state) {
    (void)state;
    assert_true(launcher_sets("OMPI_COMM_WORLD_SIZE=3") && launcher_sets("PMIX_RANK=0") && launcher_sets("PMI_FD=3"));
    assert_false(launcher_sets("PATH=/bin") || launcher_sets("SLURM_JOB_ID=4") || launcher_sets("MY_OMPI_X=1") ||
                 launcher_sets("PMIXER=1") || launcher_sets(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(launchers_are_found),
        cmocka_unit_test(variables_of_launchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
