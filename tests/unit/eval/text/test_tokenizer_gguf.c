/* Tokenizers in the metadata of GGUF files. tests/interop compares those of real kinds with the libraries. */
#include "eval/text/tokenizer_gguf.h"
#include "tests/unit/gguf_bytes.h"

#define SCRATCH_FILE_NAME "model.gguf"
#include "tests/unit/scratch_file.h"

enum { MOST = 40 };

/* What a file says; lists end with a NULL. */
struct file {
    const char *model, *pre;
    const char *tokens[MOST];
    int types[MOST]; /* 0: as many as there are tokens, all normal */
    float scores[MOST];
    const char *merges[MOST];
    bool no_types, no_merges, no_scores;
    const char *flag;    /* a key that is true; NULL: none */
    const char *refuted; /* a key that is false */
    int bos, eos;        /* -1: no key */
    const char *architecture;
    int unknown; /* 0: no key */
};

static const struct file bytes_file = {
    .model = "gpt2",
    .pre = "smollm",
    .tokens = {"<|end|>", "a", "b", "ab", "1", "\u0120", "\u0120a", "<|user|>", "12", "2"},
    .types = {3, 1, 1, 1, 1, 1, 1, 4, 1, 1},
    .merges = {"a b", "\u0120 a", "1 2"},
    .bos = 0,
    .eos = -1};

static const struct file pieces_file = {.model = "llama",
                                        .tokens = {"<unk>", "<s>", "</s>", "\u2581", "a", "b", "ab", "\u2581ab"},
                                        .types = {2, 3, 3, 1, 1, 1, 1, 1},
                                        .scores = {0, 0, 0, -3, -4, -5, -1, -2},
                                        .bos = 1,
                                        .eos = 2};

/* ---- Files ---- */

static uint64_t count_of(const char *const *texts) {
    uint64_t count = 0;
    while (count < MOST && texts[count]) count++;
    return count;
}

static void put_texts(struct gguf_bytes *b, const char *key, const char *const *texts) {
    put_key(b, key, GGUF_ARRAY), put_u32(b, GGUF_STRING), put_u64(b, count_of(texts));
    for (uint64_t i = 0; i < count_of(texts); i++) put_string(b, texts[i]);
}

static void put_flag(struct gguf_bytes *b, const char *key, bool value) {
    put_key(b, key, GGUF_BOOL), put_bytes(b, value ? "\1" : "\0", 1);
}

static void write_file(const struct file *file, const char *path) {
    struct gguf_bytes b;
    uint64_t count = count_of(file->tokens), keys = 2;
    keys += (file->pre != NULL) + !file->no_types + !file->no_merges + !file->no_scores;
    keys += (uint64_t)((file->flag != NULL) + (file->refuted != NULL) + (file->bos >= 0) + (file->eos >= 0));
    keys += (uint64_t)((file->architecture != NULL) + (file->unknown > 0));
    gguf_bytes_begin(&b);
    put_prefix(&b, 3, 0, keys);
    if (file->architecture) put_key_string(&b, "general.architecture", file->architecture);
    if (file->unknown > 0) put_key_u32(&b, "tokenizer.ggml.unknown_token_id", (uint32_t)file->unknown);
    put_key_string(&b, "tokenizer.ggml.model", file->model);
    if (file->pre) put_key_string(&b, "tokenizer.ggml.pre", file->pre);
    put_texts(&b, "tokenizer.ggml.tokens", file->tokens);
    if (!file->no_types) {
        put_key(&b, "tokenizer.ggml.token_type", GGUF_ARRAY), put_u32(&b, GGUF_I32), put_u64(&b, count);
        for (uint64_t i = 0; i < count; i++) put_u32(&b, (uint32_t)file->types[i]);
    }
    if (!file->no_scores) {
        put_key(&b, "tokenizer.ggml.scores", GGUF_ARRAY), put_u32(&b, GGUF_F32), put_u64(&b, count);
        put_numbers(&b, file->scores, count);
    }
    if (!file->no_merges) put_texts(&b, "tokenizer.ggml.merges", file->merges);
    if (file->flag) put_flag(&b, file->flag, true);
    if (file->refuted) put_flag(&b, file->refuted, false);
    if (file->bos >= 0) put_key_u32(&b, "tokenizer.ggml.bos_token_id", (uint32_t)file->bos);
    if (file->eos >= 0) put_key_u32(&b, "tokenizer.ggml.eos_token_id", (uint32_t)file->eos);
    put_padding(&b, 32);
    gguf_bytes_write(&b, path);
}

