/* eval/text/pattern and regex_syntax: what expressions match, where Oniguruma and PCRE2 differ, and what is refused. */
#include "tests/unit/scratch.h"

#include "eval/text/pattern.h"
#include "eval/text/regex_syntax.h"

/* The matches in the text, each in brackets: "[a]b[a]". */
static void mark_matches(const struct pattern *pattern, const char *text, char *out, size_t size) {
    struct pattern_memory *memory;
    struct error error = {""};
    size_t length = strlen(text), used = 0;
    struct match match;
    assert_int_equal(pattern_memory_new(&memory, &error), STATUS_OK);
    for (size_t at = 0; at < length; at = match.end) {
        int status = pattern_find(pattern, memory, "t", text, length, at, &match, &error);
        if (status != STATUS_OK) fail_msg("%s", error.message);
        used += (size_t)snprintf(out + used, size - used, "%.*s", (int)(match.begin - at), text + at);
        if (match.begin == match.end) continue;
        used += (size_t)snprintf(out + used, size - used, "[%.*s]", (int)(match.end - match.begin), text + match.begin);
    }
    pattern_memory_free(memory);
}

static void assert_matches(const char *regex, const char *text, const char *marked) {
    struct pattern *pattern;
    struct error error = {""};
    char found[256] = "";
    if (pattern_new_regex("where", regex, &pattern, &error) != STATUS_OK) fail_msg("%s: %s", regex, error.message);
    mark_matches(pattern, text, found, sizeof found);
    if (strcmp(found, marked) != 0) fail_msg("%s: %s, not %s", regex, found, marked);
    pattern_free(pattern);
}

static void test_matches(void **state) {
    (void)state;
    assert_matches("'s|'t| ?\\p{L}+| ?\\p{N}+|\\s+(?!\\S)|\\s+", "it's  42\n", "[it]['s][ ][ 42][\n]");
    assert_matches("(?i:'s|'ll)", "a's a'LL a'\u017f", "a['s] a['LL] a['\u017f]");
    assert_matches("[^\\r\\n\\p{L}\\p{N}]?\\p{L}+", "\na b1", "\n[a][ b]1");
    assert_matches("\\p{N}{1,3}", "12345", "[123][45]");
    assert_matches("a{,2}b|c{2,}|d{2}", "aabcccdd d", "[aab][ccc][dd] d");
    assert_matches("a+?b??c", "aabc", "[aabc]");
    assert_matches("(?>a+)b|x(?=y)|(?<=x)z|(?<!q)w", "aab xy xz qw w", "[aab] [x]y x[z] qw [w]");
    assert_matches("(a(b)|c)+", "ababc d", "[ababc] d");
    assert_matches("\\s+$", "a \nb  ", "a[ ]\nb[  ]");
    assert_matches("^.", "ab\ncd", "[a]b\n[c]d");
    assert_matches("[\\]\\-a-c-]+|\\.", "]-b.d", "[]-b][.]d");
    assert_matches("\\x41\\u00e9[\\t\\n-\\r]", "A\u00e9\t", "[A\u00e9\t]");
    assert_matches("[一-龥]+", "a中文b", "a[中文]b");
}

/* U+1C89 and U+1D2C0 are of Unicode 15 and 16; U+180E is white space to PCRE2 alone. */
static void test_sets_are_those_of_oniguruma(void **state) {
    (void)state;
    assert_matches("\\p{L}+", "a\u1c89b", "[a\u1c89b]");
    assert_matches("[^\\p{Lu}]", "\u1c89b", "\u1c89[b]");
    assert_matches("\\P{N}", "1\U0001d2c02a", "1\U0001d2c02[a]");
    assert_matches("\\s", "a\u180e\u3000\x0b", "a\u180e[\u3000][\x0b]");
    assert_matches("[\\S]", " \u180e\u3000", " [\u180e]\u3000");
    assert_matches("\\p{Han}|\\p{Hiragana}", "\u3001\u4e00\u3042", "\u3001[\u4e00][\u3042]"); /* by script alone */
    assert_matches("\\v", "\x0b\n", "[\x0b]\n");
}

