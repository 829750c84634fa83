#include "search/json.h"

#include <math.h>

json_t *json_number_or_null(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *json_number_array(const double *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < count; i++) {
        /* json_real() is NULL for what is not finite, and appending that fails */
        if (json_array_append_new(array, json_real(values[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}
