/* Unicode's normalization form C (Unicode Standard Annex #15), as the tokenizers library makes it.
 *
 * The library has the tables of Unicode 9, utf8proc those of 14 or later. Characters that came between and combine with
 * others, or are composed of others, stay as and where they are.
 */
#ifndef LONGROPE_EVAL_NFC_H
#define LONGROPE_EVAL_NFC_H

#include <stddef.h>

#include "eval/base/error.h"
#include "eval/text/text_buffer.h"

/* Replaces *out by the normal form of text[size], UTF-8. Takes time and memory in proportion to the text. STATUS_FAILED
 * for lack of memory. */
int nfc_make(const char *text, size_t size, struct text_buffer *out, struct error *error);

#endif
