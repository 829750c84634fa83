/* GGUF files: what is read of them, what is refused, and changed copies. */
#include "eval/gguf/gguf_private.h"
#include "search/factors/gguf_write.h"
#include "tests/unit/gguf_bytes.h"

#include <signal.h>
#include <sys/stat.h>

#include "tests/unit/child.h"

struct fixture {
    struct scratch scratch;
    char *path, *copy, *part; /* part: where the copy lies while it is written */
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->scratch = scratch_make();
    f->path = scratch_path(&f->scratch, "model.gguf");
    f->copy = scratch_path(&f->scratch, "copy.gguf");
    f->part = scratch_path(&f->scratch, "copy.gguf.part");
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f->path), free(f->copy), free(f->part), free(f);
    return 0;
}

/* ---- Files ---- */

static const float numbers[8] = {1, -2, 0.5F, 3e8F, 5, 6, 7, 8};

/* An array of strings, one of numbers, one of arrays, an empty one. */
static void put_arrays(struct gguf_bytes *b) {
    put_key(b, "strings", GGUF_ARRAY);
    put_u32(b, GGUF_STRING);
    put_u64(b, 3);
    put_string(b, "one"), put_string(b, ""), put_string(b, "three");
    put_key(b, "numbers", GGUF_ARRAY);
    put_u32(b, GGUF_F32);
    put_u64(b, 4);
    put_numbers(b, numbers, 4);
    put_key(b, "nested", GGUF_ARRAY);
    put_u32(b, GGUF_ARRAY);
    put_u64(b, 2);
    put_u32(b, GGUF_U8), put_u64(b, 3), put_bytes(b, "abc", 3);
    put_u32(b, GGUF_STRING), put_u64(b, 1), put_string(b, "deep");
    put_key(b, "empty", GGUF_ARRAY);
    put_u32(b, GGUF_I64);
    put_u64(b, 0);
}

static void put_scalars(struct gguf_bytes *b) {
    put_key(b, "u8", GGUF_U8), put_bytes(b, "\xff", 1);
    put_key(b, "i8", GGUF_I8), put_bytes(b, "\xff", 1);
    put_key(b, "u16", GGUF_U16), put_bytes(b, "\x01\x80", 2);
    put_key(b, "i16", GGUF_I16), put_bytes(b, "\x01\x80", 2);
    put_key_u32(b, "u32", 4000000000U);
    put_key(b, "i32", GGUF_I32), put_u32(b, (uint32_t)-7);
    put_key_f32(b, "f32", 0.25F);
    put_key(b, "bool", GGUF_BOOL), put_bytes(b, "\x01", 1);
    put_key_string(b, "string", "text");
    put_key(b, "u64", GGUF_U64), put_u64(b, UINT64_MAX);
    put_key(b, "i64", GGUF_I64), put_u64(b, (uint64_t)-9);
    double f64 = 1e-300;
    put_key(b, "f64", GGUF_F64), put_bytes(b, &f64, sizeof f64);
}

static uint32_t aligned(uint32_t offset, uint32_t alignment) {
    return (offset + alignment - 1) / alignment * alignment;
}

/* Every type of value and three tensors, packed as llama.cpp writes them; ends with the last number. */
static void put_everything(struct gguf_bytes *b, uint32_t version, uint32_t alignment) {
    put_prefix(b, version, 3, 12 + 4 + 1);
    put_scalars(b);
    put_arrays(b);
    put_key_u32(b, "general.alignment", alignment);
    const uint64_t matrix[] = {2, 3}, blocks[] = {32, 1, 2};
    put_tensor(b, "matrix.f16", 2, matrix, 1, 0);
    uint32_t second = aligned(12, alignment);
    put_tensor(b, "blocks.q8_0", 3, blocks, 8, second);
    put_vector(b, "vector.f32", 8, second + aligned(2 * 34, alignment));
    put_padding(b, alignment);
    put_bytes(b, "abcdefghijkl", 12);
    put_padding(b, alignment);
    for (unsigned char i = 0; i < 68; i++) put_bytes(b, &i, 1);
    put_padding(b, alignment);
    put_numbers(b, numbers, 8);
}

static void write_everything(const char *path, uint32_t version, uint32_t alignment) {
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_everything(&b, version, alignment);
    gguf_bytes_write(&b, path);
}

static struct gguf *open_or_fail(const char *path) {
    struct gguf *file = NULL;
    struct error error = {""};
    if (gguf_open(path, &file, &error) != STATUS_OK) fail_msg("%s", error.message);
    return file;
}

