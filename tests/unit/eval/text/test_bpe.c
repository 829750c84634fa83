/* eval/text/bpe: merges in their order, what has no token, and the same tokens however a word is divided. */
#include "tests/unit/scratch.h"

#include "eval/text/bpe.h"

struct vocabulary {
    const char *const *tokens; /* NULL at the end; their numbers are their indices */
    const char *const (*merges)[2];
    size_t merge_count;
};

static struct bpe *make(const struct vocabulary *vocabulary, const struct bpe_settings *settings) {
    struct bpe *bpe;
    struct error error = {""};
    size_t count = 0;
    while (vocabulary->tokens[count]) count++;
    assert_int_equal(bpe_new(count, vocabulary->merge_count, &bpe, &error), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        bool added;
        const char *text = vocabulary->tokens[i];
        assert_int_equal(bpe_put_token(bpe, text, strlen(text), (int32_t)i, &added, &error), STATUS_OK);
        assert_true(added);
    }
    for (size_t i = 0; i < vocabulary->merge_count; i++) {
        const char *left = vocabulary->merges[i][0], *right = vocabulary->merges[i][1], *unknown;
        const struct bpe_merge merge = {left, right, strlen(left), strlen(right)};
        assert_int_equal(bpe_put_merge(bpe, &merge, &unknown, &error), STATUS_OK);
        assert_null(unknown);
    }
    assert_int_equal(bpe_finish(bpe, settings, &error), STATUS_OK);
    return bpe;
}

/* Tokens as their texts, separated by blanks. */
static void encode(const struct bpe *bpe, const char *const *names, const char *word, char *out, size_t size) {
    struct bpe_words *words;
    struct token_list tokens = {0};
    struct error error = {""};
    assert_int_equal(bpe_words_new(&words, &error), STATUS_OK);
    for (int again = 0; again < 2; again++) { /* the second time it is known */
        tokens.count = 0;
        assert_int_equal(bpe_encode(bpe, words, word, strlen(word), &tokens, &error), STATUS_OK);
        out[0] = '\0';
        for (size_t i = 0, used = 0; i < tokens.count; i++) {
            used += (size_t)snprintf(out + used, size - used, i ? " %s" : "%s", names[tokens.items[i]]);
        }
    }
    free(tokens.items);
    bpe_words_free(words);
}

static void assert_encoded(const struct vocabulary *vocabulary, const struct bpe_settings *settings, const char *word,
                           const char *expected) {
    char found[512];
    struct bpe *bpe = make(vocabulary, settings);
    encode(bpe, vocabulary->tokens, word, found, sizeof found);
    if (strcmp(found, expected) != 0) fail_msg("%s: %s, not %s", word, found, expected);
    bpe_free(bpe);
}

static const char *const tokens[] = {"?", "a", "b", "c", "ab", "bc", "abc", "aa", "<0xC3>", "<0xA9>", "abcb", NULL};
static const char *const merges[][2] = {{"b", "c"}, {"a", "a"}, {"a", "b"}, {"a", "bc"}};
static const struct vocabulary small = {tokens, merges, 4};

static void test_merges_are_made_in_their_order(void **state) {
    (void)state;
    const struct bpe_settings settings = {.unknown = -1};
    assert_encoded(&small, &settings, "abc", "abc");    /* bc first, then a bc */
    assert_encoded(&small, &settings, "aab", "aa b");   /* aa before ab */
    assert_encoded(&small, &settings, "aaab", "aa ab"); /* the leftmost first */
    assert_encoded(&small, &settings, "aaaab", "aa aa b");
    assert_encoded(&small, &settings, "cba", "c b a");
    assert_encoded(&small, &settings, "abcb", "abc b");
    assert_encoded(&small, &(struct bpe_settings){.unknown = -1, .whole_words = true}, "abcb", "abcb");
}

static void test_what_has_no_token(void **state) {
    (void)state;
    const struct bpe_settings none = {.unknown = -1}, one = {.unknown = 0},
                              fused = {.unknown = 0, .fuse_unknown = true};
    const struct bpe_settings bytes = {.unknown = 0, .byte_fallback = true};
    assert_encoded(&small, &none, "axyb", "ab"); /* left out, so that what is around it joins */
    assert_encoded(&small, &one, "axyb", "a ? ? b");
    assert_encoded(&small, &fused, "axyb", "a ? b");
    assert_encoded(&small, &fused, "xx", "?");
    assert_encoded(&small, &bytes, "a\u00e9b", "a <0xC3> <0xA9> b");
    assert_encoded(&small, &bytes, "x\u00e9b", "<0xC3> <0xA9> ? b"); /* the library adds an unknown token late */
    assert_encoded(&small, &bytes, "\u00e8", "?");                   /* not all of its bytes are tokens */
}