static void test_texts(void **state) {
    (void)state;
    struct pattern *pattern;
    struct error error;
    char found[64];
    assert_int_equal(pattern_new_text("where", "a.", &pattern, &error), STATUS_OK);
    mark_matches(pattern, "a.ab a.a.", found, sizeof found);
    assert_string_equal(found, "[a.]ab [a.][a.]");
    pattern_free(pattern);
    assert_int_equal(pattern_new_text("where", "", &pattern, &error), STATUS_INPUT);
    assert_null(pattern);
    pattern_free(NULL);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "where: a regular expression of 0 bytes"},
        {"ab\\w", "where: \\w at byte 2 of the regular expression is not supported"},
        {"\\h", "\\h at byte 0"},
        {"\\b", "\\b at byte 0"},
        {"\\1", "\\1 at byte 0"},
        {"a\\", "a backslash at byte 1"},
        {"\\p{Greek}", "the property \\p{Greek} at byte 0"},
        {"\\p{^L}", "the property \\p{^L}"},
        {"\\pL", "a property without {NAME}"},
        {"\\p{L", "a property without {NAME}"},
        {"\\p{\nL}", "a property without {NAME}"},
        {"[a[b]]", "a set within a set at byte 2"},
        {"[[:alpha:]]", "a set within a set at byte 1"},
        {"[a&&b]", "&& within a set at byte 2"},
        {"[]a]", "an empty set"},
        {"[ab", "a set without its ]"},
        {"[a-", "a set without its ]"},
        {"[\\x0-\0]", "a set without its ]"}, /* what lies behind the end is not read */
        {"[\\u0000-\0]", "a set without its ]"},
        {"[b-a]", "this range"},
        {"[a-\\s]", "this range"},
        {"[\\s-a]", "this range"},
        {"[\\P{L}]", "this set within a set"},
        {"(a", "a ( without its )"},
        {"a)", "a ) without its ( at byte 1"},
        {"(?<name>a)", "this kind of group at byte 0"},
        {"(?i)a", "this kind of group"},
        {"(?#a)b", "this kind of group"},
        {"(*ACCEPT)", "(* at byte 0"},
        {"*a", "a repeat of nothing"},
        {"a**", "a repeat of nothing"},
        {"(?=a)*b", "a repeat of nothing"},
        {"a{2", "this interval"},
        {"a{,}", "this interval"},
        {"a{3,2}", "this interval"},
        {"a{1,1001}", "this interval"},
        {"a{1,3}+", "an interval before ? or +"},
        {"a{2}?", "an interval before ? or +"},
        {"(?i:\u00e9)", "a character beyond ASCII within (?i:"},
        {"(?i:aSs)", "this pair of letters within (?i: at byte 6"},
        {"(?i:\\p{L})", "a set within (?i:"},
        {"(?i:[a-z])", "this range"},
        {"\\x80", "this \\x or \\u"},
        {"\\u12", "this \\x or \\u"},
        {"\\ud800", "this \\x or \\u"},
        {"a*", "matches an empty text"},
        {"(?<=a+)b", "where: PCRE2 does not accept"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pattern *pattern;
        struct error error = {""};
        if (pattern_new_regex("where", cases[i][0], &pattern, &error) != STATUS_INPUT) fail_msg("%s", cases[i][0]);
        assert_message(error.message, cases[i][1]);
        assert_null(pattern);
    }
}

static void test_sizes_are_limited(void **state) {
    (void)state;
    struct pattern *pattern;
    struct error error;
    static char deep[2 * 70 + 2], large[REGEX_MOST_BYTES + 2];
    memset(deep, '(', 70);
    memset(large, 'a', sizeof large - 1);
    assert_int_equal(pattern_new_regex("where", deep, &pattern, &error), STATUS_INPUT);
    assert_message(error.message, "a group within 63 others at byte 63");
    assert_int_equal(pattern_new_regex("where", large, &pattern, &error), STATUS_INPUT);
    assert_message(error.message, "65537 bytes");
    assert_int_equal(pattern_new_regex("where", "((((a{1000}){1000}){1000}){1000}){1000}", &pattern, &error),
                     STATUS_INPUT);
}

/* Ends with an error instead of taking years. */
static void test_an_expression_that_takes_too_long(void **state) {
    (void)state;
    struct pattern *pattern;
    struct pattern_memory *memory;
    struct match match;
    struct error error = {""};
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac";
    assert_int_equal(pattern_new_regex("where", "(?:a?a?a?)+(?:aa?)+(?:a|aa)+[bd]", &pattern, &error), STATUS_OK);
    assert_int_equal(pattern_memory_new(&memory, &error), STATUS_OK);
    int status = pattern_find(pattern, memory, "book.txt", text, sizeof text - 1, 0, &match, &error);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, "book.txt: a regular expression of the tokenizer fails at byte 0|limit");
    pattern_memory_free(memory);
    pattern_free(pattern);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_sets_are_those_of_oniguruma),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sizes_are_limited),
        cmocka_unit_test(test_an_expression_that_takes_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
