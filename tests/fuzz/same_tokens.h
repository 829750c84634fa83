/* What every tokenizer must do, whatever its file: give a text the same tokens twice, none of them negative. */
#ifndef LONGROPE_TESTS_FUZZ_SAME_TOKENS_H
#define LONGROPE_TESTS_FUZZ_SAME_TOKENS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Frees both. */
static inline void check_same_tokens(int32_t *first, int64_t first_count, int32_t *second, int64_t second_count) {
    if (first_count != second_count || memcmp(first, second, (size_t)first_count * sizeof *first) != 0) abort();
    for (int64_t i = 0; i < first_count; i++) {
        if (first[i] < 0) abort();
    }
    free(first);
    free(second);
}

#endif
