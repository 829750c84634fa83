/* How text becomes tokens: one a byte, or by the model's own SentencePiece tokenizer. For models that
 * ship tokenizer.json only, tokens are made elsewhere and read as .npy files (README.md).
 *
 * A token that begins a text (BOS) is put before each document, not before each window, where
 * transformers 4's LlamaTokenizer would put one: tokenizer_config.json beside tokenizer.model says so
 * as add_bos_token; where it does not, or is not there, the tokenizer classes of the llama family
 * (LlamaTokenizer, CodeLlamaTokenizer and GemmaTokenizer, with or without Fast) want one and others do
 * not. Which token it is, bos_token says, looked up among the model's pieces and then in
 * added_tokens_decoder; else the SentencePiece model. One that has none gets none.
 *
 * Otherwise tokens are those of that class with legacy=True, which leaves the whole text to the
 * SentencePiece library. Names of special tokens within the text are text here; there they are tokens.
 */
#ifndef LONGROPE_EVAL_TOKENIZER_H
#define LONGROPE_EVAL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/sentencepiece.h"

enum { TOKENIZER_BYTE_VOCABULARY = 384 }; /* up to it a model without tokenizer.model reads bytes */

struct tokenizer {
    struct sentencepiece_model *pieces; /* NULL: one token a byte */
    int32_t bos;                        /* begins each document; -1: nothing does */
};

/* `name` is "bytes", a path of a SentencePiece model, or NULL for what the model in folder `model_dir`,
 * of `vocabulary` tokens, wants: its tokenizer.model, or bytes where there is none and the vocabulary
 * is that of bytes and few tokens more. STATUS_INPUT for what is missing or malformed, and for NULL
 * where neither holds. The caller closes *out with tokenizer_close(). */
int tokenizer_open(const char *name, const char *model_dir, int64_t vocabulary, struct tokenizer *out,
                   struct error *error);
/* The tokens of text[size], without BOS: *out[*count], which the caller frees with free(); *count may be 0.
 * Errors are those of sentencepiece_encode(), `name` being where the text came from. */
int tokenizer_encode(const struct tokenizer *tokenizer, const char *name, const char *text, size_t size, int32_t **out,
                     int64_t *count, struct error *error);
void tokenizer_close(struct tokenizer *tokenizer); /* a zeroed struct is allowed */

#endif
