#include "search/store/store_ranks.h"

#include "search/store/store_values.h"

static int add_rank(struct store *store, int64_t stage, const struct rank_record *rank, struct error *error) {
    sqlite3_stmt *statement;
    int status = database_prepare(&store->database,
                                  "INSERT INTO ranks (stage, rank, host, units, seconds, present_seconds) "
                                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (stage, rank) DO UPDATE SET "
                                  "host = excluded.host, units = units + excluded.units, "
                                  "seconds = seconds + excluded.seconds, "
                                  "present_seconds = present_seconds + excluded.present_seconds",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    int bound = sqlite3_bind_int64(statement, 1, stage) | sqlite3_bind_int64(statement, 2, rank->rank) |
                database_bind_text(statement, 3, rank->host) | sqlite3_bind_int64(statement, 4, rank->units) |
                sqlite3_bind_double(statement, 5, rank->seconds) | sqlite3_bind_double(statement, 6, rank->present);
    return database_execute(&store->database, statement, bound, error);
}

int store_add_ranks(struct store *store, int64_t stage, const struct rank_record *ranks, size_t count,
                    struct error *error) {
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) status = add_rank(store, stage, &ranks[i], error);
    return database_end(&store->database, status, error);
}

static int read_rank(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                     struct error *error) {
    struct rank_record *out = item;
    (void)stage;
    out->rank = database_integer(row, "rank");
    bool valid = store_values_name(row, "host", out->host, sizeof out->host);
    out->units = database_integer(row, "units");
    out->seconds = database_double(row, "seconds");
    out->present = database_double(row, "present_seconds");
    valid = valid && out->rank >= 0 && out->units >= 0 && store_values_time_valid(out->seconds) &&
            store_values_time_valid(out->present);
    return valid ? STATUS_OK : database_damaged(&store->database, "a row of ranks is not valid", error);
}

int store_ranks(struct store *store, const struct stage_record *stage, struct rank_record **out, size_t *count,
                struct error *error) {
    const struct store_reader reader = {sizeof **out, read_rank, stage};
    void *items = NULL;
    int status = store_values_read(
        store, "SELECT rank, host, units, seconds, present_seconds FROM ranks WHERE stage = ?1 ORDER BY rank", &reader,
        &items, count, error);
    *out = items;
    return status;
}