static struct tokenizer open_file(const struct fixture *f, const struct file *file) {
    struct tokenizer tokenizer;
    struct error error = {""};
    write_file(file, f->path);
    if (tokenizer_open(NULL, f->path, 100000, &tokenizer, &error) != STATUS_OK) fail_msg("%s", error.message);
    return tokenizer;
}

static void assert_tokens(const struct tokenizer *tokenizer, const char *text, const int32_t *wanted, int64_t count) {
    int32_t *tokens = NULL;
    int64_t got = 0;
    struct error error = {""};
    if (tokenizer_encode(tokenizer, "text", text, strlen(text), &tokens, &got, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(got, count);
    assert_memory_equal(tokens, wanted, (size_t)count * sizeof *wanted);
    free(tokens);
}

static void assert_edges(const struct fixture *f, const struct file *file, int bos, int eos) {
    struct tokenizer tokenizer = open_file(f, file);
    assert_int_equal(tokenizer.bos, bos);
    assert_int_equal(tokenizer.eos, eos);
    tokenizer_close(&tokenizer);
}

static void assert_refused(const struct fixture *f, const struct file *file, const char *words) {
    struct tokenizer tokenizer;
    struct error error = {""};
    write_file(file, f->path);
    int status = tokenizer_open(NULL, f->path, 100000, &tokenizer, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, f->path);
    assert_message(error.message, words);
}

/* ---- gpt2 ---- */

static void test_bytes(void **state) {
    const struct fixture *f = *state;
    struct tokenizer tokenizer = open_file(f, &bytes_file);
    assert_tokens(&tokenizer, "ab a<|end|><|user|>b", (int32_t[]){3, 6, 0, 7, 2}, 5);
    tokenizer_close(&tokenizer);
}

/* The same tokens divided by three pre-tokenizers. */
static void test_words_are_those_of_the_name(void **state) {
    const struct fixture *f = *state;
    struct file file = bytes_file;
    file.tokens[9] = NULL, file.tokens[2] = "2", file.tokens[3] = "\u0120\u0120", file.merges[0] = "1 2",
    file.merges[1] = "\u0120 a", file.merges[2] = NULL;
    struct tokenizer tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "12", (int32_t[]){4, 2}, 2); /* digit by digit */
    tokenizer_close(&tokenizer);
    file.pre = "gpt-2";
    tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "12", (int32_t[]){8}, 1);
    tokenizer_close(&tokenizer);
    file.pre = "llama-bpe";
    file.merges[0] = "\u0120 a", file.merges[1] = NULL;
    tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "12", (int32_t[]){8}, 1); /* a word that is a token needs no merge */
    tokenizer_close(&tokenizer);
    file.pre = "qwen2";
    file.tokens[1] = "\u00c3", file.tokens[5] = "\u00a9", file.merges[0] = NULL;
    tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "e\u0301", (int32_t[]){1, 5}, 2); /* composed: the bytes c3 a9 */
    tokenizer_close(&tokenizer);
}

static void test_beginnings_and_ends(void **state) {
    const struct fixture *f = *state;
    struct file file = bytes_file;
    assert_edges(f, &file, -1, -1);
    file.flag = "tokenizer.ggml.add_bos_token";
    assert_edges(f, &file, 0, -1);
    file.flag = "tokenizer.ggml.add_eos_token", file.eos = 7;
    assert_edges(f, &file, -1, 7);
    file = bytes_file;
    file.pre = "llama-bpe";
    assert_edges(f, &file, 0, -1);
    file.refuted = "tokenizer.ggml.add_bos_token";
    assert_edges(f, &file, -1, -1);
    assert_edges(f, &pieces_file, 1, -1);
}

