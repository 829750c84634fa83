/* Errors of standard output, before there is anything to print and after. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "search/base/output_stream.h"
#include "search/base/signals.h"
#include "tests/unit/child.h"

/* What a child says of both functions where this is its standard output: "status message, status of a write". */
struct tried {
    int descriptor;
    rlim_t most_bytes; /* 0: no limit */
};

static int try(void *state, int pipe) {
    const struct tried *tried = state;
    struct error error = {""};
    char line[600];
    if (dup2(tried->descriptor, STDOUT_FILENO) < 0) return 97;
    signal(SIGXFSZ, SIG_IGN);
    signals_caught();
    if (tried->most_bytes) setrlimit(RLIMIT_FSIZE, &(struct rlimit){tried->most_bytes, tried->most_bytes});
    int status = output_stream_check(stdout, &error);
    int length = snprintf(line, sizeof line, "%d %s, ", status, error.message);
    printf("row\n");
    snprintf(line + length, sizeof line - (size_t)length, "%d", output_stream_flush(stdout, &error));
    child_say(pipe, line);
    return 0;
}

static void says(int descriptor, rlim_t most_bytes, const char *expected) {
    struct tried tried = {descriptor, most_bytes};
    char line[600];
    fflush(stdout); /* else the child would write it */
    assert_int_equal(child_run(try, &tried, line, sizeof line), 0);
    assert_string_equal(line, expected);
}

static void streams_that_can_be_written(void **state) {
    (void)state;
    int ends[2], null = open("/dev/null", O_WRONLY);
    assert_int_equal(pipe(ends), 0);
    says(null, 0, "0 , 0");
    says(ends[1], 0, "0 , 0");
    close(null), close(ends[0]), close(ends[1]);
    struct error error;
    assert_int_equal(output_stream_check(stderr, &error), STATUS_OK);
}

static void no_reader(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    says(ends[1], 0, "75 stopped by SIGPIPE; the reader of standard output has ended, 0");
    close(ends[1]);
}

static void no_room(void **state) {
    (void)state;
    struct stat info;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "out");
    scratch_write_in(scratch.dir, "out", "0123456789");
    int file = open(path, O_WRONLY | O_APPEND), full = open("/dev/full", O_WRONLY);
    says(
        file, 10,
        "1 standard output: could not be written: File too large; raise the limit on the size of files (ulimit -f), 1");
    says(file, 12, "0 , 1"); /* for a byte, but not for the row */
    assert_int_equal(fstat(file, &info), 0);
    assert_int_equal(info.st_size, 12);
    says(file, 0, "0 , 0");
    if (full >= 0) {
        says(
            full, 0,
            "1 standard output: could not be written: No space left on device; free space or choose another folder, 1");
        close(full);
    }
    close(file), free(path);
    scratch_remove(&scratch);
}

/* As the program fills the number of a closed stream (search/cli/main.c). */
static void closed_streams(void **state) {
    (void)state;
    int file = open("/dev/null", O_RDONLY);
    says(file, 0, "1 standard output: could not be written: Bad file descriptor; choose another path, 1");
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_that_can_be_written),
        cmocka_unit_test(no_reader),
        cmocka_unit_test(no_room),
        cmocka_unit_test(closed_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
