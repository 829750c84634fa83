/* eval/base/file and threads: files that are not what a reader expects, and threads that cannot be started. */
#include "eval/base/file.h"
#include "eval/base/threads.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/child.h"

static void files_of_other_kinds_are_named(void **state) {
    (void)state;
    static const struct {
        const char *begin, *words;
    } cases[] = {
        {"\xef\xbb\xbf{}", "byte order mark; save it as UTF-8 without one"},
        {"\xff\xfe{", "UTF-16"},
        {"\xfe\xff", "UTF-16"},
        {"\x1f\x8b\x08", "compressed; unpack it"},
        {"BZh9", "compressed"},
        {"PK\x03\x04", "ZIP archive"},
        {"\x93NUMPY\x01", ".npy"},
        {"GGUF\x03", "GGUF"},
        {"SQLite format 3", "a database"},
        {"%PDF-1.7", "PDF"},
        {"<!DOCTYPE html>", "a web page"},
        {"\n <HTML lang=en>", "a web page"},
    };
    struct error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *begin = cases[i].begin;
        assert_int_equal(file_recognise("x", begin, strlen(begin), &error), STATUS_INPUT);
        assert_message(error.message, "x: ");
        assert_message(error.message, cases[i].words);
        assert_int_equal(file_recognise("x", begin, 1, &error), STATUS_OK);
    }
    static const char *const unknown[] = {"", "{}", "1,1.5", "<", "<htm", "name: x", "  "};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_int_equal(file_recognise("x", unknown[i], strlen(unknown[i]), &error), STATUS_OK);
    }
}

static void pointers_of_git_lfs_are_not_read(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char *path = scratch_path(&scratch, "model.safetensors");
    unsigned char *bytes = NULL;
    size_t size;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456789\n";
    scratch_write(path, pointer, strlen(pointer));
    assert_int_equal(file_read(path, &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "model.safetensors: is a pointer of Git LFS|git lfs pull");
    scratch_write(path, pointer, 20);
    assert_int_equal(file_read(path, &bytes, &size, &error), STATUS_OK);
    free(bytes);
    assert_int_equal(file_read("", &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "is not a path");
    free(path);
    scratch_remove(&scratch);
}

/* As in a cache of downloads whose files were deleted. */
static void links_that_lead_nowhere(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char *path = scratch_path(&scratch, "config.json");
    unsigned char *bytes = NULL;
    size_t size;
    assert_int_equal(symlink("../../blobs/0123", path), 0);
    assert_int_equal(file_read(path, &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "config.json: is a link to a file that does not exist; get that file, too");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_read(path, &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "config.json: No such file or directory");
    assert_int_equal(file_read("-", &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "-: standard input is not supported; name a file");
    free(path);
    scratch_remove(&scratch);
}

static void sockets_and_long_names(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsigned char *bytes = NULL;
    size_t size;
    char *path = scratch_path(&scratch, "s"), name[300];
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(file_read(path, &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "/s: is not a regular file; save what it holds to a file first");
    close(listener);
    free(path);
    memset(name, 'n', 256);
    name[256] = '\0';
    path = scratch_path(&scratch, name);
    assert_int_equal(file_read(path, &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "n: File name too long; a name has at most 255 bytes, a path 4095");
    free(path);
    scratch_remove(&scratch);
}

/* A configuration has "model: ~/m", which becomes FOLDER/~/m. */
static void home_folders(void **state) {
    (void)state;
    struct error error;
    unsigned char *bytes = NULL;
    size_t size;
    for (const char **path = (const char *[]){"~/m/config.json", "configs/~/m/config.json", NULL}; *path; path++) {
        assert_int_equal(file_read(*path, &bytes, &size, &error), STATUS_INPUT);
        assert_message(error.message, "write the path of your home folder instead of ~, which only a shell knows");
    }
    assert_int_equal(file_read("m~/config.json", &bytes, &size, &error), STATUS_INPUT);
    assert_message(error.message, "check the path and its permissions");
    assert_non_null(file_home_advice("~"));
    assert_non_null(file_home_advice("~name/m"));
    assert_null(file_home_advice("~m"));
}

/* No thread has room for its stack. */
static int start_without_memory(void *state, int pipe) {
    (void)state;
    struct error error = {""};
    struct rlimit limit = {1 << 20, 1 << 20};
    if (threads_check(2, &error) != STATUS_OK || setrlimit(RLIMIT_AS, &limit) != 0) _exit(99);
    int status = threads_check(200, &error);
    child_say(pipe, error.message);
    return status == STATUS_FAILED && threads_check(2, &error) == STATUS_OK ? 0 : 1;
}

static void threads_that_cannot_be_started(void **state) {
    (void)state;
    char text[512];
#ifdef LONGROPE_SANITIZED
    skip(); /* the sanitizer's memory counts, too */
#endif
    assert_int_equal(child_run(start_without_memory, NULL, text, sizeof text), 0);
    assert_message(text, "200 threads cannot be started|--threads|ulimit");
}

static void folders_of_files(void **state) {
    (void)state;
    static const struct {
        const char *path, *folder;
        size_t length;
    } cases[] = {{"", ".", 0}, {"a", ".", 0}, {"/a", "/", 1}, {"a/b.c", "a/", 2}, {"a/b/", "a/b/", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(file_folder_length(cases[i].path), cases[i].length);
        char *folder = file_folder(cases[i].path);
        assert_string_equal(folder, cases[i].folder);
        free(folder);
    }
}

static void one_file_by_two_paths(void **state) {
    (void)state;
    assert_true(file_is_same("/", "/../"));
    assert_false(file_is_same("/", "/proc"));
    assert_false(file_is_same("/none", "/none")); /* it does not exist */
    assert_true(file_will_be_same("/none", "//none/./"));
    assert_true(file_will_be_same("/proc/../none", "/none"));
    assert_true(file_will_be_same("none", "./none"));
    assert_true(file_will_be_same("/proc/.", "/proc"));
    assert_true(file_will_be_same("/proc/../none/", "/none/."));
    assert_false(file_will_be_same("none", "/none"));
    assert_false(file_will_be_same("/none", "/nonesuch"));
    assert_false(file_will_be_same("/none/a", "/a"));
    assert_false(file_will_be_same("/proc/none", "/none"));
}

static void folders_that_can_be_written(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    assert_int_equal(file_folder_code(scratch.dir), 0);
    assert_int_equal(rmdir(scratch.dir), 0); /* nothing is left there */
    assert_int_equal(file_folder_code(scratch.dir), ENOENT);
    assert_int_equal(file_folder_code("/proc"), geteuid() == 0 ? EPERM : EACCES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_can_be_written),
        cmocka_unit_test(files_of_other_kinds_are_named),
        cmocka_unit_test(pointers_of_git_lfs_are_not_read),
        cmocka_unit_test(links_that_lead_nowhere),
        cmocka_unit_test(folders_of_files),
        cmocka_unit_test(one_file_by_two_paths),
        cmocka_unit_test(sockets_and_long_names),
        cmocka_unit_test(home_folders),
        cmocka_unit_test(threads_that_cannot_be_started),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
