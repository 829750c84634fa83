/* A thin layer over SQLite, shared by the run store and the score cache: opening, statements, rows, transactions, and
 * errors that tell a user what to do.
 *
 * Functions return a status and describe a failure in *error (eval/base/error.h), except those that return SQLite's
 * code, which database_failed() turns into a status. Statements are SQLite's own. database.c opens and checks files,
 * database_statement.c runs statements.
 */
#ifndef LONGROPE_SEARCH_DATABASE_H
#define LONGROPE_SEARCH_DATABASE_H

#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

/* The application_id of this program's databases. */
enum {
    DATABASE_RUN = 0x4c526f70,  /* "LRop" */
    DATABASE_CACHE = 0x4c527363 /* "LRsc" */
};

/* A kind of database: how it is recognised, how long a process waits for its lock, and how errors about it end. */
struct database_kind {
    const char *name;         /* "a run" */
    int application;          /* SQLite's application_id */
    int schema;               /* the newest user_version that is supported; versions start at 1 */
    bool waits;               /* without limit while another process has it locked; false: for 10 s */
    const char *if_foreign;   /* "choose another folder with -o" */
    const char *if_damaged;   /* "restore a copy of it" */
    const char *if_protected; /* "make it writable" */
};

struct database_statement; /* kept for its next use */

/* How a database is used, which depends on its file system. */
enum database_sharing {
    DATABASE_SHARED,  /* by any number of processes */
    DATABASE_ALONE,   /* by one process, which keeps it locked: without shared memory */
    DATABASE_UNLOCKED /* by one process, which has made sure of it: without locks */
};

struct database {
    const struct database_kind *kind;
    enum database_sharing sharing;
    char *path;                        /* of the file; owned by the creator of the struct */
    const char *protected_path;        /* that errors about write permission name: the file or its folder */
    bool creating;                     /* a failure leaves nothing to resume, so errors say to try again */
    const volatile sig_atomic_t *stop; /* non-zero: waits and checks end with STATUS_STOPPED; may be NULL */
    sqlite3 *handle;
    bool lacking;                          /* an error was database_unsupported() */
    struct database_statement *statements; /* a list */
    double wait_began;                     /* seconds of the clock */
    bool wait_told;                        /* stderr has a line about this wait */
};

/* Checks that the folder of the file exists (else STATUS_INPUT) and can be written: SQLite makes files beside the
 * database, and reports a protected folder only as a file that cannot be opened. */
int database_check_folder(const struct database *database, struct error *error);

/* STATUS_INPUT if SQLite does not support the path or its name: both have a length that it limits. */
int database_check_length(const struct database *database, struct error *error);

/* The same, and if something else than a file is there. */
int database_check_path(const struct database *database, struct error *error);

/* STATUS_INPUT if the file is a link to one that does not exist: that one may lie on a disk that is not mounted. */
int database_check_link(const struct database *database, struct error *error);

/* The path as SQLite reads it as one: names that begin with ':' or "file:" mean something else to it. The caller frees
 * it; NULL for lack of memory. */
char *database_name(const char *path);

/* Opens `name` (the path, another path, or with SQLITE_OPEN_URI a URI) with SQLITE_OPEN_ flags. The caller closes it
 * with database_close(), also after a failure, and does not move the struct while it is open. STATUS_INPUT if the path
 * is a folder, pipe or device. Calls that find the file locked wait as the kind and the stop flag say. */
int database_open(struct database *database, const char *name, int flags, struct error *error);
void database_close(struct database *database);

/* Reads the schema version; 0 for a database without SQL tables. STATUS_INPUT if the file is not a database, belongs
 * to another program, or has a newer schema. *code is SQLite's code of the reading. Changes nothing. */
int database_identify(struct database *database, int64_t *version, int *code, struct error *error);

/* Writes application_id and user_version: of its kind and the newest schema. */
int database_stamp(struct database *database, struct error *error);

/* Switches to a write-ahead log, which lets readers and one writer work at once; needs shared memory. A database that
 * is not shared gets a rollback journal. */
