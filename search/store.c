#include "search/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "search/json.h"

enum {
    STORE_APPLICATION = 0x4c526f70, /* "LRop" */
    STORE_SCHEMA = 1,
    STORE_BUSY_MS = 10000 /* readers and a writer wait for each other this long */
};

/* REAL columns give back the bits they were given, but for the sign of a zero. NaN becomes NULL. */
static const char schema[] =
    "CREATE TABLE run ("
    "  id INTEGER PRIMARY KEY CHECK (id = 0), name TEXT NOT NULL,"
    "  stages INTEGER NOT NULL DEFAULT 0" /* that the configuration lists; the table has those begun */
    ") STRICT;"
    "CREATE TABLE stages ("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done')),"
    "  target_length INTEGER NOT NULL, original_length INTEGER NOT NULL, scale REAL NOT NULL,"
    "  rope_theta REAL NOT NULL, attention_factor REAL NOT NULL, iterations INTEGER NOT NULL,"
    "  planned INTEGER NOT NULL,"  /* evaluations */
    "  pairs INTEGER NOT NULL,"    /* genes */
    "  unit INTEGER NOT NULL,"     /* lambda = gene / unit */
    "  largest INTEGER NOT NULL,"  /* gene */
    "  start_tokens TEXT NOT NULL" /* JSON: the values of n_hat */
    ") STRICT;"
    "CREATE TABLE settings ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), key TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (stage, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE samples ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), sample INTEGER NOT NULL, document TEXT NOT NULL,"
    "  start INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    "  PRIMARY KEY (stage, sample)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE baselines ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), position INTEGER NOT NULL, method TEXT NOT NULL,"
    "  frequencies TEXT NOT NULL," /* JSON, radians per token */
    "  factors TEXT NOT NULL,"     /* JSON */
    "  start_tokens INTEGER NOT NULL, attention_factor REAL NOT NULL,"
    "  nats_per_token REAL," /* NULL: not a number */
    "  seconds REAL,"
    "  PRIMARY KEY (stage, position), UNIQUE (stage, method)) STRICT;"
    "CREATE TABLE individuals ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), id INTEGER NOT NULL, generation INTEGER NOT NULL,"
    "  origin TEXT NOT NULL, parent_a INTEGER, parent_b INTEGER,"
    "  genes TEXT NOT NULL,"    /* JSON integers */
    "  n_hat INTEGER NOT NULL," /* tokens */
    "  nats_per_token REAL,"    /* NULL: not a number */
    "  seconds REAL, scored_at TEXT NOT NULL,"
    "  PRIMARY KEY (stage, id)) STRICT;"
    "CREATE TABLE sample_nats ("
    "  stage INTEGER NOT NULL, individual INTEGER NOT NULL, sample INTEGER NOT NULL, nats REAL,"
    "  PRIMARY KEY (stage, individual, sample),"
    "  FOREIGN KEY (stage, individual) REFERENCES individuals (stage, id),"
    "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)) STRICT, WITHOUT ROWID;";

enum statement_id {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_SET_NAME,
    SQL_SET_STAGE_COUNT,
    SQL_STAGE_COUNT,
    SQL_NAME,
    SQL_ADD_STAGE,
    SQL_ADD_SETTING,
    SQL_ADD_SAMPLE,
    SQL_SET_STATE,
    SQL_STAGE_BY_NAME,
    SQL_STAGE_BY_ID,
    SQL_STAGES,
    SQL_SETTINGS,
    SQL_ADD_BASELINE,
    SQL_BASELINES,
    SQL_ADD_INDIVIDUAL,
    SQL_ADD_NATS,
    SQL_INDIVIDUALS,
    SQL_COUNT
};

#define STAGE_COLUMNS                                                                                                  \
    "SELECT id, name, state, target_length, original_length, scale, rope_theta, attention_factor, iterations, "        \
    "planned, pairs, unit, largest, start_tokens FROM stages "

static const char *const statement_text[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_SET_NAME] = "INSERT INTO run (id, name) VALUES (0, ?1)",
    [SQL_SET_STAGE_COUNT] = "UPDATE run SET stages = ?1",
    [SQL_STAGE_COUNT] = "SELECT stages FROM run WHERE id = 0",
    [SQL_NAME] = "SELECT name FROM run WHERE id = 0",
    [SQL_ADD_STAGE] = "INSERT INTO stages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [SQL_ADD_SETTING] = "INSERT INTO settings VALUES (?1, ?2, ?3)",
    [SQL_ADD_SAMPLE] = "INSERT INTO samples VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_SET_STATE] = "UPDATE stages SET state = ?2 WHERE id = ?1",
    [SQL_STAGE_BY_NAME] = STAGE_COLUMNS "WHERE name = ?1",
    [SQL_STAGE_BY_ID] = STAGE_COLUMNS "WHERE id = ?1",
    [SQL_STAGES] = STAGE_COLUMNS "ORDER BY id",
    [SQL_SETTINGS] = "SELECT key, value FROM settings WHERE stage = ?1 ORDER BY key",
    [SQL_ADD_BASELINE] = "INSERT INTO baselines VALUES (?1, (SELECT count(*) FROM baselines WHERE stage = ?1), "
                         "?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_BASELINES] = "SELECT method, frequencies, factors, start_tokens, attention_factor, nats_per_token, seconds "
                      "FROM baselines WHERE stage = ?1 ORDER BY position",
    [SQL_ADD_INDIVIDUAL] = "INSERT INTO individuals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                           "strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
    [SQL_ADD_NATS] = "INSERT INTO sample_nats VALUES (?1, ?2, ?3, ?4)",
    [SQL_INDIVIDUALS] = "SELECT id, generation, origin, parent_a, parent_b, genes, n_hat, nats_per_token "
                        "FROM individuals WHERE stage = ?1 ORDER BY id",
};

struct store {
    char *dir;  /* as it was given */
    char *path; /* dir/run.db */
    sqlite3 *db;
    int lock;                            /* of run.lock; -1 for a reader */
    bool creating;                       /* there is no run yet to go on with */
    sqlite3_stmt *statements[SQL_COUNT]; /* prepared when first used */
};

