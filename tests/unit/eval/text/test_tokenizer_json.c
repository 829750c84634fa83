/* eval/text/tokenizer_json: files made here, the tokens of what each step does, and files that are refused. That the
 * tokens are the library's is tested by tests/interop/test_tokenizer_json.py. */
#include "tests/unit/scratch_file.h"

#include "eval/text/tokenizer_json.h"

/* ---- Files ---- */

#define STRINGIFY(...) #__VA_ARGS__
#define PIECE "\\u2581"

/* The parts of a file; NULL: left out. */
struct parts {
    const char *added, *normalizer, *pre_tokenizer, *processor, *model, *more;
};

/* Pieces become tokens: a piece of letters is a token by itself, another one an unknown token per piece. */
static const char whole_pieces[] = STRINGIFY({
    "type" : "BPE",
    "unk_token" : "?",
    "fuse_unk" : true,
    "ignore_merges" : true,
    "merges" : [],
    "vocab" : {
        "?" : 0,
        "a" : 1,
        "b" : 2,
        "ab" : 3,
        " a" : 4,
        "\u2581a" : 5,
        "\u2581" : 6,
        "ba" : 7,
        "1" : 8,
        "12" : 9,
        "\u0120" : 10,
        "\u0120a" : 11,
        "\u00c3\u00a9" : 12,
        "\u00e9" : 13
    }
});

static int write_and_load(const struct fixture *fixture, const struct parts *parts, struct tokenizer_json **out,
                          struct error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    fprintf(file, "{\"version\": \"1.0\", \"model\": %s", parts->model ? parts->model : whole_pieces);
    if (parts->added) fprintf(file, ", \"added_tokens\": %s", parts->added);
    if (parts->normalizer) fprintf(file, ", \"normalizer\": %s", parts->normalizer);
    if (parts->pre_tokenizer) fprintf(file, ", \"pre_tokenizer\": %s", parts->pre_tokenizer);
    if (parts->processor) fprintf(file, ", \"post_processor\": %s", parts->processor);
    if (parts->more) fprintf(file, ", %s", parts->more);
    fputs("}", file);
    assert_int_equal(fclose(file), 0);
    scratch_write(fixture->path, text, size);
    free(text);
    return tokenizer_json_load(fixture->path, out, error);
}

static struct tokenizer_json *load(const struct fixture *fixture, const struct parts *parts) {
    struct tokenizer_json *tokenizer;
    struct error error = {""};
    if (write_and_load(fixture, parts, &tokenizer, &error) != STATUS_OK) fail_msg("%s", error.message);
    return tokenizer;
}

