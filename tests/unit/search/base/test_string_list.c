/* Lists of strings. */
#include "search/base/string_list.h"
#include "tests/unit/scratch.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_split_at_commas),
        cmocka_unit_test(many_words_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
