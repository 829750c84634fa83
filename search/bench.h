/* How fast this machine evaluates: rates of kernels and of whole passes, on models of random weights
 * that are made in memory.
 *
 * Work is counted in floating-point operations, two a multiply-add, and rates are operations a second.
 * A rate is the best of several timings: what else the machine does at the time makes others worse.
 */
#ifndef LONGROPE_SEARCH_BENCH_H
#define LONGROPE_SEARCH_BENCH_H

#include <signal.h>
#include <stdint.h>

#include "eval/error.h"
#include "eval/kernels/kernels.h"
#include "eval/model.h"

/* ---- Work ---- */

/* A matrix, and how often each row of a window goes through it or one of its shape in a pass. */
struct bench_matrix {
    const char *name; /* static */
    int64_t outputs, inputs;
    int64_t uses;
};

/* The matrices of a model, one of each kind: query, key (and value), output, gate (and up), down, logits. */
enum { BENCH_MATRICES = 6 };

/* The first layer's queries, keys and values are computed once per distinct token, by the first pass
 * that sees it. They are no work of the passes after it, which are the ones that are timed: its query
 * and key matrices do not count. */
void bench_matrices(const struct model_config *config, struct bench_matrix out[BENCH_MATRICES]);

/* Work of a pass over a window of `length` tokens, whose n = length - 1 rows predict something, in
 * matrix products, the output matrix's included:
 *     2 n sum over matrices (uses outputs inputs)
 * and in attention, over keys that are seen (position p sees p + 1, or the sliding window's):
 *     layers heads head_width 2 x 2 sum over p = 0..n-1 (keys seen)
 * What lies between products (norms, rotation, softmax, silu) counts as nothing. */
double bench_product_work(const struct model_config *config, int64_t length);
double bench_attention_work(const struct model_config *config, int64_t length);

/* What of both a pass leaves out whose first `skip` predictions are not wanted: their rows of the output matrix, and of
 * the last layer all but keys and values of the blocks of rows (FORWARD_BLOCK_ROWS) that lie before the first wanted.
 */
double bench_skipped_work(const struct model_config *config, int64_t skip);

/* ---- Measuring ---- */

/* Makes a model of that shape whose weights look random and are always the same: norms are 1, a row of
 * a matrix takes inputs of variance 1 to outputs of variance 1. Errors are those of model_build(). The
 * caller frees *out with model_free(). */
int bench_model(const struct model_config *config, const struct kernels *kernels, struct model **out,
                struct error *error);

struct bench_setting {
    int threads;                       /* at least 1 */
    double seconds;                    /* that a measurement takes; more where a single timing does */
    const volatile sig_atomic_t *stop; /* becomes non-zero when measuring should end; may be NULL */
    /* Of bench_passes(): `passes` are done and `fraction`, 0..1, of the next. From one thread at a time;
     * may be NULL. */
    void (*progress)(void *state, int64_t passes, double fraction);
    void *progress_state;
};

/* All of these return STATUS_STOPPED where the flag rose and STATUS_FAILED for lack of memory. */

/* rates[i]: of products with matrix i of bench_matrices(), each thread taking a block of rows of its own
 * through all of it, as a pass does. */
int bench_products(const struct model *model, const struct bench_setting *setting, double rates[BENCH_MATRICES],
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
