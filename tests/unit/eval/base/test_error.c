/* eval/base/error: messages of one line, and what is said of memory. */
#include "eval/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void messages_have_one_line(void **state) {
    (void)state;
    struct error error = {""};
    assert_int_equal(error_set(&error, STATUS_INPUT, "%s: no\tfile %d", "a\nb", 7), STATUS_INPUT);
    assert_string_equal(error.message, "a b: no file 7");
}

/* What is wrong stands behind the path. */
static void long_messages_lose_their_middle(void **state) {
    (void)state;
    struct error error = {""};
    char text[2 * sizeof error.message];
    memset(text, 'x', sizeof text - 1), text[sizeof text - 1] = '\0';
    for (size_t length = sizeof error.message - 20; length < sizeof text; length++) {
        error_set(&error, STATUS_INPUT, "at %.*s: it is missing", (int)length, text);
        assert_true(strlen(error.message) < sizeof error.message && strlen(error.message) > sizeof error.message - 25);
        assert_memory_equal(error.message, "at xxx", 6);
        assert_string_equal(strrchr(error.message, ':'), ": it is missing");
        assert_int_equal(strstr(error.message, " ... ") == NULL, length + 18 < sizeof error.message);
    }
    /* characters of several bytes stay whole, wherever they stand */
    for (int shift = 0; shift < 4; shift++) {
        size_t used = (size_t)sprintf(text, "%.*s", shift, "abc");
        while (used + 4 < sizeof text) used += (size_t)sprintf(text + used, "\xe2\x82\xac");
        error_set(&error, STATUS_INPUT, "%s", text);
        const char *gap = strstr(error.message, " ... ");
        assert_non_null(gap);
        assert_int_equal((gap - error.message - shift) % 3, 0);
        assert_memory_equal(gap + 5, "\xe2\x82\xac", 3);
        assert_int_equal(strlen(gap + 5) % 3, 0);
    }
}

static void memory_is_said_with_its_size_where_that_is_known(void **state) {
    (void)state;
    struct error error = {""};
    assert_int_equal(error_memory(&error, 3 * 1024.0 * 1024.0, "a model"), STATUS_FAILED);
    assert_string_equal(error.message, "out of memory: 3.0 MiB for a model could not be allocated");
    assert_int_equal(error_memory(&error, 0, "a path"), STATUS_FAILED);
    assert_string_equal(error.message, "out of memory for a path");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_have_one_line),
        cmocka_unit_test(long_messages_lose_their_middle),
        cmocka_unit_test(memory_is_said_with_its_size_where_that_is_known),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
