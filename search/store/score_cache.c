#include "search/store/score_cache.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/store/database.h"

static const struct database_kind score_cache_kind = {
    .name = "a score cache",
    .application = DATABASE_CACHE,
    .schema = 1,
    .waits = true,
    .if_foreign = "name another file with --cache",
    .if_damaged = "remove it: it only saves time",
    .if_protected = "make it and its folder writable, or name another file with --cache",
};

/* As `.schema` shows it. */
static const char schema[] =
    "CREATE TABLE scores (\n"
    "  -- Nats of windows that were scored; what they depend on as fingerprints, see cache.h.\n"
    "  model TEXT NOT NULL,\n"
    "  arithmetic TEXT NOT NULL,\n"
    "  window TEXT NOT NULL,\n"
    "  rope TEXT NOT NULL, -- the RoPE table\n"
    "  nats REAL NOT NULL CHECK (nats >= 0), -- sum over the window's predicted tokens\n"
    "  PRIMARY KEY (model, arithmetic, window, rope)\n"
    ") STRICT, WITHOUT ROWID;";

struct score_cache {
    struct database database;
};

/* ---- opening ---- */

static int check_file(const struct database *database, struct error *error) {
    if (!*database->path) {
        return error_set(error, STATUS_INPUT, "the path of the score cache is empty; %s", score_cache_kind.if_foreign);
    }
    if (access(database->path, R_OK | W_OK) == 0 || errno == ENOENT) return STATUS_OK;
    return database_errno(database, errno, error);
}

/* Several processes may get here at once: the first one creates the SQL table. */
static int create_scores(struct database *database, struct error *error) {
    int64_t version;
    int code;
    int status = database_begin(database, error);
    if (status != STATUS_OK) return status;
    status = database_identify(database, &version, &code, error);
    if (status == STATUS_OK && version == 0) {
        status = database_run(database, schema, error);
        if (status == STATUS_OK) status = database_stamp(database, error);
    }
    return database_end(database, status, error);
}

/* SQLite does not read names that begin with ':' or "file:" as paths. */
static int open_path(struct database *database, struct error *error) {
    char *name;
    if (asprintf(&name, "%s%s", *database->path == '/' ? "" : "./", database->path) < 0) {
        return error_memory(error, (double)strlen(database->path), "a path");
    }
    int status = database_open(database, name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    free(name);
    return status;
}

static int open_file(struct database *database, struct error *error) {
    int64_t version;
    int code;
    int status = database_check_folder(database, error);
    if (status == STATUS_OK) status = check_file(database, error);
    if (status == STATUS_OK) status = open_path(database, error);
    if (status == STATUS_OK) status = database_identify(database, &version, &code, error);
    if (status != STATUS_OK) return status;
    database->creating = version == 0;
    status = version == 0 ? create_scores(database, error) : database_check(database, error);
    if (status == STATUS_OK) status = database_use_log(database, error);
    if (status == STATUS_OK) status = database_run(database, "PRAGMA synchronous = NORMAL", error);
    database->creating = false;
    return status;
}

int score_cache_open(const char *path, const volatile sig_atomic_t *stop, struct score_cache **out,
                     struct error *error) {
    *out = NULL;
    struct score_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return error_memory(error, (double)sizeof *cache, "the score cache");
    cache->database = (struct database){.kind = &score_cache_kind, .path = strdup(path), .stop = stop};
    cache->database.protected_path = cache->database.path;
    int status =
        cache->database.path ? open_file(&cache->database, error) : error_memory(error, (double)strlen(path), "a path");
    if (status != STATUS_OK) {
        score_cache_close(cache);
        return status;
    }
    TRACE(TRACE_STORE, "%s: opened, schema %d", path, score_cache_kind.schema);
    *out = cache;
    return STATUS_OK;
}

void score_cache_close(struct score_cache *cache) {
    if (!cache) return;
    database_close(&cache->database);
    free(cache->database.path);
    free(cache);
}

/* ---- entries ---- */

/* Returns the results of the bindings, or'ed together. */
static int bind_key(sqlite3_stmt *statement, const struct score_cache_key *key) {
    return database_bind_text(statement, 1, key->model) | database_bind_text(statement, 2, key->arithmetic) |
           database_bind_text(statement, 3, key->window) | database_bind_text(statement, 4, key->table);
}

int score_cache_find(struct score_cache *cache, const struct score_cache_key *key, double *nats, bool *found,
                     struct error *error) {
    sqlite3_stmt *statement;
    *found = false;
    int status = database_prepare(&cache->database,
                                  "SELECT nats FROM scores WHERE model = ?1 AND arithmetic = ?2 AND window = ?3 "
                                  "AND rope = ?4",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    int bound = bind_key(statement, key);
    status = bound == SQLITE_OK ? database_next(&cache->database, statement, found, error)
                                : database_failed(&cache->database, bound, error);
    if (*found) {
        *nats = database_double(statement, "nats");
        if (!isfinite(*nats) || *nats < 0.0) {
            status = database_damaged(&cache->database, "an entry is negative or not finite", error);
        }
    }
    database_finish(statement);
    if (status == STATUS_OK) {
        TRACE(TRACE_CACHE, "window %s, RoPE table %s: %s", key->window, key->table, *found ? "hit" : "miss");
    }
    return status;
}

int score_cache_add(struct score_cache *cache, const struct score_cache_key *key, double nats, struct error *error) {
    assert(isfinite(nats) && nats >= 0.0);
    sqlite3_stmt *statement;
    int status = database_prepare(&cache->database,
                                  "INSERT INTO scores (model, arithmetic, window, rope, nats) "
                                  "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    int bound = bind_key(statement, key) | sqlite3_bind_double(statement, 5, nats);
    return database_execute(&cache->database, statement, bound, error);
}
