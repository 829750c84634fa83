#include "search/store/store_configuration.h"

#include <stdlib.h>
#include <string.h>

#include "search/store/store_values.h"

int store_put_configuration(struct store *store, const struct configuration_record *record, struct error *error) {
    const struct database_value values[] = {
        database_set_integer("id", 0),
        database_set_text("program", record->program),
        database_set_text("path", record->path),
        database_set_text("content", record->content),
        database_set_text("overrides", record->overrides),
    };
    const struct database_row row = {"configuration", values, sizeof values / sizeof *values, .replaces = "id"};
    return database_insert(&store->database, &row, error);
}

void configuration_record_free(struct configuration_record *record) {
    free(record->program), free(record->path), free(record->content), free(record->overrides);
    *record = (struct configuration_record){NULL, NULL, NULL, NULL};
}

/* A copy of a column, which the caller frees. */
static int copy_text(sqlite3_stmt *row, const char *column, char **out, struct error *error) {
    const char *text = database_text(row, column);
    *out = strdup(text);
    return *out ? STATUS_OK : error_memory(error, (double)strlen(text) + 1.0, "the configuration");
}

static int read_configuration(sqlite3_stmt *row, struct configuration_record *out, struct error *error) {
    int status = copy_text(row, "program", &out->program, error);
    if (status == STATUS_OK) status = copy_text(row, "path", &out->path, error);
    if (status == STATUS_OK) status = copy_text(row, "content", &out->content, error);
    return status == STATUS_OK ? copy_text(row, "overrides", &out->overrides, error) : status;
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