static void test_vocabulary(void **state) {
    (void)state;
    struct bpe *bpe = make(&small, &(struct bpe_settings){.unknown = 3});
    const char *unknown;
    struct error error;
    int32_t twice;
    assert_int_equal(bpe_find(bpe, "abc", 3), 6);
    assert_int_equal(bpe_find(bpe, "abd", 3), -1);
    assert_int_equal(bpe_unknown(bpe), 3);
    assert_int_equal(bpe_token_count(bpe), 11);
    assert_int_equal(bpe_find_duplicate(bpe, &twice, &error), STATUS_OK);
    assert_int_equal(twice, -1);
    static const char *const cases[][3] = {{"x", "a", "left"}, {"a", "x", "right"}, {"c", "a", "joined"}};
    for (size_t i = 0; i < 3; i++) {
        const struct bpe_merge merge = {cases[i][0], cases[i][1], 1, 1};
        assert_int_equal(bpe_put_merge(bpe, &merge, &unknown, &error), STATUS_OK);
        assert_string_equal(unknown, cases[i][2]);
    }
    bpe_free(bpe);
    bpe_free(NULL);

    bool added;
    assert_int_equal(bpe_new(3, 0, &bpe, &error), STATUS_OK);
    assert_int_equal(bpe_put_token(bpe, "a", 1, 7, &added, &error), STATUS_OK);
    assert_int_equal(bpe_put_token(bpe, "b", 1, 7, &added, &error), STATUS_OK);
    assert_true(added);
    assert_int_equal(bpe_put_token(bpe, "a", 1, 8, &added, &error), STATUS_OK);
    assert_false(added);
    assert_int_equal(bpe_find_duplicate(bpe, &twice, &error), STATUS_OK);
    assert_int_equal(twice, 7);
    bpe_free(bpe);
}

/* ---- Long words: against the definition ---- */

/* Joins the first merge's leftmost place until there is none. `word` has a token's number per item. */
static size_t merge_by_definition(int32_t *word, size_t count, const int32_t (*rules)[3], size_t rule_count) {
    for (size_t rule = 0; rule < rule_count;) {
        size_t at = 0;
        while (at + 1 < count && (word[at] != rules[rule][0] || word[at + 1] != rules[rule][1])) at++;
        if (at + 1 >= count) {
            rule++;
            continue;
        }
        word[at] = rules[rule][2];
        memmove(word + at + 1, word + at + 2, (count - at - 2) * sizeof *word);
        count--;
        rule = 0;
    }
    return count;
}

enum { LETTERS = 5, RULES = 24, LENGTH = 600 };

/* A vocabulary that grows by random merges of tokens; `rules` are those that made a new token. */
static size_t random_vocabulary(unsigned *seed, struct bpe *bpe, int32_t (*rules)[3]) {
    char texts[LETTERS + RULES][64];
    struct error error;
    size_t count = LETTERS, rule_count = 0;
    bool added;
    for (size_t i = 0; i < LETTERS; i++) {
        snprintf(texts[i], sizeof texts[i], "%c", 'a' + (int)i);
        assert_int_equal(bpe_put_token(bpe, texts[i], 1, (int32_t)i, &added, &error), STATUS_OK);
    }
    for (size_t i = 0; i < RULES; i++) {
        size_t left = (size_t)rand_r(seed) % count, right = (size_t)rand_r(seed) % count;
        const char *unknown;
        size_t length = strlen(texts[left]) + strlen(texts[right]);
        if (length >= sizeof texts[0]) continue;
        const struct bpe_merge merge = {texts[left], texts[right], strlen(texts[left]), strlen(texts[right])};
        memcpy(texts[count], merge.left, merge.left_size);
        memcpy(texts[count] + merge.left_size, merge.right, merge.right_size + 1);
        assert_int_equal(bpe_put_token(bpe, texts[count], length, (int32_t)count, &added, &error), STATUS_OK);
        if (!added) continue; /* two ways to one token: the library's order of these is its own */
        assert_int_equal(bpe_put_merge(bpe, &merge, &unknown, &error), STATUS_OK);
        rules[rule_count][0] = (int32_t)left;
        rules[rule_count][1] = (int32_t)right;
        rules[rule_count++][2] = (int32_t)count++;
    }
    return rule_count;
}

static void test_random_words(void **state) {
    (void)state;
    unsigned seed = 5;
    for (int round = 0; round < 10; round++) {
        static char word[LENGTH + 1];
        static int32_t expected[LENGTH];
        int32_t rules[RULES][3];
        struct bpe *bpe;
        struct bpe_words *words;
        struct token_list found = {0};
        struct error error;
        assert_int_equal(bpe_new(LETTERS + RULES, RULES, &bpe, &error), STATUS_OK);
        size_t rule_count = random_vocabulary(&seed, bpe, rules);
        assert_int_equal(bpe_finish(bpe, &(struct bpe_settings){.unknown = -1}, &error), STATUS_OK);
        assert_int_equal(bpe_words_new(&words, &error), STATUS_OK);
        for (size_t i = 0; i < LENGTH; i++) {
            expected[i] = rand_r(&seed) % LETTERS;
            word[i] = (char)('a' + expected[i]);
        }
        size_t count = merge_by_definition(expected, LENGTH, (const int32_t(*)[3])rules, rule_count);
        assert_int_equal(bpe_encode(bpe, words, word, LENGTH, &found, &error), STATUS_OK);
        assert_int_equal(found.count, count);
        assert_memory_equal(found.items, expected, count * sizeof *expected);
        free(found.items);
        bpe_words_free(words);
        bpe_free(bpe);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_are_made_in_their_order),
        cmocka_unit_test(test_what_has_no_token),
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