/* The tokens as numbers, separated by blanks. */
static void assert_tokens(const struct fixture *fixture, const struct parts *parts, const char *text,
                          const char *expected) {
    struct tokenizer_json *tokenizer = load(fixture, parts);
    struct error error = {""};
    int32_t *tokens;
    int64_t count;
    char found[256] = "";
    if (tokenizer_json_encode(tokenizer, "t", text, strlen(text), &tokens, &count, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    for (int64_t i = 0, used = 0; i < count; i++) {
        used += snprintf(found + used, sizeof found - (size_t)used, i ? " %d" : "%d", (int)tokens[i]);
    }
    if (strcmp(found, expected) != 0) fail_msg("%s: %s, not %s", text, found, expected);
    free(tokens);
    tokenizer_json_free(tokenizer);
}

/* ---- Steps ---- */

static void test_pre_tokenizers(void **state) {
    const struct fixture *fixture = *state;
    struct parts parts = {0};
    assert_tokens(fixture, &parts, "", "");
    assert_tokens(fixture, &parts, "ab", "3");
    assert_tokens(fixture, &parts, "aba", "1 2 1"); /* no merges */
    parts.pre_tokenizer = "{\"type\": \"Digits\", \"individual_digits\": true}";
    assert_tokens(fixture, &parts, "ab12a", "3 8 0 1");
    parts.pre_tokenizer = "{\"type\": \"Digits\", \"individual_digits\": false}";
    assert_tokens(fixture, &parts, "ab12a", "3 9 1");
    parts.pre_tokenizer = "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true}";
    assert_tokens(fixture, &parts, "a ab", "11 10 1 2");
    assert_tokens(fixture, &parts, " a  ", "11 10 10");
    parts.pre_tokenizer = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}";
    assert_tokens(fixture, &parts, "ab", "3");
    assert_tokens(fixture, &parts, "\u00e9", "12");
    parts.pre_tokenizer = "{\"type\": \"Metaspace\", \"replacement\": \"" PIECE "\"}";
    assert_tokens(fixture, &parts, "a a  a", "5 5 6 5");
    assert_tokens(fixture, &parts, " a", "5");
    parts.pre_tokenizer =
        "{\"type\": \"Metaspace\", \"replacement\": \"" PIECE "\", \"prepend_scheme\": \"never\", \"split\": false}";
    assert_tokens(fixture, &parts, "a", "1");
    assert_tokens(fixture, &parts, " a", "5");
    parts.pre_tokenizer = "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": "
                          "false}, {\"type\": \"Metaspace\", \"replacement\": \"" PIECE "\"}]}";
    assert_tokens(fixture, &parts, "a1a", "5 6 8 5");
}

static void assert_split(const struct fixture *fixture, const char *behavior, const char *invert,
                         const char *expected) {
    char step[256];
    const struct parts parts = {.pre_tokenizer = step};
    snprintf(step, sizeof step,
             "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[b1]\"}, \"behavior\": \"%s\", \"invert\": %s}",
             behavior, invert);
    assert_tokens(fixture, &parts, "aabba1", expected);
}

static void test_splits(void **state) {
    const struct fixture *fixture = *state;
    assert_split(fixture, "Isolated", "false", "1 1 2 2 1 8");
    assert_split(fixture, "Removed", "false", "1 1 1");
    assert_split(fixture, "Removed", "true", "2 2 8");
    assert_split(fixture, "MergedWithPrevious", "false", "1 1 2 2 1 8");
    assert_split(fixture, "MergedWithNext", "false", "1 1 2 7 8");
    assert_split(fixture, "Contiguous", "false", "1 1 2 2 1 8");
    const struct parts text = {.pre_tokenizer = "{\"type\": \"Split\", \"pattern\": {\"String\": \"b\"}, \"behavior\": "
                                                "\"MergedWithPrevious\", \"invert\": false}"};
    assert_tokens(fixture, &text, "abab", "3 3");
    assert_tokens(fixture, &text, "bab", "2 3");
}

static void test_normalizers(void **state) {
    const struct fixture *fixture = *state;
    struct parts parts = {.normalizer = "{\"type\": \"Prepend\", \"prepend\": \"b\"}"};
    assert_tokens(fixture, &parts, "a", "7");
    parts.normalizer = "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" PIECE "\"}";
    assert_tokens(fixture, &parts, " a", "5");
    parts.normalizer = "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x+\"}, \"content\": \"\"}";
    assert_tokens(fixture, &parts, "xxaxbxx", "3");
    assert_tokens(fixture, &parts, "xx", "");
    parts.normalizer = "{\"type\": \"NFC\"}";
    assert_tokens(fixture, &parts, "e\u0301", "13");
    parts.normalizer =
        "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Replace\", \"pattern\": "
        "{\"String\": \"\\u00e9\"}, \"content\": \"ba\"}]}";
    assert_tokens(fixture, &parts, "e\u0301", "7");
    parts.normalizer = "{\"type\": \"Sequence\", \"normalizers\": []}";
    assert_tokens(fixture, &parts, "ab", "3");
}

/* ---- Added tokens and the tokens around a text ---- */

static void test_added_tokens(void **state) {
    const struct fixture *fixture = *state;
    struct parts parts = {
        .added = STRINGIFY([
            {"id" : 14, "content" : "<x>", "special" : true}, {"id" : 15, "content" : "<x>a", "normalized" : false},
            {"id" : 3, "content" : "ab", "single_word" : true, "normalized" : false},
            {"id" : 16, "content" : "l", "lstrip" : true, "normalized" : false},
            {"id" : 17, "content" : "r", "rstrip" : true, "normalized" : false}, {"id" : 18, "content" : "a b"},
            {"id" : 19, "content" : "\t", "lstrip" : true, "rstrip" : true, "normalized" : false}
        ]),
        .normalizer = "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" PIECE "\"}"};
    assert_tokens(fixture, &parts, "a<x>b", "1 14 2");
    assert_tokens(fixture, &parts, "<x>ab", "15 2");
    assert_tokens(fixture, &parts, "ab.", "3 0");
    assert_tokens(fixture, &parts, "ab1", "1 2 8"); /* no word by itself */
    assert_tokens(fixture, &parts, "a  l a", "1 16 5");
    assert_tokens(fixture, &parts, "a r \n a", "1 6 17 1");
    assert_tokens(fixture, &parts, "ba b", "2 18"); /* as the normalizer leaves it */

    /* what another one has taken is no token */
    assert_tokens(fixture, &parts, "a\t\n\tb\t", "1 19 2 19");
    assert_tokens(fixture, &parts, "ar\t\tb", "1 17 2");
    struct tokenizer_json *tokenizer = load(fixture, &parts);
    assert_int_equal(tokenizer_json_unknown(tokenizer), 0);
    tokenizer_json_free(tokenizer);
    tokenizer_json_free(NULL);

    /* a mark is put before the text's beginning only */
    parts.normalizer = NULL;
    parts.pre_tokenizer = "{\"type\": \"Metaspace\", \"replacement\": \"" PIECE "\", \"prepend_scheme\": \"first\"}";
    assert_tokens(fixture, &parts, "a<x>b", "5 14 2");
    assert_tokens(fixture, &parts, "<x>b", "14 2");
}

static void assert_ends(const struct fixture *fixture, const char *processor, int32_t first, int32_t last) {
    struct tokenizer_json *tokenizer = load(fixture, &(struct parts){.processor = processor});
    assert_int_equal(tokenizer_json_first(tokenizer), first);
    assert_int_equal(tokenizer_json_last(tokenizer), last);
    tokenizer_json_free(tokenizer);
}

#define SPECIALS                                                                                                       \
    "\"special_tokens\": {\"a\": {\"id\": \"a\", \"ids\": [1], \"tokens\": [\"a\"]}, \"b\": {\"id\": \"b\", \"ids\": " \
    "[2]}}"
#define TEMPLATE(single) "{\"type\": \"TemplateProcessing\", \"single\": [" single "], \"pair\": [], " SPECIALS "}"
#define TEXT "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}"
#define SPECIAL(name) "{\"SpecialToken\": {\"id\": \"" name "\", \"type_id\": 0}}"

static void test_tokens_around_a_text(void **state) {
    const struct fixture *fixture = *state;
    assert_ends(fixture, NULL, -1, -1);
    assert_ends(fixture, "{\"type\": \"ByteLevel\", \"trim_offsets\": true}", -1, -1);
    assert_ends(fixture, TEMPLATE(TEXT), -1, -1);
    assert_ends(fixture, TEMPLATE(SPECIAL("a") "," TEXT), 1, -1);
    assert_ends(fixture, TEMPLATE(SPECIAL("a") "," TEXT "," SPECIAL("b")), 1, 2);
    assert_ends(
        fixture,
        "{\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}," TEMPLATE(TEXT "," SPECIAL("b")) "]}", -1,
        2);
}

/* ---- Refusals ---- */

static void assert_refused(const struct fixture *fixture, const struct parts *parts, const char *words) {
    struct tokenizer_json *tokenizer;
    struct error error = {""};
    if (write_and_load(fixture, parts, &tokenizer, &error) != STATUS_INPUT) fail_msg("not refused: %s", words);
    assert_message(error.message, words);
    assert_message(error.message, "/file");
    assert_null(tokenizer);
}

static void test_steps_that_are_refused(void **state) {
    const struct fixture *fixture = *state;
    static const char *const normalizers[][2] = {
        {"{\"type\": \"NFKC\"}",
         "normalizer.type is 'NFKC', which is not supported; supported: Sequence, Prepend, Replace and NFC"},
        {"{}", "normalizer.type is not a text"},
        {"[]", "normalizer is not an object"},
        {"{\"type\": \"NFC\", \"form\": 1}", "normalizer has the key 'form', which is not supported"},
        {"{\"type\": \"Prepend\", \"prepend\": 1}", "normalizer.prepend is not a text"},
        {"{\"type\": \"Replace\", \"content\": \"\"}", "normalizer.pattern is not an object"},
        {"{\"type\": \"Replace\", \"content\": \"\", \"pattern\": {}}",
         "normalizer.pattern is neither a String nor a Regex"},
        {"{\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"String\": \"\"}}",
         "normalizer.pattern.String: an empty text"},
        {"{\"type\": \"Sequence\", \"normalizers\": {}}", "normalizer.normalizers is not an array"},
        {"{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"St\\nrip\"}]}",
         "normalizer.normalizers[1].type is 'St?rip'"},
    };
    static const char *const pre_tokenizers[][2] = {
        {"{\"type\": \"Whitespace\"}",
         "pre_tokenizer.type is 'Whitespace', which is not supported; supported: Sequence, ByteLevel"},
        {"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\w\"}, \"behavior\": \"Isolated\", \"invert\": false}",
         "pre_tokenizer.pattern.Regex: \\w at byte 0"},
        {"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"isolated\"}",
         "pre_tokenizer.behavior is 'isolated'"},
        {"{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Isolated\", \"invert\": 0}",
         "pre_tokenizer.invert is neither true nor false"},
        {"{\"type\": \"Metaspace\", \"replacement\": \"ab\"}", "pre_tokenizer.replacement is not one character"},
        {"{\"type\": \"Metaspace\", \"replacement\": \"\"}", "pre_tokenizer.replacement is not one character"},
        {"{\"type\": \"Metaspace\", \"replacement\": \"a\", \"prepend_scheme\": \"last\"}",
         "pre_tokenizer.prepend_scheme is none of"},
        {"{\"type\": \"Metaspace\", \"replacement\": \"a\", \"add_prefix_space\": false}",
         "pre_tokenizer.prepend_scheme contradicts"},
    };
    for (size_t i = 0; i < sizeof normalizers / sizeof *normalizers; i++) {
        assert_refused(fixture, &(struct parts){.normalizer = normalizers[i][0]}, normalizers[i][1]);
    }
    for (size_t i = 0; i < sizeof pre_tokenizers / sizeof *pre_tokenizers; i++) {
        assert_refused(fixture, &(struct parts){.pre_tokenizer = pre_tokenizers[i][0]}, pre_tokenizers[i][1]);
    }
}

/* `inner` within `count` sequences. */
static void nest(char *out, size_t size, const char *list, const char *inner, int count) {
    size_t used = 0;
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, size - used, "{\"type\": \"Sequence\", \"%s\": [", list);
    used += (size_t)snprintf(out + used, size - used, "%s", inner);
    for (int i = 0; i < count; i++) used += (size_t)snprintf(out + used, size - used, "]}");
}

