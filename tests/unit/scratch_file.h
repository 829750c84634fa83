/* The fixture of tests that read one file: a folder of their own and a path in it. */
#ifndef LONGROPE_TESTS_UNIT_SCRATCH_FILE_H
#define LONGROPE_TESTS_UNIT_SCRATCH_FILE_H

#include "tests/unit/scratch.h"

#ifndef SCRATCH_FILE_NAME /* where the name matters, it is defined before this header is included */
#define SCRATCH_FILE_NAME "file"
#endif

struct fixture {
    struct scratch scratch;
    char *path; /* of the file under test */
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->scratch = scratch_make();
    fixture->path = scratch_path(&fixture->scratch, SCRATCH_FILE_NAME);
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
