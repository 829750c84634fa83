/* Byte-pair encoding: a vocabulary of texts, and merges that join two neighbouring tokens of a word to one.
 *
 * A word begins as a token per character. As long as a merge applies to two neighbours, the first of the list's merges
 * is made, at its leftmost place. The result and its exceptions are those of the tokenizers library's model "BPE".
 */
#ifndef LONGROPE_EVAL_BPE_H
#define LONGROPE_EVAL_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

/* Tokens under construction. Zeroed is empty; the caller frees `items`. */
struct token_list {
    size_t count, capacity;
    int32_t *items; /* [count] */
};

/* STATUS_FAILED for lack of memory. */
int token_list_add(struct token_list *list, int32_t token, struct error *error);

struct bpe_settings {
    int32_t unknown;    /* stands for a character that has no token; -1: it is left out */
    bool fuse_unknown;  /* one unknown token for characters in a row */
    bool byte_fallback; /* a character without a token becomes those of its bytes, "<0x0A>", if there are all */
    bool whole_words;   /* a word that is a token is never divided (ignore_merges) */
};

struct bpe;

/* An empty vocabulary with room for so many tokens and merges. STATUS_FAILED for lack of memory. The caller frees *out
 * with bpe_free(). */
int bpe_new(size_t tokens, size_t merges, struct bpe **out, struct error *error);
void bpe_free(struct bpe *bpe); /* NULL is allowed */

/* Adds a token with the text text[size]; its id is not negative. *added is false if another has this text. Not more
 * than there is room for. STATUS_FAILED for lack of memory. */
int bpe_put_token(struct bpe *bpe, const char *text, size_t size, int32_t id, bool *added, struct error *error);

struct bpe_merge {
    const char *left, *right; /* texts of tokens */
    size_t left_size, right_size;
};

/* Adds the next merge, whose token has the joined text; where a merge is added again, its last place counts. *unknown
 * is NULL, or "left", "right" or "joined", whichever is the text of no token, and then nothing is added. Not more than
 * there is room for. STATUS_FAILED for lack of memory. */
int bpe_put_merge(struct bpe *bpe, const struct bpe_merge *merge, const char **unknown, struct error *error);

/* After the tokens and merges; no words are encoded before. STATUS_FAILED for lack of memory. */
int bpe_finish(struct bpe *bpe, const struct bpe_settings *settings, struct error *error);

size_t bpe_token_count(const struct bpe *bpe);
/* The token of that text; -1 if there is none. */
int32_t bpe_find(const struct bpe *bpe, const char *text, size_t size);
/* -1, or a token that two texts have. STATUS_FAILED for lack of memory. */
int bpe_find_duplicate(const struct bpe *bpe, int32_t *out, struct error *error);
/* The token that stands for what has none; -1: none. */
int32_t bpe_unknown(const struct bpe *bpe);

/* The words of a text that were encoded, and memory to encode more. It belongs to one bpe and one thread. */
struct bpe_words;

int bpe_words_new(struct bpe_words **out, struct error *error);
void bpe_words_free(struct bpe_words *words); /* NULL is allowed */

/* Adds the tokens of word[size], UTF-8 and not empty, to *out. Takes O(size log size), and less for short words that
 * were encoded before. STATUS_FAILED for lack of memory. */
int bpe_encode(const struct bpe *bpe, struct bpe_words *words, const char *word, size_t size, struct token_list *out,
               struct error *error);

#endif
