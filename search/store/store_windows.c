/* The SQL tables samples and needles: the windows that a stage scores. */
#include <inttypes.h>
#include <stdio.h>

#include "search/store/store.h"
#include "search/store/store_values.h"

/* ---- inserting ---- */

static int insert_window(struct store *store, int64_t stage, int64_t index, const struct window_record *window,
                         struct error *error) {
    const struct database_value values[] = {
        database_set_integer("stage", stage),
        database_set_integer("sample", index),
        database_set_text("document", window->document),
        database_set_integer("start", window->start),
        database_set_integer("tokens", window->tokens),
    };
    const struct database_row row = {"samples", values, sizeof values / sizeof *values, NULL};
    return database_insert(&store->database, &row, error);
}

static int insert_needle(struct store *store, int64_t stage, int64_t index, const struct window_record *window,
                         struct error *error) {
    const struct database_value values[] = {
        database_set_integer("stage", stage),
        database_set_integer("sample", index),
        database_set_integer("position", window->needle),
        database_set_double("depth", window->depth),
        database_set_text("key", window->key),
        database_set_integer("answer", window->answer),
    };
    const struct database_row row = {"needles", values, sizeof values / sizeof *values, NULL};
    return database_insert(&store->database, &row, error);
}

int store_insert_windows(struct store *store, int64_t stage, const struct window_record *windows, size_t count,
                         struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = insert_window(store, stage, (int64_t)i, &windows[i], error);
        if (status == STATUS_OK && windows[i].answer) {
            status = insert_needle(store, stage, (int64_t)i, &windows[i], error);
        }
    }
    return status;
}

/* ---- reading ---- */

/* The columns of needles are NULL where the window has no needle. */
static bool read_needle(sqlite3_stmt *row, struct window_record *out) {
    if (database_is_null(row, "answer")) return true;
    out->needle = database_integer(row, "position");
    out->depth = database_double(row, "depth");
    snprintf(out->key, sizeof out->key, "%s", database_text(row, "key"));
    out->answer = database_integer(row, "answer");
    bool within = out->answer > 0 && out->needle >= 0 && out->needle < out->tokens - out->answer;
    return within && out->depth >= 0.0 && out->depth <= 1.0;
}

static int read_window(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                       struct error *error) {
    struct window_record *out = item;
    snprintf(out->document, sizeof out->document, "%s", database_text(row, "document"));
    out->start = database_integer(row, "start");
    out->tokens = database_integer(row, "tokens");
    if (out->start >= 0 && out->tokens > 0 && read_needle(row, out)) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s': the row of sample %" PRId64 " is not valid", stage->name,
             database_integer(row, "sample"));
    return database_damaged(&store->database, what, error);
}

int store_windows(struct store *store, int64_t stage, struct window_record **out, size_t *count, struct error *error) {
    struct stage_record record;
    const struct store_reader reader = {sizeof **out, read_window, &record};
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = store_stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK)
        status = store_values_read(
            store,
            "SELECT sample, document, start, tokens, position, depth, key, answer FROM samples LEFT JOIN needles "
            "USING (stage, sample) WHERE stage = ?1 ORDER BY sample",
            &reader, &items, count, error);
    *out = items;
    return status;
}
