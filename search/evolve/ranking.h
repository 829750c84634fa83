/* The best individuals of a search, by their mean nats per token on the windows that all of them are scored on. */
#ifndef LONGROPE_SEARCH_RANKING_H
#define LONGROPE_SEARCH_RANKING_H

#include <stdbool.h>
#include <stddef.h>

struct ranked {
    size_t id;
    double mean; /* lower is better; NaN is worse than every number and equal to NaN */
    size_t slot; /* no other one has it; below `capacity` */
};

struct ranking {
    size_t count, capacity;
    struct ranked *items; /* [capacity], of which `count` are used, the best first; equals in the order of adding */
};

/* An empty one. False if memory is short. The caller frees with ranking_close(); a zeroed struct is allowed there. */
bool ranking_open(struct ranking *out, size_t capacity);
void ranking_close(struct ranking *ranking);

/* Adds an individual in place of the last one, if there is no room. NULL: it is not better than any, and is not added.
 * The pointer is valid until the next call. */
const struct ranked *ranking_add(struct ranking *ranking, size_t id, double mean);

/* Sorts by means that the caller changed; equals stay in their order. */
void ranking_sort(struct ranking *ranking);

/* NULL: it is not in the ranking. */
struct ranked *ranking_find(const struct ranking *ranking, size_t id);

void ranking_clear(struct ranking *ranking);

/* Whether mean `a` is the lower one. */
bool ranking_before(double a, double b);

#endif
