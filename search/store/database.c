#include "search/store/database.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/base/trace.h"
#include "search/base/clock.h"
#include "search/base/output_path.h"
#include "search/base/signals.h"

static const double patience =
    10.0; /* seconds: then a wait ends with an error, or with a line on stderr if the kind waits on */

/* ---- errors ---- */

int database_damaged(const struct database *database, const char *what, struct error *error) {
    return error_set(error, STATUS_FAILED, "%.200s: is damaged (%.300s); %s", database->path, what,
                     database->kind->if_damaged);
}

int database_protected(const struct database *database, const char *what, struct error *error) {
    return error_set(error, STATUS_FAILED, "%.200s: cannot be written (%.200s); %s", database->protected_path, what,
                     database->kind->if_protected);
}

static bool is_full(int code) { return code == ENOSPC || code == EDQUOT; }

/* `code` is errno of a write, or 0. */
static int write_failed(const struct database *database, int code, const char *what, struct error *error) {
    const char *end = database->creating ? "try again" : "continue with --resume; saved results are intact";
    if (is_full(code)) {
        return error_set(error, STATUS_FAILED, "%.200s: the disk is full (%.200s); free space, then %s", database->path,
                         what, end);
    }
    if (code == EFBIG) {
        return error_set(error, STATUS_FAILED,
                         "%.200s: exceeds the limit on the size of files; raise it (ulimit -f), then %s",
                         database->path, end);
    }
    return error_set(error, STATUS_FAILED, "%.200s: could not be written (%.200s); check the disk%s, then %s",
                     database->path, code ? strerror(code) : what, code ? "" : " and its free space", end);
}

static int read_failed(const struct database *database, int code, const char *what, struct error *error) {
    return error_set(error, STATUS_FAILED, "%.200s: cannot be read (%.200s); check the disk", database->path,
                     code ? strerror(code) : what);
}

/* Network file systems, and some that are mounted by programs, lack what a database of several processes requires. */
int database_unsupported(struct database *database, const char *what, struct error *error) {
    database->lacking = true;
    return error_set(error, STATUS_FAILED, "%.300s: this file system has no %s, which %s requires; use a local disk",
                     database->protected_path, what, database->kind->name);
}

static const char file_locks[] = "file locks", shared_memory[] = "memory that processes share";

/* A file of the open database: SQLITE_FCNTL_FILE_POINTER or SQLITE_FCNTL_JOURNAL_POINTER, which may be its log. NULL if
 * it has none. */
static sqlite3_file *file_of(const struct database *database, int which) {
    sqlite3_file *file = NULL;
    if (!database->handle || sqlite3_file_control(database->handle, "main", which, &file) != SQLITE_OK) return NULL;
    return file && file->pMethods ? file : NULL;
}

/* errno of the last failure; SQLite does not pass it on for all. 0 if it is unknown. */
static int last_errno(const struct database *database) {
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    int code = database->handle ? sqlite3_system_errno(database->handle) : 0;
    for (int i = 0; i < 2 && code == 0; i++) {
        sqlite3_file *file = file_of(database, files[i]);
        if (file) file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code);
    }
    return code;
}

/* SQLite reports a file system without locks as a lock of another process. Asks whether the file is locked: that fails
 * there, and only there. */
static bool lacks_locks(const struct database *database) {
    int held;
    sqlite3_file *file = file_of(database, SQLITE_FCNTL_FILE_POINTER);
    return file && file->pMethods->xCheckReservedLock(file, &held) != SQLITE_OK;
}

static bool stop_asked(const struct database *database) { return database->stop && *database->stop; }

static int locked(struct database *database, struct error *error) {
    if (stop_asked(database)) {
        return error_set(error, STATUS_STOPPED,
                         "stopped by %s while waiting for %.300s, which another process has locked; continue with "
                         "--resume",
                         signals_name(), database->path);
    }
    if (lacks_locks(database)) return database_unsupported(database, file_locks, error);
    return error_set(error, STATUS_FAILED, "%.200s: is locked by another process; wait until it ends, then try again",
                     database->path);
}

