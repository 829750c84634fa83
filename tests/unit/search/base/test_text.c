/* Numbers in text. */
#include "search/base/text.h"
#include "tests/unit/scratch.h"

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

static void words_are_quoted_for_the_shell(void **state) {
    (void)state;
    const char *const words[][2] = {{"a/b-c_1.txt", "a/b-c_1.txt"}, {"", "''"},     {"my run", "'my run'"},
                                    {"it's", "'it'\\''s'"},         {"$x", "'$x'"}, {"-x", "./-x"},
                                    {"-my run", "./'-my run'"},     {"a-x", "a-x"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        text_print_word(out, words[i][0]);
        fclose(out);
        assert_string_equal(text, words[i][1]);
        free(text);
    }
}

static void numbers_read_back(void **state) {
    (void)state;
    const double values[] = {0.1,  1.0 / 3.0,         1e-5, 1e300, 5e-324, 1.7976931348623157e308, 0.0,
                             -2.5, 1.1299999952316284};
    const char *const texts[] = {"0.1", "0.333333333333333", "1e-05", "1e+300", NULL, NULL, "0", "-2.5", NULL};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[TEXT_NUMBER_SIZE];
        text_of_number(values[i], text);
        assert_true(strtod(text, NULL) == values[i]);
        if (texts[i] && i != 1) assert_string_equal(text, texts[i]);
    }
}

static void names_become_ascii(void **state) {
    (void)state;
    char name[] = "Zen\t4 \xc2\xae ~\x7f";
    text_to_ascii(name);
    assert_string_equal(name, "Zen?4 ?? ~?");
}

static void names_of_files_are_copied_in_whole_characters(void **state) {
    (void)state;
    static const char *const names[][2] = {{"abc", "abc"},
                                           {"abcdefgh", "abcdefg"},
                                           {"", ""},
                                           {"caf\xe9", "caf\xef\xbf\xbd"},
                                           {"cafes\xe9", "cafes"},
                                           {"abcdef\xc3\xa9", "abcdef"},
                                           {"abcde\xc3\xa9", "abcde\xc3\xa9"},
                                           {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char copy[8];
        text_copy_name(names[i][0], copy, sizeof copy);
        assert_string_equal(copy, names[i][1]);
    }
}

static void characters_are_counted(void **state) {
    (void)state;
    assert_int_equal(text_characters(""), 0);
    assert_int_equal(text_characters("abc"), 3);
    assert_int_equal(text_characters("\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82x"), 4); /* of 2, 3, 4 and 1 bytes */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_whole),
        cmocka_unit_test(other_texts_are_no_integers),
        cmocka_unit_test(numbers_are_read_whole),
        cmocka_unit_test(other_texts_are_no_numbers),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(words_are_quoted_for_the_shell),
        cmocka_unit_test(names_become_ascii),
        cmocka_unit_test(characters_are_counted),
        cmocka_unit_test(names_of_files_are_copied_in_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
