#include "search/store/store_measurements.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/store/store_private.h"
#include "search/store/store_values.h"

/* ---- what values can be ---- */

/* NULL, or what is wrong. */
static const char *label_fault(const char *label) {
    if (!*label) return "is empty";
    if (strlen(label) >= STORE_NAME_SIZE) return "is too long";
    for (const char *c = label; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) return "has a control character in it";
    }
    json_t *string = json_string(label); /* NULL for what is not UTF-8 */
    json_decref(string);
    return string ? NULL : "is not UTF-8";
}

int store_check_label(const char *label, struct error *error) {
    const char *fault = label_fault(label);
    if (!fault) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "--label: '%.200s' %s; name what was measured in up to %d bytes of text",
                     label, fault, STORE_NAME_SIZE - 1);
}

/* The name of a field that cannot be as it is, or NULL. */
static const char *measured_fault(const struct measurement *m) {
    if (label_fault(m->label)) return "label";
    if (m->length < 1) return "length";
    if (!store_values_positive(m->scale)) return "scale";
    if (m->start_tokens < 0) return "start_tokens";
    if (!store_values_positive(m->attention_factor)) return "attention_factor";
    if (m->pairs < 1 || m->pairs > ROPE_MAX_PAIRS) return "factors";
    for (int64_t i = 0; i < m->pairs; i++) {
        if (!store_values_positive(m->factors[i])) return "factors";
    }
    return NULL;
}

static const char *length_fault(const struct length_record *r) {
    if (r->samples < 1) return "samples";
    if (r->tokens < 0) return "tokens";
    if (r->stride < 0) return "stride";
    return isnan(r->nats_per_token) || store_values_nats_valid(r->nats_per_token) ? NULL : "nats_per_token";
}

static const char *passkey_fault(const struct passkey_record *r) {
    if (!(r->depth >= 0.0 && r->depth <= 1.0)) return "depth";
    if (r->digits < 1) return "digits";
    if (r->trials < 1) return "trials";
    if (r->correct < 0 || r->correct > r->trials) return "correct";
    return r->seed < 0 ? "seed" : NULL;
}

static int cannot_be_recorded(const struct measurement *m, const char *field, struct error *error) {
    return error_set(error, STATUS_FAILED, "'%.100s' at %" PRId64 " tokens cannot be recorded: its %s cannot be right",
                     m->label, m->length, field);
}

static int row_damaged(const struct store *store, const char *table, const struct measurement *m, const char *field,
                       struct error *error) {
    char what[300];
    if (label_fault(m->label)) return database_damaged(&store->database, "a row's label cannot be right", error);
    snprintf(what, sizeof what, "%s, '%.100s' at %" PRId64 " tokens: its %s cannot be right", table, m->label,
             m->length, field);
    return database_damaged(&store->database, what, error);
}

/* ---- the columns that both tables begin with ---- */

#define MEASURED_COLUMNS                                                                                               \
    "label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels, angles, seconds"
enum { MEASURED_COUNT = 11 };

static int bind_measured(sqlite3_stmt *s, const struct measurement *m, const char *factors) {
    return database_bind_text(s, 1, m->label) | sqlite3_bind_int64(s, 2, m->length) |
           database_bind_text(s, 3, m->model) | sqlite3_bind_double(s, 4, m->scale) |
           database_bind_text(s, 5, factors) | sqlite3_bind_int64(s, 6, m->start_tokens) |
           sqlite3_bind_double(s, 7, m->attention_factor) | database_bind_text(s, 8, m->dtype) |
           database_bind_text(s, 9, m->kernels) | database_bind_text(s, 10, m->angles) |
           sqlite3_bind_double(s, 11, m->seconds);
}

/* False where the factors are not as many numbers as an array of them can be. */
static bool read_factors(sqlite3_stmt *row, int column, struct measurement *out) {
    json_t *array = json_loads(database_text(row, column), 0, NULL);
    out->pairs = json_is_array(array) ? (int64_t)json_array_size(array) : 0;
    json_decref(array);
    if (out->pairs < 1 || out->pairs > ROPE_MAX_PAIRS) return false;
    return store_values_doubles(database_text(row, column), out->pairs, out->factors);
}

