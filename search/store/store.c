#include "search/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/base/atomic_output.h"
#include "search/store/file_system.h"
#include "search/store/store_folder.h"
#include "search/store/store_migration.h"
#include "search/store/store_schema.h"
#include "search/store/store_snapshot.h"
#include "search/store/store_values.h"

static const struct database_kind run_kind = {
    .name = "a run",
    .application = DATABASE_RUN,
    .schema = STORE_SCHEMA,
    .if_foreign = "choose another folder with -o",
    .if_damaged = "restore a copy of it, or start a new run with -o",
    .if_protected = "make the folder and its files writable, or choose another folder with -o",
};

/* Of STORE_RECORD and STORE_READ, whose commands have no option -o. */
static const struct database_kind record_kind = {
    .name = "a run",
    .application = DATABASE_RUN,
    .schema = STORE_SCHEMA,
    .if_foreign = "name the folder of a run",
    .if_damaged = "restore a copy of it",
    .if_protected = "make the folder and its files writable",
};

/* ---- errors ---- */

static const char if_no_run_to_resume[] = "start one without --resume, or check the path";
static const char if_no_run_to_read[] = "check the path, or start a run with longrope search";

static int no_run(const struct store *store, const char *remedy, struct error *error) {
    struct stat info;
    const char *what = stat(store->database.path, &info) == 0 ? "holds no run (run.db is empty)"
                       : stat(store->dir, &info) != 0         ? "does not exist"
                       : S_ISDIR(info.st_mode)                ? "holds no run (no run.db)"
                                                              : "is not a folder, as runs are";
    return error_set(error, STATUS_INPUT, "%.300s: %s; %s", store->dir, what, remedy);
}

/* ---- file systems for one process ---- */

/* The lock is held. Says so where the run is this process's alone. */
static void choose_sharing(struct store *store) {
    const struct file_system system = file_system_of(store->lock);
    store->database.sharing = file_system_sharing(&system);
    if (store->database.sharing == DATABASE_SHARED) return;
    fprintf(stderr,
            "longrope: %s: the file system %s; this process has run.db to itself, with a rollback journal, and others "
            "read " STORE_SNAPSHOT_FILE "\n",
            store->dir, file_system_lack(&system));
}

/* For measurements: the run is this process's alone until it is closed, where it cannot be shared. */
static int take_alone(struct store *store, struct error *error) {
    char *path = store_folder_path(store, "run.lock"), holder[STORE_HOLDER_SIZE];
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    const struct file_system system = file_system_at(path);
    bool held = false;
    free(path);
    const enum database_sharing sharing = file_system_sharing(&system);
    if (sharing == DATABASE_SHARED) return STATUS_OK;
    int status = store_folder_try_lock(store, &held, error);
    if (status != STATUS_OK) return status;
    store->database.sharing = sharing;
    if (!held) return STATUS_OK;
    store_folder_holder(store, holder);
    return error_set(
        error, STATUS_INPUT,
        "%.300s: in use by %s, and the file system %s, so measurements cannot be added meanwhile; wait until "
        "it ends, or measure without --into",
        store->dir, holder, file_system_lack(&system));
}

/* ---- creating ---- */

/* Removes the files of a run.db that was deleted or never completed: SQLite would replay such a log into the new
 * database. */
static int remove_remains(const struct store *store, struct error *error) {
    static const char *const names[] = {"run.db-wal",         "run.db-shm",        "run.db-journal",   "run.db.new",
                                        "run.db.new-journal", STORE_SNAPSHOT_FILE, STORE_SNAPSHOT_PART};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = store_folder_path(store, names[i]);
        if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
        int code = unlink(path) == 0 ? 0 : errno;
        free(path);
        if (code != 0 && code != ENOENT) return store_folder_failed(store, code, error);
    }
    return STATUS_OK;
}

