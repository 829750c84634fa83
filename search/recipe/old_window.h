/* When a search ends: measures what its tables cost within the window before the extension. */
#ifndef LONGROPE_SEARCH_OLD_WINDOW_H
#define LONGROPE_SEARCH_OLD_WINDOW_H

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/recipe/search_context.h"

/* The configuration with which the stage that found the table is loaded for that, for windows of `length` tokens. */
struct stage_config old_window_config(const struct stage_config *found, int64_t length);

/* Evaluates the model's own table and the run's table for the old window on the text of the stage that found the
 * latter, and stores both for short_window_read(). Does nothing where that is known, as after a stage of 'kind:
 * recover'. Takes about the time of two tables of that stage, or less. STATUS_STOPPED if the stop flag rose; nothing is
 * stored then, and the next search measures. */
int old_window_measure(const struct search_context *context, struct error *error);

#endif