/* The name of a field that cannot be as it is, or NULL. */
static const char *read_measured(sqlite3_stmt *row, struct measurement *out) {
    const char *label = database_text(row, 0);
    snprintf(out->label, sizeof out->label, "%s", label);
    if (label_fault(label)) return "label";
    out->length = sqlite3_column_int64(row, 1);
    snprintf(out->model, sizeof out->model, "%s", database_text(row, 2));
    out->scale = sqlite3_column_double(row, 3);
    if (!read_factors(row, 4, out)) return "factors";
    out->start_tokens = sqlite3_column_int64(row, 5);
    out->attention_factor = sqlite3_column_double(row, 6);
    snprintf(out->dtype, sizeof out->dtype, "%s", database_text(row, 7));
    snprintf(out->kernels, sizeof out->kernels, "%s", database_text(row, 8));
    snprintf(out->angles, sizeof out->angles, "%s", database_text(row, 9));
    out->seconds = store_values_seconds(row, 10);
    return measured_fault(out);
}

/* Those of one label stay where it was first recorded, so rows that are replaced keep their id. */
#define REPLACE_MEASURED                                                                                               \
    "DO UPDATE SET model = excluded.model, scale = excluded.scale, factors = excluded.factors, "                       \
    "start_tokens = excluded.start_tokens, attention_factor = excluded.attention_factor, dtype = excluded.dtype, "     \
    "kernels = excluded.kernels, angles = excluded.angles, seconds = excluded.seconds, "                               \
    "measured_at = excluded.measured_at, "
#define NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"

/* ---- lengths ---- */

static int insert_length(struct store *store, const struct length_record *r, const char *factors, struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database,
                                  "INSERT INTO lengths (" MEASURED_COLUMNS ", samples, tokens, stride, nats_per_token, "
                                  "measured_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                                  "?15, " NOW ") ON CONFLICT (label, length) " REPLACE_MEASURED
                                  "samples = excluded.samples, tokens = excluded.tokens, stride = excluded.stride, "
                                  "nats_per_token = excluded.nats_per_token",
                                  &s, error);
    if (status != STATUS_OK) return status;
    int bound = bind_measured(s, &r->measured, factors) | sqlite3_bind_int64(s, 12, r->samples) |
                sqlite3_bind_int64(s, 13, r->tokens) |
                (r->stride ? sqlite3_bind_int64(s, 14, r->stride) : sqlite3_bind_null(s, 14)) |
                sqlite3_bind_double(s, 15, r->nats_per_token);
    return database_execute(&store->database, s, bound, error);
}

int store_put_length(struct store *store, const struct length_record *record, struct error *error) {
    const char *fault = measured_fault(&record->measured);
    if (!fault) fault = length_fault(record);
    if (fault) return cannot_be_recorded(&record->measured, fault, error);
    char *factors = store_values_doubles_text(record->measured.factors, record->measured.pairs);
    if (!factors) return error_memory(error, (double)record->measured.pairs * 8.0, "factors");
    int status = database_begin(&store->database, error);
    if (status == STATUS_OK) {
        status = insert_length(store, record, factors, error);
        status = database_end(&store->database, status, error);
    }
    free(factors);
    return status;
}

static int read_length(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                       struct error *error) {
    (void)stage;
    struct length_record *out = item;
    const char *fault = read_measured(row, &out->measured);
    out->samples = sqlite3_column_int64(row, MEASURED_COUNT);
    out->tokens = sqlite3_column_int64(row, MEASURED_COUNT + 1);
    out->stride = sqlite3_column_int64(row, MEASURED_COUNT + 2);
    out->nats_per_token = database_double(row, MEASURED_COUNT + 3);
    if (!fault) fault = length_fault(out);
    return fault ? row_damaged(store, "lengths", &out->measured, fault, error) : STATUS_OK;
}

