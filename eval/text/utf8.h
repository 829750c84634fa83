/* Text as UTF-8 (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
#ifndef LONGROPE_EVAL_UTF8_H
#define LONGROPE_EVAL_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

enum { UTF8_MOST_BYTES = 4 }; /* of a character */

/* The bytes of the character that text[size] begins with; 0 if it begins with none. */
size_t utf8_character_bytes(const char *text, size_t size);

/* STATUS_INPUT for text that is not UTF-8, with the position of the first byte that is not, or that is beyond 2^31-1
 * bytes; `name` is where it came from. */
int utf8_check(const char *name, const char *text, size_t size, struct error *error);

/* The character that valid text begins with; *bytes is its size. */
uint32_t utf8_decode(const char *text, size_t *bytes);

/* Writes a character, not a surrogate and at most U+10FFFF; the number of bytes. */
size_t utf8_encode(uint32_t character, char out[UTF8_MOST_BYTES]);

#endif
