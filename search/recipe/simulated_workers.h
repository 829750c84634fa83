/* Workers (search/ranks/workers.h) that compute nothing: each unit takes its time on a clock that is simulated. With
 * them the hand-out of a search on any number of ranks can be watched in milliseconds. */
#ifndef LONGROPE_SEARCH_SIMULATED_WORKERS_H
#define LONGROPE_SEARCH_SIMULATED_WORKERS_H

#include "search/ranks/workers.h"

struct simulated_workers_options {
    size_t count;        /* at least 1 */
    double unit_seconds; /* that a unit takes, above 0 */
    double spread;       /* it takes up to so much of that more or less, at random; 0..1 */
    size_t block_count;  /* of every window */
    /* The made-up nats of a unit, and its blocks, which are NaN when this is called. */
    double (*nats)(void *state, const struct work_unit *unit, float *blocks);
    void *state; /* borrowed */
};

struct simulated_workers;

/* STATUS_FAILED for lack of memory. The caller frees *out with simulated_workers_free(). */
int simulated_workers_new(const struct simulated_workers_options *options, struct simulated_workers **out,
                          struct error *error);
void simulated_workers_free(struct simulated_workers *workers); /* NULL is allowed */

/* The interface, valid until they are freed. wait() sets the clock forward to the next result; where none is to come,
 * the next take() is STATUS_FAILED. */
struct workers simulated_workers_interface(struct simulated_workers *workers);

/* Seconds since they were made. */
double simulated_workers_now(const struct simulated_workers *workers);
/* Seconds, added up over all workers, in which one had a unit to compute. */
double simulated_workers_busy(const struct simulated_workers *workers);

#endif
