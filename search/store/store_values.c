#include "search/store/store_values.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"
#include "search/base/text.h"

/* ---- arrays as JSON ---- */

static char *dump_array(json_t *array) {
    char *text = array ? json_dumps(array, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(array);
    return text;
}

char *store_values_integers_text(const int64_t *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, json_integer(values[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return dump_array(array);
}

char *store_values_doubles_text(const double *values, int64_t count) {
    return dump_array(json_number_array(values, count));
}

/* A JSON array of least..most items; NULL for anything else. */
static json_t *load_array(const char *text, int64_t least, int64_t most) {
    json_t *array = json_loads(text, 0, NULL);
    if (json_is_array(array) && json_array_size(array) >= (size_t)least && json_array_size(array) <= (size_t)most) {
        return array;
    }
    json_decref(array);
    return NULL;
}

int64_t store_values_integers(const char *text, int64_t least, int64_t most, int64_t low, int64_t high, int64_t *out) {
    json_t *array = load_array(text, least, most);
    int64_t count = array ? (int64_t)json_array_size(array) : -1;
    for (int64_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        out[i] = json_integer_value(item);
        if (!json_is_integer(item) || out[i] < low || out[i] > high) count = -1;
    }
    json_decref(array);
    return count;
}

bool store_values_doubles(const char *text, int64_t count, double *out) {
    json_t *array = load_array(text, count, count);
    bool good = array != NULL;
    for (int64_t i = 0; good && i < count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        good = json_is_number(item);
        out[i] = json_number_value(item);
    }
    json_decref(array);
    return good;
}

/* ---- valid values ---- */

bool store_values_count_valid(int64_t count) { return count >= 0 && count <= INT64_C(1) << 53; }

bool store_values_positive(double value) { return value >= 1e-100 && value <= 1e100; }

bool store_values_nats_valid(double nats) { return isfinite(nats) && nats >= 0.0; }

bool store_values_time_valid(double seconds) { return seconds >= 0.0 && seconds <= 1e15; }

double store_values_seconds(sqlite3_stmt *row) {
    double seconds = database_double(row, "seconds");
    return store_values_time_valid(seconds) ? seconds : 0.0;
}

bool store_values_name(sqlite3_stmt *row, const char *column, char *out, size_t size) {
    const char *text = database_text(row, column);
    size_t bytes = (size_t)text_utf8_length(text), used = 0;
    for (bool fits = true; *text && bytes; text += bytes, bytes = (size_t)text_utf8_length(text)) {
        fits = fits && used + bytes < size;
        for (size_t i = 0; fits && i < bytes; i++) out[used++] = text[i];
    }
    out[used] = '\0';
    return !*text && !text_has_control(out);
}

/* ---- rows into arrays ---- */

/* Appends a zeroed item to an array that grows by doubling; NULL, with the array unchanged, for lack of memory. */
static void *grow(void **items, size_t count, size_t size) {
    bool full = (count & (count - 1)) == 0; /* 0 and powers of two */
    if (full) {
        void *larger = count > SIZE_MAX / 2 / size ? NULL : realloc(*items, (count ? 2 * count : 1) * size);
        if (!larger) return NULL;
        *items = larger;
    }
    void *item = (char *)*items + count * size;
    memset(item, 0, size);
    return item;
}

int store_values_read(struct store *store, const char *text, const struct store_reader *reader, void **out,
                      size_t *count, struct error *error) {
    sqlite3_stmt *statement;
    bool row = false;
    *out = NULL;
    *count = 0;
    int status = database_prepare(&store->database, text, &statement, error);
    if (status != STATUS_OK) return status;
    if (reader->stage) sqlite3_bind_int64(statement, 1, reader->stage->id); /* cannot fail: the index is valid */
    status = database_next(&store->database, statement, &row, error);
    while (status == STATUS_OK && row) {
        void *item = grow(out, *count, reader->size);
        status = item ? reader->read(store, statement, reader->stage, item, error)
                      : error_memory(error, (double)(*count * reader->size), "rows of the database");
        ++*count;
        if (status == STATUS_OK) status = database_next(&store->database, statement, &row, error);
    }
    database_finish(statement);
    if (status == STATUS_OK) return STATUS_OK;
    free(*out);
    *out = NULL;
    *count = 0;
    return status;
}
