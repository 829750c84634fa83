/* eval/text/needle_prompt: prompts of exact lengths, with the needle where it is required and the answer at the end. */
#include "tests/unit/scratch.h"

#include <math.h>

#include "eval/text/needle_prompt.h"

static const struct tokenizer bytes = {.bos = -1, .eos = -1};

static struct needle_setting setting_of(enum needle_form form, int64_t digits) {
    return (struct needle_setting){.tokenizer = &bytes, .form = form, .digits = digits};
}

static struct needle_position position_of(int64_t length, double depth) {
    return (struct needle_position){.length = length, .depth = depth, .seed = 7, .trial = 3};
}

static struct needle_prompt make(const struct needle_setting *setting, struct needle_position position) {
    struct needle_prompt prompt;
    struct error error = {""};
    if (needle_prompt_make(setting, &position, &prompt, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(prompt.count, position.length);
    return prompt;
}

static void assert_refused(const struct needle_setting *setting, struct needle_position position, const char *words) {
    struct needle_prompt prompt;
    struct error error = {""};
    assert_int_equal(needle_prompt_make(setting, &position, &prompt, &error), STATUS_INPUT);
    assert_message(error.message, words);
    assert_null(prompt.tokens);
}

/* Tokens that are bytes, as text; the caller frees it. */
static char *text_of(const int32_t *tokens, int64_t count) {
    char *text = calloc((size_t)count + 1, 1);
    assert_non_null(text);
    for (int64_t i = 0; i < count; i++) {
        assert_in_range(tokens[i], 1, 255);
        text[i] = (char)tokens[i];
    }
    return text;
}

static bool ends_with(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* ---- The published form ---- */

#define DESCRIPTION                                                                                                    \
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. I will "            \
    "quiz you about the important information there.\n"

enum { PUBLISHED_LEAST = 253 }; /* tokens of a prompt with five digits and no filler */

static void published_prompts_are_worded_as_published(void **state) {
    (void)state;
    struct needle_setting setting = setting_of(NEEDLE_PUBLISHED, 5);
    struct needle_prompt prompt = make(&setting, position_of(PUBLISHED_LEAST + 120, 0.25));
    char *text = text_of(prompt.tokens, prompt.count), expected[1024];
    snprintf(expected, sizeof expected,
             DESCRIPTION "The grass is green. The sky is\n"
                         "The pass key is %s. Remember it. %s is the pass key.\n"
                         "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. \n"
                         "What is the pass key? The pass key is %s",
             prompt.key, prompt.key, prompt.key);
    assert_string_equal(text, expected);
    assert_int_equal(prompt.answer, 6); /* with the blank */
    assert_memory_equal(text + prompt.needle, "The pass key is ", 16);
    free(text);
    needle_prompt_free(&prompt);
}

/* Filler goes on as long as it has to, and is cut anywhere. */
static void published_prompts_have_every_length(void **state) {
    (void)state;
    static const double depths[] = {0.0, 0.31, 1.0};
    struct needle_setting setting = setting_of(NEEDLE_PUBLISHED, 5);
    for (int64_t length = PUBLISHED_LEAST; length < PUBLISHED_LEAST + 300; length++) {
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
            int64_t room = length - PUBLISHED_LEAST, before = llround(depths[d] * (double)room);
            struct needle_prompt prompt = make(&setting, position_of(length, depths[d]));
            assert_int_equal(prompt.needle, (int64_t)strlen(DESCRIPTION) + before + 1);
            char *text = text_of(prompt.tokens, prompt.count), question[128];
            snprintf(question, sizeof question, "\nWhat is the pass key? The pass key is %s", prompt.key);
            assert_true(ends_with(text, question));
            if (before > 150)
                assert_memory_equal(text + strlen(DESCRIPTION) + 68, "There and back again. The grass", 31);
            free(text);
            needle_prompt_free(&prompt);
        }
    }
    struct needle_prompt prompt = make(&setting, position_of(100000, 0.5));
    needle_prompt_free(&prompt);
}

/* ---- The demo's form ---- */

/* Every line ends a sentence, and there are as many before the needle as the depth says, to half a sentence. */
static void assert_demo_prompt(const struct needle_prompt *prompt, double depth) {
    char *text = text_of(prompt->tokens, prompt->count), statement[128], question[128];
    int statement_size = snprintf(statement, sizeof statement, "The pass key is %s.\n", prompt->key);
    int question_size = snprintf(question, sizeof question, "%sWhat is the pass key? The pass key is %s",
                                 depth == 1.0 ? "\n" : "", prompt->key);
    double room = (double)(prompt->count - statement_size - question_size);
    assert_memory_equal(text + prompt->needle, statement, (size_t)statement_size);
    assert_true(ends_with(text, question));
    assert_int_equal(prompt->needle + statement_size == prompt->count - question_size, depth == 1.0);
    assert_true(fabs((double)prompt->needle - depth * room) <= 20.5); /* the longest has 40 bytes and a line end */
    for (int64_t i = 0; i + 1 < prompt->count - question_size; i++) {
        if (text[i] == '\n') assert_true(text[i - 1] == '.' && text[i + 1] >= 'A' && text[i + 1] <= 'Z');
    }
    assert_int_equal(prompt->answer, strlen(prompt->key));
    free(text);
}

static void demo_prompts_are_whole_sentences(void **state) {
    (void)state;
    static const double depths[] = {0.0, 0.1, 0.5, 0.77, 1.0};
    struct needle_setting setting = setting_of(NEEDLE_DEMO, 5);
    for (int64_t length = 256; length < 600; length += 3) {
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
            struct needle_prompt prompt = make(&setting, position_of(length, depths[d]));
            assert_demo_prompt(&prompt, depths[d]);
            if (depths[d] == 0.0) assert_int_equal(prompt.needle, 0);
            needle_prompt_free(&prompt);
        }
    }
    struct needle_prompt prompt = make(&setting, position_of(65536, 0.5));
    assert_demo_prompt(&prompt, 0.5);
    needle_prompt_free(&prompt);
}

/* Every sentence comes up, also near the end where not every one fits. */
static void demo_sentences_are_drawn(void **state) {
    (void)state;
    static const char *const words[] = {"tide",   "cart", "Smoke", "dog",  "Rain",  "bell",
                                        "miller", "Gull", "baker", "Wind", "stone", "ferry"};
    struct needle_setting setting = setting_of(NEEDLE_DEMO, 5);
    struct needle_prompt prompt = make(&setting, position_of(4096, 0.5));
    char *text = text_of(prompt.tokens, prompt.count);
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        if (!strstr(text, words[w])) fail_msg("no sentence of the %s", words[w]);
    }
    free(text);
    needle_prompt_free(&prompt);
}

