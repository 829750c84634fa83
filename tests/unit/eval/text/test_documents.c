/* eval/text/documents: text and .npy files as documents, and the windows chosen from them. */
#include "tests/unit/scratch_file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "eval/text/documents.h"
#include "eval/text/text_held_out.h"

static const struct tokenizer bytes_tokenizer = {.bos = -1, .eos = -1};

static int read_bytes(char *const *paths, size_t count, struct documents *out, struct error *error) {
    return documents_read_text(paths, count, &bytes_tokenizer, out, error);
}

/* ---- Text ---- */

static void test_text_is_one_token_a_byte(void **state) {
    const struct fixture *fixture = *state;
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (unsigned char)i;
    scratch_write(fixture->path, bytes, sizeof bytes);
    char *other = scratch_path(&fixture->scratch, "other");
    scratch_write(other, "ab\r\n", 4);

    char *const paths[] = {fixture->path, other, fixture->path};
    struct documents documents;
    struct error error;
    assert_int_equal(read_bytes(paths, 3, &documents, &error), STATUS_OK);
    assert_int_equal(documents.count, 3);
    for (size_t d = 0; d < 3; d++) assert_string_equal(documents.items[d].name, paths[d]);
    for (size_t d = 0; d < 3; d += 2) {
        assert_int_equal(documents.items[d].count, 256);
        for (int i = 0; i < 256; i++) assert_int_equal(documents.items[d].tokens[i], i);
    }
    assert_int_equal(documents.items[1].count, 4);
    assert_int_equal(documents.items[1].tokens[3], '\n');
    documents_free(&documents);
    documents_free(&documents); /* leaves a zeroed struct behind */
    free(other);
}

static void test_no_paths_are_no_documents(void **state) {
    (void)state;
    struct documents documents;
    struct error error;
    assert_int_equal(read_bytes(NULL, 0, &documents, &error), STATUS_OK);
    assert_int_equal(documents.count, 0);
    documents_free(&documents);
}

typedef int reader(char *const *paths, size_t count, struct documents *out, struct error *error);

/* The second of two files is refused: the message is about it, and nothing is left to be freed. */
static void assert_refused(const struct fixture *fixture, reader *read, const void *good, size_t good_size,
                           const char *words) {
    char *first = scratch_path(&fixture->scratch, "first");
    scratch_write(first, good, good_size);
    char *const paths[] = {first, fixture->path};
    struct documents documents = {.count = 7};
    struct error error = {""};
    int status = read(paths, 2, &documents, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, fixture->path);
    assert_message(error.message, words);
    assert_int_equal(documents.count, 0);
    assert_null(documents.items);
    free(first);
}

