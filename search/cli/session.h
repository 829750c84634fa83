/* What eval and passkey share: opening a model, its tables and its log, and printing results as JSON. */
#ifndef LONGROPE_SEARCH_SESSION_H
#define LONGROPE_SEARCH_SESSION_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/checkpoint.h"
#include "eval/forward.h"
#include "eval/model/model.h"
#include "eval/text/tokenizer.h"
#include "search/base/progress.h"
#include "search/cli/checkpoint_options.h"
#include "search/cli/model_options.h"
#include "search/measure/measurement_log.h"
#include "search/measure/table_source.h"

struct session {
    const struct model_options *options;
    struct model_config config;
    double *clex_factors; /* that config.rope points to; NULL: its type is not clex */
    struct table_source tables;
    struct measurement_log log; /* of --into */
    struct model *model;
    const struct checkpoint_options *checkpoint; /* of windows; NULL: none */
    struct checkpoints *checkpoints;
    struct forward *forward;  /* stops when a signal is caught; reports to `progress` */
    struct progress progress; /* of the current row */
    bool finished;            /* all results are printed */
    json_t *results;          /* with --json, else NULL */
    FILE *out;                /* of results: standard output, or stderr if that gets a file's content */
};

/* Reads config.json, the rotary table of a CLEX model and the factor file: errors that are cheap to find come before
 * text is read and weights are loaded. The options are borrowed. The caller closes *out with session_close(), also
 * after an error. */
int session_open(const struct model_options *options, struct session *out, struct error *error);

/* The model's tokenizer, or the one of --tokenizer. The caller closes *out unless there is an error. */
int session_tokenizer(const struct session *session, struct tokenizer *out, struct error *error);

/* Opens the run of --into. Call it before anything is computed, so that an error comes early. */
int session_open_log(struct session *session, struct error *error);

/* Checks the path of a file that the command writes beside its results: STATUS_INPUT if it exists, unless `replace`, or
 * is a file that the session reads. Call it before anything is computed. */
int session_check_output(struct session *session, const char *path, bool replace, struct error *error);

/* Has the passes of this process write checkpoints, if a folder is given. The options are borrowed. Errors are those of
 * checkpoints_open(). */
int session_open_checkpoints(struct session *session, const struct checkpoint_options *given, struct error *error);

/* Loads the weights. */
int session_load(struct session *session, struct error *error);

/* Appends *result, one row, and takes ownership. `result` may be NULL, which is reported as lack of memory. */
int session_add_result(struct session *session, json_t *result, struct error *error);

/* Describes the measurement of one RoPE table at one length, for the log. */
void session_describe(const struct session *session, const struct chosen_table *table, int64_t length, double seconds,
                      struct measurement *out);

/* Prints the JSON object after STATUS_OK, and then lets session_close() delete what is kept of finished windows; after
 * STATUS_STOPPED the message says what was printed. Returns `status`, or STATUS_FAILED if memory is short. */
int session_end(struct session *session, int status, struct error *error);

void session_close(struct session *session); /* a zeroed session is allowed */

#endif
