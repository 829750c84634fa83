/* eval/text/tokenizer: SentencePiece models made here by hand, the tokens that begin and end a document, and files
 * that are damaged or made to do damage. */
#include "tests/unit/scratch_file.h"

#include <stdbool.h>

#include "eval/text/sentencepiece.h"
#include "eval/text/tokenizer.h"

/* ---- Models ---- */

/* A message of sentencepiece_model.proto under construction. */
struct message {
    size_t size;
    unsigned char bytes[1 << 14];
};

static void put_byte(struct message *message, unsigned byte) {
    assert_true(message->size < sizeof message->bytes);
    message->bytes[message->size++] = (unsigned char)byte;
}

static void put_varint(struct message *message, uint64_t value) {
    for (; value > 0x7f; value >>= 7) put_byte(message, (unsigned)(value & 0x7f) | 0x80);
    put_byte(message, (unsigned)value);
}

static void put_integer(struct message *message, unsigned field, uint64_t value) {
    put_varint(message, field << 3);
    put_varint(message, value);
}

static void put_bytes(struct message *message, unsigned field, const void *bytes, size_t size) {
    put_varint(message, field << 3 | 2);
    put_varint(message, size);
    for (size_t i = 0; i < size; i++) put_byte(message, ((const unsigned char *)bytes)[i]);
}

static void put_message(struct message *message, unsigned field, const struct message *inner) {
    put_bytes(message, field, inner->bytes, inner->size);
}

enum piece_type { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4 };

static void put_piece(struct message *model, const char *text, float score, enum piece_type type) {
    struct message piece = {0};
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    put_bytes(&piece, 1, text, strlen(text));
    put_varint(&piece, 2 << 3 | 5);
    for (int i = 0; i < 4; i++) put_byte(&piece, bits >> 8 * i & 0xff);
    put_integer(&piece, 3, type);
    put_message(model, 1, &piece);
}

#define BLANK "\xe2\x96\x81" /* U+2581, which stands for a blank */

/* A BPE model of eight pieces that puts a blank before each text. */
static void put_pieces(struct message *model) {
    put_piece(model, "<unk>", 0, UNKNOWN);
    put_piece(model, "<s>", 0, CONTROL);
    put_piece(model, "</s>", 0, CONTROL);
    put_piece(model, BLANK, -3, NORMAL);
    put_piece(model, "a", -4, NORMAL);
    put_piece(model, "b", -5, NORMAL);
    put_piece(model, BLANK "a", -1, NORMAL);
    put_piece(model, "ab", 0, NORMAL);
}

static void put_specs(struct message *model, const void *rules, size_t size) {
    struct message trainer = {0}, normalizer = {0};
    put_integer(&trainer, 3, 2); /* BPE */
    put_message(model, 2, &trainer);
    put_bytes(&normalizer, 1, "identity", 8);
    if (size) put_bytes(&normalizer, 2, rules, size);
    put_integer(&normalizer, 4, 0); /* blanks in a row stay */
    put_message(model, 3, &normalizer);
}

static void make_model(struct message *model) {
    *model = (struct message){0};
    put_pieces(model);
    put_specs(model, NULL, 0);
}

static void write_model(const struct fixture *fixture, const struct message *model) {
    scratch_write(fixture->path, model->bytes, model->size);
}

static void write_good(const struct fixture *fixture) {
    struct message model;
    make_model(&model);
    write_model(fixture, &model);
}

/* ---- Tokens ---- */

