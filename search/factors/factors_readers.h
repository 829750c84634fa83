/* The forms that factors_read() takes, one room each. Internal to factors*.c.
 *
 * `source` is what messages call it. Each fills *out, zeroed before, which the caller frees also after an error;
 * STATUS_INPUT for whatever is missing, malformed or out of range. */
#ifndef LONGROPE_SEARCH_FACTORS_READERS_H
#define LONGROPE_SEARCH_FACTORS_READERS_H

#include <stddef.h>

#include "search/factors/factors.h"

/* JSON, text[size]: this program's own form, or a config.json, which is told by its model_type. */
int factors_read_json(const char *source, const char *text, size_t size, struct factor_file *out, struct error *error);

/* The bytes of a config.json: its longrope scaling as two tables, "short" for up to the original window and "long"
 * for all beyond. STATUS_INPUT where it has none, or eval/model/model.h would refuse the model. */
int factors_read_config(const char *source, const void *bytes, size_t size, struct factor_file *out,
                        struct error *error);

/* The tables of a GGUF, likewise. Its weights are not read. */
int factors_read_gguf(const char *path, struct factor_file *out, struct error *error);

/* Numbers as a string, which is changed: all of them one table, or, where several lines hold as many numbers each
 * and more than one, a line for each layer as microsoft/LongRoPE has it; then all layers must have the same. */
int factors_read_text(const char *source, char *text, struct factor_file *out, struct error *error);

#endif
