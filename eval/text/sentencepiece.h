/* SentencePiece models (tokenizer.model), read by the SentencePiece library, which has a C++ interface only.
 *
 * How text is normalised (a leading blank, blanks in a row, bytes for what is no piece) is part of
 * the model file. The library does not check a file's precompiled normalisation rules, so they are checked
 * here first: whatever the bytes of the file are, loading ends with a model or a message.
 */
#ifndef LONGROPE_EVAL_SENTENCEPIECE_H
#define LONGROPE_EVAL_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

struct sentencepiece_model;

/* STATUS_INPUT for a file that is missing or not a SentencePiece model, STATUS_FAILED for lack of
 * memory. `bare`: no blank is put before a text, whatever the file says. The caller frees *out with
 * sentencepiece_free(). */
int sentencepiece_load(const char *path, bool bare, struct sentencepiece_model **out, struct error *error);
/* The same of the bytes of such a file, as it says itself; `path` is its name in messages. */
int sentencepiece_read(const char *path, const void *bytes, size_t size, struct sentencepiece_model **out,
                       struct error *error);
void sentencepiece_free(struct sentencepiece_model *model); /* NULL is allowed */

/* The tokens that begin a text (BOS) and end it (EOS); -1 if the model file has none. */
int32_t sentencepiece_bos(const struct sentencepiece_model *model);
int32_t sentencepiece_eos(const struct sentencepiece_model *model);
/* The token that stands for what is no piece. */
int32_t sentencepiece_unknown(const struct sentencepiece_model *model);
/* The token of that piece; -1 if there is no such piece. */
int32_t sentencepiece_find(const struct sentencepiece_model *model, const char *piece);

/* The tokens of text[size], UTF-8, without any that begins or ends it: *out[*count], which the caller
 * frees with free(); *count may be 0. Names of control tokens ("<s>") are text like any other.
 * STATUS_INPUT for text that is not UTF-8 or beyond 2^31-1 bytes, `name` being where it came from. */
int sentencepiece_encode(const struct sentencepiece_model *model, const char *name, const char *text, size_t size,
                         int32_t **out, int64_t *count, struct error *error);

#endif
