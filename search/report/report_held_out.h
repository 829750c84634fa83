/* What a stage gained on text that it was not searched on, as text and JSON. */
#ifndef LONGROPE_SEARCH_REPORT_HELD_OUT_H
#define LONGROPE_SEARCH_REPORT_HELD_OUT_H

#include <jansson.h>
#include <stdio.h>

#include "search/run/run_view.h"

/* Lines for people; nothing where it was not measured. */
void report_held_out(FILE *out, const struct stage_view *stage);

/* The object "held_out" of a stage, or null (search/report/README.md). NULL for lack of memory; the caller releases it.
 */
json_t *report_held_out_json(const struct stage_view *stage);

#endif
