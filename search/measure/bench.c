#include "search/measure/bench.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/threads.h"
#include "eval/forward.h"
#include "eval/work.h"
#include "search/base/clock.h"
#include "search/base/progress.h"
#include "search/base/signals.h"

enum {
    BLOCK_ROWS = FORWARD_BLOCK_ROWS,
    POSITIONS = 4,     /* blocks of a window whose attention is measured */
    TIMINGS = 8,       /* a measurement is made of so many or more, if one is not too long for that */
    MOST_PASSES = 1000 /* timed */
};

/* Seconds that a timing need not be longer than: the clock is exact to much less, and a signal waits for it. */
#define LONG_ENOUGH 0.05

static bool stopped(const struct bench_setting *setting) { return setting->stop && *setting->stop; }

static int stop_error(struct error *error) { return error_set(error, STATUS_STOPPED, "stopped by %s", signals_name()); }

/* Those of work_matrices(), in its order. */
static const struct matrix *matrix_of(const struct model *model, int index) {
    const struct model_layer *layer = &model->layers[0];
    const struct matrix *const matrices[WORK_MATRICES] = {&layer->query, &layer->key,  &layer->output,
                                                          &layer->gate,  &layer->down, &model->logits};
    return matrices[index];
}

/* ---- Random numbers ---- */

/* Values of neighbouring x are unrelated (the 32-bit finaliser "lowbias32" of Chris
 * Wellons' hash prospector). By index, so that threads can share the work. */
static uint32_t scatter(uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352d;
    x = (x ^ x >> 15) * 0x846ca68b;
    return x ^ x >> 16;
}

/* out[count] uniform in -scale..scale */
static void randomise(float *out, int64_t count, uint32_t seed, float scale) {
    for (int64_t i = 0; i < count; i++) {
        out[i] = (float)(int32_t)scatter(seed + (uint32_t)i) * (scale * 0x1p-31f);
    }
}

/* That a uniform number has a variance of 1. */
static const float UNIT_VARIANCE = 1.7320508f;

static int read_random(void *state, const char *name, int64_t first, int64_t rows, int64_t columns, float *out,
                       struct error *error) {
    (void)state, (void)error;
    uint32_t seed = 0;
    for (const char *c = name; *c; c++) seed = scatter(seed + (unsigned char)*c);
    float scale = UNIT_VARIANCE / sqrtf((float)columns);
    for (int64_t r = 0; columns == 1 && r < rows; r++) out[r] = 1.0f;
#pragma omp parallel for
    for (int64_t r = 0; r < (columns > 1 ? rows : 0); r++) {
        randomise(out + r * columns, columns, scatter(seed + (uint32_t)(first + r)), scale);
    }
    return STATUS_OK;
}

int bench_model(const struct model_config *config, const struct kernels *kernels, struct model **out,
                struct error *error) {
    const struct weight_source source = {.read = read_random};
    return model_build(config, kernels, &source, out, error);
}

/* ---- Memory ---- */

/* What one thread works on. */
struct desk {
    void *operand; /* [BLOCK_ROWS] of numbers: see kernels.h */
    float *out;    /* [BLOCK_ROWS][outputs] */
    void *scratch; /* attention's, or NULL */
};

static void desks_free(struct desk *desks, int count) {
    for (int t = 0; desks && t < count; t++) free(desks[t].operand), free(desks[t].out), free(desks[t].scratch);
    free(desks);
}

/* Random operands of `parts` times `width` numbers a row. */
static bool desk_fill(struct desk *desk, const struct kernels *kernels, int64_t parts, int64_t width, uint32_t seed) {
    int64_t rows = BLOCK_ROWS * parts;
    float *numbers = malloc((size_t)(rows * width) * sizeof *numbers);
    desk->operand = kernels_allocate((size_t)rows * kernels->row_bytes(width));
    bool made = numbers && desk->operand;
    if (made) {
        randomise(numbers, rows * width, seed, UNIT_VARIANCE);
        kernels->narrow(desk->operand, numbers, rows, width);
    }
    free(numbers);
    return made;
}

