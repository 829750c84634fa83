/* Files and folders that are complete or do not exist. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "search/base/atomic_output.h"
#include "search/base/output_path.h"
#include "tests/unit/child.h"

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

/* A link stays, and the folder that it leads to is replaced or made. */
static void folders_behind_links(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    struct atomic_output_folder folder;
    struct stat info;
    char *link = scratch_path(&scratch, "link"), *file = scratch_path(&scratch, "target/config.json"),
         *part = scratch_path(&scratch, "target.part");
    assert_int_equal(symlink("target", link), 0);
    for (int replace = 0; replace < 2; replace++) {
        begin_or_fail(link, replace, &folder);
        scratch_write_in(folder.part, "config.json", "{}");
        assert_int_equal(atomic_output_end(&folder, &error), STATUS_OK);
        assert_true(scratch_exists(file) && !scratch_exists(part));
        assert_true(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
        assert_int_equal(atomic_output_begin(link, false, &folder, &error), STATUS_INPUT);
        assert_message(error.message, "link: already exists");
    }
    free(link), free(file), free(part);
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
    assert_int_equal(atomic_output_check_folder("/dev/null", true, &error), STATUS_INPUT);
    assert_message(error.message, "/dev/null: is not a folder");
    free(photos), free(inside), free(link);
    scratch_remove(&scratch);
}

/* ---- files ---- */

static bool write_words(FILE *stream, const void *words) { return fputs(words, stream) != EOF; }

static int write_file(const char *path, bool replace, const char *words, struct error *error) {
    *error = (struct error){""};
    return atomic_output_write_file(path, replace, write_words, words, error);
}

static void assert_holds(const char *path, const char *words) {
    char text[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, words);
}

static mode_t type_of(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 ? info.st_mode & S_IFMT : 0;
}

static void files_are_replaced_on_request_only(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char *path = scratch_path(&scratch, "file"), *part = scratch_path(&scratch, "file.part");
    assert_int_equal(write_file(path, false, "old", &error), STATUS_OK);
    assert_int_equal(write_file(path, false, "new", &error), STATUS_INPUT);
    assert_message(error.message, "file|already exists|--force");
    assert_holds(path, "old");
    scratch_write(part, "of a killed writer", 18);
    assert_int_equal(write_file(path, true, "new", &error), STATUS_OK);
    assert_holds(path, "new");
    assert_false(scratch_exists(part));

    struct atomic_output_file file;
    remove(path);
    assert_int_equal(atomic_output_open(path, false, &file, &error), STATUS_OK);
    assert_int_equal(write_file(path, false, "a second writer's", &error), STATUS_INPUT);
    assert_message(error.message, "file|another process");
    scratch_write(path, "appeared", 8);
    assert_int_equal(atomic_output_close(&file, &error), STATUS_INPUT);
    assert_message(error.message, "file|already exists");
    assert_holds(path, "appeared");
    assert_false(scratch_exists(part));
    atomic_output_discard(&(struct atomic_output_file){.descriptor = -1});

    /* what is at PATH.part and was not left by a writer */
    char *other = scratch_path(&scratch, "other");
    scratch_write(other, "precious", 8);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(i == 0 ? symlink(other, part) : i == 1 ? link(other, part) : mkfifo(part, 0666), 0);
        assert_int_equal(write_file(path, true, "new", &error), STATUS_INPUT);
        assert_message(error.message, "file.part|blocks writing|delete it");
        assert_holds(other, "precious");
        assert_holds(path, "appeared");
        remove(part);
    }
    free(path), free(part), free(other);
    scratch_remove(&scratch);
}

