/* The readers behind factors_read(), one per format, each in the file of its name. Internal to factors*.c.
 *
 * `source` is the name in messages. *out is zeroed before the call, and the caller frees it, also after an error.
 * STATUS_INPUT for data that are missing, malformed or out of range. */
#ifndef LONGROPE_SEARCH_FACTORS_READERS_H
#define LONGROPE_SEARCH_FACTORS_READERS_H

#include <stddef.h>
#include <stdint.h>

#include "search/factors/factors.h"

/* JSON text[size]: a factor file of this program, or, if it has a model_type, a config.json. */
int factors_read_json(const char *source, const char *text, size_t size, struct factor_file *out, struct error *error);

/* The longrope scaling of a config.json as two tables: "short" for inputs up to the original window, "long" for longer
 * ones. A clex scaling as a table per extension factor t: "clex-t" for up to t windows; its tensors are in the weights
 * beside the file `source` (model_read_clex()). STATUS_INPUT if it has another scaling, or if model_read_config()
 * rejects the model. */
int factors_read_config(const char *source, const void *bytes, size_t size, struct factor_file *out,
                        struct error *error);

/* The two tables of a GGUF, under the same names. Its weights are not read. */
int factors_read_gguf(const char *path, struct factor_file *out, struct error *error);

/* Numbers in a string, which is modified. They are one table. If there are several lines with the same number of
 * numbers, at least two, each line is a layer, as in microsoft/LongRoPE's files; then all lines must be equal. */
int factors_read_text(const char *source, char *text, struct factor_file *out, struct error *error);

/* A longrope scaling. */
struct factors_pair {
    int64_t pairs;
    const double *short_factors; /* [pairs] for inputs up to original_length tokens */
    const double *long_factors;  /* [pairs] for longer inputs */
    double attention_factor;     /* of both */
    double rope_theta;
    int64_t original_length, window; /* tokens */
};

/* The file with its tables "short" and "long". */
int factors_from_pair(const struct factors_pair *pair, struct factor_file *out, struct error *error);

#endif