static void test_refuses_what_bytes_cannot_be(void **state) {
    const struct fixture *f = *state;
    struct file file = bytes_file;
    file.pre = "gpt-4o";
    assert_refused(f, &file, "tokenizer.ggml.pre 'gpt-4o' is not supported; supported: gpt-2, smollm");
    file.pre = NULL;
    assert_refused(f, &file, "tokenizer.ggml.pre '' is not supported");
    file = bytes_file, file.model = "t5";
    assert_refused(f, &file, "tokenizer.ggml.model 't5' is not supported; supported: gpt2 and llama");
    file = bytes_file, file.no_merges = true;
    assert_refused(f, &file, "has no merges");
    file = bytes_file, file.merges[2] = "a c";
    assert_refused(f, &file, "model.merges[2] has a right text that is not in model.vocab");
    file = bytes_file, file.tokens[2] = "a";
    assert_refused(f, &file, "has a token twice");
    file = bytes_file, file.tokens[2] = "\xff";
    assert_refused(f, &file, "has a token that is not UTF-8 text");
    file = bytes_file, file.types[2] = 7;
    assert_refused(f, &file, "has a token of an unknown type");
    file = bytes_file, file.tokens[0] = NULL;
    assert_refused(f, &file, "has no tokens, or too many");
    file = bytes_file, file.flag = "tokenizer.ggml.add_bos_token", file.bos = 10;
    assert_refused(f, &file, "begins or ends documents with a token that it does not have");
}

/* ---- llama ---- */

static void test_pieces(void **state) {
    const struct fixture *f = *state;
    struct tokenizer tokenizer = open_file(f, &pieces_file);
    assert_tokens(&tokenizer, "ab b", (int32_t[]){7, 3, 5}, 3); /* a blank before the text, and scores, not merges */
    assert_int_equal(tokenizer_unknown(&tokenizer), 0);
    tokenizer_close(&tokenizer);
    struct file file = pieces_file;
    file.refuted = "tokenizer.ggml.add_space_prefix";
    tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "ab  b", (int32_t[]){6, 3, 3, 5}, 4); /* blanks in a row stay */
    tokenizer_close(&tokenizer);
}

/* As converters write what tokenizer_config.json lists: <unk> is a control token, and U+2581 of user-defined tokens is
 * a space. */
static void test_pieces_that_were_added(void **state) {
    const struct fixture *f = *state;
    struct file file = {.model = "llama",
                        .tokens = {"<s>", "<unk>", "\u2581", "a", "  "},
                        .types = {3, 3, 1, 1, 4},
                        .scores = {-1000, -1000, -1, -2, -1000},
                        .refuted = "tokenizer.ggml.add_space_prefix",
                        .bos = 0,
                        .eos = -1,
                        .unknown = 1};
    struct tokenizer tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "a  a b", (int32_t[]){3, 4, 3, 2, 1}, 5);
    assert_int_equal(tokenizer_unknown(&tokenizer), 1);
    tokenizer_close(&tokenizer);
    file.unknown = 5;
    assert_refused(f, &file, "has an unknown_token_id that is no token");
}

static void test_refuses_what_pieces_cannot_be(void **state) {
    const struct fixture *f = *state;
    struct file file = pieces_file;
    file.no_scores = true;
    assert_refused(f, &file, "has not one score per token");
    file = pieces_file, file.types[0] = 1;
    assert_refused(f, &file, "is refused by the SentencePiece library"); /* no token for what is unknown */
    file = pieces_file, file.types[6] = 6;
    assert_refused(f, &file, "is refused by the SentencePiece library"); /* one byte of 256 */
}

/* ---- llama of Gemma 3 ---- */