static void test_sequences_are_limited(void **state) {
    const struct fixture *fixture = *state;
    static char text[1 << 14];
    nest(text, sizeof text, "normalizers", "{\"type\": \"NFC\"}", 8);
    assert_tokens(fixture, &(struct parts){.normalizer = text}, "ab", "3");
    nest(text, sizeof text, "normalizers", "{\"type\": \"NFC\"}", 9);
    assert_refused(fixture, &(struct parts){.normalizer = text}, "is a sequence within 8 others");
    nest(text, sizeof text, "processors", "{\"type\": \"ByteLevel\"}", 10);
    assert_refused(fixture, &(struct parts){.processor = text}, "is a sequence within 8 others");
    size_t used = (size_t)snprintf(text, sizeof text, "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}");
    for (int i = 0; i < 32; i++) used += (size_t)snprintf(text + used, sizeof text - used, ", {\"type\": \"NFC\"}");
    snprintf(text + used, sizeof text - used, "]}");
    assert_refused(fixture, &(struct parts){.normalizer = text}, "normalizer.normalizers[32] is one step too many");
}

#define MODEL(more) "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [], " more "}"
#define VOCABULARY(vocabulary, merges) "{\"vocab\": {" vocabulary "}, \"merges\": [" merges "]}"

static void test_models_that_are_refused(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"[]", "model is not an object"},
        {"{\"type\": \"Unigram\"}", "model.type is 'Unigram', which is not supported; supported: BPE"},
        {"{\"type\": 1}", "model.type is not a text"},
        {"{\"type\": \"BPE\", \"vocab\": {}}", "model.merges is not an array"},
        {"{\"type\": \"BPE\", \"merges\": [], \"vocab\": []}", "model.vocab is not an object"},
        {MODEL("\"dropout\": 0.1"), "model.dropout is not supported"},
        {MODEL("\"continuing_subword_prefix\": \"##\""), "model.continuing_subword_prefix is not supported"},
        {MODEL("\"end_of_word_suffix\": \"x\""), "model.end_of_word_suffix is not supported"},
        {MODEL("\"unk_token\": \"<unk>\""), "model.unk_token is not in model.vocab"},
        {MODEL("\"unk_token\": 0"), "model.unk_token is not in model.vocab"},
        {MODEL("\"fuse_unk\": 1"), "model.fuse_unk is neither true nor false"},
        {MODEL("\"cache\": 1"), "model has the key 'cache'"},
        {VOCABULARY("\"a\": -1", ""), "model.vocab[\"a\"] is not a token's number"},
        {VOCABULARY("\"a\": 2147483648", ""), "model.vocab[\"a\"] is not a token's number"},
        {VOCABULARY("\"a\\n\": 1.5", ""), "model.vocab[\"a?\"] is not a token's number"},
        {VOCABULARY("\"a\": \"1\"", ""), "model.vocab[\"a\"] is not a token's number"},
        {VOCABULARY("\"a\": 1, \"b\": 1", ""), "model.vocab has two tokens with the number 1"},
        {VOCABULARY("\"a\": 1, \"a\": 2", ""), "is not valid JSON: duplicate object key"},
        {VOCABULARY("\"a\": 1", "[\"a\", \"c\"]"), "model.merges[0] has a right text that is not in model.vocab"},
        {VOCABULARY("\"a\": 1", "[\"a\", \"a\"]"), "model.merges[0] has a joined text"},
        {VOCABULARY("\"a\": 1", "\"c a\""), "model.merges[0] has a left text"},
        {VOCABULARY("\"a\": 1", "\"a a a\""), "model.merges[0] is not a pair"},
        {VOCABULARY("\"a\": 1, \"aa\": 2", "[\"a\", \"a\"], [\"a\"]"), "model.merges[1] is not a pair"},
        {VOCABULARY("\"a\": 1, \"aa\": 2", "[\"a\", \"a\", \"a\"]"), "model.merges[0] is not a pair"},
        {VOCABULARY("\"a\": 1", "null"), "model.merges[0] is not a pair"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(fixture, &(struct parts){.model = cases[i][0]}, cases[i][1]);
    }
}

