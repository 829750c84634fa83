/* When a stage ends: measures what it found on text that it was not searched on. */
#ifndef LONGROPE_SEARCH_HELD_OUT_H
#define LONGROPE_SEARCH_HELD_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"
#include "search/evolve/evolve.h"

struct stage;
struct stage_config;

/* At most so many windows are scored for it, if tables of the stage are scored on `samples`. */
size_t held_out_most_windows(const struct stage_config *config, size_t samples);

/* Whether the store lacks this measurement of the stage's best table without start tokens (or, where there is none, its
 * best), and data.held_out is above 0. *best is that table where it does. */
int held_out_is_missing(struct stage *stage, struct individual *best, bool *out, struct error *error);

/* Evaluates that table, the best closed form and the unchanged model on the windows that are held out, with
 * stage->scorer, which scores on all windows; stores their nats, or that no text is left. STATUS_STOPPED if the stop
 * flag rose; nothing is stored then, and the next search measures.
 */
int held_out_measure(struct stage *stage, const struct individual *best, struct error *error);

#endif
