/* The SQL tables sample_nats and baseline_nats: nats of individuals and baselines per window. */
#include <math.h>

#include "search/store/block_column.h"
#include "search/store/store.h"
#include "search/store/store_values.h"

static int insert_window(struct store *store, const struct store_nats_owner *owner, const struct window_nats *nats,
                         size_t window, struct error *error) {
    const struct database_value values[] = {
        database_set_integer("stage", owner->stage),
        owner->method ? database_set_text("method", owner->method)
                      : database_set_integer("individual", owner->individual),
        database_set_integer("sample", (int64_t)window),
        database_set_double("nats", nats->nats[window]),
        block_column_value(window_nats_blocks(nats, window), window_nats_block_count(nats, window)),
    };
    const struct database_row row = {owner->method ? "baseline_nats" : "sample_nats", values,
                                     sizeof values / sizeof *values, NULL};
    return database_insert(&store->database, &row, error);
}

int store_insert_nats(struct store *store, const struct store_nats_owner *owner, const struct window_nats *nats,
                      const struct scored *scored, struct error *error) {
    const struct window_range range = {scored->first, scored->windows};
    int status = STATUS_OK;
    if (range.count > 0 && (range.count > nats->windows || range.first >= nats->windows)) {
        return error_set(error, STATUS_FAILED, "windows %zu to %zu cannot be stored: there are only %zu", range.first,
                         range.first + range.count - 1, nats->windows);
    }
    for (size_t i = 0; status == STATUS_OK && i < range.count; i++) {
        status = insert_window(store, owner, nats, window_nats_at(nats, range, i), error);
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

/* One row, which is number `index` in the order of the range. NULL, or what is wrong with it. */
static const char *read_row(sqlite3_stmt *row, size_t index, struct window_nats *out) {
    int64_t windows = database_integer(row, "windows"), first = database_integer(row, "first_window");
    int64_t window = database_integer(row, "sample");
    if (windows < 1 || (size_t)windows > out->windows) return "the number of windows is not the stage's";
    if (first < 0 || first >= windows || window != (first + (int64_t)index) % windows) {
        return "nats of a window are missing";
    }
    out->nats[window] = database_double(row, "nats");
    bool failed = out->nats[window] == INFINITY;
    if (!failed && !store_values_nats_valid(out->nats[window])) return "nats of a window are negative or not finite";
    if (!out->blocks) return NULL;
    size_t count = window_nats_block_count(out, (size_t)window);
    return block_column_read(row, window_nats_blocks(out, (size_t)window), count)
               ? NULL
               : "the blocks of a window are not as many as its tokens need, or negative or not finite";
}

/* The rows of a statement whose parameters are bound, which it finishes. */
static int read_nats(struct store *store, sqlite3_stmt *statement, struct window_nats *out, struct error *error) {
    bool row = false, failed = false;
    window_nats_clear(out);
    int status = database_next(&store->database, statement, &row, error);
    for (size_t index = 0; status == STATUS_OK && row; index++) {
        const char *wrong = index < out->windows ? read_row(statement, index, out) : "a window has nats twice";
        if (!wrong && failed) wrong = "nats follow a window that failed";
        failed = window_nats_failed(out);
        status = wrong ? database_damaged(&store->database, wrong, error)
                       : database_next(&store->database, statement, &row, error);
    }
    database_finish(statement);
    return status;
}

/* Rows in the order of a range: from its first window on, then from window 0. */
#define SELECT_WINDOWS "SELECT sample, nats, blocks, (SELECT count(*) FROM samples WHERE stage = ?1) AS windows, "
#define IN_ORDER " ORDER BY sample < first_window, sample"

int store_window_nats(struct store *store, int64_t stage, int64_t individual, struct window_nats *out,
                      struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database,
                                  SELECT_WINDOWS "first_window FROM sample_nats AS n JOIN individuals AS i "
                                                 "ON i.stage = n.stage AND i.id = n.individual "
                                                 "WHERE n.stage = ?1 AND n.individual = ?2" IN_ORDER,
                                  &s, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage);
    sqlite3_bind_int64(s, 2, individual);
    return read_nats(store, s, out, error);
}

int store_baseline_nats(struct store *store, int64_t stage, enum rope_method method, struct window_nats *out,
                        struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(
        &store->database,
        SELECT_WINDOWS "0 AS first_window FROM baseline_nats WHERE stage = ?1 AND method = ?2" IN_ORDER, &s, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage);
    database_bind_text(s, 2, rope_method_name(method));
    return read_nats(store, s, out, error);
}
