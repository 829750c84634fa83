/* What `longrope export` says of what it wrote: which tables, what they cost, and which engine uses which when. */
#ifndef LONGROPE_SEARCH_EXPORT_PRINT_H
#define LONGROPE_SEARCH_EXPORT_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/cli/export_options.h"
#include "search/export/export_pair.h"
#include "search/factors/factors.h"

struct export_summary {
    enum export_format format;
    const char *path;
    const struct factor_file *file;   /* of the source */
    const struct export_pair *pair;   /* NULL for EXPORT_JSON; of EXPORT_CSV only `long_table` */
    const struct export_notes *notes; /* in the JSON; people read them on stderr */
};

/* Text for people, or one JSON object:
 *
 *     {"format", "path", "original_length", "rope_theta",
 *      "tables": [{"role", "name", "max_length", "factors", "attention_factor", "perplexity", "searched_perplexity",
 *                  "searched_start_tokens"}],
 *      "engines": [{"engine", "chooses_by", "rule"}], "left_out": [{"name", "max_length"}], "notes": [...]}
 *
 * "original_length" is where an engine's short table ends, or, in other forms, what the source says. "role" is "short",
 * "long", "both" or "only", and null where the form holds all tables of the source. "searched_..." are those of the
 * stage's best table, start tokens and all, in whose stead the table is where they differ. "left_out" names tables that
 * the form has no room for. What is not known is null. STATUS_FAILED for lack of memory. */
int export_print(const struct export_summary *report, bool json, FILE *out, struct error *error);

#endif
