/* JSON text and numbers in text. */
#include "search/base/json.h"
#include "search/base/text.h"
#include "tests/unit/scratch.h"

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

static void json_as_people_read_it(void **state) {
    (void)state;
    static const char text[] =
        "{\n  \"b\": {},\n  \"a\": [],\n  \"c\": [\n    1,\n    1.0,\n    0.1,\n    \"\\n\\\"ü\",\n"
        "    {\n      \"x\": null\n    }\n  ],\n  \"d\": -1e-07\n}\n";
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    char *written = json_text(root);
    assert_string_equal(written, text);
    json_decref(root);
    free(written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(json_as_people_read_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
