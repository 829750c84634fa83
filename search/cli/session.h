/* A command that measures a model, eval or passkey, from its options to its last result. */
#ifndef LONGROPE_SEARCH_SESSION_H
#define LONGROPE_SEARCH_SESSION_H

#include <jansson.h>
#include <stdint.h>

#include "eval/forward.h"
#include "eval/model/model.h"
#include "eval/text/tokenizer.h"
#include "search/base/progress.h"
#include "search/cli/model_options.h"
#include "search/measure/measurement_log.h"
#include "search/measure/table_source.h"

struct session {
    const struct model_options *options;
    struct model_config config;
    struct table_source tables;
    struct measurement_log log; /* of --into */
    struct model *model;
    struct forward *forward;  /* stops when a signal is caught; reports to `progress` */
    struct progress progress; /* of the row under way */
    json_t *results;          /* with --json, else NULL */
};

/* Reads config.json and the factor file: errors that are cheap to find come before text is read and weights are
 * loaded. The options are borrowed. The caller closes *out with session_close(), also after an error. */
int session_open(const struct model_options *options, struct session *out, struct error *error);

/* The model's tokenizer, or the one of --tokenizer. The caller closes *out unless there is an error. */
int session_tokenizer(const struct session *session, struct tokenizer *out, struct error *error);

/* Opens the run of --into, so that nothing is computed in vain. */
int session_open_log(struct session *session, struct error *error);

/* Loads the weights. */
int session_load(struct session *session, struct error *error);

/* Takes *result, a row of the results, which may be NULL for lack of memory. */
int session_add_result(struct session *session, json_t *result, struct error *error);

/* What is recorded about a table at one length. */
void session_describe(const struct session *session, const struct chosen_table *table, int64_t length, double seconds,
                      struct measurement *out);

/* Prints the JSON object after STATUS_OK; after STATUS_STOPPED the message says what was printed. Returns `status`,
 * or STATUS_FAILED for lack of memory. */
int session_end(const struct session *session, int status, struct error *error);

void session_close(struct session *session); /* a zeroed session is allowed */

#endif
