/* eval/model/safetensors: what it reads, and what it refuses. */
#include "tests/unit/scratch_file.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "eval/model/safetensors.h"

/* ---- Files ---- */

/* The bytes of a file being made. */
struct bytes {
    unsigned char *data;
    size_t size;
};

/* Length, header, data; the caller frees .data. */
static struct bytes assemble(const char *header, const void *data, size_t data_size) {
    uint64_t length = strlen(header);
    struct bytes out = {malloc(8 + length + data_size), 8 + length + data_size};
    assert_non_null(out.data);
    for (int i = 0; i < 8; i++) out.data[i] = (unsigned char)(length >> 8 * i);
    memcpy(out.data + 8, header, length);
    if (data_size > 0) memcpy(out.data + 8 + length, data, data_size);
    return out;
}

/* Opens a file of that header and `data_size` bytes of 0, 1, 2, ... */
static int open_header(const struct fixture *fixture, const char *header, size_t data_size, struct safetensors **out,
                       struct error *error) {
    unsigned char data[256];
    assert_true(data_size <= sizeof data);
    for (size_t i = 0; i < data_size; i++) data[i] = (unsigned char)i;
    struct bytes file = assemble(header, data, data_size);
    scratch_write(fixture->path, file.data, file.size);
    free(file.data);
    *out = NULL;
    error->message[0] = '\0';
    return safetensors_open(fixture->path, out, error);
}

static void assert_opens(const struct fixture *fixture, const char *header, size_t data_size,
                         struct safetensors **out) {
    struct error error;
    if (open_header(fixture, header, data_size, out, &error) != STATUS_OK) fail_msg("%s", error.message);
}

static void assert_refused(const struct fixture *fixture, int status, int wanted, const struct safetensors *file,
                           const struct error *error, const char *words) {
    assert_int_equal(status, wanted);
    assert_null(file);
    assert_message(error->message, fixture->path);
    assert_message(error->message, words);
}

/* ---- Reading ---- */

/* All of a tensor. */
static void read_tensor(const struct tensor *tensor, float *out) {
    tensor_rows_to_f32(tensor, 0, tensor->rank > 0 ? tensor->shape[0] : 1, out);
}

static const char three_types[] =
    "{\"__metadata__\": {\"format\": \"pt\"},"
    " \"b.f16\": {\"dtype\": \"F16\", \"shape\": [3], \"data_offsets\": [0, 6]},"
    " \"c.bf16\": {\"dtype\": \"BF16\", \"shape\": [1, 2, 1, 1], \"data_offsets\": [6, 10]},"
    " \"a.f32\": {\"dtype\": \"F32\", \"shape\": [2, 2], \"data_offsets\": [10, 26]},"
    " \"none\": {\"dtype\": \"F32\", \"shape\": [4, 0], \"data_offsets\": [12, 12]},"
    " \"scalar\": {\"dtype\": \"F16\", \"shape\": [], \"data_offsets\": [26, 28]}}";

static const unsigned char three_types_data[28] = {
    0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00,                                        /* f16 1, -2, 2^-24 */
    0x80, 0x3f, 0x20, 0xc1,                                                    /* bf16 1, -10 */
    0,    0,    0x80, 0x3f, 0,    0,    0, 0x80, 0, 0, 0x80, 0x7f, 1, 0, 0, 0, /* f32 1, -0, inf, the least subnormal */
    0x00, 0x38,                                                                /* f16 0.5 */
};

