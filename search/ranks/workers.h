/* Those who compute windows for a search or a measurement, as an interface: a thread of this process, other processes,
 * or a test's. They are numbered from 0. */
#ifndef LONGROPE_SEARCH_WORKERS_H
#define LONGROPE_SEARCH_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"

/* What a worker is to do: one window of one table. */
struct work_unit {
    uint64_t id;
    size_t window;
    struct rope_table table;
};

/* What came of it. */
struct work_result {
    size_t worker;
    uint64_t id;
    int status;          /* STATUS_STOPPED also of a unit that was cancelled */
    double seconds;      /* that it was computed for */
    double nats;         /* of the window, if status is STATUS_OK */
    const void *details; /* [size] bytes, as struct window_task has them; aligned, valid until the next take() */
    size_t size;
    struct error error; /* otherwise */
};

struct workers {
    void *state; /* borrowed, the first argument of all functions */
    size_t count;
    /* Gives a worker, which has fewer than HANDOUT_MOST, a unit. */
    int (*give)(void *state, size_t worker, const struct work_unit *unit, struct error *error);
    /* The result of the unit is no longer required; it comes all the same, sooner. */
    void (*cancel)(void *state, size_t worker, uint64_t unit);
    /* The next result, if one has come: *taken. An error is one of the workers as such. */
    int (*take)(void *state, struct work_result *out, bool *taken, struct error *error);
    /* Returns when a result may have come, after some milliseconds at most. */
    void (*wait)(void *state);
};

#endif
