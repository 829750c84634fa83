/* Factor files: tables of rescale factors, from a search or from elsewhere.
 *
 * The format of this program is JSON:
 *
 *     {"format": "longrope-factors", "version": 2, "original_length": 256, "rope_theta": 10000.0,
 *      "tables": [{"name", "max_length", "scale", "factors", "start_tokens", "attention_factor",
 *                  "perplexity", "objective", "origin", "whole", "base_factors", "searched_factors"}, ...],
 *      "exportable_tables": [...]}
 *
 * - "tables" holds the best table of each stage whose model is the final one (search/run/run_tables.h), in ascending
 *   max_length. "exportable_tables" holds the best tables without start tokens, because inference engines do not
 *   support start tokens.
 * - "base_factors" and "searched_factors" are present if a table was searched on a model that was fine-tuned with
 *   another table, the base; "factors" is their product. Version 1 has neither.
 * - "objective" tells which perplexity "perplexity" is: "needle" is that of the answers' tokens. Older files lack it.
 * - "whole": the table contains everything that divides the frequencies theta^(-2i/d), and replaces the scaling of the
 *   model's config.json (llama3, yarn, longrope, ...). Tables of runs, config.json and GGUF are whole. Any other table
 *   multiplies the model's own scaling.
 *
 * factors_read() also reads the other formats of `longrope export`: text, in a file or inline, with one number per
 * rotary pair, separated by commas, blanks or newlines; a config.json, or the folder that contains it; and a GGUF. The
 * longrope scaling of the latter two is one table for lengths up to the original window and one for longer inputs. The
 * clex scaling of a model's folder is one whole table per extension factor, for up to that many windows.
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
    int64_t max_length; /* tokens that it was found for; 0: unknown */
    double scale;       /* max_length / original_length; 0: unknown */
    int64_t pairs;
    double factors[ROPE_MAX_PAIRS];   /* [pairs] lambda = finetuned x searched */
    bool whole;                       /* replaces the model's own scaling; false: multiplies it */
    bool composed;                    /* searched on a model that was fine-tuned with a table; implies `whole` */
    double finetuned[ROPE_MAX_PAIRS]; /* [pairs] the table of the fine-tuning, "base_factors"; 1 if not composed */
    double searched[ROPE_MAX_PAIRS];  /* [pairs] */
    int64_t start_tokens;             /* n_hat: positions below it are rescaled by `finetuned` only */
    double attention_factor;          /* complete, the fine-tuning's included; 0: unknown */
    double perplexity;                /* NaN: unknown */
    enum objective objective;         /* of the perplexity */
    char origin[128];
};

struct factor_file {
    int64_t original_length; /* tokens; 0: unknown */
    double rope_theta;       /* 0: unknown */
    size_t count;
    struct factor_entry *tables; /* [count] */
    size_t exportable_count;
    struct factor_entry *exportable; /* [exportable_count] */
};

/* If composed, sets factors = finetuned x searched; else finetuned = 1 and searched = factors. */
void factor_entry_complete(struct factor_entry *entry);

/* `source` is a path or inline numbers, "1.0,1.2,...". STATUS_INPUT for anything else. The caller frees *out with
 * factors_free(). */
int factors_read(const char *source, struct factor_file *out, struct error *error);

/* The tables of the CLEX model in `folder` for t = 1 to `max_factor`; 0: to that of its config.json. STATUS_INPUT for
 * another model and for the errors of model_read_clex(). The caller frees *out with factors_free(), also after an
 * error. */
int factors_read_clex(const char *folder, double max_factor, struct factor_file *out, struct error *error);
void factors_free(struct factor_file *file); /* a zeroed struct is allowed */

/* The table of tables[count] for inputs of `length` tokens: the smallest max_length that is at least `length`, where an
 * unknown max_length counts as infinite; if there is none, the largest max_length. NULL if count is 0. */
const struct factor_entry *factors_for_length(const struct factor_entry *tables, size_t count, int64_t length);

/* The table for engines, which do not support start tokens, in the place of `best`: itself if it has none, else the one
 * without them of its stage, else one of its length. NULL if there is none. */
const struct factor_entry *factors_without_start_tokens(const struct factor_file *file,
                                                        const struct factor_entry *best);

/* STATUS_INPUT if the number of pairs of a table, or the theta of the file, is not the model's. `source` is the name in
 * the message. */
int factors_check(const struct factor_file *file, const char *source, const struct rope_model *model,
                  struct error *error);

/* The RoPE table of `entry`, which has the model's pairs, for inputs of `length` tokens. `attention_factor` is used if
 * the entry's is unknown. */
void factor_entry_table(const struct factor_entry *entry, const struct rope_model *model, int64_t length,
                        double attention_factor, struct rope_table *out);

/* Both write atomically, and replace a file at `path` only if `replace` (search/base/atomic_output.h). The second
 * writes numbers[count] as one line, separated by commas, as microsoft/LongRoPE reads it, with the fewest digits that
 * read back to the same doubles. */
int factors_write(const char *path, bool replace, const struct factor_file *file, struct error *error);
int factors_write_numbers(const char *path, bool replace, const double *numbers, int64_t count, struct error *error);

#endif
