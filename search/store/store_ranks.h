/* What the ranks of a search did for a stage. Times, as other columns of seconds: the rest of a run does not depend on
 * how many ranks there were. */
#ifndef LONGROPE_SEARCH_STORE_RANKS_H
#define LONGROPE_SEARCH_STORE_RANKS_H

#include "search/store/store.h"

/* A row of `ranks`: of all starts of the search whose rank had this number, added up. What a start did that was killed
 * is not in it. */
struct rank_record {
    int64_t rank;
    char host[64];  /* that it was on last */
    int64_t units;  /* windows of tables that it computed to the end */
    double seconds; /* in which it computed, also windows that were cancelled */
    double present; /* seconds in which it had been asked for windows */
};

/* Adds to what is stored, in one transaction. */
int store_add_ranks(struct store *store, int64_t stage, const struct rank_record *ranks, size_t count,
                    struct error *error);
/* By rank; none of a search that was one process. The caller frees *out. */
int store_ranks(struct store *store, const struct stage_record *stage, struct rank_record **out, size_t *count,
                struct error *error);

#endif