/* ---- errors ---- */

static int damaged(const struct store *store, const char *what, struct error *error) {
    return error_set(error, STATUS_FAILED,
                     "%.200s: is damaged (%.300s); put back a copy of it, or begin a new run with -o", store->path,
                     what);
}

static int disk_failed(const struct store *store, const char *what, struct error *error) {
    return error_set(error, STATUS_FAILED, "%.200s: disk full or failing (%.200s): free space, then %s", store->path,
                     what, store->creating ? "try again" : "go on with --resume; what was saved is intact");
}

static int not_writable(const struct store *store, const char *what, struct error *error) {
    return error_set(
        error, STATUS_FAILED,
        "%.200s: cannot be written (%.200s); make the folder and what is in it writable, or choose another "
        "folder with -o",
        store->dir, what);
}

/* The last call on store->db failed with `code`. */
static int database_failed(const struct store *store, int code, struct error *error) {
    const char *what = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    int extended = store->db ? sqlite3_extended_errcode(store->db) : code;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return error_memory(error, 0, "the database");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return damaged(store, what, error);
    case SQLITE_FULL:
        return disk_failed(store, what, error);
    case SQLITE_READONLY:
        return not_writable(store, what, error);
    case SQLITE_BUSY:
        return error_set(error, STATUS_FAILED, "%.200s: is locked by another program; let it end, then try again",
                         store->path);
    case SQLITE_IOERR:
        if (extended == SQLITE_IOERR_READ || extended == SQLITE_IOERR_SHORT_READ) {
            return error_set(error, STATUS_FAILED, "%.200s: cannot be read (%.200s); check the disk", store->path,
                             what);
        }
        return disk_failed(store, what, error);
    default:
        return error_set(error, STATUS_FAILED, "%.200s: %.400s", store->path, what);
    }
}

static int errno_failed(const struct store *store, int code, struct error *error) {
    const char *what = strerror(code);
    switch (code) {
    case EACCES:
    case EPERM:
    case EROFS:
        return not_writable(store, what, error);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
        return disk_failed(store, what, error);
    case ENOTDIR:
    case EEXIST:
        return error_set(error, STATUS_INPUT, "%.200s: is not a folder; choose another one with -o", store->dir);
    default:
        return error_set(error, STATUS_FAILED, "%.200s: %s", store->dir, what);
    }
}

static int no_run(const struct store *store, struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "%.300s: holds no run (no run.db); begin one without --resume, or check the path", store->dir);
}

/* ---- statements ---- */

static int prepare(struct store *store, enum statement_id id, sqlite3_stmt **out, struct error *error) {
    int code = SQLITE_OK;
    if (!store->statements[id]) {
        code = sqlite3_prepare_v3(store->db, statement_text[id], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[id],
                                  NULL);
    }
    *out = store->statements[id];
    return code == SQLITE_OK ? STATUS_OK : database_failed(store, code, error);
}

/* A statement goes back to the store ready for its next use, and holds no lock meanwhile. */
static void finish(sqlite3_stmt *statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Runs a statement that gives no rows. `bound` is what its bindings returned, or'ed together. */
static int execute(struct store *store, sqlite3_stmt *statement, int bound, struct error *error) {
    int code = bound == SQLITE_OK ? sqlite3_step(statement) : SQLITE_NOMEM;
    int status = code == SQLITE_DONE ? STATUS_OK : database_failed(store, code, error);
    finish(statement);
    return status;
}

/* *row tells whether there is one. */
static int next_row(struct store *store, sqlite3_stmt *statement, bool *row, struct error *error) {
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : database_failed(store, code, error);
}

static int run_plain(struct store *store, enum statement_id id, struct error *error) {
    sqlite3_stmt *statement;
    int status = prepare(store, id, &statement, error);
    return status == STATUS_OK ? execute(store, statement, SQLITE_OK, error) : status;
}

static int begin(struct store *store, struct error *error) { return run_plain(store, SQL_BEGIN, error); }

/* Commits where all went well; otherwise, or where that fails, nothing of it remains. */
static int end(struct store *store, int status, struct error *error) {
    if (status == STATUS_OK) status = run_plain(store, SQL_COMMIT, error);
    if (!sqlite3_get_autocommit(store->db)) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static int bind_text(sqlite3_stmt *statement, int index, const char *text) {
    return sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static const char *column_text(sqlite3_stmt *statement, int column) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "";
}

/* The opposite of how SQLite binds NaN. */
static double column_double(sqlite3_stmt *statement, int column) {
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, column);
}

/* ---- arrays as JSON ---- */

static char *dump_array(json_t *array) {
    char *text = array ? json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(array);
    return text;
}

/* NULL for lack of memory; the caller frees. */
static char *integers_to_json(const int64_t *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, json_integer(values[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return dump_array(array);
}

/* NULL also for values that are not finite. */
static char *doubles_to_json(const double *values, int64_t count) {
    return dump_array(json_number_array(values, count));
}

/* An array of `least` to `most` items; NULL where it is none. */
static json_t *load_array(const char *text, int64_t least, int64_t most) {
    json_t *array = json_loads(text, 0, NULL);
    if (json_is_array(array) && json_array_size(array) >= (size_t)least && json_array_size(array) <= (size_t)most) {
        return array;
    }
    json_decref(array);
    return NULL;
}

/* The number of integers, least..most of them, each low..high; -1 for anything else. */
static int64_t integers_from_json(const char *text, int64_t least, int64_t most, int64_t low, int64_t high,
                                  int64_t *out) {
    json_t *array = load_array(text, least, most);
    int64_t count = array ? (int64_t)json_array_size(array) : -1;
    for (int64_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        out[i] = json_integer_value(item);
        if (!json_is_integer(item) || out[i] < low || out[i] > high) count = -1;
    }
    json_decref(array);
    return count;
}

static bool doubles_from_json(const char *text, int64_t count, double *out) {
    json_t *array = load_array(text, count, count);
    bool good = array != NULL;
    for (int64_t i = 0; good && i < count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        good = json_is_number(item);
        out[i] = json_number_value(item);
    }
    json_decref(array);
    return good;
}

/* ---- opening ---- */

/* What run.db turns out to be, where that is no error. */
enum content { CONTENT_NONE, CONTENT_RUN };

static int open_database(struct store *store, const char *name, int flags, struct error *error) {
    int code = sqlite3_open_v2(name, &store->db, flags, NULL);
    if (code != SQLITE_OK) return database_failed(store, code, error);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    return STATUS_OK;
}

static void close_database(struct store *store) {
    for (int id = 0; id < SQL_COUNT; id++) {
        sqlite3_finalize(store->statements[id]);
        store->statements[id] = NULL;
    }
    sqlite3_close(store->db);
    store->db = NULL;
}

/* The first column of the first row, as an integer; returns SQLite's code. */
static int query_integer(sqlite3 *db, const char *text, int64_t *out) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* *code is SQLite's where reading failed. Changes nothing: the database may be somebody else's. */
static int classify(const struct store *store, enum content *out, int *code, struct error *error) {
    int64_t application = 0, version = 0, tables = 0;
    *code = query_integer(store->db, "PRAGMA application_id", &application);
    if (*code == SQLITE_OK) *code = query_integer(store->db, "PRAGMA user_version", &version);
    if (*code == SQLITE_OK) *code = query_integer(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (*code == SQLITE_NOTADB) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: is not a database, or its beginning is damaged; choose another folder with -o",
                         store->path);
    }
    if (*code != SQLITE_OK) return database_failed(store, *code, error);
    *out = application == 0 && tables == 0 ? CONTENT_NONE : CONTENT_RUN;
    if (*out == CONTENT_NONE) return STATUS_OK;
    if (application != STORE_APPLICATION) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: is a database of another program, not a run; choose another folder with -o",
                         store->path);
    }
    if (version > STORE_SCHEMA) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: was written by a newer longrope (schema %" PRId64
                         ", this one knows %d); use that one",
                         store->path, version, STORE_SCHEMA);
    }
    return version == STORE_SCHEMA ? STATUS_OK : damaged(store, "its schema has no version", error);
}

