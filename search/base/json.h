/* JSON values and text. JSON cannot express NaN and infinity. The caller releases every json_t that a function returns
 * (json_decref()). */
#ifndef LONGROPE_SEARCH_JSON_H
#define LONGROPE_SEARCH_JSON_H

#include <jansson.h>
#include <stdint.h>

/* JSON's null if the value is not finite. NULL if memory runs out. */
json_t *json_number_or_null(double value);

/* An array of values[count]. NULL if memory runs out or a value is not finite. */
json_t *json_number_array(const double *values, int64_t count);

/* A string of any bytes, such as a file name: bytes that are not UTF-8 become U+FFFD. NULL if memory runs out. */
json_t *json_name(const char *text);

/* The value as text in the style of Hugging Face's config.json: indented by two, one member or item per line, a newline
 * at the end. A number has the fewest digits that read back to the same double. NULL if memory runs out. The caller
 * frees it. */
char *json_text(const json_t *value);

#endif
