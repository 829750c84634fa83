/* What people write in files and on the command line: numbers, read strictly. */
#ifndef LONGROPE_SEARCH_TEXT_H
#define LONGROPE_SEARCH_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Whole texts only: "-12" is an integer; "12k", "1e3", " 12" and "012" (octal to some readers) are
 * not. False, with *out untouched, for what is none. */
bool text_to_integer(const char *text, int64_t *out);

/* "1", "-1.5", ".5" and "1e-3" are numbers; hexadecimals, infinities and NaN are not. False, with
 * *out untouched, for what is none. */
bool text_to_number(const char *text, double *out);

enum { TEXT_NUMBER_SIZE = 32 };
/* A finite number with as few digits as read back to the same double, and a zero: "1.25", "3", "1e-05". */
void text_of_number(double value, char out[TEXT_NUMBER_SIZE]);

/* Bytes of the UTF-8 character at `text`, 1..4, a zero's too; 0 where there is none: it is cut off, overlong, a
 * surrogate's, or beyond U+10FFFF. */
int text_utf8_length(const char *text);

#endif