/* The path of something beside run.db; NULL for lack of memory. */
static char *beside(const struct store *store, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", store->dir, name) < 0 ? NULL : path;
}

/* ---- the lock ---- */

/* Who holds the lock, from what it wrote: "host pid". */
static int report_holder(const struct store *store, struct error *error) {
    char text[300] = "", host[256] = "";
    long process = 0;
    if (pread(store->lock, text, sizeof text - 1, 0) < 0) text[0] = '\0';
    if (sscanf(text, "%255s %ld", host, &process) != 2) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: in use by another process; wait for it or choose another folder with -o", store->dir);
    }
    return error_set(error, STATUS_INPUT,
                     "%.300s: in use by process %ld on host %s; wait for it or choose another folder with -o",
                     store->dir, process, host);
}

/* Only for people to read, so a disk that is full just now is no reason to stop. */
static void sign_lock(int lock) {
    char host[256] = "", text[300];
    if (gethostname(host, sizeof host - 1) != 0 || !*host) strcpy(host, "unknown");
    int length = snprintf(text, sizeof text, "%s %ld\n", host, (long)getpid());
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)length, 0) != length) return;
}

/* The file stays when the run ends: unlinking it would let two processes lock two files of one name. */
static int take_lock(struct store *store, struct error *error) {
    /* SQLite needs files beside run.db: better said here than as a file that it cannot open */
    if (access(store->dir, W_OK | X_OK) != 0) return errno_failed(store, errno, error);
    char *path = beside(store, "run.lock");
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int code = errno;
    free(path);
    if (store->lock < 0) return errno_failed(store, code, error);
    if (flock(store->lock, LOCK_EX | LOCK_NB) == 0) {
        sign_lock(store->lock);
        return STATUS_OK;
    }
    if (errno == EWOULDBLOCK) return report_holder(store, error);
    return error_set(error, STATUS_FAILED,
                     "%.300s/run.lock: cannot be locked: %s; choose a folder on another disk with -o", store->dir,
                     strerror(errno));
}

/* ---- creating ---- */

/* The folder and its parents, where they are not there yet. */
static int make_folders(const struct store *store, struct error *error) {
    char *path = strdup(store->dir);
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    int code = 0;
    for (char *c = path; code == 0 && *c; c++) {
        char next = c[1];
        if (next != '/' && next != '\0') continue;
        c[1] = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) code = errno;
        c[1] = next;
    }
    struct stat info;
    if (code == 0 && stat(path, &info) != 0) code = errno;
    if (code == 0 && !S_ISDIR(info.st_mode)) code = ENOTDIR;
    free(path);
    return code == 0 ? STATUS_OK : errno_failed(store, code, error);
}

/* What a run.db that is gone or never came to be has left behind. SQLite would replay such a log
 * into the new database. */
static int remove_remains(const struct store *store, struct error *error) {
    static const char *const names[] = {"run.db-wal", "run.db-shm", "run.db-journal", "run.db.new",
                                        "run.db.new-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = beside(store, names[i]);
        if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
        int code = unlink(path) == 0 ? 0 : errno;
        free(path);
        if (code != 0 && code != ENOENT) return errno_failed(store, code, error);
    }
    return STATUS_OK;
}