static void links_stay_and_their_targets_are_written(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char *target = scratch_path(&scratch, "target"), *link = scratch_path(&scratch, "link"),
         *second = scratch_path(&scratch, "second"), *loop = scratch_path(&scratch, "loop"),
         *lost = scratch_path(&scratch, "lost");
    assert_true(symlink("target", link) == 0 && symlink(link, second) == 0 && symlink("loop", loop) == 0 &&
                symlink("none/file", lost) == 0);
    assert_int_equal(write_file(second, false, "one", &error), STATUS_OK); /* there is no target yet */
    assert_holds(target, "one");
    assert_int_equal(write_file(second, false, "two", &error), STATUS_INPUT);
    assert_int_equal(write_file(second, true, "two", &error), STATUS_OK);
    assert_holds(target, "two");
    assert_true(type_of(link) == S_IFLNK && type_of(second) == S_IFLNK && type_of(target) == S_IFREG);
    assert_int_equal(write_file(loop, true, "x", &error), STATUS_INPUT);
    assert_message(error.message, "loop|symbolic links");
    assert_int_equal(write_file(lost, true, "x", &error), STATUS_INPUT);
    assert_message(error.message, "none/file|folder does not exist");
    free(target), free(link), free(second), free(loop), free(lost);
    scratch_remove(&scratch);
}

static int write_to_pipe(void *path, int pipe) {
    struct error error;
    int status = write_file(path, false, "words", &error);
    if (status != STATUS_OK) child_say(pipe, error.message);
    return status;
}

/* Pipes and devices are written and stay what they are; sockets and block devices are refused. */
static void what_is_no_file_is_never_replaced(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char *pipe = scratch_path(&scratch, "pipe"), *node = scratch_path(&scratch, "node"), text[64] = "";
    int said;
    assert_int_equal(mkfifo(pipe, 0666), 0);
    pid_t child = child_start(write_to_pipe, pipe, &said);
    usleep(200000); /* it waits for a reader */
    FILE *reader = fopen(pipe, "r");
    assert_true(reader && fgets(text, sizeof text, reader));
    assert_string_equal(text, "words");
    fclose(reader);
    close(said);
    assert_int_equal(child_wait(child), 0);
    assert_int_equal(type_of(pipe), S_IFIFO);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", scratch.dir);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write_file(address.sun_path, true, "x", &error), STATUS_INPUT);
    assert_message(error.message, "is a socket");
    assert_int_equal(type_of(address.sun_path), S_IFSOCK);
    close(listener);

    if (mknod(node, S_IFCHR | 0666, makedev(1, 3)) == 0) { /* of /dev/null */
        assert_int_equal(write_file(node, true, "x", &error), STATUS_OK);
        assert_int_equal(type_of(node), S_IFCHR);
        remove(node);
        assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(259, 1048575)), 0); /* of no driver */
        assert_int_equal(write_file(node, true, "x", &error), STATUS_INPUT);
        assert_message(error.message, "is a block device");
        assert_int_equal(type_of(node), S_IFBLK);
    }
    free(pipe), free(node);
    scratch_remove(&scratch);
}

/* A device that appears at the path while the file is written */
static void what_appears_and_is_no_file_is_not_replaced(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    struct atomic_output_file file;
    char *path = scratch_path(&scratch, "path");
    scratch_write(path, "old", 3);
    assert_int_equal(atomic_output_open(path, true, &file, &error), STATUS_OK);
    assert_true(remove(path) == 0 && mkfifo(path, 0666) == 0);
    assert_int_equal(atomic_output_close(&file, &error), STATUS_INPUT);
    assert_int_equal(type_of(path), S_IFIFO);
    free(path);
    scratch_remove(&scratch);
}

/* A descriptor is written where it stands, whatever it leads to. */
static void descriptors_are_written(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char *path = scratch_path(&scratch, "file"), by_descriptor[32], *link = scratch_path(&scratch, "link");
    int descriptor = open(path, O_WRONLY | O_CREAT, 0666);
    assert_int_equal(write(descriptor, "one ", 4), 4);
    snprintf(by_descriptor, sizeof by_descriptor, "/dev/fd/%d", descriptor);
    assert_int_equal(symlink(by_descriptor, link), 0);
    assert_int_equal(write_file(by_descriptor, false, "two ", &error), STATUS_OK);
    assert_int_equal(write_file(link, false, "three", &error), STATUS_OK);
    close(descriptor);
    assert_holds(path, "one two three");
    assert_int_equal(write_file(by_descriptor, false, "closed", &error), STATUS_INPUT);
    assert_message(error.message, "is not an open descriptor");
    assert_true(output_path_is_stdout("-") && output_path_is_stdout("/dev/stdout"));
    assert_false(output_path_is_stdout("./-") || output_path_is_stdout(path) || output_path_is_stdout("/dev/stderr"));
    free(path), free(link);
    scratch_remove(&scratch);
}