static const struct file gemma_file = {
    .model = "llama",
    .architecture = "gemma3",
    .tokens = {"<pad>", "<bos>", "<unk>", "\u2581", "  ", "a", "b", "c", "ab", "bc", "abc", "c\u00e9", "\u00e9"},
    .types = {3, 3, 3, 1, 4, 1, 1, 1, 1, 1, 1, 1, 1},
    .bos = 1,
    .eos = -1,
    .unknown = 2};

/* Merges are those of the order of tokens, whatever the scores. */
static void test_gemma(void **state) {
    const struct fixture *f = *state;
    struct file file = gemma_file;
    struct tokenizer tokenizer = open_file(f, &file);
    assert_int_equal(tokenizer.bos, 1);
    assert_int_equal(tokenizer_unknown(&tokenizer), 2);
    assert_tokens(&tokenizer, "abcbc", (int32_t[]){10, 9}, 2);
    assert_tokens(&tokenizer, "a  <bos>c\u00e9b x", (int32_t[]){5, 4, 1, 11, 6, 3, 2}, 7);
    assert_tokens(&tokenizer, "<pad><unk>", (int32_t[]){0, 2}, 2);
    tokenizer_close(&tokenizer);
    file.tokens[8] = "bc", file.tokens[9] = "ab", file.tokens[10] = "abb";
    tokenizer = open_file(f, &file);
    assert_tokens(&tokenizer, "abc abb", (int32_t[]){5, 8, 3, 10}, 4);
    tokenizer_close(&tokenizer);
}

static void test_refuses_what_gemma_cannot_be(void **state) {
    const struct fixture *f = *state;
    struct file file = gemma_file;
    char longest[258] = "";
    file.unknown = 0;
    assert_refused(f, &file, "has no unknown_token_id");
    file = gemma_file, file.tokens[3] = "\u2581\u2581";
    assert_refused(f, &file, "has a token twice");
    file = gemma_file, file.tokens[5] = memset(longest, 'a', 257);
    assert_refused(f, &file, "has a token of more than 256 bytes");
    char rows[24][25] = {""}; /* "a" n times is made of two others in n - 1 ways */
    file = gemma_file;
    for (int n = 1; n <= 24; n++) file.tokens[2 + n] = memset(rows[n - 1], 'a', (size_t)n), file.types[2 + n] = 1;
    assert_refused(f, &file, "has tokens that are made of others in too many ways");
    file = gemma_file, file.tokens[12] = "\xff";
    assert_refused(f, &file, "has a token that is not UTF-8 text");
}

/* ---- none, and by name ---- */

static void test_without_a_tokenizer(void **state) {
    const struct fixture *f = *state;
    struct tokenizer tokenizer;
    struct error error = {""};
    struct file file = bytes_file;
    file.model = "none";
    write_file(&file, f->path);
    assert_int_equal(tokenizer_open(NULL, f->path, 256, &tokenizer, &error), STATUS_OK);
    assert_tokens(&tokenizer, "a", (int32_t[]){97}, 1);
    tokenizer_close(&tokenizer);
    assert_int_equal(tokenizer_open(NULL, f->path, 1000, &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "has no tokenizer, and a vocabulary of 1000 tokens is not one of bytes");
    assert_int_equal(tokenizer_open(f->path, NULL, 256, &tokenizer, &error), STATUS_INPUT);
    assert_message(error.message, "holds no tokenizer");
    write_file(&bytes_file, f->path);
    assert_int_equal(tokenizer_open(f->path, NULL, 256, &tokenizer, &error), STATUS_OK);
    assert_tokens(&tokenizer, "ab", (int32_t[]){3}, 1);
    tokenizer_close(&tokenizer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_bytes),
        TEST(test_words_are_those_of_the_name),
        TEST(test_beginnings_and_ends),
        TEST(test_refuses_what_bytes_cannot_be),
        TEST(test_pieces),
        TEST(test_pieces_that_were_added),
        TEST(test_refuses_what_pieces_cannot_be),
        TEST(test_gemma),
        TEST(test_refuses_what_gemma_cannot_be),
        TEST(test_without_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
