/* The machines that searched a stage: the SQL table machines of run.db. No result depends on them. */
#ifndef LONGROPE_SEARCH_STORE_MACHINES_H
#define LONGROPE_SEARCH_STORE_MACHINES_H

#include "search/store/store.h"

struct machine_record {
    char host[64];
    char processor[96]; /* its model, "" where it is unknown */
    int64_t threads;    /* of the process; of a search on several ranks those of rank 0 */
};

/* Adds it, unless the stage has it. */
int store_add_machine(struct store *store, int64_t stage, const struct machine_record *machine, struct error *error);
/* In the order in which they began. The caller frees *out. */
int store_machines(struct store *store, const struct stage_record *stage, struct machine_record **out, size_t *count,
                   struct error *error);

#endif
