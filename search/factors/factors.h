/* Factor files: the rescale factors that a search found, or that somebody else did.
 *
 * This program's own form is JSON:
 *
 *     {"format": "longrope-factors", "version": 2, "original_length": 256, "rope_theta": 10000.0,
 *      "tables": [{"name", "max_length", "scale", "factors", "start_tokens", "attention_factor",
 *                  "perplexity", "objective", "origin", "whole", "base_factors", "searched_factors"}, ...],
 *      "exportable_tables": [...]}
 *
 * "tables" holds the best of each stage (of those found on the final model, search/run/run_tables_read.h), in ascending
 * max_length, and "exportable_tables" the best of
 * those without start tokens, for engines that know none. "base_factors" and "searched_factors" are there
 * where a table was searched on top of another: "factors" is their product. Version 1 has neither. "objective", which
 * older files have not, says what "perplexity" is of: "needle" of an answer's tokens alone.
 *
 * Besides it reads the other forms that `longrope export` writes: plain text, a file or inline, which is
 * numbers parted by commas, blanks or newlines, one a rotary pair; a config.json (or the folder it lies in)
 * and a GGUF, whose longrope scaling is a table for lengths up to the original window and one for all beyond.
 *
 * A table that says "whole" holds all by which frequencies theta^(-2i/d) are divided: it takes the place of a
 * scaling that the model's config.json has (llama3, yarn, longrope, ...). Those of runs, config.json and GGUF are
 * such. Any other multiplies what the model does of itself.
 */
#ifndef LONGROPE_SEARCH_FACTORS_H
#define LONGROPE_SEARCH_FACTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "search/config/stage_terms.h"

struct factor_entry {
    char name[128];
    int64_t max_length; /* tokens that it was found for; 0 where the file does not say */
    double scale;       /* max_length / original_length; 0 where the file does not say */
    int64_t pairs;
    double factors[ROPE_MAX_PAIRS]; /* lambda: base times searched */
    bool whole;                     /* in the place of the model's own scaling; false: on top of it */
    bool composed;                  /* it was searched on top of a base; then it is whole */
    double base[ROPE_MAX_PAIRS];    /* the scaling that the model had of itself; 1 where not composed */
    double searched[ROPE_MAX_PAIRS];
    int64_t start_tokens;     /* n_hat: positions below it are rescaled by `base` alone */
    double attention_factor;  /* a base's included; 0 where the file does not say */
    double perplexity;        /* NaN where the file does not say */
    enum objective objective; /* that it is the perplexity of */
    char origin[128];
};

struct factor_file {
    int64_t original_length; /* 0 where the file does not say */
    double rope_theta;       /* 0 where the file does not say */
    size_t count;
    struct factor_entry *tables; /* [count] */
    size_t exportable_count;
    struct factor_entry *exportable; /* [exportable_count] */
};

/* Sets factors[pairs] from base and searched, or, where not composed, base and searched from factors. */
void factor_entry_complete(struct factor_entry *entry);

/* `source` is a path, or the numbers themselves: "1.0,1.2,...". STATUS_INPUT for what is neither.
 * The caller frees with factors_free(). */
int factors_read(const char *source, struct factor_file *out, struct error *error);
void factors_free(struct factor_file *file); /* a zeroed struct is allowed */

/* Of `count` tables the one for inputs of `length` tokens: of those that reach as far, the one with the smallest
 * max_length, one without a max_length last; the longest where none does. NULL where there are none. */
const struct factor_entry *factors_for_length(const struct factor_entry *tables, size_t count, int64_t length);

/* STATUS_INPUT, naming `source`, where a table has not the model's pairs, or the file was made for another theta. */
int factors_check(const struct factor_file *file, const char *source, const struct rope_model *model,
                  struct error *error);

/* The table that `entry`, of the model's pairs, stands for with inputs of `length` tokens. `attention_factor` holds
 * where the entry does not say. */
void factor_entry_table(const struct factor_entry *entry, const struct rope_model *model, int64_t length,
                        double attention_factor, struct rope_table *out);

/* Both write aside and rename, so that `path` is either as it was or complete. The second writes numbers[count] as one
 * line parted by commas, microsoft/LongRoPE's form, with as many digits as read back to the same doubles. */
int factors_write(const char *path, const struct factor_file *file, struct error *error);
int factors_write_numbers(const char *path, const double *numbers, int64_t count, struct error *error);

#endif