/* `extended` is SQLite's code of an error of the file system. */
static int system_failed(struct database *database, int extended, const char *what, struct error *error) {
    int code = last_errno(database);
    switch (extended) {
    case SQLITE_IOERR_LOCK:
    case SQLITE_IOERR_RDLOCK:
    case SQLITE_IOERR_UNLOCK:
    case SQLITE_IOERR_CHECKRESERVEDLOCK:
        return database_unsupported(database, file_locks, error);
    case SQLITE_IOERR_SHMOPEN:
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMLOCK:
    case SQLITE_IOERR_SHMMAP:
        if (is_full(code) || code == EFBIG) return write_failed(database, code, what, error);
        return database_unsupported(database, shared_memory, error);
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_FSTAT:
    case SQLITE_IOERR_ACCESS:
        return read_failed(database, code, what, error);
    default:
        return write_failed(database, code, what, error);
    }
}

static int cannot_open(const struct database *database, const char *what, struct error *error) {
    int status = database_check_link(database, error);
    if (status != STATUS_OK) return status;
    int code = database->handle ? sqlite3_system_errno(database->handle) : 0;
    return error_set(error, STATUS_FAILED,
                     "%.200s: cannot be opened (%.200s); check the path, the permissions of the file and its "
                     "folder, and the number of open files",
                     database->path, code ? strerror(code) : what);
}

int database_failed(struct database *database, int code, struct error *error) {
    const char *what = database->handle ? sqlite3_errmsg(database->handle) : sqlite3_errstr(code);
    int extended = database->handle ? sqlite3_extended_errcode(database->handle) : code;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return error_memory(error, 0, "the database");
    case SQLITE_ERROR: /* the statements are valid, so an SQL table or column is missing */
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* this program adds no rows that contradict its own */
        return database_damaged(database, what, error);
    case SQLITE_FULL:
        return write_failed(database, ENOSPC, what, error);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return database_protected(database, what, error);
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
        return locked(database, error);
    case SQLITE_INTERRUPT:
        return error_set(error, STATUS_STOPPED, "stopped by %s while checking %.300s; continue with --resume",
                         signals_name(), database->path);
    case SQLITE_CANTOPEN:
        return cannot_open(database, what, error);
    case SQLITE_IOERR:
        return system_failed(database, extended, what, error);
    default:
        return error_set(error, STATUS_FAILED, "%.200s: %.400s", database->path, what);
    }
}

int database_errno(const struct database *database, int code, struct error *error) {
    const char *what = strerror(code);
    switch (code) {
    case EACCES:
    case EPERM:
    case EROFS:
        return database_protected(database, what, error);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
        return write_failed(database, code, what, error);
    default:
        return error_set(error, code == ENAMETOOLONG || code == ELOOP ? STATUS_INPUT : STATUS_FAILED, "%s: %s; %s",
                         database->protected_path, what, output_remedy(code));
    }
}

/* ---- waiting ---- */

/* SQLite's busy handler: `calls` counts the calls of one wait, from 0. Returns 0 to give up. */
static int wait_for_others(void *state, int calls) {
    enum { PAUSE_MS = 5 };
    struct database *database = state;
    double now = clock_seconds();
    if (calls == 0) {
        if (lacks_locks(database)) return 0;
        TRACE(TRACE_STORE, "%s: waiting for another process", database->path);
        database->wait_began = now;
        database->wait_told = false;
    }
    bool long_since = now - database->wait_began >= patience;
    if (stop_asked(database) || (long_since && !database->kind->waits)) return 0;
    if (long_since && !database->wait_told) {
        fprintf(stderr, "longrope: waiting for %s, which another process has locked\n", database->path);
        database->wait_told = true;
    }
    sqlite3_sleep(PAUSE_MS);
    return 1;
}

/* SQLite's progress handler: a result other than 0 interrupts. */
static int interrupted(void *state) { return stop_asked(state); }

/* ---- opening ---- */

int database_check_folder(const struct database *database, struct error *error) {
    char *folder = file_folder(database->path);
    if (!folder) return error_memory(error, (double)strlen(database->path), "a path");
    int code = file_folder_code(folder);
    free(folder);
    if (code == ENOENT || code == ENOTDIR) {
        return error_set(error, STATUS_INPUT, "%.300s: its folder does not exist; create it, or %s", database->path,
                         database->kind->if_foreign);
    }
    return code == 0 ? STATUS_OK : database_errno(database, code, error);
}

