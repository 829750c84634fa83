/* Numbers in files and on the command line, parsed strictly, and UTF-8. */
#ifndef LONGROPE_SEARCH_TEXT_H
#define LONGROPE_SEARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The whole text must be a decimal integer such as "-12"; "12k", "1e3", " 12" and "012" (octal in some languages) are
 * not. False, with *out unchanged, if it is not. */
bool text_to_integer(const char *text, int64_t *out);

/* Whether the whole text is a decimal integer as above, of any size. */
bool text_is_integer(const char *text);

/* The whole text must be a finite decimal number such as "1", "-1.5", ".5" or "1e-3". False, with *out unchanged, if it
 * is not. */
bool text_to_number(const char *text, double *out);

/* Whether the whole text is a decimal number as above, of any size. */
bool text_is_number(const char *text);

enum { TEXT_NUMBER_SIZE = 32 };
/* A finite number with the fewest digits that read back to the same double: "1.25", "3", "1e-05". */
void text_of_number(double value, char out[TEXT_NUMBER_SIZE]);

/* Replaces all bytes that are not printable ASCII by '?': for names that other programs gave, and that are only shown.
 */
void text_to_ascii(char *text);

/* Whether text holds a control character: a byte below a blank, or 0x7f. */
bool text_has_control(const char *text);

/* Prints one word of a shell command, in quotes where the shell requires them. A word that begins with "-" is a path,
 * and gets "./" before it, so that no command takes it for an option. */
void text_print_word(FILE *out, const char *word);
/* The same through put(), which writes parts of it: to escape them, for example. */
void text_put_word(FILE *out, const char *word, void (*put)(FILE *out, const char *part, size_t size));

/* Number of bytes, 1..4, of the UTF-8 character at `text`, which may be the terminating zero; 0 if it is not valid
 * UTF-8: truncated, overlong, a surrogate or beyond U+10FFFF. */
int text_utf8_length(const char *text);

/* Copies the beginning of `text` that fits into out[size], in whole characters; bytes that are not UTF-8 become U+FFFD.
 * For names of files, which can be any bytes. */
void text_copy_name(const char *text, char *out, size_t size);

/* Number of UTF-8 characters, of text that is valid: what a label takes in columns, and a choice in characters. */
size_t text_characters(const char *text);

#endif