/* Writes the empty run under another name and renames it, so that run.db is complete whenever it exists. */
static int create_database(struct store *store, struct error *error) {
    char *path = store_folder_path(store, "run.db.new");
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    int status = remove_remains(store, error);
    if (status == STATUS_OK) {
        status = database_open(&store->database, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    }
    if (status == STATUS_OK) status = database_run(&store->database, "PRAGMA synchronous = FULL", error);
    if (status == STATUS_OK) status = store_schema_create(&store->database, error);
    database_close(&store->database);
    if (status == STATUS_OK && rename(path, store->database.path) != 0)
        status = store_folder_failed(store, errno, error);
    if (status == STATUS_OK) {
        status = store_folder_sync(store, error);
    } else {
        unlink(path);
    }
    free(path);
    return status;
}

/* ---- the modes ---- */

/* The log is a property of the file; the other settings belong to the connection. */
static int prepare_to_write(struct store *store, struct error *error) {
    int status = database_run(&store->database, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL", error);
    return status == STATUS_OK ? database_use_log(&store->database, error) : status;
}

/* For a search. The copy for readers that a killed one left may be all that is readable of a damaged run: it is
 * replaced or removed only now, when run.db is known to be whole. */
static int prepare_to_search(struct store *store, struct error *error) {
    int status = prepare_to_write(store, error);
    if (status != STATUS_OK) return status;
    store->has_snapshot = store->database.sharing != DATABASE_SHARED;
    if (store->has_snapshot) {
        store->snapshot_changes = -1;
        store_snapshot_write(store);
    } else {
        store_snapshot_remove(store); /* left where the run was before */
    }
    return STATUS_OK;
}

/* Opens an existing run.db. SQLite opens a protected file for reading only, which is an error here. */
static int open_writable(struct store *store, int64_t *version, struct error *error) {
    int code;
    int status = database_open(&store->database, store->database.path, SQLITE_OPEN_READWRITE, error);
    if (status == STATUS_OK && sqlite3_db_readonly(store->database.handle, "main") == 1) {
        status = database_protected(&store->database, "run.db is read-only", error);
    }
    return status == STATUS_OK ? database_identify(&store->database, version, &code, error) : status;
}

/* A run without a stage, as after an error in its configuration, may be overwritten. */
static int find_stages(struct store *store, bool *found, struct error *error) {
    int64_t version = 0;
    int64_t stages = 0;
    int status = open_writable(store, &version, error);
    if (status != STATUS_OK || version == 0) return status;
    int code = database_query_integer(&store->database, "SELECT count(*) FROM stages", &stages);
    *found = stages > 0;
    return code == SQLITE_OK ? STATUS_OK : database_failed(&store->database, code, error);
}

static int open_create(struct store *store, struct error *error) {
    store->database.creating = true;
    int status = store_folder_make(store, error);
    if (status == STATUS_OK) status = store_folder_lock(store, error);
    if (status != STATUS_OK) return status;
    choose_sharing(store);
    bool holds_stages = false;
    status = database_check_link(&store->database, error); /* the run may lie on a disk that is not mounted */
    if (status != STATUS_OK) return status;
    if (access(store->database.path, F_OK) == 0) {
        status = find_stages(store, &holds_stages, error);
        database_close(&store->database);
        if (status != STATUS_OK) return status;
    }
    if (holds_stages) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: already holds a run; continue with --resume, or choose another folder with -o",
                         store->dir);
    }
    status = create_database(store, error);
    if (status == STATUS_OK)
        status = database_open(&store->database, store->database.path, SQLITE_OPEN_READWRITE, error);
    if (status == STATUS_OK) status = prepare_to_search(store, error);
    store->database.creating = false;
    return status;
}

static int open_resume(struct store *store, struct error *error) {
    int64_t version = 0;
    if (access(store->database.path, F_OK) != 0) return no_run(store, if_no_run_to_resume, error);
    int status = store_folder_lock(store, error);
    if (status == STATUS_OK) choose_sharing(store);
    if (status == STATUS_OK) status = open_writable(store, &version, error);
    if (status != STATUS_OK) return status;
    if (version == 0) return no_run(store, if_no_run_to_resume, error);
    status = database_check(&store->database, error);
    if (status == STATUS_OK) status = store_migrate(&store->database, version, error);
    return status == STATUS_OK ? prepare_to_search(store, error) : status;
}

static int held_by_older(const struct store *store, int64_t version, struct error *error) {
    char holder[STORE_HOLDER_SIZE];
    store_folder_holder(store, holder);
    return error_set(error, STATUS_INPUT,
                     "%.300s: an older longrope (%s) is using this run with schema %" PRId64
                     ", which cannot store measurements (schema %d can); wait until it ends, or stop it, and try again",
                     store->dir, holder, version, STORE_SCHEMA);
}

/* Another process may have migrated the run since `version` was read, so it is read again. The lock is released at
 * once, because hours may pass between two measurements. */
static int migrate_under_lock(struct store *store, int64_t version, struct error *error) {
    int code;
    bool held;
    bool alone = store->lock >= 0; /* already */
    int status = alone ? STATUS_OK : store_folder_try_lock(store, &held, error);
    if (status != STATUS_OK) return status;
    if (!alone && held) return held_by_older(store, version, error);
    status = database_identify(&store->database, &version, &code, error);
    if (status == STATUS_OK) status = database_check(&store->database, error);
    if (status == STATUS_OK) status = store_migrate(&store->database, version, error);
    if (!alone) store_folder_unlock(store);
    return status;
}

