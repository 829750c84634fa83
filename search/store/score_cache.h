/* The score cache: nats of windows that this run, or another run that shares the file, scored before. It is an SQLite
 * database, to which several processes of one machine may add at once: they share memory, which network file systems
 * do not support.
 *
 * The key of an entry has everything that determines a window's nats, to the last bit. So an entry never becomes
 * stale, and results do not depend on the process that wrote it. An entry is valid for one build: `arithmetic` names
 * kernels, compiler and C library.
 *
 * A process waits without limit while another one has the cache locked, because a file that only saves time must not
 * end a run; stderr says so after 10 s.
 *
 * Write-ahead log, synchronous=NORMAL: entries survive kill -9; a power failure may lose the last few, which are then
 * computed again.
 */
#ifndef LONGROPE_SEARCH_SCORE_CACHE_H
#define LONGROPE_SEARCH_SCORE_CACHE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"

struct score_cache;

/* Fingerprints in hexadecimal, or words; all borrowed. */
struct score_cache_key {
    const char *model;      /* weights and config.json */
    const char *arithmetic; /* number type, kernels, compiler, C library and the evaluator's revision */
    const char *window;     /* tokens, and the number that are context only */
    const char *table;      /* RoPE table: frequencies, factors, n_hat, attention factors; angles are in double */
};

/* Opens the cache, adds the column of blocks to one that an older longrope made, and creates it if it does not exist.
 * STATUS_INPUT if its folder does not exist, or the file is not a score cache or has a newer schema; STATUS_FAILED if
 * it is damaged or the disk fails. The caller closes *out. If *stop becomes non-zero, this function and those below end
 * with STATUS_STOPPED instead of waiting; `stop` outlives the cache and may be NULL. */
int score_cache_open(const char *path, const volatile sig_atomic_t *stop, struct score_cache **out,
                     struct error *error);
/* The same for a cache that no other process uses, as a run's own while the run is locked: it also works on file
 * systems without shared memory or locks, with a rollback journal. */
int score_cache_open_own(const char *path, const volatile sig_atomic_t *stop, struct score_cache **out,
                         struct error *error);
/* Whether a cache could be opened or made at this path, as far as the path tells; makes nothing. STATUS_INPUT if its
 * folder does not exist, its path is too long, or it is no file; STATUS_FAILED without write permission. */
int score_cache_check(const char *path, struct error *error);

void score_cache_close(struct score_cache *cache); /* NULL is allowed */

/* Below, a `cache` that is NULL has no entry and takes none. */

/* What an entry holds. */
struct score_cache_entry {
    double nats;        /* of the window; finite and not negative */
    float *blocks;      /* [block_count] nats_blocks() of the window, the caller's array; NaN: not known. NULL: they are
                         * not read or stored */
    size_t block_count; /* as the window's tokens need */
};

/* Reads an entry into entry->nats and entry->blocks; entry->blocks and ->block_count are the caller's. Entries that an
 * older longrope made have no blocks: NaN. *found is false if there is no entry. STATUS_FAILED, as damaged, if a value
 * is negative or not finite, or there are not block_count blocks. */
int score_cache_find(struct score_cache *cache, const struct score_cache_key *key, struct score_cache_entry *entry,
                     bool *found, struct error *error);

/* Adds an entry. An entry that exists keeps its nats and its blocks, and takes these blocks if it has none. */
int score_cache_add(struct score_cache *cache, const struct score_cache_key *key, const struct score_cache_entry *entry,
                    struct error *error);

#endif
