/* How the scoring of one table went: written by the scorer, kept by the store. */
#ifndef LONGROPE_SEARCH_SCORED_H
#define LONGROPE_SEARCH_SCORED_H

#include <stddef.h>

struct scored {
    size_t windows;  /* windows with nats: all of a stage, or fewer if racing stopped it or no more were asked for */
    size_t computed; /* of these, windows that were computed and not read from the score cache */
    double seconds;  /* spent; 0 if the database holds no valid time */
    size_t first;    /* the windows are first, first + 1, ...; window 0 follows the last one of the stage */
};

#endif