/* The length of the file's path from the root, also where its folder is yet to be made. */
static size_t length_from_root(const char *path) {
    const char *name = path + file_folder_length(path);
    char *folder = file_folder(path);
    char *whole = folder ? realpath(folder, NULL) : NULL, *here = whole || *path == '/' ? NULL : getcwd(NULL, 0);
    size_t length = whole ? strlen(whole) + 1 + strlen(name) : (here ? strlen(here) + 1 : 0) + strlen(path);
    free(folder), free(whole), free(here);
    return length;
}

/* SQLite limits the length of a path from the root, and appends "-journal" to it. A new database may have a name that
 * is longer by ".new". */
int database_check_length(const struct database *database, struct error *error) {
    const char *slash = strrchr(database->path, '/'), *name = slash ? slash + 1 : database->path;
    size_t length = length_from_root(database->path), longest_name = NAME_MAX - strlen("-journal");
    int most = sqlite3_vfs_find(NULL)->mxPathname - (int)strlen(".new-journal");
    if (strlen(name) > longest_name) {
        return error_set(error, STATUS_INPUT,
                         "%s: the name is too long: it has %zu bytes, and SQLite, which appends to it, supports at "
                         "most %zu; choose a shorter one",
                         database->path, strlen(name), longest_name);
    }
    if (length <= (size_t)most) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: the path is too long: from the root it has %zu bytes, and SQLite supports at most %d; use a "
                     "folder with a shorter path",
                     database->path, length, most);
}

int database_check_link(const struct database *database, struct error *error) {
    struct stat info;
    if (lstat(database->path, &info) != 0 || !S_ISLNK(info.st_mode) || stat(database->path, &info) == 0) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_INPUT, "%.300s: is a link to a file that does not exist; mend or delete it, or %s",
                     database->path, database->kind->if_foreign);
}

int database_check_path(const struct database *database, struct error *error) {
    struct stat info;
    int status = database_check_length(database, error);
    if (status == STATUS_OK && stat(database->path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return error_set(error, STATUS_INPUT, "%.300s: is not a file; %s", database->path, database->kind->if_foreign);
    }
    return status;
}

char *database_name(const char *path) {
    char *name;
    return asprintf(&name, "%s%s", *path == '/' ? "" : "./", path) < 0 ? NULL : name;
}

/* Returns SQLite's code. */
static int open_name(struct database *database, const char *name, int flags) {
    const char *vfs = database->sharing == DATABASE_UNLOCKED ? "unix-none" : NULL;
    if (flags & SQLITE_OPEN_URI) return sqlite3_open_v2(name, &database->handle, flags, vfs);
    char *path = database_name(name);
    int code = path ? sqlite3_open_v2(path, &database->handle, flags, vfs) : SQLITE_NOMEM;
    free(path);
    return code;
}

int database_open(struct database *database, const char *name, int flags, struct error *error) {
    int status = database_check_path(database, error); /* a pipe would wait for its other end */
    if (status != STATUS_OK) return status;
    int code = open_name(database, name, flags);
    if (code != SQLITE_OK) return database_failed(database, code, error);
    sqlite3_extended_result_codes(database->handle, 1);
    sqlite3_busy_handler(database->handle, wait_for_others, database);
    status = database_run(database, "PRAGMA temp_store = MEMORY", error); /* no files in /var/tmp or /tmp */
    if (status != STATUS_OK || database->sharing == DATABASE_SHARED) return status;
    return database_run(database, "PRAGMA locking_mode = EXCLUSIVE", error); /* a log needs no shared memory then */
}

void database_close(struct database *database) {
    database_free_statements(database);
    sqlite3_close(database->handle);
    database->handle = NULL;
}

static const char *describe_application(int64_t application) {
    return application == DATABASE_RUN     ? "a run's database"
           : application == DATABASE_CACHE ? "a score cache"
                                           : "a database of another program";
}

int database_identify(struct database *database, int64_t *version, int *code, struct error *error) {
    const struct database_kind *kind = database->kind;
    int64_t application = 0, tables = 0;
    *version = 0;
    /* the SQL tables first: a process that creates them at the same time sets both numbers with them */
    *code = database_query_integer(database, "SELECT count(*) FROM sqlite_schema", &tables);
    if (*code == SQLITE_OK) *code = database_query_integer(database, "PRAGMA application_id", &application);
    if (*code == SQLITE_OK) *code = database_query_integer(database, "PRAGMA user_version", version);
    if (*code == SQLITE_NOTADB) {
        int descriptor; /* a pointer of Git LFS in its place is named */
        size_t size;
        if (file_open(database->path, &descriptor, &size, error) != STATUS_OK) return STATUS_INPUT;
        close(descriptor);
        return error_set(error, STATUS_INPUT, "%.300s: is not a database, or its header is damaged; %s", database->path,
                         kind->if_foreign);
    }
    if (*code != SQLITE_OK) return database_failed(database, *code, error);
    if (application == 0 && tables == 0) {
        *version = 0;
        return STATUS_OK;
    }
    if (application != kind->application) {
        return error_set(error, STATUS_INPUT, "%.300s: is %s, not %s; %s", database->path,
                         describe_application(application), kind->name, kind->if_foreign);
    }
    if (*version > kind->schema) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: was written by a newer longrope (schema %" PRId64
                         "; this one supports up to %d); use the newer one",
                         database->path, *version, kind->schema);
    }
    return *version >= 1 ? STATUS_OK : database_damaged(database, "its schema has no version", error);
}

