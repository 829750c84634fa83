/* Reading the command line, and writing numpy arrays. */
#include "eval/base/name.h"
#include "search/base/text.h"
#include "search/cli/options.h"

#include <math.h>

#include "search/base/npy.h"
#include "tests/unit/scratch.h"

/* Numbers ------------------------------------------------------------------------------------- */

static void integers_are_read_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"0", 0},
                 {"-0", 0},
                 {"12", 12},
                 {"-12", -12},
                 {"2097152", 2097152},
                 {"9223372036854775807", INT64_MAX},
                 {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 77;
        assert_true(text_to_integer(cases[i].text, &value));
        assert_true(value == cases[i].value);
    }
}

static void other_texts_are_no_integers(void **state) {
    (void)state;
    const char *const texts[] = {"",
                                 " ",
                                 "-",
                                 "+",
                                 "+5",
                                 " 5",
                                 "5 ",
                                 "5\n",
                                 "12k",
                                 "1.0",
                                 "1e3",
                                 "007",
                                 "0x10",
                                 "1,2",
                                 "--5",
                                 "- 5",
                                 "five",
                                 "NaN",
                                 "1_0",
                                 "1'000",
                                 "٣",
                                 "9223372036854775808",
                                 "-9223372036854775809",
                                 "99999999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t value = 77;
        if (text_to_integer(texts[i], &value)) fail_msg("'%s' was taken for an integer", texts[i]);
        assert_int_equal(value, 77);
    }
}

static void numbers_are_read_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"0", 0.0},
                 {"1.5", 1.5},
                 {"-1.5", -1.5},
                 {"+1.5", 1.5},
                 {".5", 0.5},
                 {"5.", 5.0},
                 {"1e3", 1000.0},
                 {"1E-3", 0.001},
                 {"1e+2", 100.0},
                 {"0.1", 0.1},
                 {"1e-400", 0.0},
                 {"1.7976931348623157e308", 0x1.fffffffffffffp1023},
                 {"4.9e-324", 0x1p-1074}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 77.0;
        if (!text_to_number(cases[i].text, &value)) fail_msg("'%s' was not taken for a number", cases[i].text);
        assert_true(value == cases[i].value);
    }
}

static void other_texts_are_no_numbers(void **state) {
    (void)state;
    const char *const texts[] = {"",    " ",    "-",        "+",    ".",     "e5",    "1e",     "1e3x", "12k",
                                 " 1",  "1 ",   "1\n",      "1,5",  "1..5",  "1.5.2", "--1",    "nan",  "NaN",
                                 "inf", "-inf", "infinity", "0x10", "0x1p3", "1e999", "-1e999", "1_0",  "one"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value = 77.0;
        if (text_to_number(texts[i], &value)) fail_msg("'%s' was taken for a number", texts[i]);
        assert_true(value == 77.0);
    }
}

static void integer_options_have_bounds(void **state) {
    (void)state;
    struct error error = {""};
    int64_t value = 77;
    assert_int_equal(option_integer("length", "2", 2, 10, &value, &error), STATUS_OK);
    assert_int_equal(value, 2);
    assert_int_equal(option_integer("length", "10", 2, 10, &value, &error), STATUS_OK);
    assert_int_equal(value, 10);
    const char *const beyond[] = {"1", "11", "-2", "9223372036854775807"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        assert_int_equal(option_integer("length", beyond[i], 2, 10, &value, &error), STATUS_INPUT);
        assert_message(error.message, "--length|2..10");
        assert_message(error.message, beyond[i]);
    }
    assert_int_equal(option_integer("length", "8k", 2, 10, &value, &error), STATUS_INPUT);
    assert_message(error.message, "--length|'8k'|whole number");
    assert_int_equal(value, 10);
}

static void number_options_have_bounds(void **state) {
    (void)state;
    struct error error = {""};
    double value = 77.0;
    assert_int_equal(option_number("scale", "1", 1.0, 2.5, &value, &error), STATUS_OK);
    assert_true(value == 1.0);
    assert_int_equal(option_number("scale", "2.5", 1.0, 2.5, &value, &error), STATUS_OK);
    assert_true(value == 2.5);
    const char *const beyond[] = {"0.99", "2.51", "-1"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        assert_int_equal(option_number("scale", beyond[i], 1.0, 2.5, &value, &error), STATUS_INPUT);
        assert_message(error.message, "--scale|1..2.5");
        assert_message(error.message, beyond[i]);
    }
    assert_int_equal(option_number("scale", "nan", 1.0, 2.5, &value, &error), STATUS_INPUT);
    assert_message(error.message, "--scale|'nan'|number");
    assert_true(value == 2.5);
}

/* Words --------------------------------------------------------------------------------------- */

static void assert_split(const char *text, const char *const *expected, size_t count) {
    struct string_list words = {0};
    struct error error = {""};
    char *copy = strdup(text), first[] = "first";
    assert_non_null(copy);
    assert_int_equal(string_list_add(&words, first, &error), STATUS_OK);
    assert_int_equal(string_list_split(&words, copy, &error), STATUS_OK);
    assert_int_equal(words.count, count + 1);
    assert_ptr_equal(words.items[0], first);
    for (size_t i = 0; i < count; i++) assert_string_equal(words.items[i + 1], expected[i]);
    free(words.items);
    free(copy);
}

