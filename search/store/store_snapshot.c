#include "search/store/store_snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/base/clock.h"
#include "search/store/store_folder.h"

/* SQLite's code. The file has a single process as long as it has this name. */
static int copy_to(struct store *store, const char *path) {
    sqlite3 *copy = NULL;
    char *name = database_name(path);
    unlink(path);
    int code =
        name ? sqlite3_open_v2(name, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") : SQLITE_NOMEM;
    free(name);
    if (code == SQLITE_OK) code = sqlite3_exec(copy, "PRAGMA journal_mode = OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK) code = database_copy_pages(&store->database, copy);
    int closed = sqlite3_close(copy);
    return code == SQLITE_OK ? closed : code;
}

void store_snapshot_write(struct store *store) {
    char *part = store_folder_path(store, STORE_SNAPSHOT_PART), *path = store_folder_path(store, STORE_SNAPSHOT_FILE);
    int changes = sqlite3_total_changes(store->database.handle);
    bool idle = sqlite3_get_autocommit(store->database.handle) != 0;
    if (part && path && idle && changes != store->snapshot_changes) {
        int code = copy_to(store, part);
        bool written = code == SQLITE_OK && rename(part, path) == 0;
        if (written) store->snapshot_changes = changes;
        if (!written) unlink(part);
        TRACE(TRACE_STORE, "%s: %s", path, written ? "written" : "could not be written");
    }
    if (idle) store->snapshot_at = clock_seconds();
    free(part);
    free(path);
}

void store_keep_readable(struct store *store) {
    if (!store->has_snapshot || clock_seconds() - store->snapshot_at < STORE_SNAPSHOT_SECONDS) return;
    store_snapshot_write(store);
}

void store_make_readable(struct store *store) {
    if (store->has_snapshot) store_snapshot_write(store);
}

void store_snapshot_remove(const struct store *store) {
    char *path = store_folder_path(store, STORE_SNAPSHOT_FILE);
    if (path) unlink(path);
    free(path);
}
