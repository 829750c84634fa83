/* The processes of one search or measurement that a launcher of MPI programs started, numbered from 0, its ranks. Rank
 * 0 holds run, cache and search, and prints; the others compute windows for it. Messages go between rank 0 and each of
 * the others.
 *
 * Beside the messages of its callers this file has those that end the work:
 * - A signal on any rank stops all of them: it tells rank 0, which tells the others, and on each the flag of
 *   search/base/signals.h rises.
 * - An error on a rank becomes an error of rank 0 that names rank and host.
 * - When rank 0 is at its end, for whatever reason, the others get RANKS_END with its status and end with it, too.
 * A rank that vanishes ends an MPI program as a whole. Nothing that is scored is lost: rank 0 commits each result when
 * it comes.
 *
 * A NULL `struct ranks *` is one process alone: rank 0 of 1.
 */
#ifndef LONGROPE_SEARCH_RANKS_H
#define LONGROPE_SEARCH_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "eval/base/error.h"

struct ranks;

enum ranks_kind {
    RANKS_END,   /* to others; int: the exit status */
    RANKS_FIRST, /* callers number their kinds from here on */
};

/* Joins the others, if this process is one of several; *out is NULL if it is alone. `command` says what was started,
 * and has to be the same everywhere. STATUS_INPUT, on rank 0, if a rank was started with another command or by another
 * build, or if this build has no MPI; STATUS_FAILED for lack of memory. The caller calls ranks_end(). */
int ranks_open(const char *command, struct ranks **out, struct error *error);

/* Ends the work on all ranks and returns its status. Rank 0's is that of the work: after an error it prints
 * "longrope: " and *error on stderr, and empties *error, which is said. On another rank a status other than STATUS_OK
 * is an error that becomes rank 0's, as far as that has not ended; *error is empty then, too. After an error, ends all
 * processes at once if others do not answer within two seconds; after STATUS_OK all of them listen, and it waits.
 * `ranks` may be NULL: `status` is returned, and nothing is done. */
int ranks_end(struct ranks *ranks, int status, struct error *error);

size_t ranks_index(const struct ranks *ranks);
size_t ranks_count(const struct ranks *ranks);
const char *ranks_host(const struct ranks *ranks, size_t rank);
/* "rank 3 on host n12" */
enum { RANKS_NAME_SIZE = 100 };
const char *ranks_name(const struct ranks *ranks, size_t rank, char out[RANKS_NAME_SIZE]);
/* This rank's share of the node's processors; 0 if `ranks` is NULL. */
int ranks_threads(const struct ranks *ranks);
/* A line: "WHAT on 3 ranks, with 2 threads on rank 0"; `threads` is 0 for its share. */
void ranks_print(const struct ranks *ranks, const char *what, int threads, FILE *out);

/* Sends head[head_size] and tail[tail_size] as one message. STATUS_FAILED for lack of memory. */
int ranks_send(struct ranks *ranks, size_t to, int kind, const void *head, size_t head_size, const void *tail,
               size_t tail_size, struct error *error);
/* To all others. */
int ranks_send_all(struct ranks *ranks, int kind, const void *data, size_t size, struct error *error);

struct ranks_message {
    size_t from;
    int kind;
    const void *data; /* [size] aligned for any type; valid until the next call */
    size_t size;
};
/* The next message, if there is one: *received. Does not wait. Passes signals on. An error is one of this rank, or on
 * rank 0 that of another one. */
int ranks_receive(struct ranks *ranks, struct ranks_message *out, bool *received, struct error *error);
/* Waits for it. STATUS_STOPPED on rank 0 if a signal stops it; another rank waits for RANKS_END then. */
int ranks_wait(struct ranks *ranks, struct ranks_message *out, struct error *error);

/* For rank 0 while it is busy with something else for long, such as a fine-tuning: lets a signal on another rank
 * through, and keeps an error for the next ranks_receive(). Other messages are lost. `ranks` may be NULL. */
void ranks_listen(struct ranks *ranks);

#endif
