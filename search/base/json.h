/* JSON: numbers, for which it has no word where they are NaN or infinite, and text for people to read. */
#ifndef LONGROPE_SEARCH_JSON_H
#define LONGROPE_SEARCH_JSON_H

#include <jansson.h>
#include <stdint.h>

/* null where the value is not finite. NULL for lack of memory. */
json_t *json_number_or_null(double value);

/* An array of values[count]. NULL for lack of memory, or where a value is not finite. */
json_t *json_number_array(const double *values, int64_t count);

/* Any bytes as a string: each that is not UTF-8 becomes U+FFFD. For names of files, which may be anything. NULL for
 * lack of memory. */
json_t *json_name(const char *text);

/* The value indented by two, a member or item a line as Hugging Face has config.json, with a newline at its end;
 * numbers with as few digits as read back to the same double. NULL for lack of memory. The caller frees it. */
char *json_text(const json_t *value);

#endif
