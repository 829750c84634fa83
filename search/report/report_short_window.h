/* What the tables of a run cost within the window before the extension, as text and JSON. */
#ifndef LONGROPE_SEARCH_REPORT_SHORT_WINDOW_H
#define LONGROPE_SEARCH_REPORT_SHORT_WINDOW_H

#include <jansson.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/run/short_window.h"
#include "search/store/store.h"

/* Lines for people, with how to mend what was lost; nothing where no table extends the window. */
int report_short_window(struct store *store, FILE *out, struct error *error);

/* The object that search/report/README.md documents, or null; the caller releases it. */
int report_short_window_json(struct store *store, json_t **out, struct error *error);

/* The same of what was read. */
int report_short_window_to_json(const struct short_window *window, json_t **out, struct error *error);

#endif
