/* What people write in files and on the command line: numbers and names, strictly
 * read, and misspelt names. */
#ifndef LONGROPE_SEARCH_TEXT_H
#define LONGROPE_SEARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/model.h"

/* Whole texts only: "-12" is an integer; "12k", "1e3", " 12" and "012" (octal to some readers) are
 * not. False, with *out untouched, for what is none. */
bool parse_integer(const char *text, int64_t *out);

/* "1", "-1.5", ".5" and "1e-3" are numbers; hexadecimals, infinities and NaN are not. False, with
 * *out untouched, for what is none. */
bool parse_number(const char *text, double *out);

enum { NUMBER_TEXT_SIZE = 32 };
/* A finite number with as few digits as read back to the same double, and a zero: "1.25", "3", "1e-05". */
void number_text(double value, char out[NUMBER_TEXT_SIZE]);

/* Bytes of the UTF-8 character at `text`, 1..4, a zero's too; 0 where there is none: it is cut off, overlong, a
 * surrogate's, or beyond U+10FFFF. */
int utf8_length(const char *text);

/* "auto", "f32", "bf16". False, with *out untouched, for what is none of them. */
bool parse_model_type(const char *text, enum model_type *out);

/* Of `count` names the one that is spelled most like `word`, the first of equals; NULL where none
 * is near enough to be what was meant. */
const char *nearest_name(const char *word, const char *const *names, size_t count);

#endif
