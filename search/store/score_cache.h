/* The score cache: nats of windows that were scored before, by this run or another one that shares the
 * file. An SQLite database that several processes of one machine may read and add to at once: they share memory,
 * which network file systems do not have.
 *
 * Everything that a window's nats depend on, to the last bit, is in its key, so an entry never grows
 * stale and which process wrote it makes no difference to a result. Entries are good for one build: kernels,
 * compiler and C library are in its `arithmetic`.
 *
 * A cache that another process has locked is waited for without limit, as a file that only saves time must not
 * end a run; stderr says so after 10 s.
 *
 * Write-ahead log, synchronous=NORMAL: entries survive kill -9; a power failure may take the last few, which
 * are then scored again.
 */
#ifndef LONGROPE_SEARCH_SCORE_CACHE_H
#define LONGROPE_SEARCH_SCORE_CACHE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"

struct score_cache;

/* Fingerprints in hexadecimal, and words; all borrowed. */
struct score_cache_key {
    const char *model;      /* weights and config.json */
    const char *arithmetic; /* number type, kernels, compiler, C library and the evaluator's revision */
    const char *window;     /* tokens, and how many of them are context only */
    const char *table;      /* frequencies, factors, n_hat, attention factors; angles are in double */
};

/* Opens the cache, making it where there is none. STATUS_INPUT where its folder is not there, the file is
 * something else or of a newer schema; STATUS_FAILED where it is damaged or the disk does not let it. The caller
 * closes *out. Where *stop becomes non-zero, this and the functions below end with STATUS_STOPPED instead of
 * waiting; it outlives the cache, and may be NULL. */
int score_cache_open(const char *path, const volatile sig_atomic_t *stop, struct score_cache **out,
                     struct error *error);
void score_cache_close(struct score_cache *cache); /* NULL is allowed */

/* STATUS_FAILED for an entry that no window can have. */
int score_cache_find(struct score_cache *cache, const struct score_cache_key *key, double *nats, bool *found,
                     struct error *error);

/* Adds the entry, finite and not negative; one that is there already stays as it is. */
int score_cache_add(struct score_cache *cache, const struct score_cache_key *key, double nats, struct error *error);

#endif
