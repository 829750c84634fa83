/* Names of enumerators. */
#include "eval/base/name.h"
#include "tests/unit/scratch.h"

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

static void unknown_names_are_explained(void **state) {
    (void)state;
    static const char *const names[] = {"pi", "ntk", "yarn"};
    struct error error = {""};
    char list[64], small[8];
    assert_int_equal(name_find(names, 3, "yarn"), 2);
    assert_int_equal(name_find(names, 3, "yar"), NAME_UNKNOWN);
    name_list(names, 3, "and", list, sizeof list);
    assert_string_equal(list, "pi, ntk and yarn");
    name_list(names, 1, "or", list, sizeof list);
    assert_string_equal(list, "pi");
    name_list(names, 3, "or", small, sizeof small);
    assert_int_equal(strlen(small), sizeof small - 1);
    assert_int_equal(name_unknown("--method", "method", "yan", names, 3, &error), STATUS_INPUT);
    assert_string_equal(error.message, "--method: unknown method 'yan' (did you mean 'yarn'?); choose pi, ntk or yarn");
    assert_int_equal(name_unknown("", "method", "q", names, 3, &error), STATUS_INPUT);
    assert_string_equal(error.message, "unknown method 'q'; choose pi, ntk or yarn");
}

static void endings(void **state) {
    (void)state;
    assert_true(name_ends_with("model.gguf", ".gguf") && name_ends_with(".gguf", ".gguf") && name_ends_with("a", ""));
    assert_false(name_ends_with("gguf", ".gguf") || name_ends_with("model.gguf.part", ".gguf") ||
                 name_ends_with("", "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_recognised),
        cmocka_unit_test(other_words_are_no_slips),
        cmocka_unit_test(unknown_names_are_explained),
        cmocka_unit_test(endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