static void assert_tokens(const struct fixture *fixture, const char *text, const int32_t *tokens, int64_t count) {
    struct sentencepiece_model *model;
    struct error error = {""};
    int32_t *found;
    int64_t found_count;
    if (sentencepiece_load(fixture->path, false, &model, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(sentencepiece_encode(model, "t", text, strlen(text), &found, &found_count, &error), STATUS_OK);
    assert_int_equal(found_count, count);
    for (int64_t i = 0; i < count; i++) assert_int_equal(found[i], tokens[i]);
    free(found);
    sentencepiece_free(model);
}

static void test_tokens_by_hand(void **state) {
    const struct fixture *fixture = *state;
    write_good(fixture);
    assert_tokens(fixture, "ab", (int32_t[]){3, 7}, 2); /* the best pair first: _ ab, not _a b */
    assert_tokens(fixture, "a", (int32_t[]){6}, 1);
    assert_tokens(fixture, "ba a", (int32_t[]){3, 5, 4, 6}, 4);
    assert_tokens(fixture, "a  a", (int32_t[]){6, 3, 6}, 3);
    assert_tokens(fixture, "axa", (int32_t[]){6, 0, 4}, 3);
    assert_tokens(fixture, "", NULL, 0);
    assert_tokens(fixture, "<s>a", (int32_t[]){3, 0, 4}, 3); /* the name of a token is text */
}

static void test_pieces_are_found(void **state) {
    const struct fixture *fixture = *state;
    struct sentencepiece_model *model;
    struct error error;
    write_good(fixture);
    assert_int_equal(sentencepiece_load(fixture->path, false, &model, &error), STATUS_OK);
    assert_int_equal(sentencepiece_bos(model), 1);
    assert_int_equal(sentencepiece_find(model, "ab"), 7);
    assert_int_equal(sentencepiece_find(model, "<unk>"), 0);
    assert_int_equal(sentencepiece_find(model, "abc"), -1);
    sentencepiece_free(model);
    sentencepiece_free(NULL);
}

static void test_text_must_be_utf8(void **state) {
    const struct fixture *fixture = *state;
    static const char *const good[] = {"\x7f",         "\xc2\x80",         "\xdf\xbf",
                                       "\xe0\xa0\x80", "\xed\x9f\xbf",     "\xee\x80\x80",
                                       "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",         "\xc1\xbf",         "\xc2",
                                      "\xc2z",        "\xe0\x9f\xbf",     "\xe2\x96",
                                      "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                      "\xf1\x80\x80", "\xf5\x80\x80\x80", "\xff"};
    struct sentencepiece_model *model;
    struct error error;
    int32_t *tokens;
    int64_t count;
    write_good(fixture);
    assert_int_equal(sentencepiece_load(fixture->path, false, &model, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(sentencepiece_encode(model, "t", good[i], strlen(good[i]), &tokens, &count, &error),
                         STATUS_OK);
        free(tokens);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[16];
        snprintf(text, sizeof text, "ab%s", bad[i]);
        int status = sentencepiece_encode(model, "some.txt", text, strlen(text), &tokens, &count, &error);
        assert_int_equal(status, STATUS_INPUT);
        assert_message(error.message, "some.txt: byte 2 is not UTF-8|iconv");
        assert_null(tokens);
    }
    sentencepiece_free(model);
}

/* ---- The tokens that begin and end a document ---- */

static int open_with(const struct fixture *fixture, const char *config, struct tokenizer *out, struct error *error) {
    char *path = scratch_path(&fixture->scratch, "tokenizer_config.json");
    remove(path);
    if (config) scratch_write(path, config, strlen(config));
    free(path);
    return tokenizer_open(fixture->path, NULL, 0, out, error);
}

static void assert_bos_and_eos(const struct fixture *fixture, const char *config, int32_t bos, int32_t eos) {
    struct tokenizer tokenizer;
    struct error error = {""};
    if (open_with(fixture, config, &tokenizer, &error) != STATUS_OK) fail_msg("%s", error.message);
    if (tokenizer.bos != bos) fail_msg("%s: begins with %d, not %d", config, (int)tokenizer.bos, (int)bos);
    if (tokenizer.eos != eos) fail_msg("%s: ends with %d, not %d", config, (int)tokenizer.eos, (int)eos);
    assert_non_null(tokenizer.pieces);
    tokenizer_close(&tokenizer);
    tokenizer_close(&tokenizer); /* leaves nothing behind */
}

static void assert_bos(const struct fixture *fixture, const char *config, int32_t bos) {
    assert_bos_and_eos(fixture, config, bos, -1);
}

static void test_bos(void **state) {
    const struct fixture *fixture = *state;
    write_good(fixture);
    assert_bos(fixture, NULL, 1);
    assert_bos(fixture, "{}", 1);
    assert_bos(fixture, "{\"tokenizer_class\": \"LlamaTokenizer\"}", 1);
    assert_bos(fixture, "{\"tokenizer_class\": \"LlamaTokenizerFast\"}", 1);
    assert_bos(fixture, "{\"tokenizer_class\": \"LlamaTokenizerFastest\"}", -1);
    assert_bos(fixture, "{\"tokenizer_class\": \"T5Tokenizer\"}", -1);
    assert_bos(fixture, "{\"tokenizer_class\": \"T5Tokenizer\", \"add_bos_token\": true}", 1);
    assert_bos(fixture, "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": false}", -1);
    assert_bos(fixture, "{\"add_bos_token\": null}", 1);
    assert_bos(fixture, "{\"bos_token\": null}", -1);
    assert_bos(fixture, "{\"model_max_length\": 1000000000000000019884624838656, \"x\": NaN}", 1);
    assert_bos(fixture, "{\"bos_token\": \"</s>\"}", 2);
    assert_bos(fixture, "{\"bos_token\": {\"content\": \"<unk>\", \"lstrip\": false}}", 0);
    assert_bos(fixture,
               "{\"bos_token\": \"<|x|>\", \"added_tokens_decoder\": {\"7\": {\"content\": \"y\"},"
               " \"9\": {\"content\": \"<|x|>\"}}}",
               9);
    assert_bos(fixture, "{\"bos_token\": \"<|x|>\", \"add_bos_token\": false}", -1);
}

static void test_eos(void **state) {
    const struct fixture *fixture = *state;
    write_good(fixture);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": true}", 1, 2);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": true, \"add_bos_token\": false, \"bos_token\": \"?\"}", -1, 2);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": true, \"tokenizer_class\": \"T5Tokenizer\"}", -1, 2);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": true, \"eos_token\": null}", 1, -1);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": true, \"eos_token\": {\"content\": \"<s>\"}}", 1, 1);
    assert_bos_and_eos(fixture,
                       "{\"add_eos_token\": true, \"eos_token\": \"<|x|>\", \"added_tokens_decoder\": "
                       "{\"9\": {\"content\": \"<|x|>\"}}}",
                       1, 9);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": null, \"eos_token\": \"<|x|>\"}", 1, -1);
    assert_bos_and_eos(fixture, "{\"add_eos_token\": false, \"eos_token\": 1}", 1, -1);
}