static void test_reads_every_type(void **state) {
    const struct fixture *fixture = *state;
    struct bytes bytes = assemble(three_types, three_types_data, sizeof three_types_data);
    scratch_write(fixture->path, bytes.data, bytes.size);
    struct safetensors *file = NULL;
    struct error error;
    assert_int_equal(safetensors_open(fixture->path, &file, &error), STATUS_OK);

    const struct tensor *tensor = safetensors_find(file, "a.f32");
    float out[4];
    assert_non_null(tensor);
    assert_string_equal(tensor->name, "a.f32");
    assert_int_equal(tensor->type, BLOCK_F32);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->shape[0], 2);
    assert_int_equal(tensor->shape[1], 2);
    assert_int_equal(tensor->count, 4);
    read_tensor(tensor, out);
    assert_true(out[0] == 1 && out[1] == 0 && signbit(out[1]) && isinf(out[2]) && out[3] == ldexpf(1, -149));

    tensor = safetensors_find(file, "b.f16");
    assert_int_equal(tensor->type, BLOCK_F16);
    read_tensor(tensor, out);
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == ldexpf(1, -24));

    tensor = safetensors_find(file, "c.bf16");
    assert_int_equal(tensor->rank, 4);
    assert_int_equal(tensor->count, 2);
    read_tensor(tensor, out);
    assert_true(out[0] == 1 && out[1] == -10);

    tensor = safetensors_find(file, "scalar");
    assert_int_equal(tensor->rank, 0);
    assert_int_equal(tensor->count, 1);
    read_tensor(tensor, out);
    assert_true(out[0] == 0.5f);

    tensor = safetensors_find(file, "none");
    assert_int_equal(tensor->count, 0);
    out[0] = 7;
    read_tensor(tensor, out);
    assert_true(out[0] == 7);

    assert_null(safetensors_find(file, "__metadata__"));
    assert_null(safetensors_find(file, "a.f3"));
    assert_null(safetensors_find(file, ""));
    size_t size = 0;
    const void *mapped = safetensors_bytes(file, &size);
    assert_int_equal(size, bytes.size);
    assert_memory_equal(mapped, bytes.data, size);
    safetensors_close(file);
    free(bytes.data);
}

/* The header's length decides where the data begin: every alignment must read the same. */
static void test_reads_at_every_alignment(void **state) {
    const struct fixture *fixture = *state;
    for (int pad = 0; pad < 8; pad++) {
        char header[sizeof three_types + 8];
        snprintf(header, sizeof header, "%s%*s", three_types, pad, "");
        struct bytes bytes = assemble(header, three_types_data, sizeof three_types_data);
        scratch_write(fixture->path, bytes.data, bytes.size);
        free(bytes.data);
        struct safetensors *file = NULL;
        struct error error;
        assert_int_equal(safetensors_open(fixture->path, &file, &error), STATUS_OK);
        float out[4];
        read_tensor(safetensors_find(file, "a.f32"), out);
        assert_true(out[0] == 1 && out[3] == ldexpf(1, -149));
        read_tensor(safetensors_find(file, "b.f16"), out);
        assert_true(out[1] == -2);
        safetensors_close(file);
    }
}

/* Rows are what the first dimension counts, however many there are. */
static void test_reads_ranges_of_rows(void **state) {
    (void)state;
    const float numbers[24] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
    const struct tensor cube = {.type = BLOCK_F32, .rank = 3, .shape = {4, 2, 3}, .count = 24, .data = numbers};
    const struct tensor vector = {.type = BLOCK_F32, .rank = 1, .shape = {24}, .count = 24, .data = numbers};
    for (int first = 0; first <= 4; first++) {
        for (int rows = 0; rows <= 4 - first; rows++) {
            float out[25];
            for (int i = 0; i < 25; i++) out[i] = -1;
            tensor_rows_to_f32(&cube, first, rows, out);
            for (int i = 0; i < 6 * rows; i++) assert_true(out[i] == (float)(6 * first + i));
            assert_true(out[6 * rows] == -1);
        }
    }
    float out[2] = {-1, -1};
    tensor_rows_to_f32(&vector, 23, 1, out);
    assert_true(out[0] == 23 && out[1] == -1);
}

static void test_finds_each_of_many(void **state) {
    const struct fixture *fixture = *state;
    enum { MANY = 200 };
    char *header = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&header, &size);
    assert_non_null(text);
    for (int i = 0; i < MANY; i++) {
        int k = i * 77 % MANY; /* not in the order of names */
        fprintf(text, "%s\"layer.%d\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [%d, %d]}",
                i ? ", " : "{", k, 4 * k, 4 * k + 4);
    }
    fputc('}', text);
    fclose(text);
    float data[MANY], out;
    for (int i = 0; i < MANY; i++) data[i] = (float)i;
    struct bytes bytes = assemble(header, data, sizeof data);
    scratch_write(fixture->path, bytes.data, bytes.size);
    free(bytes.data);
    free(header);

    struct safetensors *file = NULL;
    struct error error;
    assert_int_equal(safetensors_open(fixture->path, &file, &error), STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%d", i);
        const struct tensor *tensor = safetensors_find(file, name);
        assert_non_null(tensor);
        read_tensor(tensor, &out);
        assert_true(out == (float)i);
    }
    assert_null(safetensors_find(file, "layer.200"));
    safetensors_close(file);
}

