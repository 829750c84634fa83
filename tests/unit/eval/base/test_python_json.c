/* JSON as Python reads it. */
#include "eval/base/python_json.h"
#include "tests/unit/scratch.h"

static json_t *load(const char *text, bool *repeats) {
    json_error_t reason;
    return python_json_load(text, strlen(text), &reason, repeats);
}

/* The text as it is read and written again: the same but for blanks. */
static void assert_returns(const char *text, const char *wanted) {
    bool repeats;
    json_t *root = load(text, &repeats);
    if (!root) fail_msg("refused: %s", text);
    assert_false(repeats);
    char *written = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    assert_non_null(written);
    python_json_restore(written);
    assert_string_equal(written, wanted);
    free(written);
    json_decref(root);
}

static void keeps_numbers_that_jansson_refuses(void **state) {
    (void)state;
    static const char *const same[] = {
        "{\"a\":NaN,\"b\":[Infinity,-Infinity],\"c\":1}",
        "[123456789012345678901234567890,-9223372036854775809,1e999,-1.5E+400]",
        "[9223372036854775807,-9223372036854775808,1.5,0,-1]",
        "[\"NaN\",\"Infinity\",\"1e999\",\"\\\"NaN\\\"\",\"\\\\\"]",
        "{\"NaN\":{\"1e999\":[]},\"\\\\\":NaN}",
        "[\"longrope-number:\",\"longrope-number:x\",\"longrope-number:1e5\",\"longrope-number:NaN.\"]",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) assert_returns(same[i], same[i]);
    assert_returns("[ NaN ,\n1e999\t]", "[NaN,1e999]");
}

/* They are no numbers to whoever reads them. */
static void makes_them_strings(void **state) {
    (void)state;
    bool repeats;
    json_t *root = load("[NaN, 1e999]", &repeats);
    assert_string_equal(json_string_value(json_array_get(root, 0)), PYTHON_JSON_MARK "NaN");
    assert_string_equal(json_string_value(json_array_get(root, 1)), PYTHON_JSON_MARK "1e999");
    json_decref(root);
}

static void the_last_of_repeated_keys_counts(void **state) {
    (void)state;
    static const char text[] = "{\"a\": 1,\n\"b\": {\"c\": NaN,\n\"c\": 3}, \"a\": 4}";
    bool repeats;
    json_error_t reason;
    json_t *root = python_json_load(text, strlen(text), &reason, &repeats);
    assert_true(root && repeats);
    assert_int_equal(reason.line, 3);
    assert_message(reason.text, "duplicate object key|\"c\"");
    assert_int_equal(json_integer_value(json_object_get(root, "a")), 4);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "b"), "c")), 3);
    json_decref(root);
}

static void refuses_what_python_refuses(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "{",
        "[nan]",
        "[NaNs]",
        "[xNaN]",
        "[-NaN]",
        "[+1]",
        "[01]",
        "[1.e999]",
        "[.5]",
        "[1e]",
        "[1 2",
        "[\"NaN]",
        "{1: 2}",
        "[NaN 1]",
        "[1,]",
        "[1e+]",
        "{\"a\":1,\"a\":2",
        "[0x1]",
        "[--Infinity]",
        "[099999999999999999999999]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool repeats;
        json_error_t reason;
        json_t *root = python_json_load(cases[i], strlen(cases[i]), &reason, &repeats);
        if (root) fail_msg("not refused: %s", cases[i]);
        assert_false(repeats);
        assert_true(reason.text[0] != '\0');
    }
}

/* Every beginning of a text, with bytes behind it that must not be read. */
static void ends_with_the_text(void **state) {
    (void)state;
    static const char text[] = "{\"a\": [NaN, -Infinity, 1e999, \"\\\"\\\\\"], \"b\": 99999999999999999999}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *copy = malloc(size + 1);
        memcpy(copy, text, size);
        bool repeats;
        json_error_t reason;
        assert_null(python_json_load(copy, size, &reason, &repeats));
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_numbers_that_jansson_refuses),
        cmocka_unit_test(makes_them_strings),
        cmocka_unit_test(the_last_of_repeated_keys_counts),
        cmocka_unit_test(refuses_what_python_refuses),
        cmocka_unit_test(ends_with_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
