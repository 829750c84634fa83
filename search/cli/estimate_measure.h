/* The time of an estimate on this machine. */
#ifndef LONGROPE_SEARCH_ESTIMATE_MEASURE_H
#define LONGROPE_SEARCH_ESTIMATE_MEASURE_H

#include "eval/base/error.h"
#include "search/measure/machine_rate.h"
#include "search/recipe/estimate.h"

/* Replaces the seconds of *estimate by those that this machine takes with estimate->threads threads, or as many as it
 * has: measured in a few seconds. Errors are those of machine_rate_measure(). */
int estimate_measure(struct estimate *estimate, struct error *error);

/* The same with rates that were measured: rates[estimate->stage_count]. */
void estimate_set_rates(struct estimate *estimate, const struct machine_rate *rates);

#endif
