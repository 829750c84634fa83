/* How fast this machine evaluates a model, measured in about a second on random weights: for estimates of time. */
#ifndef LONGROPE_SEARCH_MACHINE_RATE_H
#define LONGROPE_SEARCH_MACHINE_RATE_H

#include <signal.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/kernels/kernels.h"
#include "eval/model/model.h"
#include "eval/work.h"

struct machine_rate {
    double products[WORK_MATRICES]; /* of work_matrices(), operations per second of one thread, as eval/work.h counts */
    double attention;               /* the same */
    double speedup;                 /* of a whole pass on `threads`, over what one thread's rates say of it */
    int threads;
};

/* Measures kernels on one thread, and a whole pass, with all that is between them, on several: short jobs on several
 * threads are not measured well where other programs compute too. Measures on one layer of the model's shape, made
 * smaller where it is large: rates do not depend on how many outputs a matrix has beyond a few thousand. `length` is
 * that of the windows; attention is measured at 32 768 tokens at most, beyond which its rate stays. `threads` are those
 * that the search will have, 0: all; no more than the machine has processors are measured. STATUS_STOPPED if the flag,
 * which may be NULL, was set; STATUS_FAILED for lack of memory.
 */
int machine_rate_measure(const struct model_config *model, const struct kernels *kernels, int64_t length, int threads,
                         const volatile sig_atomic_t *stop, struct machine_rate *out, struct error *error);

/* Seconds of a pass over a window of `length` tokens. */
double machine_rate_seconds(const struct machine_rate *rate, const struct model_config *model, int64_t length);

#endif
