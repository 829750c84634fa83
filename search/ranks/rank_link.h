/* The messages of MPI, and as little more of MPI as one search on several nodes needs. rank_link_mpi.c has it; a build
 * without MPI has rank_link_none.c, whose rank_link_open() fails. All functions are for the thread that opened it. */
#ifndef LONGROPE_SEARCH_RANK_LINK_H
#define LONGROPE_SEARCH_RANK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#include "eval/base/error.h"

struct rank_link {
    size_t rank, count;      /* of all processes */
    size_t on_node, of_node; /* this one's number among those on its node, and their number */
    struct rank_link_state *state;
};

/* Initialises MPI, once per process. STATUS_FAILED for lack of memory; MPI ends the program for errors of its own,
 * with a message that names rank and host. The
 * caller closes *out. */
int rank_link_open(struct rank_link *out, struct error *error);
/* Waits for all processes to close theirs. What was sent must have been received. */
void rank_link_close(struct rank_link *link);
/* Ends all processes now, with this exit status. */
noreturn void rank_link_abort(const struct rank_link *link, int status);

/* Every process gives an item of `size` bytes, and gets those of all processes, or of those on its node, in order. All
 * must call it; to be called before the first message. */
void rank_link_gather(const struct rank_link *link, const void *item, size_t size, void *all);
void rank_link_gather_node(const struct rank_link *link, const void *item, size_t size, void *all);

/* Sends a copy; does not wait. STATUS_FAILED for lack of memory. */
int rank_link_send(struct rank_link *link, size_t to, int kind, const void *data, size_t size, struct error *error);
/* Whether all that was sent is on its way. */
bool rank_link_is_idle(struct rank_link *link);

struct rank_link_message {
    size_t from;
    int kind;
    const void *data; /* [size] aligned for any type; valid until the next call */
    size_t size;
};
/* The next message, if there is one: *received. Those of one sender come in the order of sending. STATUS_FAILED for
 * lack of memory. */
int rank_link_receive(struct rank_link *link, struct rank_link_message *out, bool *received, struct error *error);

#endif
