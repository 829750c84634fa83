/* What `longrope export` prints about its output: the tables, their perplexity, and when an engine uses which table. */
#ifndef LONGROPE_SEARCH_EXPORT_PRINT_H
#define LONGROPE_SEARCH_EXPORT_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/cli/export_options.h"
#include "search/export/export_pair.h"
#include "search/factors/factors.h"
#include "search/run/short_window.h"

struct export_summary {
    enum export_format format;
    const char *path;
    const struct factor_file *file;    /* all tables of the source */
    const struct export_pair *pair;    /* NULL for EXPORT_JSON; EXPORT_CSV uses only `long_table` */
    const struct short_window *window; /* what the source's tables cost in the old window; NULL: it is not a run */
    const struct export_notes *notes;  /* printed in the JSON only; export_notes_print() prints them as text */
};

/* Prints text, or one JSON object if `json`:
 *
 *     {"format", "path", "original_length", "rope_theta",
 *      "tables": [{"role", "name", "max_length", "factors", "attention_factor", "perplexity", "objective",
 *                  "searched_perplexity", "searched_start_tokens"}],
 *      "engines": [{"engine", "chooses_by", "rule"}], "left_out": [{"name", "max_length"}],
 *      "short_window": {...}, "notes": [...]}
 *
 * "original_length" is the last length of the short table for hf and gguf; for other formats it is that of the source.
 * "role" is "short", "long", "both" or "only", or null if the format holds all tables of the source. "searched_..." are
 * the perplexity and the start tokens of the stage's best table; they differ from those of the exported table if that
 * one had to do without start tokens. "left_out" lists the tables that the format has no room for.
 * "short_window" is that of longrope show --json. Unknown values are
 * null. STATUS_FAILED if memory is short. */
int export_print(const struct export_summary *summary, bool json, FILE *out, struct error *error);

#endif
