/* What a run has found, read from its store: as a table for people, as JSON for programs, and as
 * the factor file that a finished stage leaves. */
#ifndef LONGROPE_SEARCH_REPORT_H
#define LONGROPE_SEARCH_REPORT_H

#include <stdio.h>

#include "eval/error.h"
#include "search/store.h"

/* One block a stage: how far it is, the baselines, the best, its factors. */
int report_table(struct store *store, FILE *out, struct error *error);

/* One JSON object, as the README documents it under `longrope show --json`. */
int report_json(struct store *store, FILE *out, struct error *error);

/* Writes the best tables of the stages that are done to `path`. */
int report_factors(struct store *store, const char *path, struct error *error);

#endif
