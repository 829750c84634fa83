#include "search/store/store_configuration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/store/store_values.h"

/* ---- the configuration ---- */

int store_put_configuration(struct store *store, const struct configuration_record *record, struct error *error) {
    sqlite3_stmt *statement;
    int status = database_prepare(&store->database,
                                  "INSERT OR REPLACE INTO configuration (id, program, path, content, overrides) "
                                  "VALUES (0, ?1, ?2, ?3, ?4)",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    int bound = database_bind_text(statement, 1, record->program) | database_bind_text(statement, 2, record->path) |
                database_bind_text(statement, 3, record->content) | database_bind_text(statement, 4, record->overrides);
    return database_execute(&store->database, statement, bound, error);
}

void configuration_record_free(struct configuration_record *record) {
    free(record->program), free(record->path), free(record->content), free(record->overrides);
    *record = (struct configuration_record){NULL, NULL, NULL, NULL};
}

static int read_configuration(sqlite3_stmt *row, struct configuration_record *out, struct error *error) {
    char **const fields[] = {&out->program, &out->path, &out->content, &out->overrides};
    for (int i = 0; i < 4; i++) {
        *fields[i] = strdup(database_text(row, i));
        if (!*fields[i]) return error_memory(error, 0, "the configuration");
    }
    return STATUS_OK;
}

int store_configuration(struct store *store, struct configuration_record *out, bool *found, struct error *error) {
    sqlite3_stmt *statement;
    *out = (struct configuration_record){NULL, NULL, NULL, NULL};
    *found = false;
    int status = database_prepare(&store->database, "SELECT program, path, content, overrides FROM configuration",
                                  &statement, error);
    if (status != STATUS_OK) return status;
    status = database_next(&store->database, statement, found, error);
    if (status == STATUS_OK && *found) status = read_configuration(statement, out, error);
    database_finish(statement);
    return status;
}

/* ---- settings ---- */

static int read_setting(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                        struct error *error) {
    (void)store, (void)stage, (void)error;
    struct setting_record *setting = item;
    snprintf(setting->key, sizeof setting->key, "%s", database_text(row, 0));
    snprintf(setting->value, sizeof setting->value, "%s", database_text(row, 1));
    return STATUS_OK;
}

int store_settings(struct store *store, const struct stage_record *stage, struct setting_record **out, size_t *count,
                   struct error *error) {
    const struct row_reader reader = {sizeof **out, read_setting, stage};
    void *items = NULL;
    int status = store_values_read(store, "SELECT key, value FROM settings WHERE stage = ?1 ORDER BY key", &reader,
                                   &items, count, error);
    *out = items;
    return status;
}
