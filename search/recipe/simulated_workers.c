#include "search/recipe/simulated_workers.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/ranks/handout.h"

struct unit {
    uint64_t id;
    double seconds; /* that it takes */
    double begins, ends;
    bool cancelled;
    double nats;
    float *blocks; /* owned */
};

struct queue {
    struct unit units[HANDOUT_MOST]; /* [count] in the order in which they are computed */
    size_t count;
};

struct simulated_workers {
    struct simulated_workers_options options;
    struct queue *queues; /* [options.count] */
    double *ends;         /* [options.count] of the unit of each that ends first; infinite without units */
    double now, busy;
    float *taken; /* blocks of the last result */
    bool stuck;   /* somebody waits for nothing */
};

int simulated_workers_new(const struct simulated_workers_options *options, struct simulated_workers **out,
                          struct error *error) {
    struct simulated_workers *workers = calloc(1, sizeof *workers);
    *out = NULL;
    if (!workers) return error_memory(error, sizeof *workers, "simulated workers");
    workers->options = *options;
    workers->queues = calloc(options->count, sizeof *workers->queues);
    workers->ends = calloc(options->count, sizeof *workers->ends);
    if (!workers->queues || !workers->ends) {
        workers->options.count = 0;
        simulated_workers_free(workers);
        return error_memory(error, (double)options->count * sizeof *workers->queues, "simulated workers");
    }
    for (size_t w = 0; w < options->count; w++) workers->ends[w] = INFINITY;
    *out = workers;
    return STATUS_OK;
}

void simulated_workers_free(struct simulated_workers *workers) {
    if (!workers) return;
    for (size_t w = 0; w < workers->options.count; w++) {
        for (size_t i = 0; i < workers->queues[w].count; i++) free(workers->queues[w].units[i].blocks);
    }
    free(workers->queues);
    free(workers->ends);
    free(workers->taken);
    free(workers);
}

double simulated_workers_now(const struct simulated_workers *workers) { return workers->now; }
double simulated_workers_busy(const struct simulated_workers *workers) { return workers->busy; }

/* ---- the clock ---- */

/* A number of 0..1 that depends on the id alone: splitmix64 (Steele, Lea and Flood, 2014). */
static double random_of(uint64_t id) {
    uint64_t z = id * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Each unit that has not begun begins when the one before ends. */
static void schedule(struct simulated_workers *workers, size_t worker) {
    struct queue *queue = &workers->queues[worker];
    double free_at = workers->now;
    workers->ends[worker] = INFINITY;
    for (size_t i = 0; i < queue->count; i++) {
        struct unit *unit = &queue->units[i];
        if (!unit->cancelled && !(unit->begins <= workers->now)) {
            unit->begins = free_at;
            unit->ends = free_at + unit->seconds;
        }
        free_at = fmax(free_at, unit->ends);
        workers->ends[worker] = fmin(workers->ends[worker], unit->ends);
    }
}

/* The worker whose unit ends first; the number of workers if none has one. */
static size_t next_worker(const struct simulated_workers *workers) {
    size_t next = workers->options.count;
    double end = INFINITY;
    for (size_t w = 0; w < workers->options.count; w++) {
        if (workers->ends[w] >= end) continue;
        next = w;
        end = workers->ends[w];
    }
    return next;
}

/* ---- as an interface ---- */

static int give(void *state, size_t worker, const struct work_unit *unit, struct error *error) {
    struct simulated_workers *workers = state;
    const struct simulated_workers_options *options = &workers->options;
    struct queue *queue = &workers->queues[worker];
    assert(queue->count < HANDOUT_MOST);
    struct unit *added = &queue->units[queue->count];
    *added = (struct unit){.id = unit->id, .begins = INFINITY, .ends = INFINITY};
    added->blocks = calloc(options->block_count + 1, sizeof *added->blocks);
    if (!added->blocks) return error_memory(error, (double)options->block_count * sizeof(float), "simulated nats");
    for (size_t b = 0; b < options->block_count; b++) added->blocks[b] = NAN;
    added->seconds = options->unit_seconds * (1.0 + options->spread * (2.0 * random_of(unit->id) - 1.0));
    added->nats = options->nats(options->state, unit, added->blocks);
    queue->count++;
    schedule(workers, worker);
    return STATUS_OK;
}

static void cancel(void *state, size_t worker, uint64_t id) {
    struct simulated_workers *workers = state;
    struct queue *queue = &workers->queues[worker];
    for (size_t i = 0; i < queue->count; i++) {
        struct unit *unit = &queue->units[i];
        if (unit->id != id || unit->cancelled || unit->ends <= workers->now) continue;
        unit->cancelled = true;
        unit->begins = fmin(unit->begins, workers->now);
        unit->ends = workers->now;
    }
    schedule(workers, worker);
}

static int take(void *state, struct work_result *out, bool *taken, struct error *error) {
    struct simulated_workers *workers = state;
    size_t worker = next_worker(workers);
    *taken = worker < workers->options.count && workers->ends[worker] <= workers->now;
    if (workers->stuck) return error_set(error, STATUS_FAILED, "the simulated ranks have nothing to do");
    if (!*taken) return STATUS_OK;
    struct queue *queue = &workers->queues[worker];
    struct unit *unit = queue->units;
    while (unit->ends > workers->ends[worker]) unit++;
    free(workers->taken);
    workers->taken = unit->blocks;
    workers->busy += unit->ends - unit->begins;
    *out = (struct work_result){.worker = worker,
                                .id = unit->id,
                                .status = unit->cancelled ? STATUS_STOPPED : STATUS_OK,
                                .nats = unit->nats,
                                .details = unit->blocks,
                                .size = workers->options.block_count * sizeof *unit->blocks};
    queue->count--;
    memmove(unit, unit + 1, (size_t)(queue->units + queue->count - unit) * sizeof *unit);
    schedule(workers, worker);
    return STATUS_OK;
}

static void wait_for_next(void *state) {
    struct simulated_workers *workers = state;
    size_t worker = next_worker(workers);
    workers->stuck = worker == workers->options.count;
    if (!workers->stuck) workers->now = fmax(workers->now, workers->ends[worker]);
}

struct workers simulated_workers_interface(struct simulated_workers *workers) {
    return (struct workers){workers, workers->options.count, give, cancel, take, wait_for_next};
}
