#include "search/measure/machine_rate.h"

#include <omp.h>

#include "search/measure/bench.h"

enum { MOST_WIDTH = 2048, MOST_OUTPUTS = 2048, LONG_ENOUGH = 32768, PASS_LENGTH = 1024 };
#define SECONDS 0.1 /* per measurement */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* One layer, with as many heads as fit in MOST_WIDTH: each key/value head keeps its query heads. */
static struct model_config shape_of(const struct model_config *model) {
    int64_t group = model->heads / model->kv_heads;
    int64_t fitting = MOST_WIDTH / (model->head_width * group);
    struct model_config shape = {.family = "llama", .norm_eps = 1e-5, .layers = 1};
    shape.hidden = smaller(model->hidden, MOST_WIDTH);
    shape.intermediate = smaller(model->intermediate, MOST_OUTPUTS);
    shape.vocabulary = smaller(model->vocabulary, MOST_OUTPUTS);
    shape.head_width = model->head_width;
    shape.kv_heads = smaller(model->kv_heads, fitting > 0 ? fitting : 1);
    shape.heads = shape.kv_heads * group;
    shape.sliding_window = model_searched_window(model);
    shape.rope = rope_model_plain(shape.head_width / 2, 10000.0);
    return shape;
}

static int threads_of(int asked) {
    int threads = asked > 0 ? asked : omp_get_max_threads(), machine = omp_get_num_procs();
    return threads < machine ? threads : machine;
}

/* Seconds of a pass on one thread, by the rates of its kernels. */
static double kernel_seconds(const struct machine_rate *rate, const struct model_config *model, int64_t length) {
    struct work_matrix matrices[WORK_MATRICES];
    double seconds = work_attention(model, length) / rate->attention;
    work_matrices(model, matrices);
    for (int i = 0; i < WORK_MATRICES; i++) {
        const struct work_matrix *m = &matrices[i];
        seconds += 2.0 * (double)(length - 1) * m->uses * (double)m->outputs * (double)m->inputs / rate->products[i];
    }
    return seconds;
}

/* out->threads is given. */
static int measure(const struct model *layer, int64_t length, const volatile sig_atomic_t *stop,
                   struct machine_rate *out, struct error *error) {
    struct bench_setting setting = {.threads = 1, .seconds = SECONDS, .stop = stop};
    struct bench_passes passes;
    int64_t pass = smaller(length, PASS_LENGTH);
    int status = bench_products(layer, &setting, out->products, error);
    if (status == STATUS_OK)
        status = bench_attention(layer, smaller(length, LONG_ENOUGH), &setting, &out->attention, error);
    setting.threads = out->threads;
    if (status == STATUS_OK) status = bench_passes(layer, pass, &setting, &passes, error);
    if (status == STATUS_OK) out->speedup = kernel_seconds(out, &layer->config, pass) / passes.best;
    return status;
}

int machine_rate_measure(const struct model_config *model, const struct kernels *kernels, int64_t length, int threads,
                         const volatile sig_atomic_t *stop, struct machine_rate *out, struct error *error) {
    struct model_config shape = shape_of(model);
    struct model *layer = NULL;
    shape.window = smaller(length, LONG_ENOUGH);
    out->threads = threads_of(threads);
    int status = bench_model(&shape, kernels, &layer, error);
    if (status == STATUS_OK) status = measure(layer, length, stop, out, error);
    model_free(layer);
    return status;
}

double machine_rate_seconds(const struct machine_rate *rate, const struct model_config *model, int64_t length) {
    return kernel_seconds(rate, model, length) / rate->speedup;
}