int database_use_log(struct database *database, struct error *error);
/* Runs SQLite's quick_check over every page; the stop flag ends it. */
int database_check(struct database *database, struct error *error);
/* Copies all pages of the open database into an empty one; returns SQLite's code. */
int database_copy_pages(const struct database *database, sqlite3 *copy);
/* Replaces the open database by a copy in memory. */
int database_to_memory(struct database *database, struct error *error);

/* ---- statements ---- */

/* Runs statements that give no rows, separated by ';'. */
int database_run(struct database *database, const char *text, struct error *error);
/* The first column of the first row; *out is unchanged where there is no row. Returns SQLite's code. */
int database_query_integer(struct database *database, const char *text, int64_t *out);

/* Prepares a statement, or finds the one that was prepared with an equal text before. database_finish() resets it, so
 * that it holds no lock and can be used again; database_close() frees it. */
int database_prepare(struct database *database, const char *text, sqlite3_stmt **out, struct error *error);
void database_finish(sqlite3_stmt *statement);
void database_free_statements(struct database *database);
/* Runs a statement that gives no rows and finishes it. `bound` is what its bindings returned, or'ed together. */
int database_execute(struct database *database, sqlite3_stmt *statement, int bound, struct error *error);
/* Steps to the next row; *row is false if there is none. */
int database_next(struct database *database, sqlite3_stmt *statement, bool *row, struct error *error);

/* Starts a transaction that writes. database_end() commits if `status`, which it returns, is STATUS_OK; otherwise, or
 * if the commit fails, it undoes the transaction. */
int database_begin(struct database *database, struct error *error);
int database_end(struct database *database, int status, struct error *error);

/* `text` is borrowed until the statement is finished. */
int database_bind_text(sqlite3_stmt *statement, int index, const char *text);

/* ---- rows, whose columns are named ---- */

/* A column of the row that a statement stands on. The statement selects the column, under this name. */
bool database_is_null(sqlite3_stmt *row, const char *column);
const char *database_text(sqlite3_stmt *row, const char *column); /* "" for NULL; borrowed until the next row */
int64_t database_integer(sqlite3_stmt *row, const char *column);  /* 0 for NULL */
double database_double(sqlite3_stmt *row, const char *column);    /* NaN for NULL, as SQLite stores NaN */
/* *size bytes; NULL and 0 for NULL and for a BLOB without bytes. Borrowed until the next row. */
const void *database_blob(sqlite3_stmt *row, const char *column, size_t *size);

/* A column and its value in a row that is inserted; made by the functions below, which borrow texts and bytes. */
struct database_value {
    const char *column;
    enum database_type {
        DATABASE_NULL,
        DATABASE_INTEGER,
        DATABASE_DOUBLE,
        DATABASE_TEXT,
        DATABASE_BLOB,
        DATABASE_EXPRESSION
    } type;
    int64_t integer;
    double real;
    const char *text;  /* also SQL of an expression */
    const void *bytes; /* [size] of a BLOB */
    size_t size;
};

struct database_value database_set_null(const char *column);
struct database_value database_set_integer(const char *column, int64_t value);
struct database_value database_set_double(const char *column, double value);    /* NaN is stored as NULL */
struct database_value database_set_text(const char *column, const char *value); /* NULL is stored as NULL */
struct database_value database_set_blob(const char *column, const void *bytes, size_t size);
/* SQL, in which :COLUMN is the value of another column of the row. */
struct database_value database_set_expression(const char *column, const char *sql);

struct database_row {
    const char *table;
    const struct database_value *values; /* [count] */
    size_t count;
    const char *replaces; /* columns of a key, as "a, b": a row that has equal values there is updated; NULL: such a row
                           * is an error */
};

int database_insert(struct database *database, const struct database_row *row, struct error *error);

/* ---- errors; each returns the status that it sets ---- */

/* The last call failed with SQLite's `code`. */
int database_failed(struct database *database, int code, struct error *error);
/* A call to the system failed with errno `code`. */
int database_errno(const struct database *database, int code, struct error *error);
/* The file system has no `what`. */
int database_unsupported(struct database *database, const char *what, struct error *error);
int database_damaged(const struct database *database, const char *what, struct error *error);
int database_protected(const struct database *database, const char *what, struct error *error);

#endif
