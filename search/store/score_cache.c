#include "search/store/score_cache.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/store/block_column.h"
#include "search/store/database.h"
#include "search/store/file_system.h"

enum { SCHEMA = 2 };

static const struct database_kind score_cache_kind = {
    .name = "a score cache",
    .application = DATABASE_CACHE,
    .schema = SCHEMA,
    .waits = true,
    .if_foreign = "name another file with --cache",
    .if_damaged = "remove it: it only saves time",
    .if_protected = "make it and its folder writable, or name another file with --cache",
};

/* As `.schema` shows it. Schema 1 had no blocks. */
static const char schema_1[] =
    "CREATE TABLE scores (\n"
    "  -- Nats of windows that were scored; what they depend on as fingerprints, see cache.h.\n"
    "  model TEXT NOT NULL,\n"
    "  arithmetic TEXT NOT NULL,\n"
    "  window TEXT NOT NULL,\n"
    "  rope TEXT NOT NULL, -- the RoPE table\n"
    "  nats REAL NOT NULL CHECK (nats >= 0), -- sum over the window's predicted tokens\n"
    "  PRIMARY KEY (model, arithmetic, window, rope)\n"
    ") STRICT, WITHOUT ROWID;";

/* NULL where a longrope with schema 1 scored the window. It is fast, whatever the number of entries. */
static const char schema_2[] = "ALTER TABLE scores ADD COLUMN blocks BLOB "
                               "/* sums over each 128 of the predicted tokens, little-endian float32 */";

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

/* Several processes may get here at once: the first one creates the SQL table, or migrates it. */
static int create_scores(struct database *database, struct error *error) {
    int64_t version;
    int code;
    int status = database_begin(database, error);
    if (status != STATUS_OK) return status;
    status = database_identify(database, &version, &code, error);
    if (status == STATUS_OK && version < SCHEMA) {
        if (version == 0) status = database_run(database, schema_1, error);
        if (status == STATUS_OK) status = database_run(database, schema_2, error);
        if (status == STATUS_OK) status = database_stamp(database, error);
    }
    return database_end(database, status, error);
}

/* A cache that belongs to this process alone works everywhere. */
static void choose_sharing(struct database *database) {
    const struct file_system system = file_system_at(database->path);
    database->sharing = file_system_sharing(&system);
}

static int open_file(struct database *database, bool own, struct error *error) {
    int64_t version;
    int code;
    int status = database_check_folder(database, error);
    if (status == STATUS_OK) status = check_file(database, error);
    if (status == STATUS_OK && own) choose_sharing(database);
    if (status == STATUS_OK) {
        status = database_open(database, database->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    }
    if (status == STATUS_OK) status = database_identify(database, &version, &code, error);
    if (status != STATUS_OK) return status;
    database->creating = version == 0;
    if (version > 0) status = database_check(database, error);
    if (status == STATUS_OK && version < SCHEMA) status = create_scores(database, error);
    if (status == STATUS_OK) status = database_use_log(database, error);
    if (status == STATUS_OK) status = database_run(database, "PRAGMA synchronous = NORMAL", error);
    database->creating = false;
    return status;
}

int score_cache_check(const char *path, struct error *error) {
    struct database database = {.kind = &score_cache_kind, .path = strdup(path), .protected_path = path};
    if (!database.path) return error_memory(error, (double)strlen(path), "a path");
    int status = database_check_folder(&database, error); /* first, as it is where the cache is opened */
    if (status == STATUS_OK) status = check_file(&database, error);
    if (status == STATUS_OK) status = database_check_link(&database, error);
    if (status == STATUS_OK) status = database_check_path(&database, error);
    free(database.path);
    return status;
}

static int open_cache(const char *path, bool own, const volatile sig_atomic_t *stop, struct score_cache **out,
                      struct error *error) {
    *out = NULL;
    struct score_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return error_memory(error, (double)sizeof *cache, "the score cache");
    cache->database = (struct database){.kind = &score_cache_kind, .path = strdup(path), .stop = stop};
    cache->database.protected_path = cache->database.path;
    int status = cache->database.path ? open_file(&cache->database, own, error)
                                      : error_memory(error, (double)strlen(path), "a path");
    if (status != STATUS_OK) {
        score_cache_close(cache);
        return status;
    }
    TRACE(TRACE_STORE, "%s: opened, schema %d", path, score_cache_kind.schema);
    *out = cache;
    return STATUS_OK;
}

int score_cache_open(const char *path, const volatile sig_atomic_t *stop, struct score_cache **out,
                     struct error *error) {
    return open_cache(path, false, stop, out, error);
}

int score_cache_open_own(const char *path, const volatile sig_atomic_t *stop, struct score_cache **out,
                         struct error *error) {
    return open_cache(path, true, stop, out, error);
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

/* NULL, or what is wrong with the entry of a row. */
static const char *read_entry(sqlite3_stmt *row, struct score_cache_entry *out) {
    out->nats = database_double(row, "nats");
    if (!isfinite(out->nats) || out->nats < 0.0) return "an entry is negative or not finite";
    if (!out->blocks || block_column_read(row, out->blocks, out->block_count)) return NULL;
    return "the blocks of an entry are not as many as its tokens need, or negative or not finite";
}

int score_cache_find(struct score_cache *cache, const struct score_cache_key *key, struct score_cache_entry *entry,
                     bool *found, struct error *error) {
    sqlite3_stmt *statement;
    *found = false;
    if (!cache) return STATUS_OK;
    int status = database_prepare(&cache->database,
                                  "SELECT nats, blocks FROM scores WHERE model = ?1 AND arithmetic = ?2 "
                                  "AND window = ?3 AND rope = ?4",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    int bound = bind_key(statement, key);
    status = bound == SQLITE_OK ? database_next(&cache->database, statement, found, error)
                                : database_failed(&cache->database, bound, error);
    const char *wrong = *found ? read_entry(statement, entry) : NULL;
    if (wrong) status = database_damaged(&cache->database, wrong, error);
    database_finish(statement);
    if (status == STATUS_OK) {
        TRACE(TRACE_CACHE, "window %s, RoPE table %s: %s", key->window, key->table, *found ? "hit" : "miss");
    }
    return status;
}

int score_cache_add(struct score_cache *cache, const struct score_cache_key *key, const struct score_cache_entry *entry,
                    struct error *error) {
    assert(isfinite(entry->nats) && entry->nats >= 0.0);
    sqlite3_stmt *statement;
    if (!cache) return STATUS_OK;
    int status = database_prepare(&cache->database,
                                  "INSERT INTO scores (model, arithmetic, window, rope, nats, blocks) "
                                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET blocks = excluded.blocks "
                                  "WHERE scores.blocks IS NULL AND excluded.blocks IS NOT NULL",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    int bound = bind_key(statement, key) | sqlite3_bind_double(statement, 5, entry->nats) |
                block_column_bind(statement, 6, entry->blocks, entry->block_count);
    return database_execute(&cache->database, statement, bound, error);
}