static int write_schema(struct store *store, struct error *error) {
    char text[sizeof schema + 200];
    snprintf(text, sizeof text,
             "PRAGMA synchronous = FULL; BEGIN; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             schema, STORE_APPLICATION, STORE_SCHEMA);
    int code = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : database_failed(store, code, error);
}

static int sync_folder(const struct store *store, struct error *error) {
    int folder = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = folder < 0 || fsync(folder) != 0 ? errno : 0;
    if (folder >= 0) close(folder);
    /* EINVAL: a file system whose folders cannot be synced */
    return code == 0 || code == EINVAL ? STATUS_OK : errno_failed(store, code, error);
}

/* Writes the empty run under another name, so that run.db is complete from the moment it is there. */
static int create_database(struct store *store, struct error *error) {
    char *path = beside(store, "run.db.new");
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    int status = remove_remains(store, error);
    if (status == STATUS_OK) {
        status = open_database(store, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    }
    if (status == STATUS_OK) status = write_schema(store, error);
    close_database(store);
    if (status == STATUS_OK && rename(path, store->path) != 0) status = errno_failed(store, errno, error);
    if (status == STATUS_OK) {
        status = sync_folder(store, error);
    } else {
        unlink(path);
    }
    free(path);
    return status;
}

/* ---- the modes ---- */

/* WAL is a property of the file, the rest of the connection. */
static int set_pragmas(struct store *store, struct error *error) {
    sqlite3_stmt *statement;
    int code = sqlite3_exec(store->db, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL", NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code != SQLITE_OK) return database_failed(store, code, error);
    code = sqlite3_step(statement);
    bool wal = code == SQLITE_ROW && strcmp(column_text(statement, 0), "wal") == 0;
    int status = STATUS_OK;
    if (code != SQLITE_ROW) {
        status = database_failed(store, code, error);
    } else if (!wal) {
        status =
            error_set(error, STATUS_FAILED,
                      "%.300s: this file system cannot share memory between processes, which the run needs; choose "
                      "a folder on another one with -o",
                      store->dir);
    }
    sqlite3_finalize(statement);
    return status;
}

static int check_whole(struct store *store, struct error *error) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code != SQLITE_OK) return database_failed(store, code, error);
    code = sqlite3_step(statement);
    int status = STATUS_OK;
    if (code != SQLITE_ROW) {
        status = database_failed(store, code, error);
    } else if (strcmp(column_text(statement, 0), "ok") != 0) {
        status = damaged(store, column_text(statement, 0), error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* Opens a run.db that is there. SQLite falls back to reading only where the file is protected. */
static int open_writable(struct store *store, enum content *content, struct error *error) {
    int code;
    int status = open_database(store, store->path, SQLITE_OPEN_READWRITE, error);
    if (status == STATUS_OK && sqlite3_db_readonly(store->db, "main") == 1) {
        status = not_writable(store, "run.db is read-only", error);
    }
    return status == STATUS_OK ? classify(store, content, &code, error) : status;
}

/* A run that never came to its first stage, for a mistake in its configuration say, has nothing to
 * lose. */
static int find_stages(struct store *store, bool *found, struct error *error) {
    enum content content;
    int64_t stages = 0;
    int status = open_writable(store, &content, error);
    if (status != STATUS_OK || content == CONTENT_NONE) return status;
    int code = query_integer(store->db, "SELECT count(*) FROM stages", &stages);
    *found = stages > 0;
    return code == SQLITE_OK ? STATUS_OK : database_failed(store, code, error);
}

static int open_create(struct store *store, struct error *error) {
    store->creating = true;
    int status = make_folders(store, error);
    if (status == STATUS_OK) status = take_lock(store, error);
    if (status != STATUS_OK) return status;
    bool holds_stages = false;
    if (access(store->path, F_OK) == 0) {
        status = find_stages(store, &holds_stages, error);
        close_database(store);
        if (status != STATUS_OK) return status;
    }
    if (holds_stages) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: holds a run already; go on with --resume, or choose another folder with -o",
                         store->dir);
    }
    status = create_database(store, error);
    if (status == STATUS_OK) status = open_database(store, store->path, SQLITE_OPEN_READWRITE, error);
    if (status == STATUS_OK) status = set_pragmas(store, error);
    store->creating = false;
    return status;
}

static int open_resume(struct store *store, struct error *error) {
    enum content content = CONTENT_NONE;
    if (access(store->path, F_OK) != 0) return no_run(store, error);
    int status = take_lock(store, error);
    if (status == STATUS_OK) status = open_writable(store, &content, error);
    if (status != STATUS_OK) return status;
    if (content == CONTENT_NONE) return no_run(store, error);
    status = set_pragmas(store, error);
    return status == STATUS_OK ? check_whole(store, error) : status;
}

/* "file:PATH?immutable=1", with what means something there escaped; NULL for lack of memory. */
static char *immutable_uri(const char *path) {
    static const char start[] = "file:", option[] = "?immutable=1";
    char *uri = malloc(sizeof start + 3 * strlen(path) + sizeof option);
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

/* In a folder that this process may not write, a database whose log is empty can be read as it
 * stands. That is not so beside a writer, but a writer's log is there, and so is its shared memory:
 * then plain opening has worked. */
static int open_immutable(struct store *store, enum content *content, struct error *error) {
    struct stat info;
    char *log = beside(store, "run.db-wal"), *uri = immutable_uri(store->path);
    int status, code;
    if (!log || !uri) {
        status = error_memory(error, (double)strlen(store->dir), "a path");
    } else if (stat(log, &info) == 0 && info.st_size > 0) {
        status = error_set(error, STATUS_FAILED,
                           "%.300s: has a log (run.db-wal) that cannot be read without write permission to the folder; "
                           "get it, or copy the folder to where you have it",
                           store->dir);
    } else {
        status = open_database(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, error);
        if (status == STATUS_OK) status = classify(store, content, &code, error);
    }
    free(log);
    free(uri);
    return status;
}

static int open_read(struct store *store, struct error *error) {
    enum content content = CONTENT_NONE;
    int code = SQLITE_OK;
    if (access(store->path, F_OK) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return no_run(store, error);
        return error_set(error, STATUS_FAILED, "%.300s: cannot be read: %s", store->path, strerror(errno));
    }
    if (access(store->path, R_OK) != 0) {
        return error_set(error, STATUS_FAILED, "%.300s: cannot be read: %s", store->path, strerror(errno));
    }
    int status = open_database(store, store->path, SQLITE_OPEN_READONLY, error);
    if (status == STATUS_OK) status = classify(store, &content, &code, error);
    int primary = code & 0xff;
    if (status != STATUS_OK && (primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)) {
        close_database(store);
        status = open_immutable(store, &content, error);
    }
    return status == STATUS_OK && content == CONTENT_NONE ? no_run(store, error) : status;
}

int store_open(const char *run_dir, enum store_mode mode, struct store **out, struct error *error) {
    *out = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (!store) return error_memory(error, (double)sizeof *store, "a run");
    store->lock = -1;
    store->dir = strdup(run_dir);
    store->path = store->dir ? beside(store, "run.db") : NULL;
    int status;
    if (!store->path) {
        status = error_memory(error, (double)strlen(run_dir), "a path");
    } else {
        status = mode == STORE_CREATE   ? open_create(store, error)
                 : mode == STORE_RESUME ? open_resume(store, error)
                                        : open_read(store, error);
    }
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return STATUS_OK;
}

void store_close(struct store *store) {
    if (!store) return;
    close_database(store);
    if (store->lock >= 0) close(store->lock);
    free(store->path);
    free(store->dir);
    free(store);
}

/* An empty file is what SQLite makes before it writes anything. */
bool store_exists(const char *run_dir) {
    char *path;
    struct stat info;
    if (asprintf(&path, "%s/run.db", run_dir) < 0) return false;
    bool exists = stat(path, &info) == 0 && info.st_size > 0;
    free(path);
    return exists;
}

/* ---- the name ---- */

int store_name(struct store *store, char *name, size_t size, struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    int status = prepare(store, SQL_NAME, &statement, error);
    if (status != STATUS_OK) return status;
    status = next_row(store, statement, &row, error);
    if (status == STATUS_OK) snprintf(name, size, "%s", row ? column_text(statement, 0) : "");
    finish(statement);
    return status;
}

int store_set_name(struct store *store, const char *name, struct error *error) {
    char known[STORE_NAME_SIZE];
    if (strlen(name) >= sizeof known) return error_set(error, STATUS_INPUT, "the name '%.200s' is too long", name);
    int status = store_name(store, known, sizeof known, error);
    if (status != STATUS_OK || strcmp(known, name) == 0) return status;
    if (*known) {
        return error_set(error, STATUS_INPUT, "%.300s: holds the run '%s', not '%s'; choose another folder with -o",
                         store->dir, known, name);
    }
    sqlite3_stmt *statement;
    status = prepare(store, SQL_SET_NAME, &statement, error);
    return status == STATUS_OK ? execute(store, statement, bind_text(statement, 1, name), error) : status;
}

int store_set_stage_count(struct store *store, int64_t count, struct error *error) {
    sqlite3_stmt *statement;
    int status = prepare(store, SQL_SET_STAGE_COUNT, &statement, error);
    return status == STATUS_OK ? execute(store, statement, sqlite3_bind_int64(statement, 1, count), error) : status;
}

int store_stage_count(struct store *store, int64_t *count, struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    int status = prepare(store, SQL_STAGE_COUNT, &statement, error);
    if (status != STATUS_OK) return status;
    status = next_row(store, statement, &row, error);
    if (status == STATUS_OK) *count = row ? sqlite3_column_int64(statement, 0) : 0;
    finish(statement);
    return status;
}

/* ---- stages ---- */

static const char *const state_names[] = {
    [STAGE_PENDING] = "pending", [STAGE_RUNNING] = "running", [STAGE_DONE] = "done"};

const char *stage_state_name(enum stage_state state) { return state_names[state]; }

static bool parse_state(const char *name, enum stage_state *out) {
    for (int state = STAGE_PENDING; state <= STAGE_DONE; state++) {
        if (strcmp(name, state_names[state]) != 0) continue;
        *out = (enum stage_state)state;
        return true;
    }
    return false;
}

/* Of a space whose genomes can be written and read again: n_hat is stored by its value, so each
 * value may be there only once. */
static bool space_valid(const struct genome_space *space) {
    if (space->pairs < 1 || space->pairs > ROPE_MAX_PAIRS || space->unit < 1 || space->largest < space->unit)
        return false;
    if (space->start_count < 1 || space->start_count > GENOME_MAX_STARTS) return false;
    for (int32_t i = 0; i < space->start_count; i++) {
        if (space->start_tokens[i] < 0 || (i > 0 && space->start_tokens[i] <= space->start_tokens[i - 1])) return false;
    }
    return true;
}

static int32_t clamp_int32(int64_t value) { return value < 0 || value > INT32_MAX ? 0 : (int32_t)value; }

/* From the row that a statement of STAGE_COLUMNS stands on. */
static int read_stage(const struct store *store, sqlite3_stmt *row, struct stage_record *out, struct error *error) {
    struct genome_space *space = &out->space;
    *out = (struct stage_record){.id = sqlite3_column_int64(row, 0)};
    snprintf(out->name, sizeof out->name, "%s", column_text(row, 1));
    bool good = parse_state(column_text(row, 2), &out->state);
    out->target_length = sqlite3_column_int64(row, 3);
    out->original_length = sqlite3_column_int64(row, 4);
    out->scale = sqlite3_column_double(row, 5);
    out->rope_theta = sqlite3_column_double(row, 6);
    out->attention_factor = sqlite3_column_double(row, 7);
    out->iterations = sqlite3_column_int64(row, 8);
    out->planned = sqlite3_column_int64(row, 9);
    space->pairs = sqlite3_column_int64(row, 10);
    space->unit = clamp_int32(sqlite3_column_int64(row, 11));
    space->largest = clamp_int32(sqlite3_column_int64(row, 12));
    space->start_count =
        (int32_t)integers_from_json(column_text(row, 13), 1, GENOME_MAX_STARTS, 0, INT64_MAX, space->start_tokens);
    good = good && out->target_length > 0 && out->original_length > 0 && out->iterations >= 0 && out->planned >= 0;
    if (good && space_valid(space)) return STATUS_OK;
    char what[200];
    snprintf(what, sizeof what, "the row of stage '%s' makes no sense", out->name);
    return damaged(store, what, error);
}

/* The stage that `statement`, with its parameter bound, is about. */
static int read_one_stage(struct store *store, sqlite3_stmt *statement, int bound, struct stage_record *out,
                          bool *found, struct error *error) {
    int status = bound == SQLITE_OK ? next_row(store, statement, found, error) : database_failed(store, bound, error);
    if (status == STATUS_OK && *found) status = read_stage(store, statement, out, error);
    finish(statement);
    return status;
}

int store_find_stage(struct store *store, const char *name, struct stage_record *out, bool *found,
                     struct error *error) {
    sqlite3_stmt *statement;
    *found = false;
    int status = prepare(store, SQL_STAGE_BY_NAME, &statement, error);
    if (status != STATUS_OK) return status;
    return read_one_stage(store, statement, bind_text(statement, 1, name), out, found, error);
}

static int find_stage_by_id(struct store *store, int64_t id, struct stage_record *out, bool *found,
                            struct error *error) {
    sqlite3_stmt *statement;
    int status = prepare(store, SQL_STAGE_BY_ID, &statement, error);
    if (status != STATUS_OK) return status;
    return read_one_stage(store, statement, sqlite3_bind_int64(statement, 1, id), out, found, error);
}

static int stage_by_id(struct store *store, int64_t id, struct stage_record *out, struct error *error) {
    bool found = false;
    int status = find_stage_by_id(store, id, out, &found, error);
    if (status != STATUS_OK || found) return status;
    return error_set(error, STATUS_FAILED, "%.300s: has no stage %" PRId64, store->path, id);
}

static int insert_stage(struct store *store, const struct stage_record *stage, struct error *error) {
    sqlite3_stmt *s;
    const struct genome_space *space = &stage->space;
    char *starts = integers_to_json(space->start_tokens, space->start_count);
    if (!starts) return error_memory(error, GENOME_MAX_STARTS * 8.0, "start tokens");
    int status = prepare(store, SQL_ADD_STAGE, &s, error);
    if (status == STATUS_OK) {
        int bound = sqlite3_bind_int64(s, 1, stage->id) | bind_text(s, 2, stage->name) |
                    bind_text(s, 3, state_names[STAGE_PENDING]) | sqlite3_bind_int64(s, 4, stage->target_length) |
                    sqlite3_bind_int64(s, 5, stage->original_length) | sqlite3_bind_double(s, 6, stage->scale) |
                    sqlite3_bind_double(s, 7, stage->rope_theta) | sqlite3_bind_double(s, 8, stage->attention_factor) |
                    sqlite3_bind_int64(s, 9, stage->iterations) | sqlite3_bind_int64(s, 10, stage->planned) |
                    sqlite3_bind_int64(s, 11, space->pairs) | sqlite3_bind_int64(s, 12, space->unit) |
                    sqlite3_bind_int64(s, 13, space->largest) | bind_text(s, 14, starts);
        status = execute(store, s, bound, error);
    }
    free(starts);
    return status;
}

static int insert_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                           struct error *error) {
    sqlite3_stmt *s;
    int status = prepare(store, SQL_ADD_SETTING, &s, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        int bound =
            sqlite3_bind_int64(s, 1, stage) | bind_text(s, 2, settings[i].key) | bind_text(s, 3, settings[i].value);
        status = execute(store, s, bound, error);
    }
    return status;
}

static int insert_samples(struct store *store, int64_t stage, const struct sample_record *samples, size_t count,
                          struct error *error) {
    sqlite3_stmt *s;
    int status = prepare(store, SQL_ADD_SAMPLE, &s, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        int bound = sqlite3_bind_int64(s, 1, stage) | sqlite3_bind_int64(s, 2, (int64_t)i) |
                    bind_text(s, 3, samples[i].document) | sqlite3_bind_int64(s, 4, samples[i].start) |
                    sqlite3_bind_int64(s, 5, samples[i].tokens);
        status = execute(store, s, bound, error);
    }
    return status;
}

int store_add_stage(struct store *store, const struct stage_record *stage, const struct setting *settings,
                    size_t setting_count, const struct sample_record *samples, size_t sample_count,
                    struct error *error) {
    if (!space_valid(&stage->space)) {
        return error_set(error, STATUS_FAILED, "stage '%s': its search space is not valid", stage->name);
    }
    struct stage_record other;
    bool taken = false;
    int status = find_stage_by_id(store, stage->id, &other, &taken, error);
    if (status != STATUS_OK) return status;
    if (taken) {
        return error_set(error, STATUS_INPUT,
                         "stage %" PRId64 " of this run is '%s', not '%s'; add new stages at the end, or begin a new "
                         "run with -o",
                         stage->id, other.name, stage->name);
    }
    status = begin(store, error);
    if (status != STATUS_OK) return status;
    status = insert_stage(store, stage, error);
    if (status == STATUS_OK) status = insert_settings(store, stage->id, settings, setting_count, error);
    if (status == STATUS_OK) status = insert_samples(store, stage->id, samples, sample_count, error);
    return end(store, status, error);
}

int store_set_state(struct store *store, int64_t stage, enum stage_state state, struct error *error) {
    sqlite3_stmt *s;
    int status = prepare(store, SQL_SET_STATE, &s, error);
    if (status != STATUS_OK) return status;
    status = execute(store, s, sqlite3_bind_int64(s, 1, stage) | bind_text(s, 2, state_names[state]), error);
    if (status != STATUS_OK || sqlite3_changes(store->db) == 1) return status;
    return error_set(error, STATUS_FAILED, "%.300s: has no stage %" PRId64, store->path, stage);
}

/* ---- rows into arrays ---- */

/* One more item in an array that grows by doubling; NULL, with the array as it was, for lack of memory. */
static void *grow(void **items, size_t count, size_t size) {
    bool full = (count & (count - 1)) == 0; /* 0 and powers of two */
    if (full) {
        void *larger = count > SIZE_MAX / 2 / size ? NULL : realloc(*items, (count ? 2 * count : 1) * size);
        if (!larger) return NULL;
        *items = larger;
    }
    void *item = (char *)*items + count * size;
    memset(item, 0, size);
    return item;
}

struct row_reader {
    size_t size; /* of an item */
    int (*read)(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                struct error *error);
    const struct stage_record *stage;
};

/* All rows of a statement whose parameters are bound. */
static int read_rows(struct store *store, sqlite3_stmt *statement, const struct row_reader *reader, void **out,
                     size_t *count, struct error *error) {
    bool row = false;
    *out = NULL;
    *count = 0;
    int status = next_row(store, statement, &row, error);
    while (status == STATUS_OK && row) {
        void *item = grow(out, *count, reader->size);
        status = item ? reader->read(store, statement, reader->stage, item, error)
                      : error_memory(error, (double)(*count * reader->size), "rows of the database");
        ++*count;
        if (status == STATUS_OK) status = next_row(store, statement, &row, error);
    }
    finish(statement);
    if (status == STATUS_OK) return STATUS_OK;
    free(*out);
    *out = NULL;
    *count = 0;
    return status;
}

static int read_stage_row(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                          struct error *error) {
    (void)stage;
    return read_stage(store, row, item, error);
}

int store_stages(struct store *store, struct stage_record **out, size_t *count, struct error *error) {
    struct row_reader reader = {sizeof **out, read_stage_row, NULL};
    sqlite3_stmt *statement;
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = prepare(store, SQL_STAGES, &statement, error);
    if (status != STATUS_OK) return status;
    status = read_rows(store, statement, &reader, &items, count, error);
    *out = items;
    return status;
}

/* ---- settings ---- */

static const struct setting *find_setting(const struct setting *settings, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].key, key) == 0) return &settings[i];
    }
    return NULL;
}

