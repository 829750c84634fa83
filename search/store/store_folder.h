/* The run directory: its creation, and run.lock, which lets one process at a time search in it. */
#ifndef LONGROPE_SEARCH_STORE_FOLDER_H
#define LONGROPE_SEARCH_STORE_FOLDER_H

#include <stdbool.h>

#include "search/store/store_values.h"

/* dir/name; NULL for lack of memory. The caller frees it. */
char *store_folder_path(const struct store *store, const char *name);
/* Sets the error for errno `code` of a system call on the directory, and returns its status. */
int store_folder_failed(const struct store *store, int code, struct error *error);

/* Makes the directory and its parents where they do not exist. */
int store_folder_make(const struct store *store, struct error *error);
/* Whether a search could do that, and write into it, as far as can be told without making anything; with the errors of
 * store_folder_make() and store_folder_lock(), but that of a run that another process holds. */
int store_folder_check(const struct store *store, struct error *error);
/* fsync of the directory: files that were renamed survive a power failure. */
int store_folder_sync(const struct store *store, struct error *error);

enum { STORE_HOLDER_SIZE = 320 };

/* Takes the flock on run.lock and writes host and process into it. *held tells that another process holds it;
 * store_folder_holder() then gives "process 12 on host a". */
int store_folder_try_lock(struct store *store, bool *held, struct error *error);
void store_folder_holder(const struct store *store, char out[STORE_HOLDER_SIZE]);
/* Takes the lock; STATUS_INPUT, naming the holder, if another process holds it. */
int store_folder_lock(struct store *store, struct error *error);
void store_folder_unlock(struct store *store); /* if it holds the lock */

#endif