static void test_other_refusals(void **state) {
    const struct fixture *fixture = *state;
    static const char *const added[][2] = {
        {"{}", "added_tokens is not an array"},
        {"[1]", "added_tokens[0] is not an object"},
        {"[{\"id\": -1, \"content\": \"x\"}]", "added_tokens[0].id is not a token's number"},
        {"[{\"id\": 14}]", "added_tokens[0].content is not a text"},
        {"[{\"id\": 14, \"content\": \"\"}]", "added_tokens[0] has no content"},
        {"[{\"id\": 14, \"content\": \"x\", \"lstrip\": 0}]", "added_tokens[0].lstrip is neither"},
        {"[{\"id\": 14, \"content\": \"x\", \"color\": 0}]", "added_tokens[0] has the key 'color'"},
        {"[{\"id\": 15, \"content\": \"x\"}]",
         "added_tokens[0].id is 15, but the tokenizers library gives this token the number 14"},
        {"[{\"id\": 14, \"content\": \"ab\"}]", "added_tokens[0].id is 14, but|the number 3"},
        {"[{\"id\": 14, \"content\": \"x\"}, {\"id\": 15, \"content\": \"x\"}]", "added_tokens has 'x' twice"},
    };
    static const char *const processors[][2] = {
        {"{\"type\": \"BertProcessing\"}", "post_processor.type is 'BertProcessing'"},
        {"1", "post_processor is not an object"},
        {TEMPLATE(""), "post_processor.single has no place for the text"},
        {TEMPLATE(TEXT "," TEXT), "post_processor.single[1] is not the text, A, once"},
        {TEMPLATE("{\"Sequence\": {\"id\": \"B\"}}"), "post_processor.single[0] is not the text"},
        {TEMPLATE(SPECIAL("a") "," SPECIAL("b") "," TEXT), "post_processor.single[1] is a second token"},
        {TEMPLATE(SPECIAL("c") "," TEXT), "post_processor.special_tokens.c is not an object"},
        {TEMPLATE("{\"Other\": {}}"), "post_processor.single[0] has the key 'Other'"},
        {"{\"type\": \"Sequence\", \"processors\": [" TEMPLATE(SPECIAL("a") "," TEXT) "," TEMPLATE(TEXT) "]}",
         "post_processor.processors[1] is a second template"},
    };
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        assert_refused(fixture, &(struct parts){.added = added[i][0]}, added[i][1]);
    }
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++) {
        assert_refused(fixture, &(struct parts){.processor = processors[i][0]}, processors[i][1]);
    }
    assert_refused(fixture, &(struct parts){.more = "\"template\": 1"}, "has the key 'template'");
    assert_refused(fixture, &(struct parts){.more = "\"version\": \"2.0\""}, "is not valid JSON: duplicate object key");
}

