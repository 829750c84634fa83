/* Factor files: the rescale factors that a search found, or that somebody else did.
 *
 * This program's own form is JSON:
 *
 *     {"format": "longrope-factors", "version": 1, "original_length": 256, "rope_theta": 10000.0,
 *      "tables": [{"name", "max_length", "scale", "factors", "start_tokens", "attention_factor",
 *                  "perplexity", "origin"}, ...],
 *      "exportable_tables": [...]}
 *
 * "tables" holds each stage's best, in ascending max_length, and "exportable_tables" the best of
 * those without start tokens, for engines that know none. Plain text, a file or inline, is numbers
 * parted by commas, blanks or newlines, one a rotary pair.
 */
#ifndef LONGROPE_SEARCH_FACTORS_H
#define LONGROPE_SEARCH_FACTORS_H

#include <stddef.h>
#include <stdint.h>

#include "eval/error.h"
#include "eval/rope.h"

struct factor_entry {
    char name[128];
    int64_t max_length; /* tokens that it was found for; 0 where the file does not say */
    double scale;       /* 0 where the file does not say */
    int64_t pairs;
    double factors[ROPE_MAX_PAIRS];
    int64_t start_tokens;
    double attention_factor; /* 0 where the file does not say */
    double perplexity;       /* NaN where the file does not say */
    char origin[32];
};

struct factor_file {
    int64_t original_length; /* 0 where the file does not say */
    double rope_theta;       /* 0 where the file does not say */
    size_t count;
    struct factor_entry *tables; /* [count] */
    size_t exportable_count;
    struct factor_entry *exportable; /* [exportable_count] */
};

/* `source` is a path, or the numbers themselves: "1.0,1.2,...". STATUS_INPUT for what is neither.
 * The caller frees with factors_free(). */
int factors_read(const char *source, struct factor_file *out, struct error *error);
void factors_free(struct factor_file *file); /* a zeroed struct is allowed */

/* The table for inputs of `length` tokens: of those that reach as far, the one with the smallest
 * max_length, one without a max_length last; the longest where none does. */
const struct factor_entry *factors_for_length(const struct factor_file *file, int64_t length);

/* Writes aside and renames, so that `path` is either as it was or complete. */
int factors_write(const char *path, const struct factor_file *file, struct error *error);

#endif