/* Refuses a run without a stage: open_create() may overwrite it together with the measurements. */
static int open_record(struct store *store, struct error *error) {
    int64_t version = 0, stages = 0;
    if (access(store->database.path, F_OK) != 0) return no_run(store, "check the path", error);
    int status = database_check_folder(&store->database, error);
    if (status == STATUS_OK) status = take_alone(store, error);
    if (status == STATUS_OK) status = open_writable(store, &version, error);
    if (status != STATUS_OK) return status;
    if (version == 0) return no_run(store, "check the path", error);
    int code = database_query_integer(&store->database, "SELECT count(*) FROM stages", &stages);
    if (code != SQLITE_OK) return database_failed(&store->database, code, error);
    if (stages == 0) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: its search has not started a stage yet; record measurements when it has", store->dir);
    }
    if (version != STORE_SCHEMA) status = migrate_under_lock(store, version, error);
    return status == STATUS_OK ? prepare_to_write(store, error) : status;
}

/* "file:PATH?immutable=1", with the special characters of URIs escaped; NULL for lack of memory. A path from the root
 * has an empty host before it, as it may begin with two slashes. */
static char *immutable_uri(const char *path) {
    const char *start = *path == '/' ? "file://" : "file:";
    static const char option[] = "?immutable=1";
    char *uri = malloc(strlen(start) + 3 * strlen(path) + sizeof option);
    if (!uri) return NULL;
    char *out = stpcpy(uri, start);
    for (const char *c = path; *c; c++) {
        if (strchr("%?#", *c)) {
            out += sprintf(out, "%%%02X", (unsigned)*c);
        } else {
            *out++ = *c;
        }
    }
    strcpy(out, option);
    return uri;
}

/* Opens a database in a folder without write permission, if its log is empty. It must not change meanwhile; it does
 * not, because beside a writer there are a log and shared memory, and plain opening works. */
static int open_immutable(struct store *store, int64_t *version, struct error *error) {
    struct stat info;
    char *log = store_folder_path(store, "run.db-wal"), *uri = immutable_uri(store->database.path);
    int status, code;
    if (!log || !uri) {
        status = error_memory(error, (double)strlen(store->dir), "a path");
    } else if (stat(log, &info) == 0 && info.st_size > 0) {
        status = error_set(error, STATUS_FAILED,
                           "%.300s: has a log (run.db-wal) that cannot be read without write permission to the folder; "
                           "get this permission, or copy the folder to a place where you have it",
                           store->dir);
    } else {
        status = database_open(&store->database, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, error);
        if (status == STATUS_OK) status = database_identify(&store->database, version, &code, error);
    }
    free(log);
    free(uri);
    return status;
}

/* A reader must not change the file, so it migrates a copy in memory. The copy does not follow a writer, which can only
 * be an older longrope. */
static int migrate_copy(struct store *store, int64_t version, struct error *error) {
    if (version == STORE_SCHEMA) return STATUS_OK;
    int status = database_to_memory(&store->database, error);
    if (status == STATUS_OK) status = store_migrate(&store->database, version, error);
    return status == STATUS_OK ? database_run(&store->database, "PRAGMA query_only = ON", error) : status;
}

static bool has_snapshot(const struct store *store) {
    char *path = store_folder_path(store, STORE_SNAPSHOT_FILE);
    bool found = path && access(path, R_OK) == 0;
    free(path);
    return found;
}

/* It does not change: the search makes a new one and renames it. */
static int open_snapshot(struct store *store, int64_t *version, struct error *error) {
    int code;
    char *path = store_folder_path(store, STORE_SNAPSHOT_FILE), *uri = path ? immutable_uri(path) : NULL;
    int status = uri ? database_open(&store->database, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, error)
                     : error_memory(error, (double)strlen(store->dir), "a path");
    if (status == STATUS_OK) status = database_identify(&store->database, version, &code, error);
    free(path);
    free(uri);
    return status;
}

/* Where nobody searches, and the file system lacks what several processes require, this one takes the file as its own.
 */
static int open_plain(struct store *store, int64_t *version, int *code, struct error *error) {
    int status = database_open(&store->database, store->database.path, SQLITE_OPEN_READONLY, error);
    if (status == STATUS_OK) status = database_identify(&store->database, version, code, error);
    if (status == STATUS_OK || !store->database.lacking || store_is_searched(store)) return status;
    database_close(&store->database);
    store->database.sharing = DATABASE_UNLOCKED;
    status = database_open(&store->database, store->database.path, SQLITE_OPEN_READONLY, error);
    return status == STATUS_OK ? database_identify(&store->database, version, code, error) : status;
}

