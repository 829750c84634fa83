/* Files and folders that are complete or do not exist. */
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "search/base/atomic_output.h"
#include "tests/unit/scratch.h"

static void begin_or_fail(const char *path, bool replace, struct atomic_output_folder *out) {
    struct error error = {""};
    if (atomic_output_begin(path, replace, out, &error) != STATUS_OK) fail_msg("%s", error.message);
}

static void folders_are_whole_or_not_there(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    struct atomic_output_folder folder, second;
    char *path = scratch_path(&scratch, "new"), *part = scratch_path(&scratch, "new.part"),
         *file = scratch_path(&scratch, "new/config.json"), *slashes = scratch_path(&scratch, "new//");

    begin_or_fail(slashes, false, &folder);
    scratch_write_in(folder.part, "config.json", "{}");
    assert_false(scratch_exists(path));
    assert_int_equal(atomic_output_begin(path, false, &second, &error), STATUS_INPUT); /* a second writer */
    assert_message(error.message, "new|another process");
    atomic_output_abandon(&folder);
    assert_false(scratch_exists(part) || scratch_exists(path));
    atomic_output_abandon(&(struct atomic_output_folder){NULL, NULL, -1, false});

    assert_int_equal(mkdir(part, 0777), 0); /* what a killed one left */
    scratch_write_in(part, "other.json", "{}");
    begin_or_fail(path, false, &folder);
    scratch_write_in(folder.part, "config.json", "{}");
    assert_int_equal(atomic_output_end(&folder, &error), STATUS_OK);
    assert_true(scratch_exists(file) && !scratch_exists(part));
    free(file);
    file = scratch_path(&scratch, "new/other.json");
    assert_false(scratch_exists(file));

    assert_int_equal(atomic_output_begin(path, false, &folder, &error), STATUS_INPUT);
    assert_message(error.message, "new|already exists|--force");
    begin_or_fail(path, true, &folder);
    scratch_write_in(folder.part, "other.json", "{}");
    assert_int_equal(atomic_output_end(&folder, &error), STATUS_OK);
    assert_true(scratch_exists(file) && !scratch_exists(part));
    free(path), free(part), free(file), free(slashes);
    scratch_remove(&scratch);
}

/* It came into being while the new one was written. */
static void folders_that_appear_meanwhile(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    struct atomic_output_folder folder;
    char *path = scratch_path(&scratch, "new"), *part = scratch_path(&scratch, "new.part");
    begin_or_fail(path, false, &folder);
    assert_int_equal(mkdir(path, 0777), 0);
    scratch_write_in(path, "theirs", "x");
    assert_int_equal(atomic_output_end(&folder, &error), STATUS_INPUT);
    assert_message(error.message, "new|already exists");
    assert_false(scratch_exists(part));
    free(part);
    part = scratch_path(&scratch, "new/theirs");
    assert_true(scratch_exists(part));
    free(path), free(part);
    scratch_remove(&scratch);
}

static void folders_of_others_are_left_alone(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    char *photos = scratch_path(&scratch, "photos"), *inside = scratch_path(&scratch, "photos/2024"),
         *link = scratch_path(&scratch, "link");
    assert_int_equal(mkdir(photos, 0777), 0);
    assert_int_equal(atomic_output_check_folder(photos, true, &error), STATUS_OK); /* empty */
    scratch_write_in(photos, "picture.jpg", "x");
    assert_int_equal(atomic_output_check_folder(photos, true, &error), STATUS_INPUT);
    assert_message(error.message, "photos|no config.json");
    scratch_write_in(photos, "config.json", "{}");
    assert_int_equal(atomic_output_check_folder(photos, true, &error), STATUS_OK);
    assert_int_equal(atomic_output_check_folder(photos, false, &error), STATUS_INPUT);
    assert_int_equal(mkdir(inside, 0777), 0);
    assert_int_equal(atomic_output_check_folder(photos, true, &error), STATUS_INPUT);
    assert_message(error.message, "photos|folders");
    assert_int_equal(symlink(photos, link), 0);
    assert_int_equal(atomic_output_check_folder(link, true, &error), STATUS_INPUT);
    const char *const paths[] = {"", "/", ".", "..", "a/..", "a/."};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(atomic_output_check_folder(paths[i], true, &error), STATUS_INPUT);
    }
    free(photos), free(inside), free(link);
    scratch_remove(&scratch);
}

static void renames_replace_nothing(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *part = scratch_path(&scratch, "file.part"), *path = scratch_path(&scratch, "file");
    scratch_write(part, "new", 3);
    assert_true(atomic_output_rename_new(part, path));
    assert_true(scratch_exists(path) && !scratch_exists(part));
    scratch_write(part, "newer", 5);
    errno = 0;
    assert_false(atomic_output_rename_new(part, path));
    assert_int_equal(errno, EEXIST);
    struct stat info;
    assert_true(stat(path, &info) == 0 && info.st_size == 3 && scratch_exists(part));
    free(part), free(path);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_whole_or_not_there),
        cmocka_unit_test(folders_that_appear_meanwhile),
        cmocka_unit_test(folders_of_others_are_left_alone),
        cmocka_unit_test(renames_replace_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
