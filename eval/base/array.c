#include "eval/base/array.h"

#include <stdlib.h>

enum { LEAST = 16 };

void *array_reserve(void *items, size_t *capacity, size_t count, size_t size) {
    size_t bytes, larger = *capacity;
    if (items && count <= *capacity) return items;
    if (__builtin_mul_overflow(larger, 2, &larger) || larger < count) larger = count;
    if (larger < LEAST) larger = LEAST;
    if (__builtin_mul_overflow(larger, size, &bytes)) return NULL;
    void *grown = realloc(items, bytes);
    if (grown) *capacity = larger;
    return grown;
}
