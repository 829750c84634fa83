#include "eval/text/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#include "eval/base/array.h"
#include "eval/base/file.h"
#include "eval/text/tokenizer_json_parts.h"
#include "eval/text/utf8.h"

int tokenizer_json_load(const char *path, struct tokenizer_json **out, struct error *error) {
    unsigned char *bytes;
    size_t size;
    *out = NULL;
    int status = file_read(path, &bytes, &size, error);
    if (status != STATUS_OK) return status;
    *out = calloc(1, sizeof **out);
    status = *out ? tokenizer_json_read(path, (const char *)bytes, size, *out, error)
                  : error_memory(error, sizeof **out, path);
    free(bytes);
    if (status == STATUS_OK) return status;
    tokenizer_json_free(*out);
    *out = NULL;
    return status;
}

int tokenizer_json_make(const char *path, const json_t *json, struct tokenizer_json **out, struct error *error) {
    *out = calloc(1, sizeof **out);
    int status = *out ? tokenizer_json_read_value(path, json, *out, error) : error_memory(error, sizeof **out, path);
    if (status == STATUS_OK) return status;
    tokenizer_json_free(*out);
    *out = NULL;
    return status;
}

void tokenizer_json_free(struct tokenizer_json *tokenizer) {
    if (!tokenizer) return;
    added_tokens_free(&tokenizer->before);
    added_tokens_free(&tokenizer->after);
    pattern_free(tokenizer->word);
    steps_free(&tokenizer->normalizer);
    steps_free(&tokenizer->pre_tokenizer);
    bpe_free(tokenizer->bpe);
    free(tokenizer);
}

int32_t tokenizer_json_first(const struct tokenizer_json *tokenizer) { return tokenizer->first; }

int32_t tokenizer_json_last(const struct tokenizer_json *tokenizer) { return tokenizer->last; }

int32_t tokenizer_json_unknown(const struct tokenizer_json *tokenizer) { return bpe_unknown(tokenizer->bpe); }

/* ---- Encoding ---- */

/* A text on its way: added tokens, the normalizer, added tokens, the pre-tokenizer, words. */
struct encoding {
    const struct tokenizer_json *tokenizer;
    const char *name, *text;
    bool first; /* the part at hand begins the text */
    struct pattern_memory *matching;
    struct steps_memory normalizer_memory, pre_tokenizer_memory;
    struct bpe_words *words;
    struct token_list tokens;
};

static void encoding_close(struct encoding *e) {
    pattern_memory_free(e->matching);
    steps_memory_free(&e->normalizer_memory);
    steps_memory_free(&e->pre_tokenizer_memory);
    bpe_words_free(e->words);
}

static int take_word(void *state, const struct piece *piece, struct error *error) {
    struct encoding *e = state;
    return bpe_encode(e->tokenizer->bpe, e->words, piece->text, piece->size, &e->tokens, error);
}

static int divide(struct encoding *e, const struct added_tokens *tokens, const char *text, size_t size,
                  added_tokens_taker *take, struct error *error) {
    const struct added_tokens_search search = {
        .tokens = tokens, .word = e->tokenizer->word, .matching = e->matching, .name = e->name};
    return added_tokens_divide(&search, text, size, take, e, error);
}

static int take_normalized(void *state, const struct added_token *token, const char *text, size_t size,
                           struct error *error) {
    struct encoding *e = state;
    const struct piece piece = {text, size, e->first};
    const struct steps_run run = {.steps = &e->tokenizer->pre_tokenizer,
                                  .memory = &e->pre_tokenizer_memory,
                                  .matching = e->matching,
                                  .name = e->name,
                                  .take = take_word,
                                  .state = e};
    e->first = false; /* of what follows */
    return token ? token_list_add(&e->tokens, token->id, error) : steps_apply(&run, &piece, error);
}

static int take_piece(void *state, const struct piece *piece, struct error *error) {
    struct encoding *e = state;
    e->first = piece->first;
    return divide(e, &e->tokenizer->after, piece->text, piece->size, take_normalized, error);
}

static int take_text(void *state, const struct added_token *token, const char *text, size_t size, struct error *error) {
    struct encoding *e = state;
    const struct piece piece = {text, size, text == e->text};
    const struct steps_run run = {.steps = &e->tokenizer->normalizer,
                                  .memory = &e->normalizer_memory,
                                  .matching = e->matching,
                                  .name = e->name,
                                  .take = take_piece,
                                  .state = e};
    return token ? token_list_add(&e->tokens, token->id, error) : steps_apply(&run, &piece, error);
}

int tokenizer_json_encode(const struct tokenizer_json *tokenizer, const char *name, const char *text, size_t size,
                          int32_t **out, int64_t *count, struct error *error) {
    struct encoding e = {.tokenizer = tokenizer, .name = name, .text = text};
    *out = NULL;
    *count = 0;
    int status = utf8_check(name, text, size, error);
    if (status == STATUS_OK) status = pattern_memory_new(&e.matching, error);
    if (status == STATUS_OK) status = bpe_words_new(&e.words, error);
    if (status == STATUS_OK) status = divide(&e, &tokenizer->before, text, size, take_text, error);
    encoding_close(&e);
    if (status == STATUS_OK && !e.tokens.items && !(e.tokens.items = calloc(1, sizeof **out))) {
        status = error_memory(error, sizeof **out, name); /* none, but a pointer to free */
    }
    if (status != STATUS_OK) {
        free(e.tokens.items);
        return status;
    }
    *out = e.tokens.items;
    *count = (int64_t)e.tokens.count;
    return STATUS_OK;
}

/* ---- For reading the file ---- */

struct normalized {
    char *text;
    size_t size;
};

static int take_copy(void *state, const struct piece *piece, struct error *error) {
    struct normalized *out = state;
    out->text = malloc(piece->size);
    if (!out->text) return error_memory(error, (double)piece->size, "an added token");
    memcpy(out->text, piece->text, piece->size);
    out->size = piece->size;
    return STATUS_OK;
}

int tokenizer_json_normalize(const struct tokenizer_json *tokenizer, const char *name, const char *text, size_t size,
                             char **out, size_t *out_size, struct error *error) {
    struct steps_memory memory = {0};
    struct normalized made = {NULL, 0};
    struct steps_run run = {
        .steps = &tokenizer->normalizer, .memory = &memory, .name = name, .take = take_copy, .state = &made};
    struct pattern_memory *matching;
    int status = pattern_memory_new(&matching, error);
    run.matching = matching;
    if (status == STATUS_OK) status = steps_apply(&run, &(struct piece){text, size, true}, error);
    pattern_memory_free(matching);
    steps_memory_free(&memory);
    *out = made.text;
    *out_size = made.size;
    return status;
}