static void test_text_refuses_what_is_no_file(void **state) {
    const struct fixture *fixture = *state;
    assert_refused(fixture, read_bytes, "x", 1, "No such file|check the path");
    scratch_write(fixture->path, "", 0);
    assert_refused(fixture, read_bytes, "x", 1, "empty");
    assert_int_equal(remove(fixture->path), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_refused(fixture, read_bytes, "x", 1, "directory");
    assert_int_equal(rmdir(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_refused(fixture, read_bytes, "x", 1, "regular file");
    if (geteuid() != 0) { /* root may read anything */
        scratch_write(fixture->path, "x", 1);
        assert_int_equal(chmod(fixture->path, 0), 0);
        assert_refused(fixture, read_bytes, "x", 1, "Permission denied");
    }
}

/* ---- .npy ---- */

enum { NPY_MAX = 1024 };

/* An .npy file of that version, header and data; its size. */
static size_t npy_make(unsigned char out[NPY_MAX], int version, const char *header, const void *data, size_t size) {
    size_t length = strlen(header), begin = version == 1 ? 10 : 12;
    assert_true(begin + length + size <= NPY_MAX);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    for (size_t i = 8; i < begin; i++) out[i] = (unsigned char)(length >> 8 * (i - 8));
    memcpy(out + begin, header, length);
    if (size > 0) memcpy(out + begin + length, data, size);
    return begin + length + size;
}

static void npy_write(const struct fixture *fixture, int version, const char *header, const void *data, size_t size) {
    unsigned char bytes[NPY_MAX];
    size_t total = npy_make(bytes, version, header, data, size);
    scratch_write(fixture->path, bytes, total);
}

/* The file is read as tokens[count]. */
static void assert_reads(const struct fixture *fixture, const int32_t *tokens, int64_t count) {
    struct documents documents;
    struct error error;
    if (documents_read_npy(&fixture->path, 1, &documents, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(documents.count, 1);
    assert_string_equal(documents.items[0].name, fixture->path);
    assert_int_equal(documents.items[0].count, count);
    assert_memory_equal(documents.items[0].tokens, tokens, (size_t)count * sizeof *tokens);
    documents_free(&documents);
}

static const unsigned char good_data[] = {1, 2, 3};
static const char good_header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }   \n";

static void assert_npy_refused(const struct fixture *fixture, const char *words) {
    unsigned char good[NPY_MAX];
    size_t size = npy_make(good, 1, good_header, good_data, sizeof good_data);
    assert_refused(fixture, documents_read_npy, good, size, words);
}

static void test_npy_reads_every_integer_type(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        const char *descr;
        int bytes;
        int64_t largest;
    } types[] = {
        {"|u1", 1, UINT8_MAX},  {"|i1", 1, INT8_MAX},  {"<u1", 1, UINT8_MAX},
        {"<u2", 2, UINT16_MAX}, {"<i2", 2, INT16_MAX}, {"<u4", 4, INT32_MAX},
        {"<i4", 4, INT32_MAX},  {"<u8", 8, INT32_MAX}, {"<i8", 8, INT32_MAX},
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const int32_t tokens[] = {0, 1, 100, (int32_t)types[t].largest};
        unsigned char data[4 * 8];
        for (int i = 0; i < 4; i++) {
            int64_t token = tokens[i];
            memcpy(data + i * types[t].bytes, &token, (size_t)types[t].bytes);
        }
        char header[128];
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (4,), }\n", types[t].descr);
        for (int version = 1; version <= 3; version++) {
            npy_write(fixture, version, header, data, (size_t)types[t].bytes * 4);
            assert_reads(fixture, tokens, 4);
        }
    }
}

static void test_npy_reads_every_spelling(void **state) {
    const struct fixture *fixture = *state;
    static const char *const headers[] = {
        "{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }",
        "{'descr':'|u1','fortran_order':False,'shape':(3,)}",
        "{\"shape\": ( 3 , ), \"descr\": \"|u1\", \"fortran_order\": False}",
        "  { 'fortran_order' : False , 'shape' : (03,) , 'descr' : '|u1' , }  \n\n  ",
    };
    const int32_t tokens[] = {1, 2, 3};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        npy_write(fixture, 1, headers[i], good_data, sizeof good_data);
        assert_reads(fixture, tokens, 3);
    }
}

static void test_npy_refuses_headers(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"{'descr': '>i4', 'fortran_order': False, 'shape': (3,), }", "big-endian|'>i4'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "floating-point|'<f4'|not integers"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", "floating-point|'<f8'"},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", "'|b1"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "no numbers of a known type|O'"},
        {"{'descr': '<i3', 'fortran_order': False, 'shape': (1,), }", "'<i3'"},
        {"{'descr': '|i4', 'fortran_order': False, 'shape': (1,), }", "i4'"},
        {"{'descr': '<i16', 'fortran_order': False, 'shape': (1,), }", "'<i16'"},
        {"{'descr': '', 'fortran_order': False, 'shape': (3,), }", "''"},
        {"{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3,), }", "malformed|no plain array"},
        {"{'descr': '<c0123456789abcdef', 'fortran_order': False, 'shape': (3,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "0 dimensions"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 1), }", "2 dimensions|save its reshape(-1)"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 3,), }", "3 dimensions|save its reshape(-1)"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), }", "2 dimensions|save each row as a file"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "2 numbers of 1 bytes|3 bytes"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", "4 numbers of 1 bytes|3 bytes"},
        {"{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }", "3 numbers of 2 bytes|3 bytes"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2305843009213693952,), }", "2305843009213693952 numbers"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-3,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3.0,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': 3, }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': Maybe, 'shape': (3,), }", "malformed"},
        {"{'descr': '|u1', 'shape': (3,), }", "malformed"},
        {"{'fortran_order': False, 'shape': (3,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, }", "malformed"},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), 'more': 1}", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), } more", "malformed"},
        {"{'descr': '|u1' 'fortran_order': False, 'shape': (3,), }", "malformed"},
        {"{'descr': '|u1, 'fortran_order': False, 'shape': (3,), }", "malformed"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), ", "malformed"},
        {"'descr': '|u1', 'fortran_order': False, 'shape': (3,)", "malformed"},
        {"{", "malformed"},
        {"", "malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        npy_write(fixture, 1, cases[i][0], good_data, sizeof good_data);
        assert_npy_refused(fixture, cases[i][1]);
    }
    npy_write(fixture, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }", NULL, 0);
    assert_npy_refused(fixture, "no tokens");
}

