/* Which worker scores which window of which table next. It counts and orders only: it knows neither messages nor
 * threads nor nats, and what is scored does not depend on it.
 *
 * A unit is one window of one table. The first window of every table goes out first, table by table in the order in
 * which they were added, because racing may give up a table after it. Then come the other windows: those of the table
 * in front, whose score is waited for, and those of the others in their order. A table that is held back has none until
 * it is in front.
 *
 * A worker without a unit gets one. It gets a second one, to begin when the first is done, only while more units wait
 * than there are workers: towards the end of a generation no unit lies with a worker while another worker has none.
 *
 * Units come back in any order, and twice without harm.
 */
#ifndef LONGROPE_SEARCH_HANDOUT_H
#define LONGROPE_SEARCH_HANDOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

enum {
    HANDOUT_DEPTH = 2, /* units that a worker has, dropped ones aside */
    HANDOUT_MOST = 4   /* those included */
};

struct handout_unit {
    uint64_t id; /* 1, 2, ...; a hand-out uses none again */
    int64_t table;
    size_t window;
};

struct handout;

/* For workers 0..workers-1. STATUS_FAILED for lack of memory; the caller frees *out with handout_free(). */
int handout_new(size_t workers, struct handout **out, struct error *error);
void handout_free(struct handout *handout); /* NULL is allowed */

/* Adds a unit behind the others of its table; a table that has none is added behind all others. STATUS_FAILED for lack
 * of memory. */
int handout_add(struct handout *handout, int64_t table, size_t window, struct error *error);

/* The table, which need not have units, is in front from now on, instead of the one that was. */
void handout_to_front(struct handout *handout, int64_t table);
/* Hands out no more of the table's units while another one is in front. */
void handout_hold(struct handout *handout, int64_t table);
/* Forgets the table. Its units that workers have are dropped: they no longer count, and come back all the same. */
void handout_drop(struct handout *handout, int64_t table);

/* The next unit of the worker, which has it from now on; false if there is none for it. */
bool handout_next(struct handout *handout, size_t worker, struct handout_unit *out);

enum handout_return {
    HANDOUT_WANTED,
    HANDOUT_DROPPED, /* of a table that was dropped */
    HANDOUT_UNKNOWN  /* the worker does not have it: it came back before, or never went out */
};
/* The worker no longer has the unit, which is copied to *out unless it is unknown. */
enum handout_return handout_done(struct handout *handout, size_t worker, uint64_t id, struct handout_unit *out);

/* The units that the worker has, dropped ones included, in the order in which it got them; how many. */
size_t handout_under_way(const struct handout *handout, size_t worker, struct handout_unit out[HANDOUT_MOST]);

#endif
