/* Numbers as JSON, which has no word for NaN and infinity. */
#ifndef LONGROPE_SEARCH_JSON_H
#define LONGROPE_SEARCH_JSON_H

#include <jansson.h>
#include <stdint.h>

/* null where the value is not finite. NULL for lack of memory. */
json_t *json_number_or_null(double value);

/* An array of values[count]. NULL for lack of memory, or where a value is not finite. */
json_t *json_number_array(const double *values, int64_t count);

#endif