static void test_a_model_without_bos_and_eos_gets_none(void **state) {
    const struct fixture *fixture = *state;
    struct message model = {0};
    put_piece(&model, "<unk>", 0, UNKNOWN);
    put_piece(&model, "a", 0, NORMAL);
    put_specs(&model, NULL, 0);
    write_model(fixture, &model);
    assert_bos(fixture, "{\"add_bos_token\": true, \"add_eos_token\": true}", -1);
}

static void test_refusals_of_bos_and_eos(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"{\"add_bos_token\": 1}", "tokenizer_config.json|add_bos_token is neither"},
        {"{\"add_eos_token\": 1}", "tokenizer_config.json|add_eos_token is neither"},
        {"{\"add_eos_token\": true, \"eos_token\": 1}", "tokenizer_config.json|eos_token is not a text"},
        {"{\"add_eos_token\": true, \"eos_token\": \"<|x|>\"}", "eos_token '<|no token of the tokenizer.model"},
        {"{\"tokenizer_class\": 1}", "tokenizer_config.json|tokenizer_class is not a name"},
        {"{\"bos_token\": 1}", "tokenizer_config.json|bos_token is not a text"},
        {"{\"bos_token\": {\"content\": 1}}", "tokenizer_config.json|bos_token is not a text"},
        {"{\"bos_token\": \"<|x|>\"}", "bos_token '<|no token of the tokenizer.model beside it"},
        {"{\"bos_token\": \"q\", \"added_tokens_decoder\": {\"x\": {\"content\": \"q\"}}}", "bos_token 'q'"},
        {"{\"bos_token\": \"q\", \"added_tokens_decoder\": [1]}", "bos_token 'q'"},
        {"[]", "tokenizer_config.json: is not a JSON object"},
        {"{\n\"bos_token\"", "tokenizer_config.json:2: is not valid JSON"},
        {"", "tokenizer_config.json: is empty"},
    };
    write_good(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer tokenizer;
        struct error error = {""};
        assert_int_equal(open_with(fixture, cases[i][0], &tokenizer, &error), STATUS_INPUT);
        assert_message(error.message, cases[i][1]);
        assert_null(tokenizer.pieces);
    }
}

/* ---- The blank before a text ---- */