static void test_accepts_what_the_format_allows(void **state) {
    const struct fixture *fixture = *state;
    static const char *const headers[] = {
        "{}",
        "{}   ",
        "{\"__metadata__\": {}}",
        /* next to each other, in the other order, and with a gap */
        ("{\"b\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [4, 8]},"
         " \"a\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [0, 4]}}"),
        "{\"a\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [12, 16]}}",
        "{\"a\": {\"dtype\": \"F16\", \"shape\": [0], \"data_offsets\": [16, 16]}}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct safetensors *file;
        assert_opens(fixture, headers[i], 16, &file);
        assert_null(safetensors_find(file, "x"));
        safetensors_close(file);
    }
    safetensors_close(NULL);
}

/* Tensors that nobody reads may be of any type and have any number of dimensions. */
static void test_tells_what_can_be_read(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[] = {
        "\"I64\", \"shape\": [2], \"data_offsets\": [0, 16]",
        "\"F64\", \"shape\": [2], \"data_offsets\": [0, 16]",
        "\"U64\", \"shape\": [], \"data_offsets\": [0, 8]",
        "\"C64\", \"shape\": [1], \"data_offsets\": [0, 8]",
        "\"I32\", \"shape\": [4], \"data_offsets\": [0, 16]",
        "\"U32\", \"shape\": [4], \"data_offsets\": [0, 16]",
        "\"I16\", \"shape\": [8], \"data_offsets\": [0, 16]",
        "\"U16\", \"shape\": [8], \"data_offsets\": [0, 16]",
        "\"BOOL\", \"shape\": [3], \"data_offsets\": [0, 3]",
        "\"U8\", \"shape\": [3], \"data_offsets\": [0, 3]",
        "\"I8\", \"shape\": [3], \"data_offsets\": [0, 3]",
        "\"F8_E4M3\", \"shape\": [3], \"data_offsets\": [0, 3]",
        "\"F8_E5M2\", \"shape\": [3], \"data_offsets\": [0, 3]",
        "\"F8_E8M0\", \"shape\": [3], \"data_offsets\": [0, 3]",
        "\"F4\", \"shape\": [4], \"data_offsets\": [0, 2]",
        "\"F6_E2M3\", \"shape\": [4], \"data_offsets\": [0, 3]",
        "\"f32\", \"shape\": [1], \"data_offsets\": [0, 5]",
        "\"F32\", \"shape\": [1, 1, 1, 1, 4], \"data_offsets\": [0, 16]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct safetensors *file;
        char header[256];
        snprintf(header, sizeof header,
                 "{\"a\": {\"dtype\": %s}, \"b\": {\"dtype\": \"F32\", \"shape\": [1],"
                 " \"data_offsets\": [16, 20]}}",
                 cases[i]);
        assert_opens(fixture, header, 20, &file);
        const struct tensor *tensor = safetensors_find(file, "a");
        assert_non_null(tensor);
        assert_false(tensor_is_readable(tensor));
        assert_memory_equal(tensor->type_name, cases[i] + 1, strlen(tensor->type_name));
        assert_true(tensor_is_readable(safetensors_find(file, "b")));
        safetensors_close(file);
    }
}

/* ---- Refusing ---- */

static bool is_mapped(const char *path) {
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    bool found = false;
    char line[PATH_MAX + 128];
    while (fgets(line, sizeof line, maps)) found = found || strstr(line, path);
    fclose(maps);
    return found;
}

