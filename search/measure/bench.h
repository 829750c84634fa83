/* How fast this machine evaluates: rates of kernels and of whole passes, on models of random weights
 * in memory.
 *
 * Rates are floating-point operations per second, counted as in eval/work.h.
 * A rate is the best of several timings, because other load of the machine makes timings worse.
 */
#ifndef LONGROPE_SEARCH_BENCH_H
#define LONGROPE_SEARCH_BENCH_H

#include <signal.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/kernels/kernels.h"
#include "eval/model/model.h"
#include "eval/work.h"

/* Makes a model of that shape with pseudo-random weights, equal in every run: norms are 1, and a row of a
 * matrix maps inputs of variance 1 to outputs of variance 1. Errors are those of model_build(). The
 * caller frees *out with model_free(). */
int bench_model(const struct model_config *config, const struct kernels *kernels, struct model **out,
                struct error *error);

struct bench_setting {
    int threads;                       /* at least 1 */
    double seconds;                    /* per measurement, or one timing if that takes longer */
    const volatile sig_atomic_t *stop; /* a value other than 0 stops a measurement; may be NULL */
    /* Of bench_passes(): `passes` are done and `fraction`, 0..1, of the next. From one thread at a time;
     * may be NULL. */
    void (*progress)(void *state, int64_t passes, double fraction);
    void *progress_state;
};

/* All of these return STATUS_STOPPED if the flag was set, and STATUS_FAILED for lack of memory. */

/* rates[i]: of products with matrix i of work_matrices(). As in a pass, each thread multiplies its own block
 * of rows with the whole matrix. */
int bench_products(const struct model *model, const struct bench_setting *setting, double rates[WORK_MATRICES],
                   struct error *error);

/* The rate of attention in a window of `length` >= 2 tokens, at positions spread evenly over it. */
int bench_attention(const struct model *model, int64_t length, const struct bench_setting *setting, double *rate,
                    struct error *error);

struct bench_passes {
    double best, median; /* seconds of a pass */
    int64_t count;       /* passes timed */
};

/* Whole passes over a window of `length` >= 2 random tokens. The first, which also makes buffers and the
 * first layer's table, is not timed. */
int bench_passes(const struct model *model, int64_t length, const struct bench_setting *setting,
                 struct bench_passes *out, struct error *error);

#endif
