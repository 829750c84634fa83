/* Text to tokens: one token per byte, or with the model's own tokenizer, tokenizer.model (SentencePiece),
 * tokenizer.json (Hugging Face's tokenizers) or that of a GGUF (tokenizer_gguf.h).
 *
 * The token that begins a text (BOS) comes before each document, not before each window, if transformers would put one
 * there, and so does the token that ends it (EOS) behind each.
 *
 * tokenizer.model: as transformers 4's LlamaTokenizer does. add_bos_token in tokenizer_config.json beside it
 * decides; without it, the tokenizer classes of the llama family (LlamaTokenizer, CodeLlamaTokenizer and
 * GemmaTokenizer, with or without Fast) have a BOS and other classes do not. There is an EOS if add_eos_token says so.
 * bos_token and eos_token name the tokens, which are looked up in the model's pieces and then in added_tokens_decoder;
 * without them they are the SentencePiece model's. A SentencePiece model without BOS or EOS gives none.
 * add_prefix_space: false there means that no blank is put before a text; else the SentencePiece model decides that.
 * Otherwise tokens are those of that class with legacy=True, which leaves the whole text to the
 * SentencePiece library. One difference: names of special tokens in a text are text here, and tokens there.
 *
 * tokenizer.json: what its post_processor puts around a text, as transformers 5 does, which ignores add_bos_token and
 * add_eos_token of tokenizer_config.json beside it. Names of special tokens in a text are those tokens. Tokens that
 * tokenizer_config.json alone would add are text.
 */
#ifndef LONGROPE_EVAL_TOKENIZER_H
#define LONGROPE_EVAL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

enum { TOKENIZER_BYTE_VOCABULARY = 384 }; /* the largest of a model that reads bytes without a tokenizer */

struct sentencepiece_model;
struct tokenizer_json;

struct tokenizer {
    struct sentencepiece_model *pieces; /* of tokenizer.model, or NULL */
    struct tokenizer_json *json;        /* of tokenizer.json, or NULL. Without both: one token per byte */
    int32_t bos, eos;                   /* begin and end each document; -1: none */
};

/* `name` is "bytes", the path of a tokenizer.json, which ends in ".json", of a GGUF, which ends in ".gguf", or of a
 * SentencePiece model, or NULL for the default of the model `model` with `vocabulary` tokens: that of its GGUF, or its
 * folder's tokenizer.model, else its tokenizer.json, or bytes if there is none and the vocabulary is at most
 * TOKENIZER_BYTE_VOCABULARY. STATUS_INPUT for what is missing or malformed, and if there is no default. The caller
 * closes *out with tokenizer_close(). */
int tokenizer_open(const char *name, const char *model, int64_t vocabulary, struct tokenizer *out, struct error *error);
/* The tokens of text[size], without BOS and EOS: *out[*count], which the caller frees with free(); *count may be 0.
 * Errors are those of sentencepiece_encode() and tokenizer_json_encode(), `name` being where the text came from. */
int tokenizer_encode(const struct tokenizer *tokenizer, const char *name, const char *text, size_t size, int32_t **out,
                     int64_t *count, struct error *error);
/* The token that stands for what has no token; -1 if there is none. */
int32_t tokenizer_unknown(const struct tokenizer *tokenizer);
void tokenizer_close(struct tokenizer *tokenizer); /* a zeroed struct is allowed */

#endif
