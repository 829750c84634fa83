/* Text to tokens: one token per byte, or with the model's own SentencePiece tokenizer. Tokens of models that
 * have tokenizer.json only are made elsewhere and read as .npy files (eval/README.md).
 *
 * The token that begins a text (BOS) comes before each document, not before each window, if transformers
 * 4's LlamaTokenizer would put one there: add_bos_token in tokenizer_config.json beside tokenizer.model
 * decides; without it, the tokenizer classes of the llama family (LlamaTokenizer, CodeLlamaTokenizer and
 * GemmaTokenizer, with or without Fast) have a BOS and other classes do not. bos_token names the token,
 * which is looked up in the model's pieces and then in added_tokens_decoder; without bos_token it is the
 * SentencePiece model's. A SentencePiece model without BOS gives none.
 *
 * Otherwise tokens are those of that class with legacy=True, which leaves the whole text to the
 * SentencePiece library. One difference: names of special tokens in a text are text here, and tokens there.
 */
#ifndef LONGROPE_EVAL_TOKENIZER_H
#define LONGROPE_EVAL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/sentencepiece.h"

enum { TOKENIZER_BYTE_VOCABULARY = 384 }; /* the largest of a model that reads bytes without tokenizer.model */

struct tokenizer {
    struct sentencepiece_model *pieces; /* NULL: one token per byte */
    int32_t bos;                        /* begins each document; -1: none */
};

/* `name` is "bytes", the path of a SentencePiece model, or NULL for the default of the model in folder
 * `model_dir` with `vocabulary` tokens: its tokenizer.model, or bytes if there is no such file and the
 * vocabulary is at most TOKENIZER_BYTE_VOCABULARY. STATUS_INPUT for what is missing or malformed, and if
 * there is no default. The caller closes *out with tokenizer_close(). */
int tokenizer_open(const char *name, const char *model_dir, int64_t vocabulary, struct tokenizer *out,
                   struct error *error);
/* The tokens of text[size], without BOS: *out[*count], which the caller frees with free(); *count may be 0.
 * Errors are those of sentencepiece_encode(), `name` being where the text came from. */
int tokenizer_encode(const struct tokenizer *tokenizer, const char *name, const char *text, size_t size, int32_t **out,
                     int64_t *count, struct error *error);
void tokenizer_close(struct tokenizer *tokenizer); /* a zeroed struct is allowed */

#endif