static void test_refuses_headers(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        const char *header; /* before 16 bytes of data */
        const char *words;  /* of the message */
    } cases[] = {
        {"", "JSON"},
        {"{", "JSON"},
        {"[]", "not a JSON object"},
        {"{} {}", "JSON"},
        {"{\"a\": 1}", "'a'|object"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
         "JSON|duplicate"},
        {"{\"a\": {\"shape\": [1], \"data_offsets\": [0, 4]}}", "'a'|dtype"},
        {"{\"a\": {\"dtype\": 7, \"shape\": [1], \"data_offsets\": [0, 4]}}", "'a'|dtype"},
        /* of types that are not read, too, sizes and places are checked */
        {"{\"w.q\": {\"dtype\": \"I64\", \"shape\": [1], \"data_offsets\": [0, 4]}}", "'w.q'|span 4|1 numbers|I64"},
        {"{\"a\": {\"dtype\": \"F4\", \"shape\": [3], \"data_offsets\": [0, 2]}}", "'a'|span 2|3 numbers|F4"},
        {"{\"a\": {\"dtype\": \"U8\", \"shape\": [4611686018427387904], \"data_offsets\": [0, 0]}}", "'a'|span 0"},
        {"{\"a\": {\"dtype\": \"F8_E4M3\", \"shape\": [17], \"data_offsets\": [0, 17]}}", "'a'|[0, 17]|within"},
        {"{\"a\": {\"dtype\": \"f32\", \"shape\": [1], \"data_offsets\": [0, 17]}}", "'a'|[0, 17]|within"},
        {"{\"x\": {\"dtype\": \"I64\", \"shape\": [1], \"data_offsets\": [0, 8]},"
         " \"a\": {\"dtype\": \"BOOL\", \"shape\": [1], \"data_offsets\": [7, 8]}}",
         "'a'|'x'|overlap"},
        {"{\"x\": {\"dtype\": \"NEW\", \"shape\": [0], \"data_offsets\": [0, 8]},"
         " \"a\": {\"dtype\": \"BOOL\", \"shape\": [1], \"data_offsets\": [7, 8]}}",
         "'a'|'x'|overlap"},
        {"{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 4]}}", "'a'|shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": 1, \"data_offsets\": [0, 4]}}", "'a'|shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1, -1], \"data_offsets\": [0, 4]}}", "'a'|dimension 1|non-negative"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1.0], \"data_offsets\": [0, 4]}}", "'a'|dimension 0|integer"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [\"1\"], \"data_offsets\": [0, 4]}}", "'a'|dimension 0|integer"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,2], \"data_offsets\": [0, 4]}}", "'a'|span 4|2 numbers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296], \"data_offsets\": [0, 4]}}",
         "'a'|overflows"},
        /* 2^62 numbers fit into 63 bits, their bytes do not; nor may they wrap to 0 */
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904], \"data_offsets\": [0, 0]}}", "'a'|span 0"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [99999999999999999999], \"data_offsets\": [0, 4]}}", "JSON"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1]}}", "'a'|data_offsets"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0]}}", "'a'|data_offsets|two"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4, 8]}}", "'a'|data_offsets|two"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4.0]}}", "'a'|data_offsets|integers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": {\"0\": 0, \"1\": 4}}}", "'a'|data_offsets"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [-4, 0]}}", "'a'|[-4, 0]|within"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [8, 4]}}", "'a'|[8, 4]|within"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [12, 20]}}", "'a'|[12, 20]|16 bytes"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [9223372036854775803, 9223372036854775807]}}",
         "'a'|within"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}", "'a'|span 4|2 numbers|F32"},
        {"{\"a\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [0, 8]}}", "'a'|span 8|2 numbers|F16"},
        {"{\"a\": {\"dtype\": \"BF16\", \"shape\": [], \"data_offsets\": [0, 0]}}", "'a'|span 0|1 numbers|BF16"},
        {"{\"x\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [2, 6]},"
         " \"a\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [0, 4]}}",
         "'a'|'x'|overlap"},
        {"{\"x\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [4, 8]},"
         " \"y\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [4, 8]}}",
         "'x'|'y'|overlap"},
        /* the one within the other, with a third behind both */
        {"{\"x\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 12]},"
         " \"y\": {\"dtype\": \"F16\", \"shape\": [1], \"data_offsets\": [4, 6]},"
         " \"z\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [12, 16]}}",
         "'x'|'y'|overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct safetensors *file;
        struct error error;
        int status = open_header(fixture, cases[i].header, 16, &file, &error);
        if (status == STATUS_OK) fail_msg("not refused: %s", cases[i].header);
        assert_refused(fixture, status, STATUS_INPUT, file, &error, cases[i].words);
    }
}

static void test_refuses_every_truncation(void **state) {
    const struct fixture *fixture = *state;
    struct bytes bytes = assemble(three_types, three_types_data, sizeof three_types_data);
    for (size_t size = 0; size < bytes.size; size++) {
        struct safetensors *file = NULL;
        struct error error;
        scratch_write(fixture->path, bytes.data, size);
        int status = safetensors_open(fixture->path, &file, &error);
        assert_refused(fixture, status, STATUS_INPUT, file, &error, size == 0 ? "empty" : "fetch");
    }
    free(bytes.data);
}

static void test_refuses_absurd_header_lengths(void **state) {
    const struct fixture *fixture = *state;
    struct bytes bytes = assemble(three_types, three_types_data, sizeof three_types_data);
    const uint64_t lengths[] = {bytes.size - 7, bytes.size,     (uint64_t)1 << 32, (uint64_t)1 << 63,
                                UINT64_MAX - 8, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(bytes.data, &lengths[i], 8);
        scratch_write(fixture->path, bytes.data, bytes.size);
        struct safetensors *file = NULL;
        struct error error;
        int status = safetensors_open(fixture->path, &file, &error);
        assert_refused(fixture, status, STATUS_INPUT, file, &error, "states a header|not a safetensors file");
    }
    free(bytes.data);
}

