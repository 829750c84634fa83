/* Writing numpy arrays. */
#include <math.h>

#include "search/base/npy.h"
#include "tests/unit/scratch.h"

static size_t read_back(const char *path, unsigned char *out, size_t size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(out, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return count;
}

/* Format 1.0: magic, version, header length, a header that ends in a newline at a multiple of 64. */
static void assert_npy(int64_t rows, int64_t columns, const char *shape) {
    double values[12];
    for (int i = 0; i < 12; i++) values[i] = i == 5 ? NAN : 1.0 / (i + 1.0);
    unsigned char bytes[512], expected[512];
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "nats.npy");
    struct error error = {""};
    memset(expected, ' ', 127);
    memcpy(expected, "\x93NUMPY\x01\x00\x76\x00", 10);
    int used = sprintf((char *)expected + 10, "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }", shape);
    expected[10 + used] = ' '; /* in place of the string's end */
    expected[127] = '\n';
    memcpy(expected + 128, values, sizeof values);
    assert_int_equal(npy_write(path, false, values, rows, columns, &error), STATUS_OK);
    assert_int_equal(read_back(path, bytes, sizeof bytes), 128 + rows * columns * 8);
    assert_memory_equal(bytes, expected, 128 + (size_t)(rows * columns) * 8);
    free(path);
    scratch_remove(&scratch);
}

static void arrays_are_written_as_numpy_does(void **state) {
    (void)state;
    assert_npy(3, 4, "(3, 4)");
    assert_npy(1, 12, "(1, 12)");
    assert_npy(12, 1, "(12, 1)");
    assert_npy(0, 7, "(0, 7)");
    const double third = 1.0 / 3.0;
    const unsigned char little_endian[8] = {0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f};
    assert_memory_equal(&third, little_endian, 8); /* what the comparison above rests on */
}

static void documents_have_one_dimension(void **state) {
    (void)state;
    const int32_t tokens[] = {7, -1, 65536};
    unsigned char bytes[512];
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "document.npy"), *part = scratch_path(&scratch, "document.npy.part");
    struct error error = {""};
    scratch_write(path, "before", 6);
    assert_int_equal(npy_write_document(path, true, tokens, 3, &error), STATUS_OK);
    assert_int_equal(read_back(path, bytes, sizeof bytes), 128 + 12);
    assert_non_null(strstr((char *)bytes + 10, "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), } "));
    assert_memory_equal(bytes + 128, tokens, sizeof tokens);
    assert_false(scratch_exists(part));
    assert_int_equal(npy_write_document(path, false, tokens, 3, &error), STATUS_INPUT);
    assert_message(error.message, "document.npy: already exists|--force");
    free(path), free(part);
    scratch_remove(&scratch);
}

static void arrays_that_cannot_be_written(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "none/nats.npy");
    struct error error = {""};
    const double values[1000] = {0};
    assert_int_equal(npy_write(path, false, values, 1, 1, &error), STATUS_INPUT);
    assert_message(error.message, "none/nats.npy|folder does not exist");
    assert_int_equal(npy_write(scratch.dir, false, values, 1, 1, &error), STATUS_INPUT);
    assert_message(error.message, scratch.dir);
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(npy_write("/dev/full", false, values, 1, 1, &error), STATUS_FAILED);
        assert_message(error.message, "/dev/full|No space");
        assert_int_equal(npy_write("/dev/full", false, values, 10, 100, &error), STATUS_FAILED);
        assert_message(error.message, "/dev/full|No space");
    }
    free(path);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_written_as_numpy_does),
        cmocka_unit_test(documents_have_one_dimension),
        cmocka_unit_test(arrays_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
