/* Rows of run.db as C has them: arrays of numbers, which columns hold as JSON, arrays of records, and what values can
 * be. Nothing that is read is trusted: the file may be damaged. */
#ifndef LONGROPE_SEARCH_STORE_VALUES_H
#define LONGROPE_SEARCH_STORE_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "search/store/store.h"
#include "search/store/store_private.h"

/* JSON of values[count]; NULL for lack of memory, and for doubles that are not finite. The caller frees it. */
char *store_values_integers_text(const int64_t *values, int64_t count);
char *store_values_doubles_text(const double *values, int64_t count);

/* The number of integers in JSON, least..most of them, each low..high; -1 for anything else. */
int64_t store_values_integers(const char *text, int64_t least, int64_t most, int64_t low, int64_t high, int64_t *out);
/* False unless the JSON is an array of `count` numbers. */
bool store_values_doubles(const char *text, int64_t count, double *out);

/* Finite and above 0. */
bool store_values_positive(double value);
/* What a mean or a sum of nats can be. */
bool store_values_nats_valid(double nats);
/* 0 for what can be no time: nothing depends on it, so it is no reason to lose a run. */
double store_values_seconds(sqlite3_stmt *row, int column);

struct row_reader {
    size_t size; /* of an item */
    int (*read)(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                struct error *error); /* item[size] is zeroed */
    const struct stage_record *stage;
};

/* All rows of a statement, as rows (items of reader->size) that the caller frees with free(); its parameter, where
 * there is one, is the id of reader->stage. *out is NULL after an error, and where there is no row. */
int store_values_read(struct store *store, const char *text, const struct row_reader *reader, void **out, size_t *count,
                      struct error *error);

#endif