/* Neither a closed file nor a refused one stays mapped. */
static void test_leaves_nothing_mapped(void **state) {
    const struct fixture *fixture = *state;
    struct safetensors *file;
    struct error error;
    assert_opens(fixture, "{}", 16, &file);
    assert_true(is_mapped(fixture->path));
    safetensors_close(file);
    assert_false(is_mapped(fixture->path));
    assert_int_equal(open_header(fixture, "[]", 16, &file, &error), STATUS_INPUT);
    assert_false(is_mapped(fixture->path));
}

/* A file large enough for its header to be there, but not one that the format allows. */
static void test_refuses_a_header_beyond_the_format(void **state) {
    const struct fixture *fixture = *state;
    uint64_t length = 100 * 1000000 + 1;
    scratch_write(fixture->path, &length, sizeof length);
    assert_int_equal(truncate(fixture->path, (off_t)length + 100), 0); /* a hole: takes no room */
    struct safetensors *file = NULL;
    struct error error;
    int status = safetensors_open(fixture->path, &file, &error);
    assert_refused(fixture, status, STATUS_INPUT, file, &error, "states a header|100000001|allows 100000000");
}

/* Whatever one byte of the file becomes, opening ends with a file that can be read or a message. */
static void test_survives_damaged_bytes(void **state) {
    const struct fixture *fixture = *state;
    static const unsigned char values[] = {0, ' ', '"', '9', '-', ']', '}', 0x7f, 0xff};
    static const char *const names[] = {"a.f32", "b.f16", "c.bf16", "none", "scalar"};
    struct bytes bytes = assemble(three_types, three_types_data, sizeof three_types_data);
    size_t refused = 0;
    for (size_t at = 0; at < bytes.size - sizeof three_types_data; at++) {
        unsigned char before = bytes.data[at];
        for (size_t v = 0; v < sizeof values; v++) {
            bytes.data[at] = values[v];
            scratch_write(fixture->path, bytes.data, bytes.size);
            struct safetensors *file = NULL;
            struct error error;
            if (safetensors_open(fixture->path, &file, &error) != STATUS_OK) {
                assert_message(error.message, fixture->path);
                refused++;
                continue;
            }
            for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
                float out[64];
                const struct tensor *tensor = safetensors_find(file, names[n]);
                if (!tensor) continue; /* the name was hit */
                if (!tensor_is_readable(tensor)) continue;
                assert_in_range(tensor->count, 0, 14);
                read_tensor(tensor, out);
            }
            safetensors_close(file);
        }
        bytes.data[at] = before;
    }
    assert_true(refused > 1000);
    free(bytes.data);
}

static void test_refuses_what_is_no_file(void **state) {
    const struct fixture *fixture = *state;
    struct safetensors *file = NULL;
    struct error error;
    assert_refused(fixture, safetensors_open(fixture->path, &file, &error), STATUS_INPUT, file, &error,
                   "No such file|check the path");

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_refused(fixture, safetensors_open(fixture->path, &file, &error), STATUS_INPUT, file, &error, "directory");
    assert_int_equal(rmdir(fixture->path), 0);

    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_refused(fixture, safetensors_open(fixture->path, &file, &error), STATUS_INPUT, file, &error,
                   "regular file"); /* and does not wait for a writer */
    assert_int_equal(unlink(fixture->path), 0);

    scratch_write(fixture->path, "", 0);
    assert_refused(fixture, safetensors_open(fixture->path, &file, &error), STATUS_INPUT, file, &error, "empty");

    if (geteuid() != 0) { /* root may read anything */
        assert_int_equal(chmod(fixture->path, 0), 0);
        assert_refused(fixture, safetensors_open(fixture->path, &file, &error), STATUS_INPUT, file, &error,
                       "Permission denied");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_at_every_alignment, setup, teardown),
        cmocka_unit_test(test_reads_ranges_of_rows),
        cmocka_unit_test_setup_teardown(test_finds_each_of_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accepts_what_the_format_allows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tells_what_can_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_every_truncation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_absurd_header_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_a_header_beyond_the_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaves_nothing_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_survives_damaged_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_file, setup, teardown),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
