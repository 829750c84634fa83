/* eval/text/nfc: composition, the order of marks, and characters that the tokenizers library does not know. */
#include "tests/unit/scratch.h"

#include "eval/text/nfc.h"

static void assert_normal(const char *text, const char *expected) {
    struct text_buffer out = {0};
    struct error error;
    assert_int_equal(nfc_make(text, strlen(text), &out, &error), STATUS_OK);
    if (out.size != strlen(expected) || memcmp(out.bytes, expected, out.size) != 0) {
        fail_msg("%s: %.*s, not %s", text, (int)out.size, out.bytes, expected);
    }
    free(out.bytes);
}

static void test_normal_forms(void **state) {
    (void)state;
    assert_normal("abc", "abc");
    assert_normal("e\u0301", "\u00e9");
    assert_normal("\u00e9", "\u00e9");
    assert_normal("a\u0301\u0323b", "\u1ea1\u0301b"); /* the mark below comes first, and composes */
    assert_normal("q\u0301\u0323", "q\u0323\u0301");  /* nothing composes */
    assert_normal("\u212b\u2126", "\u00c5\u03a9");    /* singletons */
    assert_normal("\u0958", "\u0915\u093c");          /* excluded from composition */
    assert_normal("\u1112\u1161\u11ab", "\ud55c");    /* Hangul */
    assert_normal("\u4e00\u0301\u3042", "\u4e00\u0301\u3042");
    assert_normal("\u304b\u3099", "\u304c");
    assert_normal("\u0301\u0323", "\u0323\u0301"); /* marks at the beginning */
    assert_normal("\U0001d15e", "\U0001d157\U0001d165");
}

/* Assigned after Unicode 9: U+1DF6 would be a mark of class 232, U+11935 U+11930 would be U+11938. */
static void test_later_characters_stay(void **state) {
    (void)state;
    assert_normal("a\u0345\u1df6", "a\u0345\u1df6");
    assert_normal("a\u1df6\u0301", "a\u1df6\u0301");
    assert_normal("\U00011935\U00011930", "\U00011935\U00011930");
    assert_normal("\U00011938e\u0301", "\U00011938\u00e9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_forms),
        cmocka_unit_test(test_later_characters_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
