/* What the files of the store share: struct store, values of columns, rows read into arrays, and rows that several
 * files read or write. Values that are read are always checked: the file may be damaged. */
#ifndef LONGROPE_SEARCH_STORE_VALUES_H
#define LONGROPE_SEARCH_STORE_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "search/store/database.h"
#include "search/store/store.h"

struct store {
    char *dir;                 /* as it was given */
    struct database database;  /* dir/run.db */
    int lock;                  /* file descriptor of run.lock; -1: not held */
    struct store_heart *heart; /* of a lock that the file system does not have; else NULL */
    bool has_snapshot;         /* readers have STORE_SNAPSHOT_FILE */
    int snapshot_changes;      /* of run.db, when it was written last */
    double snapshot_at;        /* seconds of the clock: likewise, or tried */
};

#define STORE_NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')" /* SQL of the columns *_at */

/* ---- values ---- */

/* JSON of values[count]; NULL for lack of memory, and for doubles that are not finite. The caller frees it. */
char *store_values_integers_text(const int64_t *values, int64_t count);
char *store_values_doubles_text(const double *values, int64_t count);

/* The number of integers in JSON, least..most of them, each low..high; -1 for anything else. */
int64_t store_values_integers(const char *text, int64_t least, int64_t most, int64_t low, int64_t high, int64_t *out);
/* False unless the JSON is an array of `count` numbers. */
bool store_values_doubles(const char *text, int64_t count, double *out);

/* A number of things, or of one among them: 0 to 2^53, so that a double has it exactly. */
bool store_values_count_valid(int64_t count);
/* Above 0, and so far from the ends of the doubles that products and quotients of a few such values are finite. */
bool store_values_positive(double value);
/* Finite and not negative, as a mean or a sum of nats is. */
bool store_values_nats_valid(double nats);
/* A time: not negative, and sums of many are finite. */
bool store_values_time_valid(double seconds);
/* The column `seconds`; 0 if it is not a valid time, as no result depends on it. */
double store_values_seconds(sqlite3_stmt *row);

/* Copies a column with text for people, cut to size - 1 bytes at the end of a character. False if it is not UTF-8, or
 * has a control character, which a terminal would obey. */
bool store_values_name(sqlite3_stmt *row, const char *column, char *out, size_t size);

/* ---- rows ---- */

struct store_reader {
    size_t size; /* of an item */
    int (*read)(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                struct error *error); /* item[size] is zeroed */
    const struct stage_record *stage; /* its id is the statement's parameter; NULL: the statement has none */
};

/* Reads all rows of a statement into an array of items, which the caller frees with free(). *out is NULL after an error
 * and where there is no row. */
int store_values_read(struct store *store, const char *text, const struct store_reader *reader, void **out,
                      size_t *count, struct error *error);

/* STATUS_FAILED where there is no such stage (store_stages.c). */
int store_stage_by_id(struct store *store, int64_t id, struct stage_record *out, struct error *error);

/* Rows of a new stage, inside a transaction (store_settings.c, store_windows.c). */
int store_insert_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                          struct error *error);
/* Replaces the settings of the budget by those that are among settings[count]. */
int store_replace_budget(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error);
int store_insert_windows(struct store *store, int64_t stage, const struct window_record *windows, size_t count,
                         struct error *error);

/* Nats per window (store_nats.c): of an individual, or of a baseline. */
struct store_nats_owner {
    int64_t stage;
    const char *method; /* of a baseline; NULL for an individual */
    int64_t individual;
};

/* Inserts nats and blocks of the windows of `scored`, inside a transaction. STATUS_FAILED if `nats` has fewer windows.
 */
int store_insert_nats(struct store *store, const struct store_nats_owner *owner, const struct window_nats *nats,
                      const struct scored *scored, struct error *error);
/* The columns computed, seconds and windows, the number of rows with nats; false if they are not valid. out->first is
 * not set. */
bool store_read_scored(sqlite3_stmt *row, struct scored *out);

#endif
