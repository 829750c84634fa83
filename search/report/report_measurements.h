/* What was measured on a run beside its search, as the overview shows it: perplexity by length, and pass keys found by
 * length and depth. */
#ifndef LONGROPE_SEARCH_REPORT_MEASUREMENTS_H
#define LONGROPE_SEARCH_REPORT_MEASUREMENTS_H

#include <jansson.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/store/store.h"

/* A table of each, a label a row; nothing where there is nothing. */
int report_measurements(struct store *store, FILE *out, struct error *error);

/* {"lengths": [...], "pass_keys": [...]}, as README.md documents them; the caller's. */
int report_measurements_json(struct store *store, json_t **out, struct error *error);

#endif
