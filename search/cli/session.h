/* What eval, passkey and choice share: opening a model, its tables and its log, computing on one rank or several, and
 * printing results as JSON.
 *
 * A launcher of MPI programs may have started several processes, ranks. All of them open the same model, text and
 * tables. Rank 0 alone prints and writes; the others compute windows for it (search/ranks/rank_service.h). */
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
#include "search/ranks/rank_workers.h"
#include "search/ranks/ranks.h"
#include "search/ranks/work_list.h"

struct session {
    const struct model_options *options;
    struct model_config config;
    double *clex_factors; /* that config.rope points to; NULL: its type is not clex */
    struct table_source tables;
    struct measurement_log log; /* of --into */
    struct model *model;
    const struct checkpoint_options *checkpoint; /* of windows; NULL: none */
    struct checkpoints *checkpoints;             /* of a single process; NULL: none */
    size_t kept_bytes;            /* of struct forward_options, 0 after session_join(); set it before session_load() */
    struct forward *forward;      /* of a single process; stops when a signal is caught; reports to `progress` */
    struct ranks *ranks;          /* NULL: this process is alone */
    bool ended;                   /* on another rank than 0: that is at its end */
    struct rank_workers *workers; /* of rank 0 */
    struct work_list *list;       /* likewise: the windows that all ranks compute; NULL for a single process */
    struct progress progress;     /* of the current row */
    bool finished;                /* all results are printed */
    json_t *results;              /* with --json, else NULL */
    FILE *out;                    /* of results: standard output, or stderr if that gets a file's content */
};

/* Joins the other ranks, if there are any; all have to be given the same options, but for --threads. Errors are those
 * of ranks_open(). The caller ends out->ranks by ranks_end() after session_close(), which may be called from here on.
 */
int session_join(const struct option_table *table, const void *options, struct session *out, struct error *error);

/* Whether this process prints and writes: the only one, or rank 0. */
bool session_speaks(const struct session *session);

/* signals_end_at_once() with that message, of the process that speaks. */
void session_end_at_once(const struct session *session, const char *message);

/* Reads config.json, the rotary table of a CLEX model and the factor file: errors that are cheap to find come before
 * text is read and weights are loaded. The options are borrowed. */
int session_open(const struct model_options *options, struct session *session, struct error *error);

/* The model's tokenizer, or the one of --tokenizer. The caller closes *out unless there is an error. */
int session_tokenizer(const struct session *session, struct tokenizer *out, struct error *error);

/* Opens the run of --into, and checks that results can be printed (search/base/output_stream.h). Call it before
 * anything is computed, so that an error comes early. */
int session_open_log(struct session *session, struct error *error);

/* Checks the path of a file that the command writes beside its results: STATUS_INPUT if it exists, unless `replace`, or
 * is a file that the session reads. Call it before anything is computed. */
int session_check_output(struct session *session, const char *path, bool replace, struct error *error);

/* Has the passes of this process write checkpoints, if a folder is given. The options are borrowed. Errors are those of
 * checkpoints_open(). */
int session_open_checkpoints(struct session *session, const struct checkpoint_options *given, struct error *error);

/* Meets the other ranks, and loads the weights. On another rank than 0 that may have ended: session->ended. */
int session_load(struct session *session, struct error *error);

/* With several ranks, makes them workers: on rank 0, session->list is there for what they have to compute. On another
 * rank, computes until rank 0 is at its end; the caller has nothing more to do then. task->model, ->angles and
 * ->kept_bytes are the session's; all is borrowed. All ranks have to have the same model, and the same documents and
 * windows in `loaded`: STATUS_INPUT, naming one that has not; its errors, and STATUS_STOPPED. Does nothing for a single
 * process. */
int session_share(struct session *session, struct window_task *task, const struct scoring *loaded, struct error *error);

/* Returns `status`. Puts table and length before the message of STATUS_FAILED. */
int session_name_failure(const struct chosen_table *table, int64_t length, int status, struct error *error);

/* Appends *result, one row, and takes ownership. `result` may be NULL, which is reported as lack of memory. Errors are
 * also those of output_stream_check(): more rows are of no use where they cannot be printed at the end. */
int session_add_result(struct session *session, json_t *result, struct error *error);

/* Describes the measurement of one RoPE table at one length, for the log. */
void session_describe(const struct session *session, const struct chosen_table *table, int64_t length, double seconds,
                      struct measurement *out);

/* On the process that speaks: prints the JSON object after STATUS_OK, and then lets session_close() delete what is kept
 * of finished windows; prints it after STATUS_FAILED if it has rows, which may have taken hours; after STATUS_STOPPED
 * the message says what was printed. Returns `status`, or STATUS_FAILED if memory is short or the results cannot be
 * printed. */
int session_end(struct session *session, int status, struct error *error);

/* Ends the threads that still compute, after a signal or an error: before what they read is freed. */
void session_end_work(struct session *session);

/* A zeroed session is allowed, and one whose work has ended. */
void session_close(struct session *session);

#endif