/* `then` or `now` is NULL where the setting is only on the other side. */
static int setting_differs(const char *stage, const char *key, const char *then, const char *now, struct error *error) {
    return error_set(
        error, STATUS_INPUT,
        "stage '%s': '%.100s' was %.200s when the run began and is %.200s now; restore it, or begin a new run "
        "with -o",
        stage, key, then ? then : "not set", now ? now : "not set");
}

/* Checks every stored setting against those given, and marks these as seen. */
static int compare_settings(struct store *store, sqlite3_stmt *statement, const char *stage,
                            const struct setting *settings, size_t count, bool *seen, struct error *error) {
    bool row;
    for (;;) {
        int status = next_row(store, statement, &row, error);
        if (status != STATUS_OK || !row) return status;
        const char *key = column_text(statement, 0), *then = column_text(statement, 1);
        const struct setting *now = find_setting(settings, count, key);
        if (!now || strcmp(now->value, then) != 0) {
            return setting_differs(stage, key, then, now ? now->value : NULL, error);
        }
        seen[now - settings] = true;
    }
}

int store_check_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error) {
    struct stage_record record;
    sqlite3_stmt *statement;
    int status = stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK) status = prepare(store, SQL_SETTINGS, &statement, error);
    if (status != STATUS_OK) return status;
    bool *seen = calloc(count + 1, sizeof *seen);
    if (!seen) return error_memory(error, (double)count, "settings");
    int bound = sqlite3_bind_int64(statement, 1, stage);
    status = bound == SQLITE_OK ? compare_settings(store, statement, record.name, settings, count, seen, error)
                                : database_failed(store, bound, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (!seen[i]) status = setting_differs(record.name, settings[i].key, NULL, settings[i].value, error);
    }
    finish(statement);
    free(seen);
    return status;
}

