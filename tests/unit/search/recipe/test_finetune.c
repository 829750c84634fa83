/* A fine-tuning command that does not stop when it is told to. The command-line tests have the others. */
#include "search/recipe/finetune.h"

#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

static volatile sig_atomic_t stop;

static void raise_stop(int number) { stop = number; }

/* Runs the command, which has said in the file "ready" what process is not to be left; then nothing of it is. */
static void assert_ends(const char *command, double patience, const struct scratch *scratch) {
    char *output = scratch_path(scratch, "tuned"), *lock = scratch_path(scratch, "lock"),
         *ready = scratch_path(scratch, "ready");
    struct error error;
    const struct finetune job = {.stage = "first",
                                 .model = scratch->dir,
                                 .factors = lock,
                                 .output = output,
                                 .command = command,
                                 .folder = scratch->dir,
                                 .lock = lock,
                                 .length = 512,
                                 .stop = &stop,
                                 .patience = patience};
    assert_int_equal(finetune_run(&job, &error), STATUS_STOPPED);
    assert_int_equal(access(ready, F_OK), 0);
    assert_int_equal(access(output, F_OK), -1);
    int held = open(lock, O_RDWR | O_CLOEXEC);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0); /* whoever lives holds it */
    close(held);
    free(output), free(lock), free(ready);
}

static void test_kills_what_ignores_sigterm(void **state) {
    struct scratch scratch = scratch_make();
    (void)state;
    stop = 0;
    assert_ends("trap '' TERM; : >ready; kill -USR1 $PPID; sleep 1000; sleep 1000", 0.2, &scratch);
    assert_int_equal(stop, SIGUSR1);
    scratch_remove(&scratch);
}

/* The shell ends, and what it started ignores the signal. */
static void test_kills_what_the_shell_leaves(void **state) {
    struct scratch scratch = scratch_make();
    (void)state;
    stop = 0;
    assert_ends("(trap '' TERM; : >ready; sleep 1000; sleep 1000) & until [ -e ready ]; do sleep 0.05; done; exit 75",
                0.2, &scratch);
    scratch_remove(&scratch);
}

/* As a batch system suspends a job: what is suspended sees no SIGTERM until it continues. */
static void test_ends_what_is_suspended(void **state) {
    struct scratch scratch = scratch_make();
    char *saved = scratch_path(&scratch, "saved");
    (void)state;
    stop = 0;
    assert_ends("trap ': >saved; exit 75' TERM; : >ready; kill -USR1 $PPID; kill -STOP $$; sleep 1000", 60.0, &scratch);
    assert_int_equal(access(saved, F_OK), 0); /* it was not killed */
    free(saved);
    scratch_remove(&scratch);
}

static void test_refuses_a_name_without_room(void **state) {
    char output[300] = "folder/";
    struct error error;
    (void)state;
    memset(output + 7, 'o', 251);
    const struct finetune job = {.stage = "first", .output = output, .command = "true", .lock = "lock"};
    assert_int_equal(finetune_run(&job, &error), STATUS_INPUT);
    assert_message(error.message, "stage 'first'|251 bytes|finetune.output|at most 250");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills_what_ignores_sigterm),
        cmocka_unit_test(test_kills_what_the_shell_leaves),
        cmocka_unit_test(test_ends_what_is_suspended),
        cmocka_unit_test(test_refuses_a_name_without_room),
    };
    signal(SIGUSR1, raise_stop);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
