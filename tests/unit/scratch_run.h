/* The fixture of tests that open a run's store: a folder of their own and the path of a run in it. */
#ifndef LONGROPE_TESTS_UNIT_SCRATCH_RUN_H
#define LONGROPE_TESTS_UNIT_SCRATCH_RUN_H

#include "search/store/store.h"
#include "tests/unit/scratch.h"

struct fixture {
    struct scratch scratch;
    char *run;  /* a run folder that is not there yet, nor is its parent */
    char *path; /* of run.db in it */
    struct error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->run = scratch_path(&f->scratch, "results/x");
    f->path = scratch_path(&f->scratch, "results/x/run.db");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f->run);
    free(f->path);
    free(f);
    return 0;
}

static void good(struct fixture *f, int status) {
    if (status != STATUS_OK) fail_msg("status %d: %s", status, f->error.message);
}

static struct store *open_run(struct fixture *f, enum store_mode mode) {
    struct store *store = NULL;
    good(f, store_open(f->run, mode, &store, &f->error));
    assert_non_null(store);
    return store;
}

static void open_bad(struct fixture *f, enum store_mode mode, int status, const char *words) {
    struct store *store = NULL;
    int got = store_open(f->run, mode, &store, &f->error);
    assert_null(store);
    assert_message(f->error.message, words);
    assert_int_equal(got, status);
}

#endif
