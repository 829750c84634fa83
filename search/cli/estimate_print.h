/* What `longrope search --dry-run` prints: an estimate as text, or as JSON. */
#ifndef LONGROPE_SEARCH_ESTIMATE_PRINT_H
#define LONGROPE_SEARCH_ESTIMATE_PRINT_H

#include <stdio.h>

#include "eval/base/error.h"
#include "search/recipe/estimate.h"
#include "search/recipe/rank_estimate.h"

/* A table of the stages, their models and memory, hours on several ranks if `plan` is not NULL, and how to measure this
 * machine. */
void estimate_print(const struct estimate *estimate, const struct rank_plan *plan, FILE *out);

/* One JSON object; search/report/README.md lists its keys. STATUS_FAILED for lack of memory. */
int estimate_print_json(const struct estimate *estimate, const struct rank_plan *plan, FILE *out, struct error *error);

#endif