/* The caller frees *out with desks_free(). `outputs` floats a row, `scratch` bytes. */
static int desks_make(const struct kernels *kernels, int count, int64_t parts, int64_t width, int64_t outputs,
                      size_t scratch, struct desk **out, struct error *error) {
    size_t out_bytes = (size_t)(BLOCK_ROWS * outputs) * sizeof(float);
    struct desk *desks = calloc((size_t)count, sizeof *desks);
    bool made = desks != NULL;
    for (int t = 0; t < count && made; t++) {
        made = desk_fill(&desks[t], kernels, parts, width, (uint32_t)t << 24);
        desks[t].out = kernels_allocate(out_bytes);
        desks[t].scratch = scratch ? kernels_allocate(scratch) : NULL;
        made = made && desks[t].out && (!scratch || desks[t].scratch);
        if (made) memset(desks[t].out, 0, out_bytes); /* no timing waits for the pages */
    }
    if (made) {
        *out = desks;
        return STATUS_OK;
    }
    desks_free(desks, count);
    double bytes = (double)out_bytes + (double)scratch + BLOCK_ROWS * (double)(parts * width) * sizeof(float);
    return error_memory(error, bytes * count, "the threads' rows");
}

/* ---- Timing ---- */

/* What every thread does, with work of its own. */
struct job {
    void (*run)(const void *state, int thread, int64_t repeats);
    const void *state;
    double work; /* of one thread and repeat */
};

/* The rate of one timing; *seconds is what it took. */
static double time_job(const struct job *job, int threads, int64_t repeats, double *seconds) {
    int team = 0; /* threads that OpenMP gave, which may be fewer */
    double began = clock_seconds();
#pragma omp parallel num_threads(threads)
    {
#pragma omp atomic
        team++;
        job->run(job->state, omp_get_thread_num(), repeats);
    }
    *seconds = fmax(clock_seconds() - began, 1e-9);
    return job->work * (double)repeats * team / *seconds;
}

/* rates[count] of jobs[count], the best of their timings. They take turns, so that other load of the machine
 * affects all jobs alike. Timings become longer until they are LONG_ENOUGH, or until each job has time for TIMINGS
 * only. */
static int measure_jobs(const struct job *jobs, int count, const struct bench_setting *setting, double *rates,
                        struct error *error) {
    int64_t repeats[WORK_MATRICES];
    int status = threads_check(setting->threads, error);
    if (status != STATUS_OK) return status;
    const double enough = fmin(LONG_ENOUGH, setting->seconds / (TIMINGS * count));
    for (int i = 0; i < count; i++) repeats[i] = 1, rates[i] = 0.0;
    for (double left = setting->seconds; left > 0.0;) {
        for (int i = 0; i < count; i++) {
            if (stopped(setting)) return stop_error(error);
            double taken;
            rates[i] = fmax(rates[i], time_job(&jobs[i], setting->threads, repeats[i], &taken));
            if (taken < enough) repeats[i] *= 2;
            left -= taken;
        }
    }
    return STATUS_OK;
}

/* ---- Products ---- */

struct product {
    const struct kernels *kernels;
    const struct matrix *matrix;
    struct desk *desks;
};

static void run_product(const void *state, int thread, int64_t repeats) {
    const struct product *p = state;
    const struct desk *desk = &p->desks[thread];
    for (int64_t i = 0; i < repeats; i++) p->kernels->project(desk->out, desk->operand, p->matrix, BLOCK_ROWS, false);
}

