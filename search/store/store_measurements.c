#include "search/store/store_measurements.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/text.h"
#include "search/store/store_values.h"

/* ---- valid values ---- */

const char *store_label_fault(const char *label) {
    if (!*label) return "is empty";
    if (strlen(label) >= STORE_NAME_SIZE) return "is too long";
    if (text_has_control(label)) return "contains a control character";
    json_t *string = json_string(label); /* NULL for what is not UTF-8 */
    json_decref(string);
    return string ? NULL : "is not UTF-8";
}

bool store_is_own_label(const char *label) { return strncmp(label, STORE_OWN_LABELS, strlen(STORE_OWN_LABELS)) == 0; }

int store_check_label(const char *label, struct error *error) {
    const char *fault = store_label_fault(label);
    if (!fault && store_is_own_label(label)) fault = "begins with '" STORE_OWN_LABELS "'";
    if (!fault) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "--label: '%.200s' %s; name what was measured in up to %d bytes of text",
                     label, fault, STORE_NAME_SIZE - 1);
}

/* The name of the first field that is not valid, or NULL. */
static const char *measured_fault(const struct measurement *m) {
    if (store_label_fault(m->label)) return "label";
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
    if (r->windows < 1) return "samples";
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

static const char *choice_fault(const struct choice_record *r) {
    if (store_label_fault(r->task)) return "task";
    if (r->items < 1 || !store_values_count_valid(r->items)) return "items";
    if (!(r->chance > 0.0 && r->chance <= 1.0)) return "chance";
    if (r->correct < 0 || r->correct > r->items) return "correct";
    if (r->correct_norm < 0 || r->correct_norm > r->items) return "correct_norm";
    return r->correct_bytes < 0 || r->correct_bytes > r->items ? "correct_bytes" : NULL;
}

static int cannot_be_recorded(const struct measurement *m, const char *field, struct error *error) {
    return error_set(error, STATUS_FAILED, "'%.100s' at %" PRId64 " tokens cannot be recorded: its %s is not valid",
                     m->label, m->length, field);
}

static int row_damaged(const struct store *store, const char *table, const struct measurement *m, const char *field,
                       struct error *error) {
    char what[300];
    if (store_label_fault(m->label))
        return database_damaged(&store->database, "the label of a row is not valid", error);
    snprintf(what, sizeof what, "%s, '%.100s' at %" PRId64 " tokens: its %s is not valid", table, m->label, m->length,
             field);
    return database_damaged(&store->database, what, error);
}

/* ---- the columns that all these SQL tables begin with ---- */

#define MEASURED_COLUMNS                                                                                               \
    "label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels, angles, seconds"

enum { MEASURED_VALUES = 12, OWN_VALUES = 6 };

/* Inserts a row with the columns of `m` and at most OWN_VALUES columns of `own`. A row with equal own->replaces is
 * updated and keeps its id, so a label stays where it was first recorded. */
static int insert_measured(struct store *store, const struct measurement *m, const struct database_row *own,
                           struct error *error) {
    char *factors = store_values_doubles_text(m->factors, m->pairs);
    if (!factors) return error_memory(error, (double)m->pairs * 8.0, "factors");
    struct database_value values[MEASURED_VALUES + OWN_VALUES] = {
        database_set_text("label", m->label),
        database_set_integer("length", m->length),
        database_set_text("model", m->model),
        database_set_double("scale", m->scale),
        database_set_text("factors", factors),
        database_set_integer("start_tokens", m->start_tokens),
        database_set_double("attention_factor", m->attention_factor),
        database_set_text("dtype", m->dtype),
        database_set_text("kernels", m->kernels),
        database_set_text("angles", m->angles),
        database_set_double("seconds", m->seconds),
        database_set_expression("measured_at", STORE_NOW),
    };
    memcpy(values + MEASURED_VALUES, own->values, own->count * sizeof *values);
    const struct database_row row = {own->table, values, MEASURED_VALUES + own->count, own->replaces};
    int status = database_insert(&store->database, &row, error);
    free(factors);
    return status;
}

/* False unless the column is a JSON array of 1..ROPE_MAX_PAIRS numbers. */
static bool read_factors(sqlite3_stmt *row, struct measurement *out) {
    const char *text = database_text(row, "factors");
    json_t *array = json_loads(text, 0, NULL);
    out->pairs = json_is_array(array) ? (int64_t)json_array_size(array) : 0;
    json_decref(array);
    if (out->pairs < 1 || out->pairs > ROPE_MAX_PAIRS) return false;
    return store_values_doubles(text, out->pairs, out->factors);
}

/* The name of a field that is not valid, or NULL. */
static const char *read_measured(sqlite3_stmt *row, struct measurement *out) {
    const char *label = database_text(row, "label");
    snprintf(out->label, sizeof out->label, "%s", label);
    if (store_label_fault(label)) return "label";
    out->length = database_integer(row, "length");
    snprintf(out->model, sizeof out->model, "%s", database_text(row, "model"));
    out->scale = database_double(row, "scale");
    if (!read_factors(row, out)) return "factors";
    out->start_tokens = database_integer(row, "start_tokens");
    out->attention_factor = database_double(row, "attention_factor");
    if (!store_values_name(row, "dtype", out->dtype, sizeof out->dtype)) return "dtype";
    if (!store_values_name(row, "kernels", out->kernels, sizeof out->kernels)) return "kernels";
    if (!store_values_name(row, "angles", out->angles, sizeof out->angles)) return "angles";
    out->seconds = store_values_seconds(row);
    return measured_fault(out);
}

/* ---- lengths ---- */

int store_put_length(struct store *store, const struct length_record *record, struct error *error) {
    const char *fault = measured_fault(&record->measurement);
    if (!fault) fault = length_fault(record);
    if (fault) return cannot_be_recorded(&record->measurement, fault, error);
    const struct database_value values[] = {
        database_set_integer("samples", record->windows),
        database_set_integer("tokens", record->tokens),
        record->stride ? database_set_integer("stride", record->stride) : database_set_null("stride"),
        database_set_double("nats_per_token", record->nats_per_token),
    };
    const struct database_row row = {"lengths", values, sizeof values / sizeof *values, .replaces = "label, length"};
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    return database_end(&store->database, insert_measured(store, &record->measurement, &row, error), error);
}

static int read_length(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                       struct error *error) {
    (void)stage;
    struct length_record *out = item;
    const char *fault = read_measured(row, &out->measurement);
    out->windows = database_integer(row, "samples");
    out->tokens = database_integer(row, "tokens");
    out->stride = database_integer(row, "stride");
    out->nats_per_token = database_double(row, "nats_per_token");
    if (!fault) fault = length_fault(out);
    return fault ? row_damaged(store, "lengths", &out->measurement, fault, error) : STATUS_OK;
}

int store_lengths(struct store *store, struct length_record **out, size_t *count, struct error *error) {
    const struct store_reader reader = {sizeof **out, read_length, NULL};
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

static int put_passkeys(struct store *store, const struct passkey_record *record, struct error *error) {
    const char *fault = measured_fault(&record->measurement);
    if (!fault) fault = passkey_fault(record);
    if (fault) return cannot_be_recorded(&record->measurement, fault, error);
    const struct database_value values[] = {
        database_set_double("depth", record->depth),
        database_set_integer("digits", record->digits),
        database_set_integer("trials", record->trials),
        database_set_integer("correct", record->correct),
        database_set_integer("seed", record->seed),
        database_set_text("wording", *record->wording ? record->wording : NULL),
    };
    const struct database_row row = {"pass_keys", values, sizeof values / sizeof *values,
                                     .replaces = "label, length, depth"};
    return insert_measured(store, &record->measurement, &row, error);
}

/* Depths that were asked with another model, table or kind of prompt: they are not of the row that is put. */
static int delete_others(struct store *store, const struct passkey_record *put, struct error *error) {
    const struct measurement *m = &put->measurement;
    sqlite3_stmt *s;
    char *factors = store_values_doubles_text(m->factors, m->pairs);
    if (!factors) return error_memory(error, (double)m->pairs * 8.0, "factors");
    int status = database_prepare(&store->database,
                                  "DELETE FROM pass_keys WHERE label = ?1 AND length = ?2 AND (model <> ?3 OR factors "
                                  "<> ?4 OR start_tokens <> ?5 "
                                  "OR attention_factor <> ?6 OR digits <> ?7 OR ifnull(wording, '') <> ?8)",
                                  &s, error);
    if (status == STATUS_OK) {
        int bound = database_bind_text(s, 1, m->label) | sqlite3_bind_int64(s, 2, m->length) |
                    database_bind_text(s, 3, m->model) | database_bind_text(s, 4, factors) |
                    sqlite3_bind_int64(s, 5, m->start_tokens) | sqlite3_bind_double(s, 6, m->attention_factor) |
                    sqlite3_bind_int64(s, 7, put->digits) | database_bind_text(s, 8, put->wording);
        status = database_execute(&store->database, s, bound, error);
    }
    free(factors);
    return status;
}

int store_put_passkeys(struct store *store, const struct passkey_record *records, size_t count, struct error *error) {
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = put_passkeys(store, &records[i], error);
        if (status == STATUS_OK) status = delete_others(store, &records[i], error);
    }
    return database_end(&store->database, status, error);
}

static int read_passkeys(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                         struct error *error) {
    (void)stage;
    struct passkey_record *out = item;
    const char *fault = read_measured(row, &out->measurement);
    out->depth = database_double(row, "depth");
    out->digits = database_integer(row, "digits");
    out->trials = database_integer(row, "trials");
    out->correct = database_integer(row, "correct");
    out->seed = database_integer(row, "seed");
    if (!store_values_name(row, "wording", out->wording, sizeof out->wording)) fault = "wording";
    if (!fault) fault = passkey_fault(out);
    return fault ? row_damaged(store, "pass_keys", &out->measurement, fault, error) : STATUS_OK;
}

int store_passkeys(struct store *store, struct passkey_record **out, size_t *count, struct error *error) {
    const struct store_reader reader = {sizeof **out, read_passkeys, NULL};
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

/* ---- multiple choice ---- */

int store_put_choice(struct store *store, const struct choice_record *record, struct error *error) {
    const char *fault = measured_fault(&record->measurement);
    if (!fault) fault = choice_fault(record);
    if (fault) return cannot_be_recorded(&record->measurement, fault, error);
    const struct database_value values[] = {
        database_set_text("task", record->task),
        database_set_integer("items", record->items),
        database_set_double("chance", record->chance),
        database_set_integer("correct", record->correct),
        database_set_integer("correct_norm", record->correct_norm),
        database_set_integer("correct_bytes", record->correct_bytes),
    };
    const struct database_row row = {"choices", values, sizeof values / sizeof *values,
                                     .replaces = "label, length, task"};
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    return database_end(&store->database, insert_measured(store, &record->measurement, &row, error), error);
}

static int read_choice(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                       struct error *error) {
    (void)stage;
    struct choice_record *out = item;
    const char *fault = read_measured(row, &out->measurement), *task = database_text(row, "task");
    snprintf(out->task, sizeof out->task, "%s", task);
    if (store_label_fault(task)) fault = "task";
    out->items = database_integer(row, "items");
    out->chance = database_double(row, "chance");
    out->correct = database_integer(row, "correct");
    out->correct_norm = database_integer(row, "correct_norm");
    out->correct_bytes = database_integer(row, "correct_bytes");
    if (!fault) fault = choice_fault(out);
    return fault ? row_damaged(store, "choices", &out->measurement, fault, error) : STATUS_OK;
}

int store_choices(struct store *store, struct choice_record **out, size_t *count, struct error *error) {
    const struct store_reader reader = {sizeof **out, read_choice, NULL};
    void *items = NULL;
    int status =
        store_values_read(store,
                          "SELECT " MEASURED_COLUMNS ", task, items, chance, correct, correct_norm, correct_bytes FROM "
                          "choices AS c "
                          "ORDER BY (SELECT min(id) FROM choices AS f WHERE f.label = c.label), length, "
                          "(SELECT min(id) FROM choices AS f WHERE f.task = c.task)",
                          &reader, &items, count, error);
    *out = items;
    return status;
}
