/* Documents as tokens, and the windows of them that are scored. */
#ifndef LONGROPE_EVAL_DOCUMENTS_H
#define LONGROPE_EVAL_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/tokenizer.h"

struct document {
    char *name; /* the path it was read from */
    int64_t count;
    int32_t *tokens; /* [count] */
};

struct documents {
    size_t count;
    struct document *items; /* [count] */
};

/* A window of a document: tokens start..start+length-1. Of its length-1 predictions the first `skip`
 * are context for the others and not scored. */
struct window {
    size_t document;
    int64_t start, length;
    int64_t skip; /* 0..length-1 */
};

/* Reads files, one document each, in the order given. `tokenizer` makes tokens of text: of its unchanged bytes (line
 * ends and byte-order marks stay), after BOS and before EOS if the tokenizer has them. An .npy file holds a
 * one-dimensional integer array (numpy format 1.0 to 3.0, signed or unsigned, 1 to 8 bytes, little-endian).
 * STATUS_INPUT for a file that is missing, empty, malformed, without a token, or with one that is negative or beyond
 * 2^31-1. The caller frees with documents_free(). */
int documents_read_text(char *const *paths, size_t count, const struct tokenizer *tokenizer, struct documents *out,
                        struct error *error);
int documents_read_npy(char *const *paths, size_t count, struct documents *out, struct error *error);
void documents_free(struct documents *documents); /* a zeroed struct is allowed */

/* STATUS_INPUT, naming document and position, if a token is not below `vocabulary`. */
int documents_check(const struct documents *documents, int64_t vocabulary, struct error *error);

/* Hash of all tokens and of the lengths of documents, not of their names. */
uint64_t documents_fingerprint(const struct documents *documents);

/* Chooses `wanted` windows of `length` tokens, nothing skipped (0: one per document that is long enough):
 * first the beginning of each long enough document, in order; then further windows, one at a time from
 * the document with most text per window so far, so that they are spread evenly over the text. The
 * windows of a document begin at equal distances, the last one reaches its end, and they do not overlap.
 * Sorted: beginnings first, then by document and position. STATUS_INPUT if no document is long
 * enough or the documents hold fewer windows. The caller frees *out with free(). */
int windows_choose(const struct documents *documents, int64_t length, size_t wanted, struct window **out, size_t *count,
                   struct error *error);

/* What is said of windows of `length` tokens. */
struct windows_told {
    const struct documents *documents;
    const struct window *windows; /* [count] */
    size_t count;
    int64_t length;
    int32_t bos; /* that documents of text begin with; -1: none */
    bool text;   /* the documents are text that was tokenized here */
};

/* One line without a newline: how many windows of how many documents, which documents are left out because they are
 * shorter, and whether documents begin with BOS. NULL for lack of memory. The caller frees it. */
char *windows_tell(const struct windows_told *told);

/* The number of documents that have a window. */
size_t windows_documents(const struct windows_told *told);

/* Windows of `length` tokens that advance by `stride` over each document. Each window scores the
 * predictions that the windows before it did not (perplexity of fixed-length models in transformers'
 * documentation): the first one all its predictions, the next ones those of the last `stride` tokens. The
 * last window of a document may be shorter. Documents shorter than `length` are one window. With
 * 1 <= stride < length a document of N tokens gives N-1 predictions; with stride = length windows do
 * not overlap, and nothing predicts the first token of any. Windows without a prediction are left out.
 * Sorted by document and position. STATUS_INPUT if stride is not within 1..length or nothing is left
 * to predict. The caller frees *out with free(). */
int windows_slide(const struct documents *documents, int64_t length, int64_t stride, struct window **out, size_t *count,
                  struct error *error);

#endif