int bench_products(const struct model *model, const struct bench_setting *setting, double rates[WORK_MATRICES],
                   struct error *error) {
    struct product products[WORK_MATRICES] = {0};
    struct job jobs[WORK_MATRICES];
    int status = STATUS_OK;
    for (int i = 0; i < WORK_MATRICES && status == STATUS_OK; i++) {
        struct product *p = &products[i];
        p->kernels = model->kernels, p->matrix = matrix_of(model, i);
        jobs[i] = (struct job){.run = run_product,
                               .state = p,
                               .work = 2.0 * BLOCK_ROWS * (double)p->matrix->outputs * (double)p->matrix->inputs};
        status =
            desks_make(p->kernels, setting->threads, 1, p->matrix->inputs, p->matrix->outputs, 0, &p->desks, error);
    }
    if (status == STATUS_OK) status = measure_jobs(jobs, WORK_MATRICES, setting, rates, error);
    for (int i = 0; i < WORK_MATRICES; i++) desks_free(products[i].desks, setting->threads);
    return status;
}

/* ---- Attention ---- */

struct attending {
    const struct kernels *kernels;
    struct key_values kv;
    struct attention_shape at[POSITIONS];
    const struct desk *desks;
};

/* Blocks as a pass has them, in the middle of each POSITIONS-th of the window. */
static void choose_positions(const struct model_config *c, int64_t rows, struct attention_shape at[POSITIONS]) {
    int64_t blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (int64_t k = 0; k < POSITIONS; k++) {
        int64_t first = (2 * k + 1) * blocks / POSITIONS / 2 * BLOCK_ROWS;
        at[k] = (struct attention_shape){.first = first,
                                         .rows = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS,
                                         .heads = c->heads,
                                         .window = c->sliding_window};
    }
}

/* The query heads of one key/value head, at each of the positions; another such head every time. */
static void run_attention(const void *state, int thread, int64_t repeats) {
    const struct attending *a = state;
    const struct desk *desk = &a->desks[thread];
    for (int64_t i = 0; i < repeats; i++) {
        for (int k = 0; k < POSITIONS; k++) {
            struct attention_shape at = a->at[k];
            int64_t shared = at.heads / a->kv.heads;
            at.head = (thread + i) % a->kv.heads * shared;
            for (int64_t end = at.head + shared; at.head < end; at.head++) {
                a->kernels->attention(desk->out, desk->operand, &a->kv, &at, desk->scratch);
            }
        }
    }
}

/* Of one repeat. */
static double attending_work(const struct attending *a) {
    double keys = 0.0;
    for (int k = 0; k < POSITIONS; k++) {
        const struct attention_shape *at = &a->at[k];
        keys += work_keys_seen(at->first + at->rows, at->window) - work_keys_seen(at->first, at->window);
    }
    int64_t heads = a->at[0].heads / a->kv.heads;
    return 4.0 * keys * (double)(heads * a->kv.width);
}

/* The caller frees keys and values. */
static int make_key_values(const struct kernels *kernels, struct key_values *kv, struct error *error) {
    int64_t width = kv->heads * kv->width;
    size_t bytes = kernels->key_bytes(kv->tokens, kv->heads, kv->width);
    bool short_of = false;
    kv->keys = kernels_allocate(bytes), kv->values = kernels_allocate(bytes);
    if (!kv->keys || !kv->values) return error_memory(error, 2.0 * (double)bytes, "a window of this length");
#pragma omp parallel
    {
        float *rows = malloc((size_t)(PACK_ROWS * width) * sizeof *rows);
#pragma omp for
        for (int64_t first = 0; first < kv->tokens; first += PACK_ROWS) {
            int64_t count = kv->tokens - first < PACK_ROWS ? kv->tokens - first : PACK_ROWS;
            if (!rows) continue;
            randomise(rows, count * width, scatter((uint32_t)first), UNIT_VARIANCE);
            kernels->pack_keys(kv, rows, first, count);
            kernels->pack_values(kv, rows, first, count);
        }
#pragma omp critical(bench_memory)
        short_of = short_of || !rows;
        free(rows);
    }
    return short_of ? error_memory(error, (double)(PACK_ROWS * width) * sizeof(float), "keys and values") : STATUS_OK;
}