int store_lengths(struct store *store, struct length_record **out, size_t *count, struct error *error) {
    const struct row_reader reader = {sizeof **out, read_length, NULL};
    void *items = NULL;
    int status =
        store_values_read(store,
                          "SELECT " MEASURED_COLUMNS ", samples, tokens, stride, nats_per_token FROM lengths AS l "
                          "ORDER BY (SELECT min(id) FROM lengths AS f WHERE f.label = l.label), length",
                          &reader, &items, count, error);
    *out = items;
    return status;
}

/* ---- pass keys ---- */

static int insert_pass_keys(struct store *store, const struct passkey_record *r, const char *factors,
                            struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database,
                                  "INSERT INTO pass_keys (" MEASURED_COLUMNS ", depth, digits, trials, correct, seed, "
                                  "wording, measured_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                                  "?13, ?14, ?15, ?16, nullif(?17, ''), " NOW
                                  ") ON CONFLICT (label, length, depth) " REPLACE_MEASURED
                                  "digits = excluded.digits, trials = excluded.trials, correct = excluded.correct, "
                                  "seed = excluded.seed, wording = excluded.wording",
                                  &s, error);
    if (status != STATUS_OK) return status;
    int bound = bind_measured(s, &r->measured, factors) | sqlite3_bind_double(s, 12, r->depth) |
                sqlite3_bind_int64(s, 13, r->digits) | sqlite3_bind_int64(s, 14, r->trials) |
                sqlite3_bind_int64(s, 15, r->correct) | sqlite3_bind_int64(s, 16, r->seed) |
                database_bind_text(s, 17, r->wording);
    return database_execute(&store->database, s, bound, error);
}

static int put_pass_keys(struct store *store, const struct passkey_record *record, struct error *error) {
    const char *fault = measured_fault(&record->measured);
    if (!fault) fault = passkey_fault(record);
    if (fault) return cannot_be_recorded(&record->measured, fault, error);
    char *factors = store_values_doubles_text(record->measured.factors, record->measured.pairs);
    if (!factors) return error_memory(error, (double)record->measured.pairs * 8.0, "factors");
    int status = insert_pass_keys(store, record, factors, error);
    free(factors);
    return status;
}

int store_put_passkeys(struct store *store, const struct passkey_record *records, size_t count, struct error *error) {
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) status = put_pass_keys(store, &records[i], error);
    return database_end(&store->database, status, error);
}

static int read_pass_keys(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                          struct error *error) {
    (void)stage;
    struct passkey_record *out = item;
    const char *fault = read_measured(row, &out->measured);
    out->depth = database_double(row, MEASURED_COUNT);
    out->digits = sqlite3_column_int64(row, MEASURED_COUNT + 1);
    out->trials = sqlite3_column_int64(row, MEASURED_COUNT + 2);
    out->correct = sqlite3_column_int64(row, MEASURED_COUNT + 3);
    out->seed = sqlite3_column_int64(row, MEASURED_COUNT + 4);
    snprintf(out->wording, sizeof out->wording, "%s", database_text(row, MEASURED_COUNT + 5));
    if (!fault) fault = passkey_fault(out);
    return fault ? row_damaged(store, "pass_keys", &out->measured, fault, error) : STATUS_OK;
}

int store_passkeys(struct store *store, struct passkey_record **out, size_t *count, struct error *error) {
    const struct row_reader reader = {sizeof **out, read_pass_keys, NULL};
    void *items = NULL;
    int status =
        store_values_read(store,
                          "SELECT " MEASURED_COLUMNS ", depth, digits, trials, correct, seed, wording FROM "
                          "pass_keys AS p "
                          "ORDER BY (SELECT min(id) FROM pass_keys AS f WHERE f.label = p.label), length, depth",
                          &reader, &items, count, error);
    *out = items;
    return status;
}
