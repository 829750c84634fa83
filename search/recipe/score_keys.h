/* The keys that the nats of a stage's windows have in the score cache. They name everything that determines a window's
 * nats to the last bit, so equal keys on two machines say that both compute the same. */
#ifndef LONGROPE_SEARCH_SCORE_KEYS_H
#define LONGROPE_SEARCH_SCORE_KEYS_H

#include <xxhash.h>

#include "eval/base/error.h"
#include "eval/fingerprint.h"
#include "eval/model/model.h"
#include "eval/perplexity.h"
#include "search/ranks/rank_messages.h"
#include "search/store/score_cache.h"

enum { SCORE_KEY_SIZE = 33 }; /* of a fingerprint, with the end of the string */

struct score_keys {
    char model[SCORE_KEY_SIZE];
    char arithmetic[FINGERPRINT_ARITHMETIC];
    char (*windows)[SCORE_KEY_SIZE]; /* [scoring->count] */
    char all_windows[SCORE_KEY_SIZE];
    XXH3_state_t *hash;
};

/* STATUS_FAILED for lack of memory. The caller closes *out, also after an error. */
int score_keys_open(struct score_keys *out, const struct model *model, const struct scoring *scoring,
                    struct error *error);
void score_keys_close(struct score_keys *keys); /* a zeroed struct is allowed */

/* What the ranks of a search or a measurement compare. */
struct rank_loaded score_keys_loaded(const struct score_keys *keys);

/* The fingerprint of a table. */
void score_keys_table(const struct score_keys *keys, const struct rope_table *table, char out[SCORE_KEY_SIZE]);

/* The key of a window of the table with that fingerprint; borrows both. */
struct score_cache_key score_keys_of(const struct score_keys *keys, const char *table, size_t window);

#endif