static void lists_are_split_at_commas(void **state) {
    (void)state;
    assert_split("pi", (const char *const[]){"pi"}, 1);
    assert_split("pi,ntk,yarn", (const char *const[]){"pi", "ntk", "yarn"}, 3);
    assert_split("a, b", (const char *const[]){"a", " b"}, 2);
    assert_split("", (const char *const[]){""}, 1);
    assert_split(",a,,b,", (const char *const[]){"", "a", "", "b", ""}, 5);
}

static void many_words_fit(void **state) {
    (void)state;
    char text[2001];
    for (int i = 0; i < 2000; i++) text[i] = i % 2 ? ',' : 'x';
    text[1999] = '\0';
    struct string_list words = {0};
    struct error error = {""};
    assert_int_equal(string_list_split(&words, text, &error), STATUS_OK);
    assert_int_equal(words.count, 1000);
    for (size_t i = 0; i < words.count; i++) assert_string_equal(words.items[i], "x");
    free(words.items);
}

static void slips_are_recognised(void **state) {
    (void)state;
    static const char *const names[] = {"population", "mutations", "parents", "iterations", "seed", "start_tokens"};
    static const char *const cases[][2] = {
        {"population", "population"},
        {"populaton", "population"},
        {"popualtion", "population"},
        {"mutation", "mutations"},
        {"Parents", "parents"},
        {"iteratons", "iterations"},
        {"sed", "seed"},
        {"seeds", "seed"},
        {"start-tokens", "start_tokens"},
        {"strat_token", "start_tokens"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = name_nearest(names, 6, cases[i][0]);
        assert_non_null(found);
        assert_string_equal(found, cases[i][1]);
    }
}

static void other_words_are_no_slips(void **state) {
    (void)state;
    static const char *const names[] = {"population", "mutations", "parents", "iterations", "seed"};
    char endless[1000];
    memset(endless, 'p', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    const char *const words[] = {"colour", "xyz", "", "temperature", endless};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) assert_null(name_nearest(names, 5, words[i]));
    assert_null(name_nearest(names, 0, "seed"));
    const char *const long_names[] = {endless, "seed"};
    assert_string_equal(name_nearest(long_names, 2, "seeed"), "seed");
}

/* Options ------------------------------------------------------------------------------------- */

static int ask_getopt(char **argv, int argc, struct error *error) {
    static const struct option known[] = {{"length", required_argument, NULL, 'l'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    optind = 0; /* begin anew */
    opterr = 0;
    int answer;
    do answer = getopt_long(argc, argv, ":o:", known, NULL);
    while (answer != '?' && answer != ':' && answer != -1);
    assert_true(answer != -1);
    return option_unknown(argv, known, answer, error);
}

static void unknown_options_are_named(void **state) {
    (void)state;
    struct error error = {""};
    assert_int_equal(ask_getopt((char *[]){"longrope", "--json", "--lenght", "5", NULL}, 4, &error), STATUS_INPUT);
    assert_message(error.message, "'--lenght'|did you mean '--length'");
    assert_int_equal(ask_getopt((char *[]){"longrope", "--colour", NULL}, 2, &error), STATUS_INPUT);
    assert_message(error.message, "'--colour'|--help");
    assert_int_equal(ask_getopt((char *[]){"longrope", "--json", "--threads", NULL}, 3, &error), STATUS_INPUT);
    assert_message(error.message, "--threads|wants a value");
    assert_int_equal(ask_getopt((char *[]){"longrope", "-x", NULL}, 2, &error), STATUS_INPUT);
    assert_message(error.message, "'-x'");
}

/* numpy arrays -------------------------------------------------------------------------------- */

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
    assert_int_equal(npy_write(path, values, rows, columns, &error), STATUS_OK);
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

static void arrays_that_cannot_be_written(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "none/nats.npy");
    struct error error = {""};
    const double values[1000] = {0};
    assert_int_equal(npy_write(path, values, 1, 1, &error), STATUS_FAILED);
    assert_message(error.message, "none/nats.npy|No such file");
    assert_int_equal(npy_write(scratch.dir, values, 1, 1, &error), STATUS_FAILED);
    assert_message(error.message, scratch.dir);
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(npy_write("/dev/full", values, 1, 1, &error), STATUS_FAILED);
        assert_message(error.message, "/dev/full|No space");
        assert_int_equal(npy_write("/dev/full", values, 10, 100, &error), STATUS_FAILED);
        assert_message(error.message, "/dev/full|No space");
    }
    free(path);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_whole),       cmocka_unit_test(other_texts_are_no_integers),
        cmocka_unit_test(numbers_are_read_whole),        cmocka_unit_test(other_texts_are_no_numbers),
        cmocka_unit_test(integer_options_have_bounds),   cmocka_unit_test(number_options_have_bounds),
        cmocka_unit_test(lists_are_split_at_commas),     cmocka_unit_test(many_words_fit),
        cmocka_unit_test(slips_are_recognised),          cmocka_unit_test(other_words_are_no_slips),
        cmocka_unit_test(unknown_options_are_named),     cmocka_unit_test(arrays_are_written_as_numpy_does),
        cmocka_unit_test(arrays_that_cannot_be_written),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