/* ---- baselines ---- */

static int insert_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                           const char *frequencies, const char *factors, struct error *error) {
    sqlite3_stmt *s;
    int status = prepare(store, SQL_ADD_BASELINE, &s, error);
    if (status != STATUS_OK) return status;
    int bound = sqlite3_bind_int64(s, 1, stage) | bind_text(s, 2, rope_method_name(baseline->method)) |
                bind_text(s, 3, frequencies) | bind_text(s, 4, factors) |
                sqlite3_bind_int64(s, 5, baseline->table.start_tokens) |
                sqlite3_bind_double(s, 6, baseline->table.attention_factor) |
                sqlite3_bind_double(s, 7, baseline->nats_per_token) | sqlite3_bind_double(s, 8, baseline->seconds);
    return execute(store, s, bound, error);
}

int store_add_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                       struct error *error) {
    const struct rope_table *table = &baseline->table;
    char *frequencies = doubles_to_json(table->frequencies, table->pairs);
    char *factors = doubles_to_json(table->factors, table->pairs);
    int status;
    if (frequencies && factors) {
        status = insert_baseline(store, stage, baseline, frequencies, factors, error);
    } else {
        status = error_set(error, STATUS_FAILED,
                           "the table of baseline '%s' has a value that is not finite, or memory "
                           "has run out",
                           rope_method_name(baseline->method));
    }
    free(frequencies);
    free(factors);
    return status;
}

