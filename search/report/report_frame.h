/* What the reports on a run's stages have in common: what stands around the stages, as a table and as
 * JSON. A report supplies what it says of one stage. */
#ifndef LONGROPE_SEARCH_REPORT_FRAME_H
#define LONGROPE_SEARCH_REPORT_FRAME_H

#include <jansson.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/report/report.h"
#include "search/run/run_view.h"

/* `state` is the report's own, and may be NULL. */
struct stage_report {
    /* Lines for people, beneath the stage's heading. */
    int (*print)(const void *state, const struct stage_view *stage, FILE *out, struct error *error);
    /* The stage's keys besides "name" and "state", as an object of the caller's; *out may be NULL for lack
     * of memory. */
    int (*to_json)(const void *state, const struct stage_view *stage, json_t **out, struct error *error);
    /* What follows the stages, of the run as a whole: lines, and keys as an object of the caller's. Both may be NULL.
     */
    int (*print_run)(struct store *store, FILE *out, struct error *error);
    int (*run_to_json)(struct store *store, json_t **out, struct error *error);
};

/* Prints the run's name and state with each stage's heading and lines or, as options->json asks,
 * {"name", "state", "stages": [{"name", "state", ...}], ...}. On an error nothing is printed. */
int report_stages(struct store *store, const struct report_options *options, const struct stage_report *report,
                  const void *state, FILE *out, struct error *error);

/* The reports of `show` as report_stages() takes them. */
extern const struct stage_report overview_report, generations_report;
extern const struct stage_report genealogy_report; /* its state is the individual's id, an int64_t */

/* The JSON of several reports, documents[count] as report_stages() prints them, of a run whose stages are each read
 * once: they agree with each other also while the run goes on. On an error they are NULL; else the caller's. */
struct report_request {
    const struct stage_report *report;
    const void *state;
};
int report_documents(struct store *store, const struct report_request *requests, size_t count, json_t **documents,
                     struct error *error);

#endif
