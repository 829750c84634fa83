/* eval/text/continuation: which tokens a continuation has behind its context, as lm-evaluation-harness chooses them. */
#include "eval/text/continuation.h"

#include "tests/unit/scratch.h"

static const struct tokenizer bytes = {.bos = -1, .eos = -1};

/* The continuation's tokens, of bytes, are those of `scored`; those before it are `context` behind `first`. */
static void assert_tokens(const struct tokenizer *tokenizer, const char *context, const char *continuation,
                          const char *expected_context, const char *expected) {
    struct continuation got;
    struct error error = {""};
    int status = continuation_encode(tokenizer, "a.jsonl:3", context, continuation, &got, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(got.scored, strlen(expected));
    assert_int_equal(got.count, strlen(expected_context) + strlen(expected));
    for (size_t i = 0; i < (size_t)got.count; i++) {
        const char *text =
            i < strlen(expected_context) ? expected_context + i : expected + i - strlen(expected_context);
        assert_int_equal(got.tokens[i], (unsigned char)*text);
    }
    free(got.tokens);
}

static void assert_refused(const struct tokenizer *tokenizer, const char *context, const char *continuation,
                           const char *message) {
    struct continuation got;
    struct error error = {""};
    assert_int_equal(continuation_encode(tokenizer, "a.jsonl:3", context, continuation, &got, &error), STATUS_INPUT);
    assert_non_null(strstr(error.message, "a.jsonl:3: "));
    if (!strstr(error.message, message)) fail_msg("'%s' does not say '%s'", error.message, message);
    free(got.tokens);
}

static void test_white_space_moves(void **state) {
    (void)state;
    assert_tokens(&bytes, "Q: a?", " b", "Q: a?", " b");
    assert_tokens(&bytes, "Q: a? ", "b", "Q: a?", " b");
    assert_tokens(&bytes, "a\n \t\r\n", "b c ", "a", "\n \t\r\nb c ");
    assert_tokens(&bytes, "a\x1c\x1f\v\f", "b", "a",
                  "\x1c\x1f\v\f"
                  "b");
    assert_tokens(&bytes, "a\u00a0\u2003\u3000\u2028\xc2\x85", "b", "a",
                  "\u00a0\u2003\u3000\u2028\xc2\x85"
                  "b");
    assert_tokens(&bytes, "a\u200b", "b", "a\u200b", "b"); /* no white space for Python */
    assert_tokens(&bytes, "\u00e9 ", "b", "\u00e9", " b");
    assert_int_equal(continuation_stripped("", 0), 0);
    assert_int_equal(continuation_stripped(" \n", 2), 0);
    assert_int_equal(continuation_stripped("ab c  d", 6), 4); /* the first bytes alone */
}

/* BOS and EOS stand around both texts, so EOS of the context takes the first token of the continuation away. */
static void test_edges(void **state) {
    (void)state;
    const struct tokenizer bos = {.bos = '<', .eos = -1}, both = {.bos = '<', .eos = '>'},
                           eos = {.bos = -1, .eos = '>'};
    assert_tokens(&bos, "a", "b", "<a", "b");
    assert_tokens(&bos, "<a", "b", "<a", "b"); /* it begins with BOS by itself */
    assert_tokens(&bos, " ", "b", "<", " b");
    assert_tokens(&both, "a", "bcd", "<a>", "cd>");
    assert_tokens(&both, "<a", "bcd", "<a", "bcd");
    assert_tokens(&eos, "a", "bcd", "a>", "cd>");
}

static void test_no_context(void **state) {
    (void)state;
    const struct tokenizer bos = {.bos = '<', .eos = -1}, both = {.bos = '<', .eos = '>'};
    assert_tokens(&bos, "", "abc", "<", "abc");
    assert_tokens(&both, "", "abc", "<", "abc");
    assert_tokens(&bos, "", "<bc", "<", "bc"); /* BOS is the context, not a token to predict */
    assert_refused(&bytes, "", "abc", "no token precedes the continuation");
    assert_refused(&bytes, " \n", "abc", "no token precedes the continuation");
    assert_refused(&bos, "", "<", "no token of its own");
}

static void test_nothing_to_predict(void **state) {
    (void)state;
    assert_refused(&bytes, "abc", "", "the tokenizer joins the end of the context with the continuation");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_white_space_moves),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_no_context),
        cmocka_unit_test(test_nothing_to_predict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
