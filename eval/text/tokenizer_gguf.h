/* The tokenizer in the metadata of a GGUF model (tokenizer.ggml.*; the Python package gguf, constants.py).
 *
 * tokenizer.ggml.model is one of
 * - gpt2: BPE of bytes. How texts are divided is not in the file: tokenizer.ggml.pre names it, and those names that
 *   tokenizer_gguf.c lists stand for the pre-tokenizer and the normalizer of such models' tokenizer.json. Control and
 *   user-defined tokens in a text are those tokens.
 * - llama: SentencePiece's BPE with scores, through that library. Names of control tokens in a text are text.
 * - llama in a file of architecture gemma3: the BPE of Gemma 3's tokenizer.json, whose merges follow from the order of
 *   the tokens. Control and user-defined tokens in a text are those tokens.
 * Others are refused by name.
 *
 * A document begins with tokenizer.ggml.bos_token_id if add_bos_token says so, or, without that key, if the models of
 * that kind have one; it ends with eos_token_id if add_eos_token says so.
 */
#ifndef LONGROPE_EVAL_TOKENIZER_GGUF_H
#define LONGROPE_EVAL_TOKENIZER_GGUF_H

#include <stdbool.h>

#include "eval/base/error.h"
#include "eval/text/tokenizer.h"

/* Fills in *out; *found is false, and *out unchanged, if the file has no tokenizer. STATUS_INPUT for a tokenizer that
 * is not supported or damaged and for the errors of gguf_open(), STATUS_FAILED for lack of memory. The caller closes
 * *out, also after an error. */
int tokenizer_gguf_load(const char *path, bool *found, struct tokenizer *out, struct error *error);

#endif
