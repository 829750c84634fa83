/* A copy of run.db for readers, where the file system lets a single process use it (search/store/file_system.h): the
 * search has run.db to itself there, and writes the copy aside at most every STORE_SNAPSHOT_SECONDS. */
#ifndef LONGROPE_SEARCH_STORE_SNAPSHOT_H
#define LONGROPE_SEARCH_STORE_SNAPSHOT_H

#include "search/store/store_values.h"

#define STORE_SNAPSHOT_FILE "run.snapshot.db"
#define STORE_SNAPSHOT_PART "run.snapshot.db.part" /* while it is written */

/* If something was stored since the last one. A copy that cannot be written is no error: it must not stop a search. */
void store_snapshot_write(struct store *store);
void store_snapshot_remove(const struct store *store);

#endif
