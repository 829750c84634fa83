/* The SQL tables sample_nats and baseline_nats: nats of individuals and baselines per window. */
#include "search/store/store.h"
#include "search/store/store_values.h"

int store_insert_nats(struct store *store, const struct store_nats_owner *owner, const double *nats, size_t count,
                      struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct database_value values[] = {
            database_set_integer("stage", owner->stage),
            owner->method ? database_set_text("method", owner->method)
                          : database_set_integer("individual", owner->individual),
            database_set_integer("sample", (int64_t)i),
            database_set_double("nats", nats[i]),
        };
        const struct database_row row = {owner->method ? "baseline_nats" : "sample_nats", values,
                                         sizeof values / sizeof *values, NULL};
        status = database_insert(&store->database, &row, error);
    }
    return status;
}

bool store_read_scored(sqlite3_stmt *row, struct scored *out) {
    int64_t computed = database_integer(row, "computed");
    out->computed = computed < 0 ? 0 : (size_t)computed;
    out->seconds = store_values_seconds(row);
    out->windows = (size_t)database_integer(row, "windows"); /* a count of rows */
    return computed >= 0;
}

/* ---- reading ---- */

/* The rows (sample, nats) of a statement whose parameters are bound, which it finishes: windows 0, 1, 2, ... */
static int read_nats(struct store *store, sqlite3_stmt *statement, double *nats, size_t *count, struct error *error) {
    bool row = false;
    int status = database_next(&store->database, statement, &row, error);
    while (status == STATUS_OK && row) {
        double value = database_double(statement, "nats");
        if (database_integer(statement, "sample") != (int64_t)*count) {
            status = database_damaged(&store->database, "nats of a window are missing", error);
        } else if (!store_values_nats_valid(value)) {
            status = database_damaged(&store->database, "nats of a window are negative or not finite", error);
        } else {
            nats[(*count)++] = value;
            status = database_next(&store->database, statement, &row, error);
        }
    }
    database_finish(statement);
    return status;
}

static int64_t row_limit(size_t capacity) { return capacity > INT64_MAX ? INT64_MAX : (int64_t)capacity; }

int store_window_nats(struct store *store, int64_t stage, int64_t individual, double *nats, size_t capacity,
                      size_t *count, struct error *error) {
    sqlite3_stmt *s;
    *count = 0;
    int status = database_prepare(
        &store->database,
        "SELECT sample, nats FROM sample_nats WHERE stage = ?1 AND individual = ?2 ORDER BY sample LIMIT ?3", &s,
        error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage);
    sqlite3_bind_int64(s, 2, individual);
    sqlite3_bind_int64(s, 3, row_limit(capacity));
    return read_nats(store, s, nats, count, error);
}

int store_baseline_nats(struct store *store, int64_t stage, enum rope_method method, double *nats, size_t capacity,
                        size_t *count, struct error *error) {
    sqlite3_stmt *s;
    *count = 0;
    int status = database_prepare(
        &store->database,
        "SELECT sample, nats FROM baseline_nats WHERE stage = ?1 AND method = ?2 ORDER BY sample LIMIT ?3", &s, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage);
    database_bind_text(s, 2, rope_method_name(method));
    sqlite3_bind_int64(s, 3, row_limit(capacity));
    return read_nats(store, s, nats, count, error);
}