static int open_read(struct store *store, struct error *error) {
    int64_t version = 0;
    int code = SQLITE_OK;
    if (access(store->database.path, F_OK) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return no_run(store, if_no_run_to_read, error);
        if (errno == ENAMETOOLONG) return database_errno(&store->database, errno, error);
        return error_set(error, STATUS_FAILED, "%.300s: cannot be read: %s; get permission to read it and its folder",
                         store->database.path, strerror(errno));
    }
    if (access(store->database.path, R_OK) != 0) {
        return error_set(error, STATUS_FAILED, "%.300s: cannot be read: %s; get permission to read it and its folder",
                         store->database.path, strerror(errno));
    }
    /* where a search has run.db to itself it has a copy for others */
    bool snapshot = has_snapshot(store);
    int status = snapshot && store_is_searched(store) ? open_snapshot(store, &version, error)
                                                      : open_plain(store, &version, &code, error);
    int primary = code & 0xff;
    if (status != STATUS_OK && !snapshot && (primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)) {
        database_close(&store->database);
        status = open_immutable(store, &version, error);
    } else if (status != STATUS_OK && snapshot) { /* of a search that was killed, and has to be resumed to be read */
        database_close(&store->database);
        status = open_snapshot(store, &version, error);
    }
    if (status != STATUS_OK) return status;
    return version == 0 ? no_run(store, if_no_run_to_read, error) : migrate_copy(store, version, error);
}

static const char *const mode_names[] = {
    [STORE_CREATE] = "create", [STORE_RESUME] = "resume", [STORE_READ] = "read", [STORE_RECORD] = "record"};

int store_open(const char *run_dir, enum store_mode mode, struct store **out, struct error *error) {
    *out = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (!store) return error_memory(error, (double)sizeof *store, "a run");
    store->lock = -1;
    store->dir = strdup(run_dir);
    bool searches = mode == STORE_CREATE || mode == STORE_RESUME;
    const struct database_kind *kind = searches ? &run_kind : &record_kind;
    store->database = (struct database){.kind = kind, .protected_path = store->dir, .creating = !searches};
    if (store->dir) store->database.path = store_folder_path(store, "run.db");
    int status;
    if (!store->database.path) {
        status = error_memory(error, (double)strlen(run_dir), "a path");
    } else {
        status = mode == STORE_CREATE   ? open_create(store, error)
                 : mode == STORE_RESUME ? open_resume(store, error)
                 : mode == STORE_RECORD ? open_record(store, error)
                                        : open_read(store, error);
    }
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    TRACE(TRACE_STORE, "%s: opened to %s, schema %d", store->database.path, mode_names[mode], STORE_SCHEMA);
    *out = store;
    return STATUS_OK;
}

void store_close(struct store *store) {
    if (!store) return;
    if (store->has_snapshot) store_snapshot_write(store);
    database_close(&store->database);
    if (store->has_snapshot) store_snapshot_remove(store); /* run.db has all of it, and is free */
    store_folder_unlock(store);
    free(store->database.path);
    free(store->dir);
    free(store);
}

int store_check_path(const char *run_dir, struct error *error) {
    struct store store = {.lock = -1, .dir = strdup(run_dir)};
    store.database = (struct database){.kind = &run_kind, .protected_path = store.dir};
    if (store.dir) store.database.path = store_folder_path(&store, "run.db");
    int status = store.database.path ? database_check_length(&store.database, error)
                                     : error_memory(error, (double)strlen(run_dir), "a path");
    if (status == STATUS_OK) status = store_folder_check(&store, error);
    if (status == STATUS_OK) status = database_check_link(&store.database, error);
    if (status == STATUS_OK) status = database_check_path(&store.database, error);
    free(store.database.path);
    free(store.dir);
    return status;
}

/* SQLite makes an empty file before it writes anything. */
bool store_exists(const char *run_dir) {
    char *path;
    struct stat info;
    if (asprintf(&path, "%s/run.db", run_dir) < 0) return false;
    bool exists = stat(path, &info) == 0 && info.st_size > 0;
    free(path);
    return exists;
}

int store_check_output(const char *run_dir, const char *path, struct error *error) {
    static const char *const names[] = {
        "run.db",         "run.db-wal", "run.db-shm",    "run.lock",      STORE_SNAPSHOT_FILE,
        "run.db-journal", "scores.db",  "scores.db-wal", "scores.db-shm", "factors.json"};
    int status = STATUS_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == STATUS_OK; i++) {
        char *own = NULL;
        if (asprintf(&own, "%s/%s", run_dir, names[i]) < 0) return error_memory(error, 0, "a path");
        status = atomic_output_check_input(path, own, error);
        free(own);
    }
    return status;
}
