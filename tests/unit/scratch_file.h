/* The fixture of tests that read one file: a folder of their own and a path in it. */
#ifndef LONGROPE_TESTS_UNIT_SCRATCH_FILE_H
#define LONGROPE_TESTS_UNIT_SCRATCH_FILE_H

#include "tests/unit/scratch.h"

struct fixture {
    struct scratch scratch;
    char *path; /* of the file under test */
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->scratch = scratch_make();
    fixture->path = scratch_path(&fixture->scratch, "file");
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    scratch_remove(&fixture->scratch);
    free(fixture->path);
    free(fixture);
    return 0;
}

#endif
