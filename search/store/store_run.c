/* The SQL table run: the name, and the number of configured stages. */
#include <stdio.h>
#include <string.h>

#include "search/store/store.h"
#include "search/store/store_values.h"

int store_name(struct store *store, char *name, size_t size, struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    int status = database_prepare(&store->database, "SELECT name FROM run WHERE id = 0", &statement, error);
    if (status != STATUS_OK) return status;
    status = database_next(&store->database, statement, &row, error);
    if (status == STATUS_OK && !row) *name = '\0';
    if (status == STATUS_OK && row && !store_values_name(statement, "name", name, size)) {
        status = database_damaged(&store->database, "the run's name is not valid", error);
    }
    database_finish(statement);
    return status;
}

int store_set_name(struct store *store, const char *name, struct error *error) {
    char known[STORE_NAME_SIZE];
    if (strlen(name) >= sizeof known) return error_set(error, STATUS_INPUT, "the name '%.200s' is too long", name);
    int status = store_name(store, known, sizeof known, error);
    if (status != STATUS_OK || strcmp(known, name) == 0) return status;
    if (*known) {
        return error_set(error, STATUS_INPUT, "%.300s: holds the run '%s', not '%s'; choose another folder with -o",
                         store->dir, known, name);
    }
    const struct database_value values[] = {database_set_integer("id", 0), database_set_text("name", name)};
    const struct database_row row = {"run", values, sizeof values / sizeof *values, NULL};
    return database_insert(&store->database, &row, error);
}

int store_set_stage_count(struct store *store, int64_t count, struct error *error) {
    sqlite3_stmt *statement;
    int status = database_prepare(&store->database, "UPDATE run SET stages = ?1", &statement, error);
    return status == STATUS_OK
               ? database_execute(&store->database, statement, sqlite3_bind_int64(statement, 1, count), error)
               : status;
}

int store_stage_count(struct store *store, int64_t *count, struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    int status = database_prepare(&store->database, "SELECT stages FROM run WHERE id = 0", &statement, error);
    if (status != STATUS_OK) return status;
    status = database_next(&store->database, statement, &row, error);
    if (status == STATUS_OK) *count = row ? database_integer(statement, "stages") : 0;
    database_finish(statement);
    return status;
}