static void test_npy_refuses_many_dimensions(void **state) {
    const struct fixture *fixture = *state;
    char header[512] = "{'descr': '|u1', 'fortran_order': False, 'shape': (";
    for (int i = 0; i < 100; i++) strcat(header, "1,");
    strcat(header, "), }");
    npy_write(fixture, 1, header, good_data, 1);
    assert_npy_refused(fixture, "malformed");
}

static void test_npy_refuses_other_files(void **state) {
    const struct fixture *fixture = *state;
    unsigned char bytes[NPY_MAX];
    scratch_write(fixture->path, "just some text", 14);
    assert_npy_refused(fixture, "not an .npy file");
    static const int versions[] = {0, 4, 255};
    for (int i = 0; i < 3; i++) {
        size_t size = npy_make(bytes, versions[i], good_header, good_data, sizeof good_data);
        scratch_write(fixture->path, bytes, size);
        assert_npy_refused(fixture, "version|1.0 to 3.0");
    }
}

/* One byte less, or one more, than the header says. */
static void test_npy_refuses_every_truncation(void **state) {
    const struct fixture *fixture = *state;
    for (int version = 1; version <= 3; version++) {
        unsigned char bytes[NPY_MAX];
        size_t total = npy_make(bytes, version, good_header, good_data, sizeof good_data);
        for (size_t size = 0; size < total; size++) {
            scratch_write(fixture->path, bytes, size);
            assert_npy_refused(fixture, size == 0 ? "empty" : size < 8 ? "not an .npy file" : "truncated");
        }
        scratch_write(fixture->path, bytes, total + 1);
        assert_npy_refused(fixture, "3 numbers of 1 bytes|4 bytes");
    }
}

static void test_npy_refuses_absurd_header_lengths(void **state) {
    const struct fixture *fixture = *state;
    static const uint32_t lengths[] = {70, 1000, UINT16_MAX, INT32_MAX, UINT32_MAX - 11, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned char bytes[NPY_MAX];
        size_t size = npy_make(bytes, 2, good_header, good_data, sizeof good_data);
        memcpy(bytes + 8, &lengths[i], 4);
        scratch_write(fixture->path, bytes, size);
        assert_npy_refused(fixture, "states an .npy header|truncated");
    }
}

static void test_npy_refuses_tokens(void **state) {
    const struct fixture *fixture = *state;
    static const struct {
        const char *descr;
        int bytes;
        uint64_t token;
        const char *words;
    } cases[] = {
        {"|i1", 1, 0xff, "position 2|negative (-1)"},
        {"|i1", 1, 0x80, "position 2|negative (-128)"},
        {"<i2", 2, 0x8000, "position 2|negative (-32768)"},
        {"<i4", 4, 0xffffffff, "position 2|negative (-1)"},
        {"<i8", 8, UINT64_MAX, "position 2|negative (-1)"},
        {"<i8", 8, (uint64_t)1 << 63, "position 2|negative (-9223372036854775808)"},
        {"<u4", 4, 0x80000000, "position 2|2147483648|2^31-1"},
        {"<i8", 8, 0x80000000, "position 2|2147483648|2^31-1"},
        {"<u8", 8, 0x100000001, "position 2|4294967297|2^31-1"},
        {"<u8", 8, UINT64_MAX, "position 2|18446744073709551615|2^31-1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char data[4 * 8] = {0};
        memcpy(data + 2 * cases[i].bytes, &cases[i].token, (size_t)cases[i].bytes);
        char header[128];
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (4,), }\n", cases[i].descr);
        npy_write(fixture, 1, header, data, (size_t)cases[i].bytes * 4);
        assert_npy_refused(fixture, cases[i].words);
    }
}