static int read_baseline(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                         struct error *error) {
    struct baseline_record *out = item;
    struct rope_table *table = &out->table;
    table->pairs = stage->space.pairs;
    table->start_tokens = sqlite3_column_int64(row, 3);
    table->attention_factor = sqlite3_column_double(row, 4);
    table->own_attention_factor = 1.0;
    out->nats_per_token = column_double(row, 5);
    out->seconds = column_double(row, 6);
    if (rope_method_parse(column_text(row, 0), &out->method) && table->start_tokens >= 0 &&
        doubles_from_json(column_text(row, 1), table->pairs, table->frequencies) &&
        doubles_from_json(column_text(row, 2), table->pairs, table->factors)) {
        return STATUS_OK;
    }
    char what[300];
    snprintf(what, sizeof what, "stage '%s', baseline '%.40s': its row makes no sense", stage->name,
             column_text(row, 0));
    return damaged(store, what, error);
}

int store_baselines(struct store *store, int64_t stage, struct baseline_record **out, size_t *count,
                    struct error *error) {
    struct stage_record record;
    struct row_reader reader = {sizeof **out, read_baseline, &record};
    sqlite3_stmt *statement;
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK) status = prepare(store, SQL_BASELINES, &statement, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(statement, 1, stage); /* cannot fail: the index is right and nothing is allocated */
    status = read_rows(store, statement, &reader, &items, count, error);
    *out = items;
    return status;
}

