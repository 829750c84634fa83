/* Tokens that are found in a text before anything else is done to it, such as "<|im_end|>".
 *
 * Of tokens that begin at one place the longest is found. It is none if it must be a whole word and a letter, mark or
 * digit is next to it. It takes the white space before and behind it if it says so.
 */
#ifndef LONGROPE_EVAL_ADDED_TOKENS_H
#define LONGROPE_EVAL_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/pattern.h"

struct added_token {
    char *text; /* not empty; owned */
    size_t size;
    int32_t id;
    bool single_word, left_strip, right_strip;
};

/* Zeroed is empty. */
struct added_tokens {
    size_t count, capacity;
    struct added_token *items; /* [count], sorted by their bytes once added_tokens_sort() was called */
    size_t begins[257];        /* tokens whose first byte is b: items[begins[b]..begins[b + 1]) */
};

/* Adds a copy of the token. STATUS_FAILED for lack of memory. */
int added_tokens_add(struct added_tokens *tokens, const struct added_token *token, struct error *error);

/* After all were added. The index of a token with the text of another, or `count`. */
size_t added_tokens_sort(struct added_tokens *tokens);

void added_tokens_free(struct added_tokens *tokens);

/* Takes a part of the text: a token, or text between tokens, for which `token` is NULL. */
typedef int added_tokens_taker(void *state, const struct added_token *token, const char *text, size_t size,
                               struct error *error);

struct added_tokens_search {
    const struct added_tokens *tokens;
    const struct pattern *word; /* a character of words; NULL if no token must be a whole word */
    struct pattern_memory *matching;
    const char *name; /* where the text came from */
};

/* Divides text[size], UTF-8. Errors are those of the taker and of pattern_find(). */
int added_tokens_divide(const struct added_tokens_search *search, const char *text, size_t size,
                        added_tokens_taker *take, void *state, struct error *error);

#endif