/* Whatever one byte of the header becomes, reading ends with tokens or with a message. */
static void test_npy_survives_damaged_bytes(void **state) {
    const struct fixture *fixture = *state;
    static const unsigned char values[] = {0, ' ', '\'', '"', '9', '(', ')', '{', '}', ',', ':', 0xff};
    unsigned char bytes[NPY_MAX];
    size_t size = npy_make(bytes, 1, good_header, good_data, sizeof good_data), refused = 0;
    for (size_t at = 0; at < size - sizeof good_data; at++) {
        unsigned char before = bytes[at];
        for (size_t v = 0; v < sizeof values; v++) {
            bytes[at] = values[v];
            scratch_write(fixture->path, bytes, size);
            struct documents documents;
            struct error error;
            if (documents_read_npy(&fixture->path, 1, &documents, &error) != STATUS_OK) {
                assert_message(error.message, fixture->path);
                refused++;
                continue;
            }
            assert_in_range(documents.items[0].count, 1, 3);
            documents_free(&documents);
        }
        bytes[at] = before;
    }
    assert_true(refused > 500);
}

/* ---- Checks and fingerprints ---- */

static void test_check_names_the_token(void **state) {
    (void)state;
    char names[2][8] = {"one", "two"};
    int32_t tokens[] = {0, 5, 9, 3};
    struct document items[] = {{names[0], 2, tokens}, {names[1], 4, tokens}};
    struct documents documents = {2, items};
    struct error error;
    assert_int_equal(documents_check(&documents, 10, &error), STATUS_OK);
    assert_int_equal(documents_check(&documents, 9, &error), STATUS_INPUT);
    assert_message(error.message, "two|token 9|position 2|vocabulary of 9");
    tokens[1] = -1;
    assert_int_equal(documents_check(&documents, 10, &error), STATUS_INPUT);
    assert_message(error.message, "one|token -1|position 1");
}

static void test_fingerprint_tells_documents_apart(void **state) {
    (void)state;
    char name[] = "a", other_name[] = "b";
    int32_t tokens[] = {1, 2, 3, 4}, changed[] = {1, 2, 3, 5};
    struct document whole[] = {{name, 4, tokens}}, renamed[] = {{other_name, 4, tokens}};
    struct document shorter[] = {{name, 3, tokens}}, different[] = {{name, 4, changed}};
    struct document split[] = {{name, 2, tokens}, {name, 2, tokens + 2}};
    struct document uneven[] = {{name, 1, tokens}, {name, 3, tokens + 1}};
    struct document swapped[] = {{name, 2, tokens + 2}, {name, 2, tokens}};
    const struct documents all[] = {{1, whole},  {1, shorter}, {1, different}, {2, split},
                                    {2, uneven}, {2, swapped}, {0, NULL}};
    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 7; j++) {
            assert_int_equal(documents_fingerprint(&all[i]) == documents_fingerprint(&all[j]), i == j);
        }
    }
    assert_true(documents_fingerprint(&(struct documents){1, renamed}) == documents_fingerprint(&all[0]));
}

/* ---- Samples ---- */

enum { MANY = 8 };

/* Documents of those many tokens; the tokens themselves play no part in the choice. */
struct shelf {
    char names[MANY][32];
    struct document items[MANY];
    struct documents documents;
};

static void shelf_fill(struct shelf *shelf, const int64_t *counts, size_t count) {
    shelf->documents = (struct documents){count, shelf->items};
    for (size_t d = 0; d < count; d++) {
        snprintf(shelf->names[d], sizeof shelf->names[d], "book-%zu", d);
        shelf->items[d] = (struct document){.name = shelf->names[d], .count = counts[d]};
    }
}