static void inputs_are_not_replaced(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    char *folder = scratch_path(&scratch, "model"), *file = scratch_path(&scratch, "model/config.json"),
         *link = scratch_path(&scratch, "link"), *hard = scratch_path(&scratch, "hard"),
         *none = scratch_path(&scratch, "model/none");
    assert_int_equal(mkdir(folder, 0777), 0);
    scratch_write(file, "{}", 2);
    assert_true(symlink(file, link) == 0 && symlink("none", none) == 0);
    assert_int_equal(atomic_output_check_input(file, file, &error), STATUS_INPUT);
    assert_int_equal(atomic_output_check_input(link, file, &error), STATUS_INPUT);
    assert_message(error.message, "link|read by this command");
    assert_int_equal(atomic_output_check_input(file, link, &error), STATUS_INPUT);
    assert_int_equal(atomic_output_check_input(file, folder, &error), STATUS_INPUT);
    assert_message(error.message, "lies in|model");
    assert_int_equal(atomic_output_check_input(link, folder, &error), STATUS_INPUT);
    assert_int_equal(atomic_output_check_input(folder, link, &error), STATUS_INPUT);
    assert_message(error.message, "contains|link");
    const char *const harmless[] = {"-", "/dev/null", none, hard};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        assert_int_equal(atomic_output_check_input(harmless[i], folder, &error), STATUS_OK);
        assert_int_equal(atomic_output_check_input(harmless[i], NULL, &error), STATUS_OK);
    }
    free(folder), free(file), free(link), free(hard), free(none);
    scratch_remove(&scratch);
}

static int write_much(void *path, int pipe) {
    struct error error;
    char words[1000] = "";
    memset(words, 'x', sizeof words - 1);
    child_limit_files(500);
    int status = write_file(path, true, words, &error);
    child_say(pipe, error.message);
    return status;
}

static void names_and_sizes_have_limits(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error;
    char name[257] = "", text[512], *path = scratch_path(&scratch, "file");
    memset(name, 'n', 255);
    char *longest = scratch_path(&scratch, name);
    assert_int_equal(write_file(longest, false, "x", &error), STATUS_OK); /* with .part it would be too long */
    assert_holds(longest, "x");
    name[255] = 'n';
    char *too_long = scratch_path(&scratch, name);
    assert_int_equal(write_file(too_long, false, "x", &error), STATUS_INPUT);
    assert_message(error.message, "name too long|255 bytes");
    scratch_write(path, "old", 3);
    assert_int_equal(child_run(write_much, path, text, sizeof text), STATUS_FAILED);
    assert_message(text, "file: could not be written|File too large|ulimit -f");
    assert_holds(path, "old");
    const char *const wrong[] = {"", "file/", "/", "file/x", "none/x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *joined = *wrong[i] ? scratch_path(&scratch, wrong[i]) : strdup("");
        assert_int_equal(write_file(joined, true, "x", &error), STATUS_INPUT);
        free(joined);
    }
    free(path), free(longest), free(too_long);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_whole_or_not_there),
        cmocka_unit_test(folders_behind_links),
        cmocka_unit_test(folders_that_appear_meanwhile),
        cmocka_unit_test(folders_of_others_are_left_alone),
        cmocka_unit_test(files_are_replaced_on_request_only),
        cmocka_unit_test(links_stay_and_their_targets_are_written),
        cmocka_unit_test(what_is_no_file_is_never_replaced),
        cmocka_unit_test(what_appears_and_is_no_file_is_not_replaced),
        cmocka_unit_test(descriptors_are_written),
        cmocka_unit_test(inputs_are_not_replaced),
        cmocka_unit_test(names_and_sizes_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
