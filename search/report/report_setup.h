/* The settings of a run and its stages: the part of the overview that is known before the first score. */
#ifndef LONGROPE_SEARCH_REPORT_SETUP_H
#define LONGROPE_SEARCH_REPORT_SETUP_H

#include <jansson.h>

#include "search/run/run_view.h"

/* {"kind", "model", "base", "original_length", "pretrained_length", "scale", "rope_theta", "pairs", "window_pair",
 * "planned", "samples": [{"document", "start", "tokens"}], "settings": {...}}, as search/report/README.md documents
 * them; the caller releases it. NULL for lack of memory. */
json_t *report_setup_json(const struct stage_view *stage);

/* {"program", "path", "overrides", "content"}, or null if the run does not hold it; the caller releases it. */
int report_configuration_json(struct store *store, json_t **out, struct error *error);

#endif