static void assert_samples(const int64_t *counts, size_t count, int64_t length, size_t wanted,
                           const struct window *windows, size_t window_count) {
    struct shelf shelf;
    shelf_fill(&shelf, counts, count);
    struct window *found = NULL;
    size_t found_count = 0;
    struct error error;
    int status = windows_choose(&shelf.documents, length, wanted, &found, &found_count, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(found_count, window_count);
    for (size_t i = 0; i < window_count; i++) {
        assert_int_equal(found[i].document, windows[i].document);
        assert_int_equal(found[i].start, windows[i].start);
        assert_int_equal(found[i].length, length);
        assert_int_equal(found[i].skip, 0);
    }
    free(found);
}

static void test_samples_by_hand(void **state) {
    (void)state;
    const int64_t counts[] = {10, 3, 25, 4};
    /* 0: one for each that is long enough; the last of 4 tokens is, just */
    assert_samples(counts, 4, 4, 0, (struct window[]){{0, 0, 4, 0}, {2, 0, 4, 0}, {3, 0, 4, 0}}, 3);
    /* fewer than that: the first ones */
    assert_samples(counts, 4, 4, 2, (struct window[]){{0, 0, 4, 0}, {2, 0, 4, 0}}, 2);
    /* the fourth goes to the longest, at its end; then 25/2 > 10/1, so the fifth as well */
    assert_samples(counts, 4, 4, 4, (struct window[]){{0, 0, 4, 0}, {2, 0, 4, 0}, {3, 0, 4, 0}, {2, 21, 4, 0}}, 4);
    assert_samples(counts, 4, 4, 5,
                   (struct window[]){{0, 0, 4, 0}, {2, 0, 4, 0}, {3, 0, 4, 0}, {2, 10, 4, 0}, {2, 21, 4, 0}}, 5);
    /* then 10/1 > 25/3 */
    assert_samples(
        counts, 4, 4, 6,
        (struct window[]){{0, 0, 4, 0}, {2, 0, 4, 0}, {3, 0, 4, 0}, {0, 6, 4, 0}, {2, 10, 4, 0}, {2, 21, 4, 0}}, 6);
    /* all that there is: 2 + 6 + 1 */
    assert_samples(counts, 4, 4, 9,
                   (struct window[]){{0, 0, 4, 0},
                                     {2, 0, 4, 0},
                                     {3, 0, 4, 0},
                                     {0, 6, 4, 0},
                                     {2, 4, 4, 0},
                                     {2, 8, 4, 0},
                                     {2, 12, 4, 0},
                                     {2, 16, 4, 0},
                                     {2, 21, 4, 0}},
                   9);
    /* of equals the first gets the next window */
    assert_samples((const int64_t[]){8, 8}, 2, 4, 3, (struct window[]){{0, 0, 4, 0}, {1, 0, 4, 0}, {0, 4, 4, 0}}, 3);
}

/* A small generator of its own, so that the cases are the same everywhere. */
static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)*seed * below >> 32);
}

/* windows[count] by the rule in documents.h, in whole numbers. */
static void share_out(const int64_t *counts, size_t count, int64_t length, size_t wanted, int64_t *windows) {
    memset(windows, 0, count * sizeof *windows);
    for (size_t d = 0; d < count && wanted > 0; d++) {
        if (counts[d] >= length) windows[d] = 1, wanted--;
    }
    while (wanted-- > 0) {
        size_t best = count;
        for (size_t d = 0; d < count; d++) {
            if (windows[d] == 0 || (windows[d] + 1) * length > counts[d]) continue;
            if (best == count || counts[d] * windows[best] > counts[best] * windows[d]) best = d;
        }
        assert_true(best < count);
        windows[best]++;
    }
}

/* What holds for every choice: bounds, order, no overlap, even spread, the rule's shares. */
static void assert_chosen_well(const int64_t *counts, size_t count, int64_t length, const struct window *chosen,
                               size_t window_count) {
    int64_t windows[MANY], seen[MANY] = {0}, last[MANY] = {0};
    share_out(counts, count, length, window_count, windows);
    size_t beginnings = 0;
    while (beginnings < window_count && chosen[beginnings].start == 0) beginnings++;
    for (size_t i = 0; i < window_count; i++) {
        size_t d = chosen[i].document;
        int64_t start = chosen[i].start;
        assert_true(d < count && start >= 0 && start + length <= counts[d]);
        assert_true(chosen[i].length == length && chosen[i].skip == 0);
        if (i > 0 && i != beginnings) {
            const struct window *before = &chosen[i - 1];
            assert_true(before->document < d || (before->document == d && before->start < start));
        }
        assert_int_equal(start == 0, i < beginnings);
        if (seen[d] > 0) {
            assert_true(start >= last[d] + length);
            assert_int_equal(start, seen[d] * (counts[d] - length) / (windows[d] - 1));
        }
        last[d] = start;
        seen[d]++;
    }
    for (size_t d = 0; d < count; d++) {
        assert_int_equal(seen[d], windows[d]);
        if (seen[d] > 1) assert_int_equal(last[d], counts[d] - length);
    }
}