/* The numbers that a message names. */
static int numbers_of(const char *message, int64_t out[4]) {
    int count = 0;
    for (const char *at = message; *at && count < 4; at++) {
        if (*at < '0' || *at > '9') continue;
        char *end;
        out[count++] = strtoll(at, &end, 10);
        at = end - 1;
    }
    return count;
}

static void lengths_that_no_sentences_make_are_named(void **state) {
    (void)state;
    struct needle_setting setting = setting_of(NEEDLE_DEMO, 5);
    struct needle_prompt prompt;
    struct error error = {""};
    struct needle_position position = position_of(128, 0.5);
    assert_int_equal(needle_prompt_make(&setting, &position, &prompt, &error), STATUS_INPUT);
    assert_message(error.message, "128 tokens|whole sentences");
    int64_t numbers[4];
    assert_int_equal(numbers_of(error.message, numbers), 3);
    assert_true(numbers[1] < 128 && numbers[2] > 128);
    for (int64_t length = numbers[1] + 1; length < numbers[2]; length++) {
        assert_refused(&setting, position_of(length, 0.5), "whole sentences");
    }
    for (int i = 1; i < 3; i++) {
        prompt = make(&setting, position_of(numbers[i], 0.5));
        assert_demo_prompt(&prompt, 0.5);
        needle_prompt_free(&prompt);
    }
}

/* ---- Texts ---- */

