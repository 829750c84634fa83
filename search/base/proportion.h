/* A share of items that have a property, and how exactly a sample tells it. */
#ifndef LONGROPE_SEARCH_PROPORTION_H
#define LONGROPE_SEARCH_PROPORTION_H

#include <stdint.h>
#include <stdio.h>

/* The standard error of the mean of `items` values of which `ones` are 1 and the others 0: the sample's standard
 * deviation, with items - 1 in its denominator, over the root of items. NaN for fewer than two items. */
double proportion_standard_error(int64_t ones, int64_t items);

/* Prints " 45.00  +- 3.53": both in %, in columns; without the standard error where a single item has none. */
void proportion_print(FILE *out, int64_t ones, int64_t items);

#endif
