#include "search/store/store_held_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/store/store_values.h"

const char *held_out_name(int table) {
    return table == HELD_OUT_SEARCHED ? "longrope" : rope_method_name((enum rope_method)table);
}

double held_out_mean(const struct held_out *held_out, int table) {
    double nats = 0.0, predictions = 0.0;
    for (size_t w = 0; w < held_out->count; w++) {
        nats += held_out->windows[w].nats[table];
        predictions += (double)held_out->windows[w].predictions;
    }
    return predictions > 0.0 ? nats / predictions : NAN;
}

/* ---- writing ---- */

static int forget(struct store *store, int64_t stage, struct error *error) {
    static const char *const statements[] = {"DELETE FROM held_out_nats WHERE stage = ?1",
                                             "DELETE FROM held_out_samples WHERE stage = ?1",
                                             "DELETE FROM held_out WHERE stage = ?1"};
    int status = STATUS_OK;
    for (int i = 0; i < 3 && status == STATUS_OK; i++) {
        sqlite3_stmt *statement;
        status = database_prepare(&store->database, statements[i], &statement, error);
        if (status == STATUS_OK) {
            status = database_execute(&store->database, statement, sqlite3_bind_int64(statement, 1, stage), error);
        }
    }
    return status;
}

static int insert_nats(struct store *store, int64_t stage, int64_t index, const struct held_out_window *window,
                       struct error *error) {
    int status = STATUS_OK;
    for (int t = 0; t < HELD_OUT_TABLES && status == STATUS_OK; t++) {
        if (isnan(window->nats[t])) continue;
        const struct database_value values[] = {
            database_set_integer("stage", stage),
            database_set_text("method", held_out_name(t)),
            database_set_integer("sample", index),
            database_set_double("nats", window->nats[t]),
        };
        const struct database_row row = {"held_out_nats", values, sizeof values / sizeof *values, NULL};
        status = database_insert(&store->database, &row, error);
    }
    return status;
}

static int insert_window(struct store *store, int64_t stage, int64_t index, const struct held_out_window *window,
                         struct error *error) {
    const struct database_value values[] = {
        database_set_integer("stage", stage),
        database_set_integer("sample", index),
        database_set_text("document", window->document),
        database_set_integer("start", window->start),
        database_set_integer("tokens", window->tokens),
        database_set_integer("predictions", window->predictions),
    };
    const struct database_row row = {"held_out_samples", values, sizeof values / sizeof *values, NULL};
    int status = database_insert(&store->database, &row, error);
    return status == STATUS_OK ? insert_nats(store, stage, index, window, error) : status;
}

static int insert(struct store *store, int64_t stage, const struct held_out *held_out, struct error *error) {
    const struct database_value values[] = {
        database_set_integer("stage", stage),
        held_out->count ? database_set_integer("individual", held_out->individual) : database_set_null("individual"),
    };
    const struct database_row row = {"held_out", values, sizeof values / sizeof *values, NULL};
    int status = database_insert(&store->database, &row, error);
    for (size_t w = 0; w < held_out->count && status == STATUS_OK; w++) {
        status = insert_window(store, stage, (int64_t)w, &held_out->windows[w], error);
    }
    return status;
}

int store_put_held_out(struct store *store, int64_t stage, const struct held_out *held_out, struct error *error) {
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = forget(store, stage, error);
    if (status == STATUS_OK) status = insert(store, stage, held_out, error);
    return database_end(&store->database, status, error);
}

/* ---- reading ---- */

static int damaged(const struct store *store, const struct stage_record *stage, struct error *error) {
    char what[300];
    snprintf(what, sizeof what, "stage '%s': its rows of text that was held out are not valid", stage->name);
    return database_damaged(&store->database, what, error);
}

static int read_head(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                     struct error *error) {
    int64_t *individual = item;
    *individual = database_integer(row, "individual");
    return *individual >= 0 ? STATUS_OK : damaged(store, stage, error);
}

static int read_window(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                       struct error *error) {
    struct held_out_window *out = item;
    snprintf(out->document, sizeof out->document, "%s", database_text(row, "document"));
    out->start = database_integer(row, "start");
    out->tokens = database_integer(row, "tokens");
    out->predictions = database_integer(row, "predictions");
    for (int t = 0; t < HELD_OUT_TABLES; t++) out->nats[t] = NAN;
    bool valid = out->start >= 0 && out->predictions > 0 && out->predictions < out->tokens &&
                 store_values_count_valid(out->tokens);
    return valid ? STATUS_OK : damaged(store, stage, error);
}

/* A row of held_out_nats. */
struct nats_row {
    int table;
    int64_t sample;
    double nats;
};

static int read_nats(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                     struct error *error) {
    struct nats_row *out = item;
    const char *method = database_text(row, "method");
    out->table = 0;
    while (out->table < HELD_OUT_TABLES && strcmp(held_out_name(out->table), method) != 0) out->table++;
    out->sample = database_integer(row, "sample");
    out->nats = database_double(row, "nats");
    bool valid = out->table < HELD_OUT_TABLES && (out->nats == INFINITY || store_values_nats_valid(out->nats));
    return valid ? STATUS_OK : damaged(store, stage, error);
}

static int read_all_nats(struct store *store, const struct stage_record *stage, struct held_out *out,
                         struct error *error) {
    const struct store_reader reader = {sizeof(struct nats_row), read_nats, stage};
    void *items = NULL;
    size_t count = 0;
    int status = store_values_read(store, "SELECT method, sample, nats FROM held_out_nats WHERE stage = ?1", &reader,
                                   &items, &count, error);
    const struct nats_row *rows = items;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (rows[i].sample < 0 || (size_t)rows[i].sample >= out->count) {
            status = damaged(store, stage, error);
        } else {
            out->windows[rows[i].sample].nats[rows[i].table] = rows[i].nats;
        }
    }
    free(items);
    return status;
}

int store_held_out(struct store *store, const struct stage_record *stage, struct held_out *out, struct error *error) {
    const struct store_reader head = {sizeof out->individual, read_head, stage},
                              window = {sizeof *out->windows, read_window, stage};
    void *items = NULL;
    size_t count = 0;
    *out = (struct held_out){.known = false};
    int status =
        store_values_read(store, "SELECT individual FROM held_out WHERE stage = ?1", &head, &items, &count, error);
    out->known = status == STATUS_OK && count > 0;
    if (out->known) out->individual = *(const int64_t *)items;
    free(items);
    if (!out->known) return status;
    status = store_values_read(store,
                               "SELECT document, start, tokens, predictions FROM held_out_samples WHERE stage = ?1 "
                               "ORDER BY sample",
                               &window, &items, &out->count, error);
    out->windows = items;
    return status == STATUS_OK && out->count ? read_all_nats(store, stage, out, error) : status;
}