static void assert_refused(const char *path, const char *words) {
    struct gguf *file = NULL;
    struct error error = {""};
    int status = gguf_open(path, &file, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_int_equal(status, STATUS_INPUT);
    assert_null(file);
    assert_message(error.message, path);
    assert_message(error.message, words);
}

/* ---- Reading ---- */

static void assert_unsigned(const struct gguf *file, const char *key, uint64_t wanted) {
    struct error error = {""};
    uint64_t value = 77;
    if (gguf_get_unsigned(file, key, &value, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_true(value == wanted);
}

static void assert_number(const struct gguf *file, const char *key, double wanted) {
    struct error error = {""};
    double value = 77;
    if (gguf_get_number(file, key, &value, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_true(value == wanted);
}

static void assert_string(const struct gguf *file, const char *key, const char *wanted) {
    struct error error = {""};
    char value[16] = "untouched";
    if (gguf_get_string(file, key, value, sizeof value, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_string_equal(value, wanted);
}

static void assert_tensor(const struct gguf *file, const char *name, uint32_t type, uint32_t rank, uint64_t bytes,
                          uint64_t alignment) {
    const struct gguf_tensor *tensor = gguf_find_tensor(file, name);
    assert_non_null(tensor);
    assert_string_equal(tensor->name, name);
    assert_int_equal(tensor->type, type);
    assert_int_equal(tensor->rank, rank);
    assert_int_equal(tensor->bytes, bytes);
    assert_int_equal(tensor->offset % alignment, 0);
}

static void assert_everything(const char *path, uint64_t alignment) {
    struct gguf *file = open_or_fail(path);
    assert_string_equal(gguf_path(file), path);
    assert_int_equal(gguf_key_count(file), 17);
    assert_string_equal(gguf_key_name(file, 12), "strings");
    assert_true(gguf_has_key(file, "nested") && gguf_has_key(file, "empty") && !gguf_has_key(file, "nest"));
    assert_unsigned(file, "u8", 255), assert_unsigned(file, "u16", 0x8001), assert_unsigned(file, "u32", 4000000000U);
    assert_unsigned(file, "u64", UINT64_MAX), assert_unsigned(file, "no such key", 77);
    assert_number(file, "i8", -1), assert_number(file, "i16", -0x7fff), assert_number(file, "i32", -7);
    assert_number(file, "i64", -9), assert_number(file, "u8", 255), assert_number(file, "u64", 18446744073709551616.0);
    assert_number(file, "f32", 0.25), assert_number(file, "f64", 1e-300), assert_number(file, "no such key", 77);
    assert_string(file, "string", "text"), assert_string(file, "no such key", "untouched");

    assert_int_equal(file->tensor_count, 3);
    assert_string_equal(file->tensors[2].name, "vector.f32");
    assert_tensor(file, "matrix.f16", 1, 2, 12, alignment);
    assert_tensor(file, "blocks.q8_0", 8, 3, 68, alignment);
    assert_tensor(file, "vector.f32", 0, 1, 32, alignment);
    const struct gguf_tensor *blocks = gguf_find_tensor(file, "blocks.q8_0");
    assert_true(blocks->shape[0] == 32 && blocks->shape[1] == 1 && blocks->shape[2] == 2 && blocks->shape[3] == 1);
    assert_null(gguf_find_tensor(file, "vector"));
    float read[8];
    struct error error;
    assert_int_equal(gguf_read_vector(file, gguf_find_tensor(file, "vector.f32"), read, 8, &error), STATUS_OK);
    assert_memory_equal(read, numbers, sizeof read);
    gguf_close(file);
}

static void test_reads_every_type(void **state) {
    const struct fixture *f = *state;
    for (uint32_t version = 2; version <= 3; version++) {
        for (uint32_t alignment = 8; alignment <= 256; alignment *= 2) {
            write_everything(f->path, version, alignment);
            assert_everything(f->path, alignment);
        }
    }
    gguf_close(NULL);
}

/* Values larger than the buffer that the header is read through, and keys on both sides of its edge. */
static void test_reads_long_values(void **state) {
    const struct fixture *f = *state;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    enum { STRINGS = 30000 };
    put_prefix(&b, 3, 1, 3);
    put_key(&b, "tokens", GGUF_ARRAY);
    put_u32(&b, GGUF_STRING);
    put_u64(&b, STRINGS);
    for (int i = 0; i < STRINGS; i++) put_string(&b, i % 2 ? "token" : "another token");
    put_key(&b, "scores", GGUF_ARRAY);
    put_u32(&b, GGUF_F32);
    put_u64(&b, STRINGS);
    for (int i = 0; i < STRINGS; i++) put_numbers(&b, numbers, 1);
    put_key_u32(&b, "after", 5);
    put_vector(&b, "v", 8, 0);
    put_padding(&b, 32);
    put_numbers(&b, numbers, 8);
    gguf_bytes_write(&b, f->path);
    struct gguf *file = open_or_fail(f->path);
    assert_unsigned(file, "after", 5);
    float read[8];
    struct error error;
    assert_int_equal(gguf_read_vector(file, &file->tensors[0], read, 8, &error), STATUS_OK);
    assert_memory_equal(read, numbers, sizeof read);
    gguf_close(file);
}

/* Data beyond 4 GiB. The file is a hole and takes no room. */
static void test_reads_large_files(void **state) {
    const struct fixture *f = *state;
    const uint64_t large = (uint64_t)5 << 30;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, 2, 0);
    put_tensor(&b, "large", 1, &large, 24, 0);
    put_vector(&b, "after", 8, large);
    put_padding(&b, 32);
    gguf_bytes_end(&b);
    scratch_write(f->path, b.data, b.size);
    assert_int_equal(truncate(f->path, (off_t)(b.size + large)), 0);
    FILE *stream = fopen(f->path, "ab");
    assert_non_null(stream);
    assert_int_equal(fwrite(numbers, sizeof *numbers, 8, stream), 8);
    fclose(stream);
    struct gguf *file = open_or_fail(f->path);
    float read[8];
    struct error error;
    assert_int_equal(gguf_read_vector(file, &file->tensors[1], read, 8, &error), STATUS_OK);
    assert_memory_equal(read, numbers, sizeof read);
    gguf_close(file);
    assert_int_equal(truncate(f->path, (off_t)(b.size + large + 31)), 0);
    assert_refused(f->path, "'after'|truncated");
    free(b.data);
}

static void test_refuses_values_of_another_kind(void **state) {
    const struct fixture *f = *state;
    write_everything(f->path, 3, 32);
    struct gguf *file = open_or_fail(f->path);
    struct error error;
    uint64_t integer;
    double number;
    char string[4];
    float read[9];
    static const char *const no_unsigned[] = {"i8", "i32", "i64", "f32", "bool", "string", "numbers"};
    for (size_t i = 0; i < sizeof no_unsigned / sizeof *no_unsigned; i++) {
        assert_int_equal(gguf_get_unsigned(file, no_unsigned[i], &integer, &error), STATUS_INPUT);
        assert_message(error.message, no_unsigned[i]);
        assert_message(error.message, "not negative");
    }
    assert_int_equal(gguf_get_number(file, "string", &number, &error), STATUS_INPUT);
    assert_int_equal(gguf_get_number(file, "bool", &number, &error), STATUS_INPUT);
    assert_int_equal(gguf_get_string(file, "u8", string, sizeof string, &error), STATUS_INPUT);
    assert_int_equal(gguf_get_string(file, "string", string, sizeof string, &error), STATUS_INPUT); /* no room for 0 */
    assert_message(error.message, "'string'|string|short enough");
    assert_int_equal(gguf_read_vector(file, &file->tensors[0], read, 6, &error), STATUS_INPUT);
    assert_message(error.message, "matrix.f16|f16|vector");
    assert_int_equal(gguf_read_vector(file, &file->tensors[2], read, 9, &error), STATUS_INPUT);
    gguf_close(file);
}

static void test_refuses_numbers_and_strings_that_make_no_sense(void **state) {
    const struct fixture *f = *state;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, 0, 2);
    put_key(&b, "nan", GGUF_F32), put_u32(&b, 0x7fc00000);
    put_key(&b, "zero", GGUF_STRING), put_u64(&b, 3), put_bytes(&b, "a\0b", 3);
    gguf_bytes_write(&b, f->path);
    struct gguf *file = open_or_fail(f->path);
    struct error error;
    double number;
    char string[16];
    assert_int_equal(gguf_get_number(file, "nan", &number, &error), STATUS_INPUT);
    assert_message(error.message, "finite");
    assert_int_equal(gguf_get_string(file, "zero", string, sizeof string, &error), STATUS_INPUT);
    assert_message(error.message, "zero bytes");
    gguf_close(file);
}

/* ---- Refusing files ---- */

/* Writes prefix, what `put` puts, padding and 64 bytes, and wants it refused. */
static void assert_bytes_refused(const struct fixture *f, uint64_t tensors, uint64_t keys,
                                 void (*put)(struct gguf_bytes *b), const char *words) {
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, tensors, keys);
    if (put) put(&b);
    put_padding(&b, 32);
    put_numbers(&b, numbers, 8), put_numbers(&b, numbers, 8);
    gguf_bytes_write(&b, f->path);
    assert_refused(f->path, words);
}

static void put_unknown_type(struct gguf_bytes *b) { put_key(b, "k", (enum gguf_type)13); }
static void put_long_string(struct gguf_bytes *b) { put_key(b, "k", GGUF_STRING), put_u64(b, 1 << 20); }
static void put_endless_string(struct gguf_bytes *b) { put_key(b, "k", GGUF_STRING), put_u64(b, UINT64_MAX); }
static void put_empty_name(struct gguf_bytes *b) { put_key(b, "", GGUF_U8), put_bytes(b, "a", 1); }
static void put_endless_name(struct gguf_bytes *b) { put_u64(b, UINT64_MAX); }
static void put_name_with_zero(struct gguf_bytes *b) {
    put_u64(b, 3), put_bytes(b, "a\0b", 3), put_u32(b, GGUF_U8), put_u64(b, 0);
}
static void put_array(struct gguf_bytes *b, uint32_t type, uint64_t count) {
    put_key(b, "k", GGUF_ARRAY), put_u32(b, type), put_u64(b, count);
}
static void put_long_array(struct gguf_bytes *b) { put_array(b, GGUF_U64, 1 << 20); }
static void put_wrapping_array(struct gguf_bytes *b) { put_array(b, GGUF_U64, (uint64_t)1 << 61); }
static void put_many_strings(struct gguf_bytes *b) { put_array(b, GGUF_STRING, UINT64_MAX); }
static void put_many_arrays(struct gguf_bytes *b) { put_array(b, GGUF_ARRAY, UINT64_MAX); }
static void put_array_of_unknown(struct gguf_bytes *b) { put_array(b, 99, 1); }
static void put_deep_array(struct gguf_bytes *b) {
    put_key(b, "k", GGUF_ARRAY);
    for (int i = 0; i < 20; i++) put_u32(b, GGUF_ARRAY), put_u64(b, 1);
}
static void put_same_keys(struct gguf_bytes *b) {
    put_key_u32(b, "same", 1), put_key_u32(b, "other", 2), put_key_u32(b, "same", 3);
}
static void put_alignment_0(struct gguf_bytes *b) { put_key_u32(b, "general.alignment", 0); }
static void put_alignment_48(struct gguf_bytes *b) { put_key_u32(b, "general.alignment", 48); }
static void put_alignment_large(struct gguf_bytes *b) { put_key_u32(b, "general.alignment", 1U << 31); }
static void put_alignment_string(struct gguf_bytes *b) { put_key_string(b, "general.alignment", "32"); }
static void put_shape(struct gguf_bytes *b, uint32_t rank, uint64_t first, uint64_t second, uint32_t type) {
    const uint64_t shape[] = {first, second, 1, 1, 1};
    put_tensor(b, "t", rank, shape, type, 0);
}
static void put_rank_5(struct gguf_bytes *b) { put_shape(b, 5, 1, 1, 0); }
static void put_rank_endless(struct gguf_bytes *b) { put_string(b, "t"), put_u32(b, UINT32_MAX), put_u64(b, 1); }
static void put_wrapping_shape(struct gguf_bytes *b) { put_shape(b, 2, (uint64_t)1 << 32, (uint64_t)1 << 32, 0); }
static void put_negative_shape(struct gguf_bytes *b) { put_shape(b, 1, (uint64_t)-8, 1, 0); }
static void put_wrapping_bytes(struct gguf_bytes *b) { put_shape(b, 1, (uint64_t)1 << 62, 1, 0); }
static void put_unknown_number(struct gguf_bytes *b) { put_shape(b, 1, 8, 1, 4); }
static void put_future_number(struct gguf_bytes *b) { put_shape(b, 1, 8, 1, 1000); }
static void put_part_of_a_block(struct gguf_bytes *b) { put_shape(b, 1, 33, 1, 2); }
static void put_long_tensor(struct gguf_bytes *b) { put_vector(b, "t", 17, 0); }
static void put_far_tensor(struct gguf_bytes *b) { put_vector(b, "t", 1, 96); }
static void put_endless_offset(struct gguf_bytes *b) { put_vector(b, "t", 8, UINT64_MAX - 31); }
static void put_unaligned(struct gguf_bytes *b) { put_vector(b, "t", 1, 8); }
static void put_same_tensors(struct gguf_bytes *b) { put_vector(b, "t", 8, 0), put_vector(b, "t", 8, 32); }
static void put_overlapping(struct gguf_bytes *b) { put_vector(b, "t", 8, 32), put_vector(b, "u", 9, 0); }
static void put_on_each_other(struct gguf_bytes *b) { put_vector(b, "t", 8, 32), put_vector(b, "u", 8, 32); }
static void put_long_tensor_name(struct gguf_bytes *b) {
    char name[66] = "";
    memset(name, 'n', 65);
    put_vector(b, name, 8, 0);
}

static void test_refuses_damaged_headers(void **state) {
    static const struct {
        uint64_t tensors, keys;
        void (*put)(struct gguf_bytes *b);
        const char *words;
    } cases[] = {
        {0, 1, put_unknown_type, "key 'k'|type 13"},
        {0, 1, put_long_string, "key 'k'|1048576 bytes should follow|truncated"},
        {0, 1, put_endless_string, "key 'k'|18446744073709551615 bytes should follow"},
        {0, 1, put_empty_name, "key 1 of 1|name of 0 bytes"},
        {0, 1, put_endless_name, "key 1 of 1|name of 18446744073709551615 bytes"},
        {0, 1, put_name_with_zero, "key 1 of 1|zero byte"},
        {0, 1, put_long_array, "key 'k'|array of 1048576 elements"},
        {0, 1, put_wrapping_array, "key 'k'|array of 2305843009213693952 elements"},
        {0, 1, put_many_strings, "key 'k'|array of 18446744073709551615 elements"},
        {0, 1, put_many_arrays, "key 'k'|array of 18446744073709551615 elements"},
        {0, 1, put_array_of_unknown, "key 'k'|type 99"},
        {0, 1, put_deep_array, "key 'k'|8 deep"},
        {0, 3, put_same_keys, "key 'same' occurs twice"},
        {0, 1, put_alignment_0, "general.alignment|power of two"},
        {0, 1, put_alignment_48, "general.alignment|power of two"},
        {0, 1, put_alignment_large, "general.alignment|at most 1048576"},
        {0, 1, put_alignment_string, "general.alignment|u32"},
        {0, UINT64_MAX, NULL, "declares 18446744073709551615 keys"},
        {0, 1 << 20, NULL, "declares 1048576 keys"},
        {UINT64_MAX, 0, NULL, "declares 18446744073709551615 tensors"},
        {1, 0, put_rank_5, "tensor 't'|5 dimensions"},
        {1, 0, put_rank_endless, "tensor 't'|4294967295 dimensions"},
        {1, 0, put_wrapping_shape, "tensor 't'|overflows"},
        {1, 0, put_negative_shape, "tensor 't'|overflows"},
        {1, 0, put_wrapping_bytes, "tensor 't'|overflows"},
        {1, 0, put_unknown_number, "tensor 't'|number type 4|another type"},
        {1, 0, put_future_number, "tensor 't'|number type 1000"},
        {1, 0, put_part_of_a_block, "tensor 't'|33 numbers|blocks of 32"},
        {1, 0, put_long_tensor, "tensor 't'|68 bytes at offset 0|64 bytes of data"},
        {1, 0, put_far_tensor, "tensor 't'|4 bytes at offset 96"},
        {1, 0, put_endless_offset, "tensor 't'|at offset 18446744073709551584"},
        {1, 0, put_unaligned, "tensor 't'|offset 8|alignment 32"},
        {1, 0, put_long_tensor_name, "tensor 1 of 1|name of 65 bytes"},
        {2, 0, put_same_tensors, "tensor 't' occurs twice"},
        {2, 0, put_overlapping, "'u' and 't' overlap"},
        {2, 0, put_on_each_other, "'t'|'u'|overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_bytes_refused(*state, cases[i].tensors, cases[i].keys, cases[i].put, cases[i].words);
    }
}

static void test_refuses_other_versions(void **state) {
    const struct fixture *f = *state;
    static const struct {
        uint32_t version;
        const char *words;
    } cases[] = {{0, "big-endian"}, {1, "version 1|convert"}, {4, "version 4"}, {0x03000000, "big-endian"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gguf_bytes b;
        gguf_bytes_begin(&b);
        put_prefix(&b, cases[i].version, 0, 0);
        gguf_bytes_write(&b, f->path);
        assert_refused(f->path, cases[i].words);
    }
    scratch_write(f->path, "{\"not\": \"a GGUF\"}", 17);
    assert_refused(f->path, "not a GGUF file");
    scratch_write(f->path, "", 0);
    assert_refused(f->path, "empty");
    remove(f->path);
    assert_refused(f->path, "No such file");
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_refused(f->path, "directory");
}

static void test_refuses_every_truncation(void **state) {
    const struct fixture *f = *state;
    size_t whole;
    write_everything(f->path, 3, 32);
    char *bytes = read_whole(f->path, &whole);
    for (size_t size = 0; size < whole; size++) {
        scratch_write(f->path, bytes, size);
        assert_refused(f->path, size == 0 ? "empty" : "truncated");
    }
    free(bytes);
}

/* ---- Copies ---- */

static const struct gguf_control no_control = {0};

static int copy(const char *from, const char *to, const struct gguf_edit *edit, const struct gguf_control *control,
                struct error *error) {
    struct gguf *file = open_or_fail(from);
    error->message[0] = '\0';
    int status = gguf_write(file, edit, to, control, error);
    gguf_close(file);
    return status;
}

static void copy_or_fail(const char *from, const char *to, const struct gguf_edit *edit) {
    struct error error;
    if (copy(from, to, edit, &no_control, &error) != STATUS_OK) fail_msg("%s", error.message);
}

static void assert_nothing_left(const struct fixture *f) {
    assert_int_not_equal(access(f->copy, F_OK), 0);
    assert_int_not_equal(access(f->part, F_OK), 0);
}

/* Unchanged, it is the same file, up to zeros behind its end. */
static void test_copies_bit_for_bit(void **state) {
    const struct fixture *f = *state;
    const struct gguf_edit none = {0};
    for (uint32_t version = 2; version <= 3; version++) {
        for (uint32_t alignment = 8; alignment <= 128; alignment *= 4) {
            size_t size, copied;
            write_everything(f->path, version, alignment);
            copy_or_fail(f->path, f->copy, &none);
            char *a = read_whole(f->path, &size), *b = read_whole(f->copy, &copied);
            assert_int_equal(copied, (size + alignment - 1) / alignment * alignment);
            assert_memory_equal(a, b, size);
            for (size_t i = size; i < copied; i++) assert_int_equal(b[i], 0);
            free(a), free(b);
            assert_int_not_equal(access(f->part, F_OK), 0);
            remove(f->copy);
        }
    }
}

static void test_copies_with_changes(void **state) {
    const struct fixture *f = *state;
    const float added[3] = {10, 20, 30}, replaced[5] = {1, 2, 3, 4, 5};
    const struct gguf_setting settings[] = {{.key = "strings", .type = GGUF_U32, .u32 = 7}, /* other types, in place */
                                            {.key = "u8", .type = GGUF_STRING, .string = "words"},
                                            {.key = "new", .type = GGUF_F32, .f32 = 0.5F}};
    const char *const no_keys[] = {"nested", "i64", "u8", "not there"}; /* u8 is set, too */
    const char *const no_tensors[] = {"blocks.q8_0", "added", "matrix.f16", "not there"};
    const struct gguf_vector vectors[] = {{"added", 3, added}, {"matrix.f16", 5, replaced}};
    const struct gguf_edit edit = {settings, 3, no_keys, 4, vectors, 2, no_tensors, 4};
    write_everything(f->path, 3, 64);
    copy_or_fail(f->path, f->copy, &edit);

    struct gguf *file = open_or_fail(f->copy);
    assert_int_equal(gguf_key_count(file), 17 - 2 + 1);
    assert_unsigned(file, "strings", 7), assert_string(file, "u8", "words"), assert_number(file, "new", 0.5);
    assert_string_equal(gguf_key_name(file, 0), "u8");
    assert_string_equal(gguf_key_name(file, 15), "new");
    assert_false(gguf_has_key(file, "nested") || gguf_has_key(file, "i64"));
    assert_unsigned(file, "u64", UINT64_MAX), assert_number(file, "f64", 1e-300), assert_string(file, "string", "text");
    assert_int_equal(file->tensor_count, 3);
    static const char *const names[] = {"matrix.f16", "vector.f32", "added"};
    const float *const wanted[] = {replaced, numbers, added};
    const uint64_t counts[] = {5, 8, 3};
    for (size_t t = 0; t < 3; t++) {
        float read[8];
        struct error error;
        const struct gguf_tensor *tensor = &file->tensors[t];
        assert_string_equal(tensor->name, names[t]);
        assert_int_equal(tensor->offset % 64, 0);
        assert_int_equal(gguf_read_vector(file, tensor, read, counts[t], &error), STATUS_OK);
        assert_memory_equal(read, wanted[t], counts[t] * sizeof *read);
    }
    gguf_close(file);
}

/* Gaps are closed, and data that lie in another order than their names are put in that. */
static void test_packs_data(void **state) {
    const struct fixture *f = *state;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, 3, 0);
    put_vector(&b, "second", 4, 96);
    put_vector(&b, "none", 0, 96);
    put_vector(&b, "first", 4, 32);
    put_padding(&b, 32);
    fflush(b.stream);
    size_t data = b.size;
    for (int i = 0; i < 4; i++) put_numbers(&b, numbers + (i == 3 ? 4 : 0), 4), put_bytes(&b, "0123456789abcdef", 16);
    gguf_bytes_write(&b, f->path);
    copy_or_fail(f->path, f->copy, &(struct gguf_edit){0});
    size_t size;
    char *bytes = read_whole(f->copy, &size);
    assert_int_equal(size, data + 64);
    assert_memory_equal(bytes + data, numbers + 4, 16);
    assert_memory_equal(bytes + data + 32, numbers, 16);
    for (size_t i = 16; i < 32; i++) assert_true(bytes[data + i] == 0 && bytes[data + 32 + i] == 0);
    free(bytes);
    struct gguf *file = open_or_fail(f->copy);
    assert_int_equal(gguf_find_tensor(file, "none")->bytes, 0);
    gguf_close(file);
}

/* A tensor of some MiB and odd numbers of bytes before it. */
static void put_large(struct gguf_bytes *b, size_t bytes) {
    const uint64_t shape = bytes;
    put_prefix(b, 3, 2, 1);
    put_key_string(b, "k", "odd");
    put_tensor(b, "large", 1, &shape, 24, 0);
    put_vector(b, "v", 8, (bytes + 31) / 32 * 32);
    put_padding(b, 32);
    for (size_t i = 0; i < bytes; i++) fputc((int)(i * 2654435761U >> 13 & 0xff), b->stream);
    put_padding(b, 32);
    put_numbers(b, numbers, 8);
}

struct progress {
    double last;
    int calls;
};

static void count_progress(void *state, double fraction) {
    struct progress *progress = state;
    assert_true(fraction >= progress->last && fraction <= 1.0);
    progress->last = fraction;
    progress->calls++;
}

static void test_copies_more_than_a_buffer(void **state) {
    const struct fixture *f = *state;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_large(&b, 3500001);
    gguf_bytes_write(&b, f->path);
    struct progress progress = {0};
    const struct gguf_control control = {.progress = count_progress, .progress_state = &progress};
    struct error error;
    assert_int_equal(copy(f->path, f->copy, &(struct gguf_edit){0}, &control, &error), STATUS_OK);
    assert_true(progress.calls >= 4 && progress.last == 1.0);
    size_t size, copied;
    char *from = read_whole(f->path, &size), *to = read_whole(f->copy, &copied);
    assert_int_equal(copied, size);
    assert_memory_equal(from, to, size);
    free(from), free(to);
}

static void test_overwrites_nothing_unless_told_to(void **state) {
    const struct fixture *f = *state;
    const struct gguf_edit none = {0};
    struct error error;
    size_t size;
    write_everything(f->path, 3, 32);
    scratch_write(f->copy, "precious", 8);
    assert_int_equal(copy(f->path, f->copy, &none, &no_control, &error), STATUS_INPUT);
    assert_message(error.message, f->copy);
    assert_message(error.message, "exists|--force");
    char *bytes = read_whole(f->copy, &size);
    assert_true(size == 8 && memcmp(bytes, "precious", 8) == 0);
    free(bytes);
    assert_int_equal(copy(f->path, f->path, &none, &no_control, &error), STATUS_INPUT); /* onto itself */
    assert_everything(f->path, 32);

    const struct gguf_control replace = {.replace = true};
    assert_int_equal(copy(f->path, f->copy, &none, &replace, &error), STATUS_OK);
    assert_everything(f->copy, 32);
    assert_int_equal(copy(f->copy, f->copy, &none, &replace, &error), STATUS_OK); /* onto itself */
    assert_everything(f->copy, 32);
    assert_true(access(f->part, F_OK) != 0);

    remove(f->copy);
    scratch_write(f->part, "of a killed copy", 16);
    assert_int_equal(copy(f->path, f->copy, &none, &no_control, &error), STATUS_OK);
    assert_everything(f->copy, 32);
    assert_true(access(f->part, F_OK) != 0);
    remove(f->copy);
    char *nowhere = scratch_path(&f->scratch, "no/folder.gguf");
    assert_int_equal(copy(f->path, nowhere, &none, &no_control, &error), STATUS_INPUT);
    assert_message(error.message, "no/folder.gguf|folder does not exist");
    free(nowhere);
}

/* Somebody else's file that appears while the copy is made is not overwritten either. */
static void appear(void *state, double fraction) {
    (void)fraction;
    scratch_write(state, "precious", 8);
}

static void test_overwrites_nothing_unless_told_to_that_appears_meanwhile(void **state) {
    const struct fixture *f = *state;
    struct error error;
    size_t size;
    write_everything(f->path, 3, 32);
    const struct gguf_control control = {.progress = appear, .progress_state = f->copy};
    assert_int_equal(copy(f->path, f->copy, &(struct gguf_edit){0}, &control, &error), STATUS_INPUT);
    assert_message(error.message, "exists");
    char *bytes = read_whole(f->copy, &size);
    assert_int_equal(size, 8);
    free(bytes);
    assert_int_not_equal(access(f->part, F_OK), 0);
}

static void raise_flag(void *state, double fraction) {
    (void)fraction;
    *(volatile sig_atomic_t *)state = 1;
}

static void test_stops_and_leaves_nothing(void **state) {
    const struct fixture *f = *state;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_large(&b, 3500001);
    gguf_bytes_write(&b, f->path);
    struct error error;
    volatile sig_atomic_t stop = 1; /* from the beginning */
    struct gguf_control control = {.stop = &stop};
    assert_int_equal(copy(f->path, f->copy, &(struct gguf_edit){0}, &control, &error), STATUS_STOPPED);
    assert_message(error.message, "stopped by a signal; |copy.gguf was not written");
    assert_nothing_left(f);
    stop = 0; /* after the first MiB */
    control = (struct gguf_control){.stop = &stop, .progress = raise_flag, .progress_state = (void *)&stop};
    assert_int_equal(copy(f->path, f->copy, &(struct gguf_edit){0}, &control, &error), STATUS_STOPPED);
    assert_nothing_left(f);
}

static int copy_on_a_full_disk(void *state, int pipe) {
    const struct fixture *f = state;
    struct error error = {""};
    child_limit_files(1 << 20);
    struct gguf *file = NULL;
    int status = gguf_open(f->path, &file, &error);
    if (status == STATUS_OK) status = gguf_write(file, &(struct gguf_edit){0}, f->copy, &no_control, &error);
    gguf_close(file);
    child_say(pipe, error.message);
    return status;
}

static void test_leaves_nothing_on_a_full_disk(void **state) {
    struct fixture *f = *state;
    struct gguf_bytes b;
    gguf_bytes_begin(&b);
    put_large(&b, 3500001);
    gguf_bytes_write(&b, f->path);
    char text[512];
    assert_int_equal(child_run(copy_on_a_full_disk, f, text, sizeof text), STATUS_FAILED);
    assert_message(text, "copy.gguf|could not be written|File too large|ulimit -f");
    assert_nothing_left(f);
}

/* The file shrinks after it was opened. */
static void test_notices_a_file_that_shrinks(void **state) {
    const struct fixture *f = *state;
    write_everything(f->path, 3, 32);
    struct gguf *file = open_or_fail(f->path);
    assert_int_equal(truncate(f->path, (off_t)file->tensors[2].offset + 5), 0);
    struct error error;
    float read[8];
    assert_int_equal(gguf_write(file, &(struct gguf_edit){0}, f->copy, &no_control, &error), STATUS_INPUT);
    assert_message(error.message, f->path);
    assert_message(error.message, "being written");
    assert_nothing_left(f);
    assert_int_equal(gguf_read_vector(file, &file->tensors[2], read, 8, &error), STATUS_INPUT);
    gguf_close(file);
}

/* Whatever one byte of the header becomes, opening ends with a message or a file that can be copied. */
static void test_survives_damaged_bytes(void **state) {
    const struct fixture *f = *state;
    static const unsigned char values[] = {0, 1, 8, 9, 0x7f, 0x80, 0xff};
    size_t size, refused = 0, copied = 0;
    write_everything(f->path, 3, 32);
    char *bytes = read_whole(f->path, &size);
    struct gguf *whole = open_or_fail(f->path);
    size_t header = whole->tensors[0].offset;
    gguf_close(whole);
    for (size_t at = 0; at < header; at++) {
        char before = bytes[at];
        for (size_t v = 0; v < sizeof values; v++) {
            bytes[at] = (char)values[v];
            scratch_write(f->path, bytes, size);
            struct gguf *file = NULL;
            struct error error = {""};
            if (gguf_open(f->path, &file, &error) != STATUS_OK) {
                assert_message(error.message, f->path);
                refused++;
                continue;
            }
            if (v == at % (sizeof values / sizeof *values)) { /* each waits for the disk: not all */
                remove(f->copy);
                int status = gguf_write(file, &(struct gguf_edit){0}, f->copy, &no_control, &error);
                if (status != STATUS_OK) fail_msg("%s", error.message);
                gguf_close(open_or_fail(f->copy));
                copied++;
            }
            gguf_close(file);
        }
        bytes[at] = before;
    }
    free(bytes);
    assert_true(refused > 1000 && copied > 100);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reads_every_type),
        TEST(test_reads_long_values),
        TEST(test_reads_large_files),
        TEST(test_refuses_values_of_another_kind),
        TEST(test_refuses_numbers_and_strings_that_make_no_sense),
        TEST(test_refuses_damaged_headers),
        TEST(test_refuses_other_versions),
        TEST(test_refuses_every_truncation),
        TEST(test_copies_bit_for_bit),
        TEST(test_copies_with_changes),
        TEST(test_packs_data),
        TEST(test_copies_more_than_a_buffer),
        TEST(test_overwrites_nothing_unless_told_to),
        TEST(test_overwrites_nothing_unless_told_to_that_appears_meanwhile),
        TEST(test_stops_and_leaves_nothing),
        TEST(test_leaves_nothing_on_a_full_disk),
        TEST(test_notices_a_file_that_shrinks),
        TEST(test_survives_damaged_bytes),
    };
#undef TEST
    return cmocka_run_group_tests_name("gguf", tests, NULL, NULL);
}
