/* A folder for the files of one test. Its functions stop the test when they fail. */
#ifndef LONGROPE_TESTS_UNIT_SCRATCH_H
#define LONGROPE_TESTS_UNIT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

struct scratch {
    char dir[64];
};

static inline struct scratch scratch_make(void) {
    struct scratch scratch = {"/tmp/longrope-test-XXXXXX"};
    if (!mkdtemp(scratch.dir)) fail_msg("no scratch folder");
    return scratch;
}

static inline int scratch_remove_entry(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    return remove(path);
}

static inline void scratch_remove(const struct scratch *scratch) {
    assert_int_equal(nftw(scratch->dir, scratch_remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* DIR/name; the caller frees it. */
static inline char *scratch_path(const struct scratch *scratch, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", scratch->dir, name) < 0) fail_msg("out of memory");
    return path;
}

static inline void scratch_write(const char *path, const void *bytes, size_t size) {
    remove(path); /* some file systems write a file out at once when it replaces its former self */
    FILE *file = fopen(path, "wb");
    if (!file) fail_msg("%s cannot be written", path);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Writes DIR/name. */
static inline void scratch_write_in(const char *dir, const char *name, const char *text) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0) fail_msg("out of memory");
    scratch_write(path, text, strlen(text));
    free(path);
}

static inline bool scratch_exists(const char *path) { return access(path, F_OK) == 0; }

/* All of `words`, separated by '|', occur in the message, which is one line. */
static inline void assert_message(const char *message, const char *words) {
    assert_null(strchr(message, '\n'));
    char copy[256];
    assert_true(snprintf(copy, sizeof copy, "%s", words) < (int)sizeof copy);
    for (char *rest = copy, *word; (word = strsep(&rest, "|"));) {
        if (!strstr(message, word)) fail_msg("'%s' is not in the message: %s", word, message);
    }
}

#endif
