/* What the stages of a configuration will cost. Of each model only config.json is read; weights, text and a run are not
 * required.
 *
 * Operations are those of the forward passes that score tables, as eval/work.h counts them, so that operations divided
 * by the rate of `longrope bench` are seconds. For windows with a needle only the answer's tokens pass the output
 * matrix, and the last layer leaves out what they do not need (work_skipped()).
 *
 * All numbers are upper bounds: racing and the cache save windows. A search that scores tables on some of the windows
 * first scores more tables than `evaluations` says, but no more windows: its budget is counted in windows. Fine-tuning
 * is not included: another program does it.
 */
#ifndef LONGROPE_SEARCH_ESTIMATE_H
#define LONGROPE_SEARCH_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/forward.h"
#include "eval/kernels/kernels.h"
#include "eval/model/model.h"
#include "search/config/config.h"

/* Bytes that a stage has allocated when it scores. Not included are its documents (4 bytes per token), 8 bytes per
 * token of a window, the populations, and, while a model is loaded, the mapped pages of its files, which the system can
 * take back at any time. */
struct estimate_memory {
    size_t weights; /* packed for the stage's kernels */
    struct forward_memory forward;
};

size_t estimate_bytes(const struct estimate_memory *memory);

struct estimate_stage {
    const struct stage_config *config; /* borrowed */
    char *model;                       /* folder of the model that it searches on */
    char *shape;                       /* folder whose config.json was read: `model`, or what that is tuned from */
    int awaits;                        /* stage whose fine-tuning writes `model`; CONFIG_NO_STAGE: the model exists */
    struct model_config architecture;  /* of `shape` */
    const struct kernels *kernels;     /* with dtype: auto as config.json tells the weights' type */
    int64_t window;                    /* tokens: what the target length is compared with */
    double scale;                      /* target length / window, at least 1 */
    double evaluations;                /* that the search plans, each on all windows */
    int baselines;                     /* closed-form tables that are scored before */
    size_t windows_per_table;
    double windows; /* (evaluations + baselines) windows_per_table */
    double tokens;  /* that pass through the model: target length - 1 a window */
    double operations;
    double seconds;  /* that they take */
    double held_out; /* windows that are scored when the stage ends, beside these: at most so many */
    struct estimate_memory memory;
    char *tune_from, *tune_to; /* folders, of a stage with `finetune`; NULL of others */
    bool tuned;                /* tune_to is a model already */
};

struct estimate {
    const char *name; /* of the configuration; borrowed */
    int threads;
    double rate; /* operations per second that time is stated at; the mean of those of the stages if it is measured */
    int measured_threads; /* the time is this machine's, with so many threads; 0: it is that of `rate` */
    size_t stage_count;
    struct estimate_stage *stages;                   /* [stage_count] */
    double evaluations, windows, tokens, operations; /* sums; baselines are among the evaluations */
    double seconds;                                  /* sum */
    double held_out;                                 /* sum */
    size_t bytes;                                    /* of the largest stage */
};

/* `config` is borrowed. `run_dir` is read for fine-tuned models only and need not exist; work already stored there is
 * not subtracted. `threads` 0: all. STATUS_INPUT, naming stage and file, if a config.json is missing or wrong. The
 * caller frees *out with estimate_free(). */
int estimate_make(const struct config *config, const char *run_dir, int threads, struct estimate *out,
                  struct error *error);

/* States the time at `rate` operations per second, as estimate_make() does at 10^12. */
void estimate_set_rate(struct estimate *estimate, double rate);
/* Seconds that the windows held out by the stage take, which are not among stage->seconds; and those of all stages. */
double estimate_held_out(const struct estimate_stage *stage);
double estimate_all_held_out(const struct estimate *estimate);
void estimate_free(struct estimate *estimate); /* a zeroed struct is allowed */

#endif
