/* Measurements stored in a run beside its search: perplexity by length, pass keys by length and depth, and
 * accuracy in multiple choice. */
#ifndef LONGROPE_SEARCH_REPORT_MEASUREMENTS_H
#define LONGROPE_SEARCH_REPORT_MEASUREMENTS_H

#include <jansson.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/store/store.h"

/* One text table of each kind, one row per label; nothing where no measurement is stored. */
int report_measurements(struct store *store, FILE *out, struct error *error);

/* {"lengths": [...], "pass_keys": [...], "choices": [...]}, as search/report/README.md documents them; the caller
 * releases it. */
int report_measurements_json(struct store *store, json_t **out, struct error *error);

#endif
