/* The SQL table settings: what must be equal when a stage is resumed, and its budget, which may grow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/store/store.h"
#include "search/store/store_configuration.h"
#include "search/store/store_values.h"

int store_insert_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                          struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct database_value values[] = {
            database_set_integer("stage", stage),
            database_set_text("key", settings[i].key),
            database_set_text("value", settings[i].value),
        };
        const struct database_row row = {"settings", values, sizeof values / sizeof *values, NULL};
        status = database_insert(&store->database, &row, error);
    }
    return status;
}

static bool is_budget(const char *key) {
    return strcmp(key, STORE_ITERATIONS) == 0 || strcmp(key, STORE_EVALUATIONS) == 0;
}

int store_replace_budget(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error) {
    sqlite3_stmt *statement;
    int status = database_prepare(&store->database,
                                  "DELETE FROM settings WHERE stage = ?1 AND key IN ('" STORE_ITERATIONS
                                  "', '" STORE_EVALUATIONS "')",
                                  &statement, error);
    if (status == STATUS_OK) {
        status = database_execute(&store->database, statement, sqlite3_bind_int64(statement, 1, stage), error);
    }
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (is_budget(settings[i].key)) status = store_insert_settings(store, stage, &settings[i], 1, error);
    }
    return status;
}

/* ---- reading ---- */

static int read_setting(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                        struct error *error) {
    struct setting_record *setting = item;
    snprintf(setting->value, sizeof setting->value, "%s", database_text(row, "value"));
    if (store_values_name(row, "key", setting->key, sizeof setting->key)) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s': the name of a setting is not valid", stage->name);
    return database_damaged(&store->database, what, error);
}

int store_settings(struct store *store, const struct stage_record *stage, struct setting_record **out, size_t *count,
                   struct error *error) {
    const struct store_reader reader = {sizeof **out, read_setting, stage};
    void *items = NULL;
    int status = store_values_read(store, "SELECT key, value FROM settings WHERE stage = ?1 ORDER BY key", &reader,
                                   &items, count, error);
    *out = items;
    return status;
}

/* ---- comparing ---- */

static const struct setting *find_setting(const struct setting *settings, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].key, key) == 0) return &settings[i];
    }
    return NULL;
}

/* `then` or `now` is NULL if the setting is missing there. */
static int setting_differs(const char *stage, const char *key, const char *then, const char *now, struct error *error) {
    return error_set(
        error, STATUS_INPUT,
        "stage '%s': '%.100s' was %.200s when the run began and is %.200s now; restore it, or start a new run "
        "with -o",
        stage, key, then ? then : "not set", now ? now : "not set");
}

/* Compares every stored setting with the given ones, and marks the given ones that are stored as seen. */
static int compare_settings(struct store *store, sqlite3_stmt *statement, const char *stage,
                            const struct setting *settings, size_t count, bool *seen, struct error *error) {
    bool row;
    for (;;) {
        int status = database_next(&store->database, statement, &row, error);
        if (status != STATUS_OK || !row) return status;
        const char *key = database_text(statement, "key"), *then = database_text(statement, "value");
        if (is_budget(key)) continue;
        const struct setting *now = find_setting(settings, count, key);
        if (!now || strcmp(now->value, then) != 0) {
            return setting_differs(stage, key, then, now ? now->value : NULL, error);
        }
        seen[now - settings] = true;
    }
}

/* What the model's fingerprint covers, and runs of older versions do not say. */
static bool is_note(const char *key) { return strcmp(key, STORE_SLIDING_WINDOW) == 0; }

int store_check_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error) {
    struct stage_record record;
    sqlite3_stmt *statement;
    int status = store_stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK)
        status = database_prepare(&store->database,
                                  "SELECT key, value FROM settings WHERE stage = ?1 "
                                  "ORDER BY key <> '" STORE_OBJECTIVE
                                  "', key", /* first, because other settings depend on it */
                                  &statement, error);
    if (status != STATUS_OK) return status;
    bool *seen = calloc(count + 1, sizeof *seen);
    if (!seen) return error_memory(error, (double)count, "settings");
    int bound = sqlite3_bind_int64(statement, 1, stage);
    status = bound == SQLITE_OK ? compare_settings(store, statement, record.name, settings, count, seen, error)
                                : database_failed(&store->database, bound, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (!seen[i] && !is_budget(settings[i].key) && !is_note(settings[i].key)) {
            status = setting_differs(record.name, settings[i].key, NULL, settings[i].value, error);
        }
    }
    database_finish(statement);
    free(seen);
    return status;
}