static void test_samples_of_random_shelves(void **state) {
    (void)state;
    uint32_t seed = 1;
    size_t refused = 0, chosen = 0;
    for (int round = 0; round < 400; round++) {
        int64_t counts[MANY], length = 1 + draw(&seed, 12), room = 0, enough = 0;
        size_t count = 1 + draw(&seed, MANY);
        for (size_t d = 0; d < count; d++) {
            counts[d] = draw(&seed, round % 2 ? 20 : 200);
            room += counts[d] / length;
            enough += counts[d] >= length;
        }
        struct shelf shelf;
        shelf_fill(&shelf, counts, count);
        for (size_t wanted = 0; wanted <= (size_t)room + 2; wanted += 1 + wanted / 4) {
            struct window *windows = NULL, *again = NULL;
            size_t window_count = 0, again_count = 0;
            struct error error;
            int status = windows_choose(&shelf.documents, length, wanted, &windows, &window_count, &error);
            if (enough == 0 || wanted > (size_t)room) {
                assert_int_equal(status, STATUS_INPUT);
                assert_null(windows);
                refused++;
                continue;
            }
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(window_count, wanted ? wanted : (size_t)enough);
            assert_chosen_well(counts, count, length, windows, window_count);

            assert_int_equal(windows_choose(&shelf.documents, length, wanted, &again, &again_count, &error), STATUS_OK);
            assert_int_equal(again_count, window_count);
            assert_memory_equal(again, windows, window_count * sizeof *windows);
            free(windows);
            free(again);
            chosen++;
        }
    }
    assert_true(refused > 100 && chosen > 1000);
}

/* Starts near 2^62: no product of a window's number and the span may overflow. */
static void test_samples_of_a_huge_document(void **state) {
    (void)state;
    const int64_t counts[] = {(int64_t)1 << 62};
    struct shelf shelf;
    shelf_fill(&shelf, counts, 1);
    struct window *windows = NULL;
    size_t count = 0;
    struct error error;
    assert_int_equal(windows_choose(&shelf.documents, 4096, 1001, &windows, &count, &error), STATUS_OK);
    assert_int_equal(count, 1001);
    assert_true(windows[1000].start == counts[0] - 4096);
    int64_t gap = (counts[0] - 4096) / 1000;
    for (size_t i = 1; i < count; i++) assert_in_range(windows[i].start - windows[i - 1].start, gap, gap + 1);
    free(windows);
}