static void assert_first(const struct fixture *fixture, const char *config, int32_t first) {
    struct tokenizer tokenizer;
    struct error error = {""};
    int32_t *tokens;
    int64_t count;
    if (open_with(fixture, config, &tokenizer, &error) != STATUS_OK) fail_msg("%s", error.message);
    assert_int_equal(tokenizer_encode(&tokenizer, "t", "a a", 3, &tokens, &count, &error), STATUS_OK);
    assert_int_equal(count, 2);
    if (tokens[0] != first) fail_msg("%s: %d, not %d", config, (int)tokens[0], (int)first);
    assert_int_equal(tokens[1], 6);
    free(tokens);
    tokenizer_close(&tokenizer);
}

static void test_blank_before_a_text(void **state) {
    const struct fixture *fixture = *state;
    struct tokenizer tokenizer;
    struct error error = {""};
    write_good(fixture);
    assert_first(fixture, NULL, 6);
    assert_first(fixture, "{\"add_prefix_space\": true}", 6);
    assert_first(fixture, "{\"add_prefix_space\": null}", 6);
    assert_first(fixture, "{\"add_prefix_space\": false}", 4);
    assert_int_equal(open_with(fixture, "{\"add_prefix_space\": 0}", &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "tokenizer_config.json|add_prefix_space is neither");
    struct message model;
    make_model(&model);
    model.size -= 4; /* what is put behind a file must not complete it */
    write_model(fixture, &model);
    assert_int_equal(open_with(fixture, "{\"add_prefix_space\": false}", &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "is not a SentencePiece model");
}

/* ---- What a model wants ---- */

static void test_defaults(void **state) {
    const struct fixture *fixture = *state;
    struct tokenizer tokenizer;
    struct error error = {""};
    const char *dir = fixture->scratch.dir;
    assert_int_equal(tokenizer_open("bytes", dir, 32000, &tokenizer, &error), STATUS_OK);
    assert_null(tokenizer.pieces);
    assert_int_equal(tokenizer.bos, -1);
    assert_int_equal(tokenizer_open(NULL, dir, TOKENIZER_BYTE_VOCABULARY, &tokenizer, &error), STATUS_OK);
    assert_null(tokenizer.pieces);
    assert_int_equal(tokenizer_open(NULL, dir, TOKENIZER_BYTE_VOCABULARY + 1, &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, dir);
    assert_message(error.message, "neither tokenizer.model nor tokenizer.json|385|.npy|eval/README.md");

    struct message model;
    make_model(&model);
    char *path = scratch_path(&fixture->scratch, "tokenizer.model");
    scratch_write(path, model.bytes, model.size);
    assert_int_equal(tokenizer_open(NULL, dir, 256, &tokenizer, &error), STATUS_OK);
    assert_non_null(tokenizer.pieces);
    assert_int_equal(tokenizer.bos, 1);
    tokenizer_close(&tokenizer);
    scratch_write(path, "x", 1);
    assert_int_equal(tokenizer_open(NULL, dir, 256, &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "/tokenizer.model: is not a SentencePiece model");
    free(path);
}

/* ---- tokenizer.json ---- */

static void write_json(const struct fixture *fixture, const char *before, const char *after) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"<unk>\": 0, \"a\": 1, \"b\": 2, \"ab\": 3}, "
        "\"merges\": [[\"a\", \"b\"]], \"unk_token\": \"<unk>\"}, \"added_tokens\": [{\"id\": 4, \"content\": "
        "\"<s>\"}], "
        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [%s{\"Sequence\": {\"id\": \"A\"}}%s], "
        "\"pair\": [], \"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [4]}}}}",
        before, after);
    scratch_write_in(fixture->scratch.dir, "tokenizer.json", text);
}

#define SPECIAL "{\"SpecialToken\": {\"id\": \"<s>\"}}"

/* The default of a model without tokenizer.model, and the file by its path. tokenizer_config.json has no say. */
static void assert_ends(const struct fixture *fixture, int32_t bos, int32_t eos) {
    char *path = scratch_path(&fixture->scratch, "tokenizer.json");
    const char *const names[] = {path, NULL};
    scratch_write_in(fixture->scratch.dir, "tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"a\"}");
    for (size_t i = 0; i < 2; i++) {
        struct tokenizer tokenizer;
        struct error error = {""};
        int status = tokenizer_open(names[i], fixture->scratch.dir, 5, &tokenizer, &error);
        if (status != STATUS_OK) fail_msg("%s", error.message);
        assert_non_null(tokenizer.json);
        assert_int_equal(tokenizer.bos, bos);
        assert_int_equal(tokenizer.eos, eos);
        assert_int_equal(tokenizer_unknown(&tokenizer), 0);
        tokenizer_close(&tokenizer);
    }
    free(path);
}

static void test_json(void **state) {
    const struct fixture *fixture = *state;
    const char *dir = fixture->scratch.dir;
    struct tokenizer tokenizer;
    struct error error;
    int32_t *tokens;
    int64_t count;
    write_json(fixture, "", "");
    assert_ends(fixture, -1, -1);
    write_json(fixture, SPECIAL ",", "");
    assert_ends(fixture, 4, -1);
    write_json(fixture, "", "," SPECIAL);
    assert_ends(fixture, -1, 4);
    assert_int_equal(tokenizer_open(NULL, dir, 5, &tokenizer, &error), STATUS_OK);
    assert_int_equal(tokenizer_encode(&tokenizer, "t", "ab<s>c", 6, &tokens, &count, &error), STATUS_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(tokens, ((int32_t[]){3, 4, 0}), 12);
    free(tokens);
    tokenizer_close(&tokenizer);
    scratch_write_in(dir, "tokenizer.json", "x");
    assert_int_equal(tokenizer_open(NULL, dir, 5, &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "/tokenizer.json:1: is not valid JSON");
    assert_null(tokenizer.json);
}

/* ---- Normalisation rules ---- */

enum { UNITS = 256, RULES = 4 + 4 * UNITS + 2 };

static const uint32_t good_root = 1 << 10;                   /* children at 0 ^ 1 */
static const uint32_t good_node = 0x80 << 10 | 1 << 8 | 'A'; /* at 1 ^ 'A'; children, and a value, at 0xc0 */
static const uint32_t good_value = (uint32_t)1 << 31;

/* "A" becomes "a": a trie of two nodes and a value in one block, none of whose other units any byte
 * leads to. */
static void make_rules(unsigned char rules[RULES], uint32_t root, uint32_t node, uint32_t value) {
    uint32_t words[1 + UNITS] = {4 * UNITS};
    for (uint32_t i = 0; i < UNITS; i++) words[1 + i] = i ^ 2;
    words[1 + 0] = root;
    words[1 + 0x40] = node;
    words[1 + 0xc0] = value;
    words[1 + 1] = good_value; /* for a node that is below itself */
    for (size_t i = 0; i < sizeof words; i++) rules[i] = (unsigned char)(words[i / 4] >> 8 * (i % 4));
    memcpy(rules + sizeof words, "a", 2);
}

static void write_rules(const struct fixture *fixture, const unsigned char *rules, size_t size) {
    struct message model = {0};
    put_pieces(&model);
    put_specs(&model, rules, size);
    write_model(fixture, &model);
}

static void assert_no_model(const struct fixture *fixture) {
    struct sentencepiece_model *model;
    struct error error = {""};
    assert_int_equal(sentencepiece_load(fixture->path, false, &model, &error), STATUS_INPUT);
    assert_message(error.message, "is not a SentencePiece model, or is damaged|.npy");
    assert_null(model);
}

static void test_rules_are_applied(void **state) {
    const struct fixture *fixture = *state;
    unsigned char rules[RULES];
    make_rules(rules, good_root, good_node, good_value);
    write_rules(fixture, rules, sizeof rules);
    assert_tokens(fixture, "Ab", (int32_t[]){3, 7}, 2);
}

static void test_rules_may_not_lead_outside(void **state) {
    const struct fixture *fixture = *state;
    const struct {
        uint32_t root, node, value;
    } cases[] = {
        {256 << 10, good_node, good_value},                       /* children beyond the end */
        {0x7fffffff & ~0xffu, good_node, good_value},             /* and far beyond */
        {good_root, 256 << 10 | 'A', good_value},                 /* the same of a node */
        {good_root, good_node, good_value | 2},                   /* a value beyond the texts */
        {good_root, good_node, 0xffffffff},                       /* and far beyond */
        {good_root, (0x40 ^ 1) << 10 | 1 << 8 | 'A', good_value}, /* values without end: a node below itself */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char rules[RULES];
        make_rules(rules, cases[i].root, cases[i].node, cases[i].value);
        write_rules(fixture, rules, sizeof rules);
        assert_no_model(fixture);
    }
}

static void test_rules_must_be_whole(void **state) {
    const struct fixture *fixture = *state;
    unsigned char rules[RULES];
    make_rules(rules, good_root, good_node, good_value);
    for (size_t size = 1; size < RULES; size += size < 8 ? 1 : 37) {
        write_rules(fixture, rules, size);
        assert_no_model(fixture);
    }
    rules[RULES - 1] = 'b'; /* a text without an end */
    write_rules(fixture, rules, RULES);
    assert_no_model(fixture);
}

/* One more rule, or user's piece, beginning with all those before it than the library has room for. */
static void test_nested_pieces_are_counted(void **state) {
    const struct fixture *fixture = *state;
    for (int most = 64; most <= 65; most++) {
        struct message model = {0};
        put_pieces(&model);
        char text[80] = "";
        for (int i = 0; i < most; i++) {
            strcat(text, "z");
            put_piece(&model, text, 0, USER_DEFINED);
        }
        put_specs(&model, NULL, 0);
        write_model(fixture, &model);
        if (most == 64) assert_tokens(fixture, text, (int32_t[]){3, 7 + 64}, 2);
        if (most == 65) assert_no_model(fixture);
    }
}

/* ---- Damage ---- */

static void test_what_is_no_model(void **state) {
    const struct fixture *fixture = *state;
    struct message model = {0};
    scratch_write(fixture->path, "just some text that is no model", 31);
    assert_no_model(fixture);
    put_specs(&model, NULL, 0); /* no pieces */
    write_model(fixture, &model);
    assert_no_model(fixture);
    make_model(&model);
    put_piece(&model, "ab", 0, NORMAL); /* twice */
    write_model(fixture, &model);
    assert_no_model(fixture);
    model = (struct message){0};
    put_piece(&model, "a", 0, NORMAL); /* none for what is unknown */
    put_specs(&model, NULL, 0);
    write_model(fixture, &model);
    assert_no_model(fixture);
}

/* Loading ends with a message or with a model that tokenizes. */
static bool survives(const struct fixture *fixture) {
    static const char text[] = "abA ab  b<s>zzz\n\xc3\xa4";
    struct sentencepiece_model *model;
    struct error error = {""};
    int32_t *tokens;
    int64_t count;
    int status = sentencepiece_load(fixture->path, false, &model, &error);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_INPUT);
        assert_message(error.message, fixture->path);
        return false;
    }
    if (sentencepiece_encode(model, "t", text, strlen(text), &tokens, &count, &error) == STATUS_OK) free(tokens);
    sentencepiece_find(model, "ab");
    sentencepiece_bos(model);
    sentencepiece_free(model);
    return true;
}

static void test_damaged_bytes(void **state) {
    const struct fixture *fixture = *state;
    static const unsigned char values[] = {0, 1, 4, 0x0a, 0x1a, 0x7f, 0x80, 0xff};
    unsigned char rules[RULES];
    struct message model = {0};
    size_t loaded = 0, refused = 0;
    make_rules(rules, good_root, good_node, good_value);
    put_pieces(&model);
    put_specs(&model, rules, sizeof rules);
    for (size_t at = 0; at < model.size; at++) {
        unsigned char before = model.bytes[at];
        for (size_t v = 0; v < sizeof values; v++) {
            model.bytes[at] = values[v];
            write_model(fixture, &model);
            *(survives(fixture) ? &loaded : &refused) += 1;
        }
        model.bytes[at] = before;
    }
    assert_true(loaded > 100 && refused > 100);
}

static void test_truncations(void **state) {
    const struct fixture *fixture = *state;
    struct message model;
    make_model(&model);
    for (size_t size = 1; size < model.size; size++) {
        scratch_write(fixture->path, model.bytes, size);
        survives(fixture);
    }
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_tokens_by_hand),
        WITH_FILES(test_pieces_are_found),
        WITH_FILES(test_text_must_be_utf8),
        WITH_FILES(test_bos),
        WITH_FILES(test_eos),
        WITH_FILES(test_a_model_without_bos_and_eos_gets_none),
        WITH_FILES(test_refusals_of_bos_and_eos),
        WITH_FILES(test_blank_before_a_text),
        WITH_FILES(test_defaults),
        WITH_FILES(test_json),
        WITH_FILES(test_rules_are_applied),
        WITH_FILES(test_rules_may_not_lead_outside),
        WITH_FILES(test_rules_must_be_whole),
        WITH_FILES(test_nested_pieces_are_counted),
        WITH_FILES(test_what_is_no_model),
        WITH_FILES(test_damaged_bytes),
        WITH_FILES(test_truncations),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
