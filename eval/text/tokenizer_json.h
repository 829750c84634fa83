/* Tokenizers of Hugging Face's `tokenizers` library, read from tokenizer.json.
 *
 * The tokens of a text are those of the library, Tokenizer.encode(), with what the template of post_processor puts
 * around them kept apart. Supported are
 * - model: BPE without dropout, continuing_subword_prefix and end_of_word_suffix;
 * - normalizer: Prepend, Replace, NFC, Sequence;
 * - pre_tokenizer: ByteLevel, Digits, Metaspace, Split, Sequence; regular expressions as regex_syntax.h describes;
 * - added_tokens, all of it;
 * - post_processor: ByteLevel, TemplateProcessing with one token at most on each side of the text, Sequence.
 * Truncation, padding and decoder are not read: transformers takes none of them unless it is asked to.
 */
#ifndef LONGROPE_EVAL_TOKENIZER_JSON_H
#define LONGROPE_EVAL_TOKENIZER_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

struct tokenizer_json;

/* STATUS_INPUT for a file that is missing, malformed, contradicts itself or has what is not supported, with the place
 * in the file, such as pre_tokenizer.pretokenizers[0].type; STATUS_FAILED for lack of memory. The caller frees *out
 * with tokenizer_json_free(). */
int tokenizer_json_load(const char *path, struct tokenizer_json **out, struct error *error);
/* The same of the value of such a file that was made in memory; `path` is its name in messages. */
int tokenizer_json_make(const char *path, const json_t *json, struct tokenizer_json **out, struct error *error);
void tokenizer_json_free(struct tokenizer_json *tokenizer); /* NULL is allowed */

/* The tokens that post_processor puts before and behind a text; -1: none. */
int32_t tokenizer_json_first(const struct tokenizer_json *tokenizer);
int32_t tokenizer_json_last(const struct tokenizer_json *tokenizer);
/* The token that stands for what has no token; -1 if there is none. */
int32_t tokenizer_json_unknown(const struct tokenizer_json *tokenizer);

/* The tokens of text[size], UTF-8, without those of post_processor: *out[*count], which the caller frees with free();
 * *count may be 0. Takes time in proportion to the text, times the logarithm of the longest word. STATUS_INPUT for
 * text that is not UTF-8, is beyond 2^31-1 bytes, or takes a regular expression too long; `name` is where it came
 * from. */
int tokenizer_json_encode(const struct tokenizer_json *tokenizer, const char *name, const char *text, size_t size,
                          int32_t **out, int64_t *count, struct error *error);

#endif
