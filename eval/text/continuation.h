/* A context and a text that continues it, as tokens, for the likelihood of the continuation.
 *
 * The tokens are those of lm-evaluation-harness 0.4.13 (lm_eval/api/model.py, TemplateLM._encode_pair and
 * loglikelihood):
 * - white space at the end of the context belongs to the continuation, because tokenizers join a blank with the word
 *   behind it;
 * - the context is encoded, and so is the whole text; the continuation's tokens are those of the whole beyond the
 *   number of the context's. Both have BOS and EOS where the tokenizer puts them around texts, unless the text begins
 *   with BOS by itself;
 * - a context without any character is replaced by BOS, and the continuation has neither BOS nor EOS of its own.
 */
#ifndef LONGROPE_EVAL_CONTINUATION_H
#define LONGROPE_EVAL_CONTINUATION_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/tokenizer.h"

struct continuation {
    int64_t count;   /* at least scored + 1 */
    int64_t scored;  /* the last tokens, which are the continuation's; at least 1 */
    int32_t *tokens; /* [count] */
};

/* `name` is where the texts came from, for messages. STATUS_INPUT as tokenizer_encode(); if the continuation has no
 * token of its own, or nothing precedes its first token. The caller frees out->tokens with free(). */
int continuation_encode(const struct tokenizer *tokenizer, const char *name, const char *context,
                        const char *continuation, struct continuation *out, struct error *error);

/* Bytes of text[size] without white space at its end: characters that Python's str.isspace() names. The text is UTF-8.
 */
size_t continuation_stripped(const char *text, size_t size);

#endif
