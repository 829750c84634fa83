#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/store/database.h"

struct database_statement {
    sqlite3_stmt *statement;
    struct database_statement *next;
    char text[]; /* by which it is found */
};

/* ---- statements ---- */

int database_run(struct database *database, const char *text, struct error *error) {
    int code = sqlite3_exec(database->handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : database_failed(database, code, error);
}

int database_query_integer(struct database *database, const char *text, int64_t *out) {
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(database->handle, text, -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int database_prepare(struct database *database, const char *text, sqlite3_stmt **out, struct error *error) {
    for (struct database_statement *kept = database->statements; kept; kept = kept->next) {
        if (strcmp(kept->text, text) != 0) continue;
        *out = kept->statement;
        return STATUS_OK;
    }
    size_t size = strlen(text) + 1;
    struct database_statement *kept = malloc(sizeof *kept + size);
    if (!kept) return error_memory(error, (double)(sizeof *kept + size), "a statement");
    memcpy(kept->text, text, size);
    int code = sqlite3_prepare_v3(database->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &kept->statement, NULL);
    if (code != SQLITE_OK) {
        free(kept);
        return database_failed(database, code, error);
    }
    kept->next = database->statements;
    database->statements = kept;
    *out = kept->statement;
    return STATUS_OK;
}

void database_free_statements(struct database *database) {
    while (database->statements) {
        struct database_statement *first = database->statements;
        database->statements = first->next;
        sqlite3_finalize(first->statement);
        free(first);
    }
}

void database_finish(sqlite3_stmt *statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

int database_execute(struct database *database, sqlite3_stmt *statement, int bound, struct error *error) {
    int code = bound == SQLITE_OK ? sqlite3_step(statement) : SQLITE_NOMEM;
    int status = code == SQLITE_DONE ? STATUS_OK : database_failed(database, code, error);
    database_finish(statement);
    return status;
}

int database_next(struct database *database, sqlite3_stmt *statement, bool *row, struct error *error) {
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : database_failed(database, code, error);
}

int database_begin(struct database *database, struct error *error) {
    return database_run(database, "BEGIN IMMEDIATE", error);
}

int database_end(struct database *database, int status, struct error *error) {
    if (status == STATUS_OK) status = database_run(database, "COMMIT", error);
    if (!sqlite3_get_autocommit(database->handle)) sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

int database_bind_text(sqlite3_stmt *statement, int index, const char *text) {
    return sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* ---- reading columns ---- */

/* SQLite reads a column that the statement does not have, -1, as NULL. */
static int find_column(sqlite3_stmt *row, const char *column) {
    for (int i = sqlite3_column_count(row) - 1; i >= 0; i--) {
        const char *name = sqlite3_column_name(row, i);
        if (name && strcmp(name, column) == 0) return i;
    }
    assert(!"the statement selects no such column");
    return -1;
}

bool database_is_null(sqlite3_stmt *row, const char *column) {
    return sqlite3_column_type(row, find_column(row, column)) == SQLITE_NULL;
}

const char *database_text(sqlite3_stmt *row, const char *column) {
    const char *text = (const char *)sqlite3_column_text(row, find_column(row, column));
    return text ? text : "";
}

int64_t database_integer(sqlite3_stmt *row, const char *column) {
    return sqlite3_column_int64(row, find_column(row, column));
}

double database_double(sqlite3_stmt *row, const char *column) {
    int index = find_column(row, column);
    return sqlite3_column_type(row, index) == SQLITE_NULL ? NAN : sqlite3_column_double(row, index);
}

const void *database_blob(sqlite3_stmt *row, const char *column, size_t *size) {
    int index = find_column(row, column);
    const void *bytes = sqlite3_column_blob(row, index);
    *size = (size_t)sqlite3_column_bytes(row, index);
    return bytes;
}

/* ---- inserting rows ---- */

struct database_value database_set_null(const char *column) {
    return (struct database_value){.column = column, .type = DATABASE_NULL};
}

struct database_value database_set_integer(const char *column, int64_t value) {
    return (struct database_value){.column = column, .type = DATABASE_INTEGER, .integer = value};
}

struct database_value database_set_double(const char *column, double value) {
    return (struct database_value){.column = column, .type = DATABASE_DOUBLE, .real = value};
}

struct database_value database_set_text(const char *column, const char *value) {
    return (struct database_value){.column = column, .type = value ? DATABASE_TEXT : DATABASE_NULL, .text = value};
}

struct database_value database_set_blob(const char *column, const void *bytes, size_t size) {
    return (struct database_value){.column = column, .type = DATABASE_BLOB, .bytes = bytes, .size = size};
}

struct database_value database_set_expression(const char *column, const char *sql) {
    return (struct database_value){.column = column, .type = DATABASE_EXPRESSION, .text = sql};
}

/* "INSERT INTO table (a, b) VALUES (:a, EXPRESSION) ON CONFLICT (key) DO UPDATE SET a = excluded.a, b = ..."; NULL for
 * lack of memory. The caller frees it. */
static char *insert_text(const struct database_row *row) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "INSERT INTO %s (", row->table);
    for (size_t i = 0; i < row->count; i++) fprintf(out, "%s%s", i > 0 ? ", " : "", row->values[i].column);
    fputs(") VALUES (", out);
    for (size_t i = 0; i < row->count; i++) {
        const struct database_value *value = &row->values[i];
        bool expression = value->type == DATABASE_EXPRESSION;
        fprintf(out, "%s%s%s", i > 0 ? ", " : "", expression ? "" : ":", expression ? value->text : value->column);
    }
    fputc(')', out);
    for (size_t i = 0; row->replaces && i < row->count; i++) {
        if (i == 0) fprintf(out, " ON CONFLICT (%s) DO UPDATE SET ", row->replaces);
        fprintf(out, "%s%s = excluded.%s", i > 0 ? ", " : "", row->values[i].column, row->values[i].column);
    }
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed) return text;
    free(text);
    return NULL;
}

/* Returns SQLite's code. */
static int bind_value(sqlite3_stmt *statement, const struct database_value *value) {
    char parameter[64];
    snprintf(parameter, sizeof parameter, ":%s", value->column);
    int index = sqlite3_bind_parameter_index(statement, parameter);
    switch (value->type) {
    case DATABASE_NULL:
        return sqlite3_bind_null(statement, index);
    case DATABASE_INTEGER:
        return sqlite3_bind_int64(statement, index, value->integer);
    case DATABASE_DOUBLE:
        return sqlite3_bind_double(statement, index, value->real);
    case DATABASE_TEXT:
        return database_bind_text(statement, index, value->text);
    case DATABASE_BLOB:
        return sqlite3_bind_blob64(statement, index, value->bytes, value->size, SQLITE_STATIC);
    case DATABASE_EXPRESSION:
        break;
    }
    return SQLITE_OK;
}

int database_insert(struct database *database, const struct database_row *row, struct error *error) {
    sqlite3_stmt *statement;
    char *text = insert_text(row);
    if (!text) return error_memory(error, (double)row->count * 64.0, "a statement");
    int status = database_prepare(database, text, &statement, error);
    free(text);
    if (status != STATUS_OK) return status;
    int bound = SQLITE_OK;
    for (size_t i = 0; i < row->count; i++) bound |= bind_value(statement, &row->values[i]);
    return database_execute(database, statement, bound, error);
}
