/* The frame of all views of a run: its name and state, a heading per stage, and what follows the stages, as text and as
 * JSON. A view supplies the lines and keys of one stage. */
#ifndef LONGROPE_SEARCH_REPORT_FRAME_H
#define LONGROPE_SEARCH_REPORT_FRAME_H

#include <jansson.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/report/report.h"
#include "search/run/run_view.h"

/* One view. `state` belongs to it and may be NULL. */
struct report_view {
    /* Lines for people, beneath the stage's heading. */
    int (*print)(const void *state, const struct stage_view *stage, FILE *out, struct error *error);
    /* The stage's keys except "name", "state" and "objective", as an object that the caller releases; *out may be NULL
     * for lack of memory. */
    int (*to_json)(const void *state, const struct stage_view *stage, json_t **out, struct error *error);
    /* What follows the stages: lines, and keys as an object that the caller releases. Both may be NULL. `stage` is the
     * only stage that is printed; NULL: all. */
    int (*print_run)(struct store *store, const char *stage, FILE *out, struct error *error);
    int (*run_to_json)(struct store *store, json_t **out, struct error *error);
};

/* Prints the run's name and state with each stage's heading and lines or, as options->json asks,
 * {"name", "state", "stages": [{"name", "state", ...}], ...}. On an error nothing is printed. */
int report_stages(struct store *store, const struct report_options *options, const struct report_view *view,
                  const void *state, FILE *out, struct error *error);

/* The views of `longrope show` that a page is made of. */
extern const struct report_view report_view_overview, report_view_generations;
extern const struct report_view report_view_genealogy; /* its state is the individual's id, an int64_t */

/* The JSON of several views, documents[count] as report_stages() prints them. Each stage is read once, so the documents
 * agree with each other while the search writes. The caller releases them; on an error they are NULL. */
struct report_request {
    const struct report_view *view;
    const void *state;
};
int report_documents(struct store *store, const struct report_request *requests, size_t count, json_t **documents,
                     struct error *error);

/* The improvements of a stage (search/run/improvements.h) as an array. NULL for lack of memory; the caller releases it.
 */
json_t *report_improvements_json(const struct stage_view *stage);

/* The factors of a baseline as an array; an item is null where the model's own scaling does not turn a pair. NULL for
 * lack of memory; the caller releases it. */
json_t *report_baseline_factors_json(const struct stage_view *stage, const struct baseline_record *baseline);

#endif