int database_stamp(struct database *database, struct error *error) {
    char text[100];
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d", database->kind->application,
             database->kind->schema);
    return database_run(database, text, error);
}

/* Steps to the first row of a statement, which the caller finalizes, also after a failure. If a statement reads before
 * it writes, as a change of the journal does, SQLite does not always call the busy handler, so this function waits. */
static int first_row(struct database *database, const char *text, sqlite3_stmt **statement, struct error *error) {
    int code = sqlite3_prepare_v2(database->handle, text, -1, statement, NULL);
    if (code != SQLITE_OK) return database_failed(database, code, error);
    sqlite3_busy_handler(database->handle, NULL, NULL);
    code = sqlite3_step(*statement);
    for (int calls = 0; (code & 0xff) == SQLITE_BUSY && wait_for_others(database, calls); calls = 1) {
        sqlite3_reset(*statement);
        code = sqlite3_step(*statement);
    }
    sqlite3_busy_handler(database->handle, wait_for_others, database);
    return code == SQLITE_ROW ? STATUS_OK : database_failed(database, code, error);
}

/* Of the row that `statement` stands on. */
static const char *first_text(sqlite3_stmt *statement) {
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    return text ? text : "";
}

/* The log is a property of the file; SQLite keeps the old journal if the file system does not support a log. */
int database_use_log(struct database *database, struct error *error) {
    const bool shared = database->sharing == DATABASE_SHARED;
    const char *change = shared ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE";
    sqlite3_stmt *statement = NULL;
    int status = first_row(database, change, &statement, error);
    if (status == STATUS_OK && strcmp(first_text(statement), shared ? "wal" : "delete") != 0) {
        status = database_unsupported(database, shared_memory, error);
    }
    sqlite3_finalize(statement);
    return status;
}

int database_check(struct database *database, struct error *error) {
    enum { OPERATIONS = 1000 }; /* of SQLite, between two checks of the stop flag */
    sqlite3_stmt *statement = NULL;
    sqlite3_progress_handler(database->handle, OPERATIONS, interrupted, database);
    int status = first_row(database, "PRAGMA quick_check(1)", &statement, error);
    sqlite3_progress_handler(database->handle, 0, NULL, NULL);
    if (status == STATUS_OK && strcmp(first_text(statement), "ok") != 0) {
        status = database_damaged(database, first_text(statement), error);
    }
    sqlite3_finalize(statement);
    return status;
}

int database_copy_pages(const struct database *database, sqlite3 *copy) {
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", database->handle, "main");
    if (!backup) return sqlite3_errcode(copy);
    sqlite3_backup_step(backup, -1);
    return sqlite3_backup_finish(backup);
}

int database_to_memory(struct database *database, struct error *error) {
    sqlite3 *memory = NULL;
    int code = sqlite3_open_v2(":memory:", &memory, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) code = database_copy_pages(database, memory);
    database_close(database);
    database->handle = memory;
    return code == SQLITE_OK ? STATUS_OK : database_failed(database, code, error);
}
