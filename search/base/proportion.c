#include "search/base/proportion.h"

#include <math.h>

double proportion_standard_error(int64_t ones, int64_t items) {
    if (items < 2) return NAN;
    double count = (double)items, mean = (double)ones / count;
    double squares = (double)ones * (1.0 - mean) * (1.0 - mean) + (count - (double)ones) * mean * mean;
    return sqrt(squares / (count - 1.0)) / sqrt(count);
}

void proportion_print(FILE *out, int64_t ones, int64_t items) {
    double deviation = proportion_standard_error(ones, items);
    char text[32] = "";
    if (isfinite(deviation)) snprintf(text, sizeof text, "+- %.2f", 100.0 * deviation);
    fprintf(out, " %6.2f %8s", 100.0 * (double)ones / (double)items, text);
}