/* ---- individuals ---- */

static char *genes_to_json(const struct genome_space *space, const struct genome *genome) {
    int64_t genes[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < space->pairs; i++) genes[i] = genome->genes[i];
    return integers_to_json(genes, space->pairs);
}

static int bind_parent(sqlite3_stmt *statement, int index, int64_t parent) {
    return parent == EVOLVE_NO_PARENT ? sqlite3_bind_null(statement, index)
                                      : sqlite3_bind_int64(statement, index, parent);
}

static int insert_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                             double seconds, struct error *error) {
    sqlite3_stmt *s;
    const struct genome *genome = &individual->genome;
    char *genes = genes_to_json(&stage->space, genome);
    if (!genes) return error_memory(error, sizeof *genome, "a genome");
    int status = prepare(store, SQL_ADD_INDIVIDUAL, &s, error);
    if (status == STATUS_OK) {
        int bound = sqlite3_bind_int64(s, 1, stage->id) | sqlite3_bind_int64(s, 2, individual->id) |
                    sqlite3_bind_int64(s, 3, individual->generation) |
                    bind_text(s, 4, origin_name(individual->origin)) | bind_parent(s, 5, individual->parents[0]) |
                    bind_parent(s, 6, individual->parents[1]) | bind_text(s, 7, genes) |
                    sqlite3_bind_int64(s, 8, stage->space.start_tokens[genome->start]) |
                    sqlite3_bind_double(s, 9, individual->score) | sqlite3_bind_double(s, 10, seconds);
        status = execute(store, s, bound, error);
    }
    free(genes);
    return status;
}

static int insert_nats(struct store *store, int64_t stage, int64_t individual, const double *nats, size_t count,
                       struct error *error) {
    sqlite3_stmt *s;
    int status = prepare(store, SQL_ADD_NATS, &s, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        int bound = sqlite3_bind_int64(s, 1, stage) | sqlite3_bind_int64(s, 2, individual) |
                    sqlite3_bind_int64(s, 3, (int64_t)i) | sqlite3_bind_double(s, 4, nats[i]);
        status = execute(store, s, bound, error);
    }
    return status;
}

int store_add_individual(struct store *store, int64_t stage, const struct individual *individual,
                         const double *sample_nats, size_t sample_count, double seconds, struct error *error) {
    struct stage_record record;
    int status = stage_by_id(store, stage, &record, error);
    if (status != STATUS_OK) return status;
    if (!genome_valid(&record.space, &individual->genome)) {
        return error_set(error, STATUS_FAILED, "stage '%s': individual %" PRId64 " is outside the search space",
                         record.name, individual->id);
    }
    status = begin(store, error);
    if (status != STATUS_OK) return status;
    status = insert_individual(store, &record, individual, seconds, error);
    if (status == STATUS_OK) {
        status = insert_nats(store, stage, individual->id, sample_nats, sample_count, error);
    }
    return end(store, status, error);
}

static bool parse_genes(const struct genome_space *space, const char *text, struct genome *out) {
    int64_t genes[ROPE_MAX_PAIRS];
    if (integers_from_json(text, space->pairs, space->pairs, space->unit, space->largest, genes) < 0) return false;
    for (int64_t i = 0; i < space->pairs; i++) out->genes[i] = (int32_t)genes[i];
    return true;
}

static bool find_start(const struct genome_space *space, int64_t tokens, int32_t *out) {
    for (int32_t i = 0; i < space->start_count; i++) {
        if (space->start_tokens[i] != tokens) continue;
        *out = i;
        return true;
    }
    return false;
}

/* Parents are older than their children. */
static bool read_parent(sqlite3_stmt *row, int column, int64_t child, int64_t *out) {
    bool none = sqlite3_column_type(row, column) == SQLITE_NULL;
    *out = none ? EVOLVE_NO_PARENT : sqlite3_column_int64(row, column);
    return none || (*out >= 0 && *out < child);
}

static int read_individual(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                           struct error *error) {
    struct individual *out = item;
    const char *wrong = NULL;
    out->id = sqlite3_column_int64(row, 0);
    out->generation = sqlite3_column_int64(row, 1);
    out->scored = true;
    out->score = column_double(row, 7);
    if (out->id < 0 || out->generation < 0) wrong = "id or generation";
    if (!origin_parse(column_text(row, 2), &out->origin)) wrong = "origin";
    if (!read_parent(row, 3, out->id, &out->parents[0]) || !read_parent(row, 4, out->id, &out->parents[1])) {
        wrong = "parents";
    }
    if (!parse_genes(&stage->space, column_text(row, 5), &out->genome)) wrong = "genes";
    if (!find_start(&stage->space, sqlite3_column_int64(row, 6), &out->genome.start)) wrong = "n_hat";
    if (!wrong && !genome_valid(&stage->space, &out->genome)) wrong = "genes";
    if (!wrong) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s', individual %" PRId64 ": its %s cannot be right", stage->name, out->id,
             wrong);
    return damaged(store, what, error);
}

int store_individuals(struct store *store, const struct stage_record *stage, struct individual **out, size_t *count,
                      struct error *error) {
    struct row_reader reader = {sizeof **out, read_individual, stage};
    sqlite3_stmt *statement;
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = prepare(store, SQL_INDIVIDUALS, &statement, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(statement, 1, stage->id); /* cannot fail: the index is right and nothing is allocated */
    status = read_rows(store, statement, &reader, &items, count, error);
    *out = items;
    return status;
}