static void texts_are_haystacks(void **state) {
    (void)state;
    static const int32_t bos = 1;
    const struct tokenizer with_bos = {.bos = bos, .eos = -1};
    struct needle_setting setting = setting_of(NEEDLE_PUBLISHED, 5);
    int32_t text[400];
    for (int i = 0; i < 400; i++) text[i] = 256 + i; /* no bytes */
    struct needle_prompt prompt;
    struct error error = {""};
    struct needle_position position = position_of(400, 0.3);
    int status = needle_prompt_in_text(&setting, &position, text, 400, &prompt, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(prompt.count, 400);
    int64_t room = 400 - (PUBLISHED_LEAST - (int64_t)strlen(DESCRIPTION)), before = llround(0.3 * (double)room);
    int64_t statement = (int64_t)strlen("The pass key is 12345. Remember it. 12345 is the pass key.\n");
    assert_memory_equal(prompt.tokens, text, (size_t)before * sizeof *text);
    assert_int_equal(prompt.tokens[before], '\n');
    assert_int_equal(prompt.needle, before + 1);
    assert_memory_equal(prompt.tokens + prompt.needle + statement, text + before,
                        (size_t)(room - before) * sizeof *text);
    char *question = text_of(prompt.tokens + prompt.needle + statement + room - before, 44), expected[128];
    snprintf(expected, sizeof expected, "\nWhat is the pass key? The pass key is %s", prompt.key);
    assert_string_equal(question, expected);
    free(question);
    needle_prompt_free(&prompt);

    /* As many tokens as there is room for are enough, and one fewer is not. */
    assert_int_equal(needle_prompt_in_text(&setting, &position, text, room, &prompt, &error), STATUS_OK);
    needle_prompt_free(&prompt);
    assert_int_equal(needle_prompt_in_text(&setting, &position, text, room - 1, &prompt, &error), STATUS_INPUT);
    assert_message(error.message, "400 tokens");

    /* Nothing comes before a document's BOS, and none is added to a text from its middle. */
    setting.tokenizer = &with_bos;
    position.depth = 0.0;
    assert_int_equal(needle_prompt_in_text(&setting, &position, text, 400, &prompt, &error), STATUS_OK);
    assert_int_equal(prompt.needle, 1);
    needle_prompt_free(&prompt);
    text[0] = bos;
    assert_int_equal(needle_prompt_in_text(&setting, &position, text, 400, &prompt, &error), STATUS_OK);
    assert_int_equal(prompt.needle, 2);
    assert_int_equal(prompt.tokens[0], bos);
    needle_prompt_free(&prompt);
}

/* ---- Keys ---- */

static void keys_have_their_digits(void **state) {
    (void)state;
    static const int64_t digits[] = {1, 2, 5, NEEDLE_MOST_DIGITS};
    for (size_t d = 0; d < sizeof digits / sizeof *digits; d++) {
        struct needle_setting setting = setting_of(NEEDLE_DEMO, digits[d]);
        bool seen[10] = {false};
        for (int64_t trial = 0; trial < 200; trial++) {
            struct needle_position position = position_of(400, 0.5);
            position.trial = trial;
            struct needle_prompt prompt = make(&setting, position);
            assert_int_equal(strlen(prompt.key), digits[d]);
            assert_int_equal(strspn(prompt.key, "0123456789"), digits[d]);
            assert_true(prompt.key[0] != '0');
            for (const char *c = prompt.key; *c; c++) seen[*c - '0'] = true;
            needle_prompt_free(&prompt);
        }
        for (int c = 1; c < 10; c++) assert_true(seen[c]);
        assert_true(seen[0] == (digits[d] > 1));
    }
}

static bool same(const struct needle_prompt *a, const struct needle_prompt *b) {
    return a->count == b->count && a->needle == b->needle && strcmp(a->key, b->key) == 0 &&
           memcmp(a->tokens, b->tokens, (size_t)a->count * sizeof *a->tokens) == 0;
}

/* The same numbers make the same prompt, and each of them counts. */
static void prompts_are_told_apart(void **state) {
    (void)state;
    for (int form = 0; form < NEEDLE_FORMS; form++) {
        struct needle_setting setting = setting_of((enum needle_form)form, 12);
        struct needle_position position = position_of(700, 0.5), others[] = {position, position, position, position};
        others[0].length++, others[1].depth = 0.75, others[2].seed += (uint64_t)1 << 40, others[3].trial++;
        struct needle_prompt prompt = make(&setting, position), again = make(&setting, position);
        assert_true(same(&prompt, &again));
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            struct needle_prompt other = make(&setting, others[i]);
            assert_string_not_equal(other.key, prompt.key);
            needle_prompt_free(&other);
        }
        needle_prompt_free(&prompt);
        needle_prompt_free(&again);
    }
}

/* ---- What cannot be made ---- */

static void what_cannot_be_made_is_refused(void **state) {
    (void)state;
    struct needle_setting published = setting_of(NEEDLE_PUBLISHED, 5), demo = setting_of(NEEDLE_DEMO, 5);
    assert_refused(&published, position_of(PUBLISHED_LEAST - 1, 0.5), "252 tokens|take 253 or more");
    assert_refused(&published, position_of(0, 0.5), "0 tokens|take 253 or more");
    assert_refused(&demo, position_of(20, 0.5), "20 tokens|take 66 or more");
    struct needle_prompt prompt = make(&demo, position_of(66, 0.5));
    needle_prompt_free(&prompt);
    static const double depths[] = {-0.01, 1.01, NAN, INFINITY};
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
        assert_refused(&published, position_of(400, depths[d]), "depth|0..1");
    }
    static const int64_t digits[] = {0, -1, NEEDLE_MOST_DIGITS + 1};
    for (size_t d = 0; d < sizeof digits / sizeof *digits; d++) {
        struct needle_setting setting = setting_of(NEEDLE_PUBLISHED, digits[d]);
        assert_refused(&setting, position_of(400, 0.5), "digits|1..32");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_prompts_are_worded_as_published),
        cmocka_unit_test(published_prompts_have_every_length),
        cmocka_unit_test(demo_prompts_are_whole_sentences),
        cmocka_unit_test(demo_sentences_are_drawn),
        cmocka_unit_test(lengths_that_no_sentences_make_are_named),
        cmocka_unit_test(texts_are_haystacks),
        cmocka_unit_test(keys_have_their_digits),
        cmocka_unit_test(prompts_are_told_apart),
        cmocka_unit_test(what_cannot_be_made_is_refused),
    };
    return cmocka_run_group_tests_name("needle", tests, NULL, NULL);
}