int bench_attention(const struct model *model, int64_t length, const struct bench_setting *setting, double *rate,
                    struct error *error) {
    const struct model_config *c = &model->config;
    struct attending a = {.kernels = model->kernels,
                          .kv = {.tokens = length - 1, .heads = c->kv_heads, .width = c->head_width}};
    struct desk *desks = NULL;
    choose_positions(c, length - 1, a.at);
    int status = make_key_values(model->kernels, &a.kv, error);
    if (status == STATUS_OK) {
        struct attention_shape largest = a.at[POSITIONS - 1]; /* the window's last block may be a short one */
        largest.rows = BLOCK_ROWS;
        size_t scratch = model->kernels->attention_scratch(&largest, &a.kv);
        status = desks_make(model->kernels, setting->threads, c->heads, c->head_width, c->heads * c->head_width,
                            scratch, &desks, error);
    }
    if (status == STATUS_OK) {
        a.desks = desks;
        const struct job job = {.run = run_attention, .state = &a, .work = attending_work(&a)};
        status = measure_jobs(&job, 1, setting, rate, error);
    }
    desks_free(desks, setting->threads);
    free(a.kv.keys), free(a.kv.values);
    return status;
}

/* ---- Whole passes ---- */

struct pass {
    struct forward *forward;
    struct rope_table table;
    int32_t *tokens; /* [length] */
    int64_t length;
    double *nats; /* [length - 1] */
    const struct bench_setting *setting;
    int64_t passes; /* done */
};

static void pass_advanced(void *state, double fraction) {
    const struct pass *p = state;
    if (p->setting->progress) p->setting->progress(p->setting->progress_state, p->passes, fraction);
}

static void pass_close(struct pass *p) {
    forward_free(p->forward);
    free(p->tokens);
    free(p->nats);
}

static int pass_open(const struct model *model, struct pass *p, struct error *error) {
    const struct forward_options options = {
        .threads = p->setting->threads, .stop = p->setting->stop, .progress = pass_advanced, .progress_state = p};
    p->tokens = malloc((size_t)p->length * sizeof *p->tokens);
    p->nats = malloc((size_t)p->length * sizeof *p->nats);
    if (!p->tokens || !p->nats) {
        return error_memory(error, (double)p->length * (sizeof *p->tokens + sizeof *p->nats), "the tokens");
    }
    for (int64_t i = 0; i < p->length; i++) {
        p->tokens[i] = (int32_t)(scatter((uint32_t)i) % (uint64_t)model->config.vocabulary);
    }
    rope_model_table(&p->table, &model->config.rope, p->length);
    return forward_new(model, &options, &p->forward, error);
}

static int run_pass(struct pass *p, double *seconds, struct error *error) {
    double began = clock_seconds();
    int status = forward_nats(p->forward, &p->table, p->tokens, p->length, 0, p->nats, error);
    *seconds = fmax(clock_seconds() - began, 1e-9);
    p->passes++;
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts times[count]. */
static struct bench_passes summary(double *times, int64_t count) {
    qsort(times, (size_t)count, sizeof *times, by_value);
    return (struct bench_passes){
        .best = times[0], .median = (times[(count - 1) / 2] + times[count / 2]) / 2.0, .count = count};
}

int bench_passes(const struct model *model, int64_t length, const struct bench_setting *setting,
                 struct bench_passes *out, struct error *error) {
    struct pass p = {.length = length, .setting = setting};
    double times[MOST_PASSES], warming;
    int64_t count = 0;
    int status = pass_open(model, &p, error);
    if (status == STATUS_OK) status = run_pass(&p, &warming, error);
    for (double left = setting->seconds; status == STATUS_OK && left > 0.0 && count < MOST_PASSES;) {
        status = run_pass(&p, &times[count], error);
        left -= times[count++];
    }
    if (status == STATUS_OK) *out = summary(times, count);
    pass_close(&p);
    return status;
}
