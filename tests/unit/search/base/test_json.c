/* JSON as text. */
#include "search/base/json.h"
#include "tests/unit/scratch.h"

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
        cmocka_unit_test(json_as_people_read_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