static void assert_file_refused(const struct fixture *fixture, const char *text, size_t size, const char *words) {
    struct tokenizer_json *tokenizer;
    struct error error = {""};
    scratch_write(fixture->path, text, size);
    assert_int_equal(tokenizer_json_load(fixture->path, &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, words);
    assert_null(tokenizer);
}

static void test_files_that_are_refused(void **state) {
    const struct fixture *fixture = *state;
    static char deep[1 << 16];
    memset(deep, '[', sizeof deep);
    assert_file_refused(fixture, "", 0, "/file: is empty");
    assert_file_refused(fixture, "{\n]", 3, "/file:2: is not valid JSON");
    assert_file_refused(fixture, "[]", 2, "/file: is not a JSON object");
    assert_file_refused(fixture, "{}", 2, "/file: model is not an object");
    assert_file_refused(fixture, "{\"version\": \"2.0\"}", 18, "/file: version is not \"1.0\"");
    assert_file_refused(fixture, deep, sizeof deep, "/file:1: is not valid JSON: maximum parsing depth reached");
    struct tokenizer_json *tokenizer;
    struct error error;
    assert_int_equal(tokenizer_json_load("/none/tokenizer.json", &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "/none/tokenizer.json: No such file");
}

static void test_text_must_be_utf8(void **state) {
    const struct fixture *fixture = *state;
    struct tokenizer_json *tokenizer = load(fixture, &(struct parts){0});
    struct error error;
    int32_t *tokens;
    int64_t count;
    assert_int_equal(tokenizer_json_encode(tokenizer, "some.txt", "ab\xc3(", 4, &tokens, &count, &error), STATUS_INPUT);
    assert_message(error.message, "some.txt: byte 2 is not UTF-8 (0xc3)|iconv");
    assert_null(tokens);
    tokenizer_json_free(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pre_tokenizers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_normalizers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_added_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_around_a_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequences_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_models_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_must_be_utf8, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
