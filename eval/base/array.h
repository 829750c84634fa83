/* Arrays that grow. */
#ifndef LONGROPE_EVAL_ARRAY_H
#define LONGROPE_EVAL_ARRAY_H

#include <stddef.h>

/* `items`, an array of *capacity items of `size` bytes each, or NULL if *capacity is 0, with room for `count`. It at
 * least doubles when it grows, and keeps its items. NULL if memory is short; `items` is then still valid. */
void *array_reserve(void *items, size_t *capacity, size_t count, size_t size);

#endif
