/* A text that grows. */
#ifndef LONGROPE_EVAL_TEXT_BUFFER_H
#define LONGROPE_EVAL_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "eval/base/array.h"

/* Zeroed is empty; the owner frees `bytes`. */
struct text_buffer {
    char *bytes; /* [size], no zero at its end */
    size_t size, capacity;
};

/* Appends bytes[size]. False, with nothing appended, for lack of memory. */
static inline bool text_buffer_put(struct text_buffer *buffer, const char *bytes, size_t size) {
    char *grown = array_reserve(buffer->bytes, &buffer->capacity, buffer->size + size, 1);
    if (!grown) return false;
    buffer->bytes = grown;
    if (size) memcpy(grown + buffer->size, bytes, size);
    buffer->size += size;
    return true;
}

#endif
