/* eval/base/error: messages of one line, and what is said of memory. */
#include "eval/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void messages_have_one_line(void **state) {
    (void)state;
    struct error error = {""};
    assert_int_equal(error_set(&error, STATUS_INPUT, "%s: no\tfile %d", "a\nb", 7), STATUS_INPUT);
    assert_string_equal(error.message, "a b: no file 7");
    char text[2 * sizeof error.message];
    memset(text, 'x', sizeof text - 1), text[sizeof text - 1] = '\0';
    error_set(&error, STATUS_INPUT, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
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
        cmocka_unit_test(memory_is_said_with_its_size_where_that_is_known),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
