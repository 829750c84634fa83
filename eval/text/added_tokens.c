#include "eval/text/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "eval/base/array.h"
#include "eval/text/utf8.h"

int added_tokens_add(struct added_tokens *tokens, const struct added_token *token, struct error *error) {
    struct added_token *items = array_reserve(tokens->items, &tokens->capacity, tokens->count + 1, sizeof *items);
    if (items) tokens->items = items;
    char *text = items ? malloc(token->size + 1) : NULL;
    if (!text) return error_memory(error, (double)token->size, "the added tokens of a tokenizer");
    memcpy(text, token->text, token->size);
    text[token->size] = '\0';
    items[tokens->count] = *token;
    items[tokens->count++].text = text;
    return STATUS_OK;
}

static int compare(const void *left, const void *right) {
    const struct added_token *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

size_t added_tokens_sort(struct added_tokens *tokens) {
    size_t twice = tokens->count, at = 0;
    if (tokens->count) qsort(tokens->items, tokens->count, sizeof *tokens->items, compare);
    for (size_t i = 1; i < tokens->count && twice == tokens->count; i++) {
        if (compare(&tokens->items[i - 1], &tokens->items[i]) == 0) twice = i;
    }
    for (size_t byte = 0; byte < 256; byte++) {
        tokens->begins[byte] = at;
        while (at < tokens->count && (unsigned char)tokens->items[at].text[0] == byte) at++;
    }
    tokens->begins[256] = at;
    return twice;
}

void added_tokens_free(struct added_tokens *tokens) {
    for (size_t i = 0; i < tokens->count; i++) free(tokens->items[i].text);
    free(tokens->items);
    *tokens = (struct added_tokens){0};
}

/* ---- Finding ---- */

/* The first of items[low..high), whose first `depth` bytes are equal, with `byte` or a greater one behind them. */
static size_t first_with(const struct added_tokens *tokens, size_t low, size_t high, size_t depth, int byte) {
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct added_token *token = &tokens->items[middle];
        int found = depth < token->size ? (unsigned char)token->text[depth] : -1;
        if (found < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The longest token that text[size] begins with; NULL if there is none. */
static const struct added_token *longest(const struct added_tokens *tokens, const char *text, size_t size) {
    size_t low = tokens->begins[(unsigned char)text[0]], high = tokens->begins[(unsigned char)text[0] + 1];
    const struct added_token *found = NULL;
    for (size_t depth = 1; low < high; depth++) {
        if (tokens->items[low].size == depth) found = &tokens->items[low];
        if (depth == size) break;
        int byte = (unsigned char)text[depth];
        low = first_with(tokens, low, high, depth, byte);
        high = first_with(tokens, low, high, depth, byte + 1);
    }
    return found;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c) {
    return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Where the character before text[end] begins; end > 0. */
static size_t before(const char *text, size_t end) {
    do end--;
    while (((unsigned char)text[end] & 0xc0) == 0x80);
    return end;
}

static size_t spaces_begin(const char *text, size_t end) {
    size_t bytes;
    while (end > 0 && is_space(utf8_decode(text + before(text, end), &bytes))) end = before(text, end);
    return end;
}

static size_t spaces_end(const char *text, size_t size, size_t begin) {
    size_t bytes;
    while (begin < size && is_space(utf8_decode(text + begin, &bytes))) begin += bytes;
    return begin;
}

/* Whether the character at `at`, if there is one, belongs to words. */
static int is_word(const struct added_tokens_search *search, const char *text, size_t size, size_t at, bool *out,
                   struct error *error) {
    struct match match = {0};
    *out = false;
    if (at >= size) return STATUS_OK;
    size_t bytes = utf8_character_bytes(text + at, size - at);
    int status = pattern_find(search->word, search->matching, search->name, text + at, bytes, 0, &match, error);
    *out = match.end > match.begin;
    return status;
}

/* Whether the text at begin..end is a whole word, if the token must be one. */
static int stands_alone(const struct added_tokens_search *search, const struct added_token *token, const char *text,
                        size_t size, size_t begin, bool *out, struct error *error) {
    bool left = false, right = false;
    int status = STATUS_OK;
    if (token->single_word && begin > 0) {
        status = is_word(search, text, size, before(text, begin), &left, error);
    }
    if (token->single_word && status == STATUS_OK) {
        status = is_word(search, text, size, begin + token->size, &right, error);
    }
    *out = !left && !right;
    return status;
}

/* The places are the library's also where white space that a token took is itself a token: one of which nothing is left
 * is left out. */
int added_tokens_divide(const struct added_tokens_search *search, const char *text, size_t size,
                        added_tokens_taker *take, void *state, struct error *error) {
    size_t given = 0;
    int status = STATUS_OK;
    for (size_t at = 0, next; at < size && search->tokens->count && status == STATUS_OK; at = next) {
        const struct added_token *token = longest(search->tokens, text + at, size - at);
        bool alone = false;
        next = at + (token ? token->size : 1);
        if (token) status = stands_alone(search, token, text, size, at, &alone, error);
        if (status != STATUS_OK || !alone) continue;
        size_t begin = token->left_strip ? spaces_begin(text, at) : at;
        size_t end = token->right_strip ? spaces_end(text, size, next) : next;
        if (token->left_strip && begin < given) begin = given;
        if (given < begin) status = take(state, NULL, text + given, begin - given, error);
        if (status == STATUS_OK && begin < end) status = take(state, token, text + at, token->size, error);
        given = end;
    }
    if (status == STATUS_OK && given < size) status = take(state, NULL, text + given, size - given, error);
    return status;
}