static void test_samples_refusals_give_the_numbers(void **state) {
    (void)state;
    const int64_t counts[] = {10, 30, 25};
    struct shelf shelf;
    shelf_fill(&shelf, counts, 3);
    struct window *windows = NULL;
    size_t count = 0;
    struct error error;
    assert_int_equal(windows_choose(&shelf.documents, 31, 0, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "31 tokens|longest, book-1, has 30|shorter length");
    assert_int_equal(windows_choose(&shelf.documents, 12, 5, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "5 windows of 12 tokens are required|2 of 3 are long enough|only 4|fewer");
    assert_int_equal(windows_choose(&shelf.documents, 12, SIZE_MAX, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "only 4");
    assert_int_equal(windows_choose(&shelf.documents, 0, 1, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "window of 0 tokens");
    assert_int_equal(windows_choose(&shelf.documents, -5, 0, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "window of -5 tokens");
    shelf.documents.count = 0;
    assert_int_equal(windows_choose(&shelf.documents, 12, 0, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "no documents");
    assert_null(windows);
}

/* ---- Sliding windows ---- */

static void assert_slides(const int64_t *counts, size_t count, int64_t length, int64_t stride,
                          const struct window *windows, size_t window_count) {
    struct shelf shelf;
    shelf_fill(&shelf, counts, count);
    struct window *found = NULL;
    size_t found_count = 0;
    struct error error;
    int status = windows_slide(&shelf.documents, length, stride, &found, &found_count, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(found_count, window_count);
    assert_memory_equal(found, windows, window_count * sizeof *windows);
    free(found);
}

static void test_slides_by_hand(void **state) {
    (void)state;
    const int64_t one[] = {10}, many[] = {10, 1, 3, 4, 2};
    /* tokens 0-3 whole, then 2 new ones a window; prediction i of a window is of its token i + 1 */
    assert_slides(one, 1, 4, 2, (struct window[]){{0, 0, 4, 0}, {0, 2, 4, 1}, {0, 4, 4, 1}, {0, 6, 4, 1}}, 4);
    /* the last one is short */
    assert_slides(one, 1, 4, 3, (struct window[]){{0, 0, 4, 0}, {0, 3, 4, 0}, {0, 6, 4, 0}}, 3);
    assert_slides(one, 1, 6, 3, (struct window[]){{0, 0, 6, 0}, {0, 3, 6, 2}, {0, 6, 4, 2}}, 3);
    /* beside each other: the first token of each is predicted by nothing, the last one alone not at all */
    assert_slides(one, 1, 4, 4, (struct window[]){{0, 0, 4, 0}, {0, 4, 4, 0}, {0, 8, 2, 0}}, 3);
    assert_slides(one, 1, 3, 3, (struct window[]){{0, 0, 3, 0}, {0, 3, 3, 0}, {0, 6, 3, 0}}, 3);
    assert_slides(one, 1, 10, 1, (struct window[]){{0, 0, 10, 0}}, 1);
    assert_slides(one, 1, 99, 5, (struct window[]){{0, 0, 10, 0}}, 1);
    assert_slides(many, 5, 8, 8,
                  (struct window[]){{0, 0, 8, 0}, {0, 8, 2, 0}, {2, 0, 3, 0}, {3, 0, 4, 0}, {4, 0, 2, 0}}, 5);
}

/* transformers' loop as its documentation has it, of one document: which target is predicted with
 * how many tokens before it. context[tokens]: 0 where it is not predicted. */
static void published_loop(int64_t tokens, int64_t length, int64_t stride, int64_t *context) {
    memset(context, 0, (size_t)tokens * sizeof *context);
    int64_t before = 0;
    for (int64_t begin = 0; begin < tokens; begin += stride) {
        int64_t end = begin + length < tokens ? begin + length : tokens, targets = end - before;
        for (int64_t at = end - targets; at < end; at++) {
            if (at > begin) context[at] = at - begin; /* labels are shifted within the window */
        }
        before = end;
        if (end == tokens) break;
    }
}

static void test_slides_as_published(void **state) {
    (void)state;
    enum { MOST = 40 };
    for (int64_t tokens = 2; tokens <= MOST; tokens++) {
        for (int64_t length = 2; length <= 12; length++) {
            for (int64_t stride = 1; stride <= length; stride++) {
                int64_t expected[MOST], context[MOST] = {0}, predicted = 0;
                struct shelf shelf;
                shelf_fill(&shelf, &tokens, 1);
                struct window *windows = NULL;
                size_t count = 0;
                struct error error;
                assert_int_equal(windows_slide(&shelf.documents, length, stride, &windows, &count, &error), STATUS_OK);
                for (size_t w = 0; w < count; w++) {
                    for (int64_t i = windows[w].skip; i < windows[w].length - 1; i++) {
                        assert_int_equal(context[windows[w].start + i + 1], 0);
                        context[windows[w].start + i + 1] = i + 1;
                        predicted++;
                    }
                }
                free(windows);
                published_loop(tokens, length, stride, expected);
                assert_memory_equal(context, expected, (size_t)tokens * sizeof *context);
                if (stride < length) assert_int_equal(predicted, tokens - 1);
            }
        }
    }
}

static void test_slide_refusals(void **state) {
    (void)state;
    const int64_t counts[] = {10, 30};
    struct shelf shelf;
    shelf_fill(&shelf, counts, 2);
    struct window *windows = NULL;
    size_t count = 0;
    struct error error;
    assert_int_equal(windows_slide(&shelf.documents, 8, 0, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "stride of 0|8 tokens");
    assert_int_equal(windows_slide(&shelf.documents, 8, 9, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "stride of 9|8 tokens");
    assert_int_equal(windows_slide(&shelf.documents, 1, 1, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "windows of 1 tokens|predict nothing");
    shelf.documents.count = 0;
    assert_int_equal(windows_slide(&shelf.documents, 8, 2, &windows, &count, &error), STATUS_INPUT);
    assert_message(error.message, "predict nothing");
    assert_null(windows);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* ---- Text that is held out ---- */

/* The windows are `expected`: document and start, in this order; a negative document ends them. */
static void assert_held_out(const int64_t *sizes, size_t documents, const struct window *used, size_t used_count,
                            size_t wanted, const int64_t (*expected)[2]) {
    struct document items[4] = {{0}};
    const struct documents all = {documents, items};
    struct window *windows;
    size_t count, i = 0;
    struct error error;
    for (size_t d = 0; d < documents; d++) items[d].count = sizes[d];
    assert_int_equal(windows_hold_out(&all, 10, used, used_count, wanted, &windows, &count, &error), STATUS_OK);
    for (; expected[i][0] >= 0; i++) {
        assert_true(i < count);
        assert_int_equal(windows[i].document, expected[i][0]);
        assert_int_equal(windows[i].start, expected[i][1]);
        assert_true(windows[i].length == 10 && windows[i].skip == 0);
    }
    assert_int_equal(count, i);
    free(windows);
}

static void test_holds_out_other_text(void **state) {
    (void)state;
    static const struct window first[] = {{0, 0, 10, 0}},
                               spread[] = {{0, 0, 10, 0}, {1, 0, 10, 0}, {0, 45, 10, 0}, {0, 40, 12, 0}};
    /* documents without a used window, from their beginning on; short ones are passed over */
    assert_held_out((int64_t[]){50, 9, 25, 31}, 4, first, 1, 2, (const int64_t[][2]){{2, 0}, {3, 0}, {-1, 0}});
    assert_held_out((int64_t[]){50, 9, 25, 31}, 4, first, 1, 4,
                    (const int64_t[][2]){{2, 0}, {3, 0}, {2, 15}, {3, 21}, {-1, 0}});
    /* no more than there are, and no text of others where one is left */
    assert_held_out((int64_t[]){50, 11}, 2, first, 1, 4, (const int64_t[][2]){{1, 0}, {-1, 0}});
    /* one document: its tail, the last window first */
    assert_held_out((int64_t[]){50}, 1, first, 1, 1, (const int64_t[][2]){{0, 40}, {-1, 0}});
    assert_held_out((int64_t[]){50}, 1, first, 1, 9, (const int64_t[][2]){{0, 40}, {0, 30}, {0, 20}, {0, 10}, {-1, 0}});
    /* between used windows, which overlap, and behind them */
    assert_held_out((int64_t[]){70, 21}, 2, spread, 4, 3, (const int64_t[][2]){{0, 30}, {0, 60}, {1, 11}, {-1, 0}});
    /* nothing is left, or wanted */
    assert_held_out((int64_t[]){19, 9}, 2, first, 1, 5, (const int64_t[][2]){{-1, 0}});
    assert_held_out((int64_t[]){50}, 1, first, 1, 0, (const int64_t[][2]){{-1, 0}});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_text_is_one_token_a_byte),
        cmocka_unit_test(test_no_paths_are_no_documents),
        WITH_FILES(test_text_refuses_what_is_no_file),
        WITH_FILES(test_npy_reads_every_integer_type),
        WITH_FILES(test_npy_reads_every_spelling),
        WITH_FILES(test_npy_refuses_headers),
        WITH_FILES(test_npy_refuses_many_dimensions),
        WITH_FILES(test_npy_refuses_other_files),
        WITH_FILES(test_npy_refuses_every_truncation),
        WITH_FILES(test_npy_refuses_absurd_header_lengths),
        WITH_FILES(test_npy_refuses_tokens),
        WITH_FILES(test_npy_survives_damaged_bytes),
        cmocka_unit_test(test_check_names_the_token),
        cmocka_unit_test(test_fingerprint_tells_documents_apart),
        cmocka_unit_test(test_samples_by_hand),
        cmocka_unit_test(test_samples_of_random_shelves),
        cmocka_unit_test(test_samples_of_a_huge_document),
        cmocka_unit_test(test_samples_refusals_give_the_numbers),
        cmocka_unit_test(test_slides_by_hand),
        cmocka_unit_test(test_slides_as_published),
        cmocka_unit_test(test_slide_refusals),
        cmocka_unit_test(test_holds_out_other_text),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
