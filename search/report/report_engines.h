/* The two tables of a run that inference engines use, as JSON. */
#ifndef LONGROPE_SEARCH_REPORT_ENGINES_H
#define LONGROPE_SEARCH_REPORT_ENGINES_H

#include <jansson.h>

#include "eval/base/error.h"
#include "search/store/store.h"

/* The object "engines" that search/report/README.md documents, or null; the caller releases it. */
int report_engines_json(struct store *store, json_t **out, struct error *error);

#endif
