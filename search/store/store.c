#include "search/store/store.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/store/store_private.h"
#include "search/store/store_values.h"

/* ---- the name ---- */

int store_name(struct store *store, char *name, size_t size, struct error *error) {
    sqlite3_stmt *statement;
    bool row;
    int status = database_prepare(&store->database, "SELECT name FROM run WHERE id = 0", &statement, error);
    if (status != STATUS_OK) return status;
    status = database_next(&store->database, statement, &row, error);
    if (status == STATUS_OK) snprintf(name, size, "%s", row ? database_text(statement, 0) : "");
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
    sqlite3_stmt *statement;
    status = database_prepare(&store->database, "INSERT INTO run (id, name) VALUES (0, ?1)", &statement, error);
    return status == STATUS_OK
               ? database_execute(&store->database, statement, database_bind_text(statement, 1, name), error)
               : status;
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
    if (status == STATUS_OK) *count = row ? sqlite3_column_int64(statement, 0) : 0;
    database_finish(statement);
    return status;
}

/* ---- stages ---- */

static const char *const state_names[] = {
    [STAGE_PENDING] = "pending", [STAGE_RUNNING] = "running", [STAGE_DONE] = "done"};

const char *stage_state_name(enum stage_state state) { return state_names[state]; }

static bool parse_state(const char *name, enum stage_state *out) {
    for (int state = STAGE_PENDING; state <= STAGE_DONE; state++) {
        if (strcmp(name, state_names[state]) != 0) continue;
        *out = (enum stage_state)state;
        return true;
    }
    return false;
}

/* Of a space whose genomes can be written and read again: n_hat is stored by its value, so each
 * value may be there only once. */
static bool space_valid(const struct genome_space *space) {
    if (space->pairs < 1 || space->pairs > ROPE_MAX_PAIRS || space->unit < 1 || space->largest < space->unit)
        return false;
    if (space->start_count < 1 || space->start_count > GENOME_MAX_STARTS) return false;
    for (int32_t i = 0; i < space->start_count; i++) {
        if (space->start_tokens[i] < 0 || (i > 0 && space->start_tokens[i] <= space->start_tokens[i - 1])) return false;
    }
    if (space->attention_unit == 0) return space->attention_low == 0 && space->attention_high == 0;
    return space->attention_unit > 0 && space->attention_low >= 1 && space->attention_low <= space->attention_high;
}

/* -1, which no space takes, for what does not fit. */
static int32_t column_int32(sqlite3_stmt *row, int column) {
    int64_t value = sqlite3_column_int64(row, column);
    return value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
}

#define STAGE_COLUMNS                                                                                                  \
    "SELECT id, name, state, target_length, original_length, scale, rope_theta, attention_factor, iterations, "        \
    "planned, pairs, unit, largest, start_tokens, attention_unit, attention_low, attention_high, kind, model, "        \
    "pretrained_length, base, base_factors, base_attention_factor, "                                                   \
    "(SELECT value FROM settings WHERE settings.stage = id AND key = '" STORE_OBJECTIVE "') "                          \
    "FROM stages LEFT JOIN stage_models ON stage_models.stage = id "

/* What stage_models says; there is no row in runs begun before it. */
static bool read_stage_model(sqlite3_stmt *row, struct stage_record *out) {
    out->kind = STAGE_EXTEND;
    out->pretrained_length = out->original_length;
    out->base_attention_factor = 1.0;
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) out->base_factors[i] = 1.0;
    if (sqlite3_column_type(row, 17) == SQLITE_NULL) return true;
    if (!stage_kind_parse(database_text(row, 17), &out->kind)) return false;
    snprintf(out->model, sizeof out->model, "%s", database_text(row, 18));
    out->pretrained_length = sqlite3_column_int64(row, 19);
    snprintf(out->base, sizeof out->base, "%s", database_text(row, 20));
    out->base_attention_factor = sqlite3_column_double(row, 22);
    if (out->pretrained_length < 1 || !store_values_positive(out->base_attention_factor)) return false;
    out->composed = sqlite3_column_type(row, 21) != SQLITE_NULL;
    if (!out->composed) return true;
    if (!store_values_doubles(database_text(row, 21), out->space.pairs, out->base_factors)) return false;
    for (int64_t i = 0; i < out->space.pairs; i++) {
        if (!store_values_positive(out->base_factors[i])) return false;
    }
    return true;
}

/* Settings without one are no search's: store_check_settings() lets none go on with them. */
static bool read_objective(sqlite3_stmt *row, int column, enum objective *out) {
    *out = OBJECTIVE_PERPLEXITY;
    return sqlite3_column_type(row, column) == SQLITE_NULL || objective_parse(database_text(row, column), out);
}

/* From the row that a statement of STAGE_COLUMNS stands on. */
static int read_stage(const struct store *store, sqlite3_stmt *row, struct stage_record *out, struct error *error) {
    struct genome_space *space = &out->space;
    *out = (struct stage_record){.id = sqlite3_column_int64(row, 0)};
    snprintf(out->name, sizeof out->name, "%s", database_text(row, 1));
    bool good = parse_state(database_text(row, 2), &out->state) && read_objective(row, 23, &out->objective);
    out->target_length = sqlite3_column_int64(row, 3);
    out->original_length = sqlite3_column_int64(row, 4);
    out->scale = sqlite3_column_double(row, 5);
    out->rope_theta = sqlite3_column_double(row, 6);
    out->attention_factor = sqlite3_column_double(row, 7);
    out->iterations = sqlite3_column_int64(row, 8);
    out->planned = sqlite3_column_int64(row, 9);
    space->pairs = sqlite3_column_int64(row, 10);
    space->unit = column_int32(row, 11);
    space->largest = column_int32(row, 12);
    space->start_count =
        (int32_t)store_values_integers(database_text(row, 13), 1, GENOME_MAX_STARTS, 0, INT64_MAX, space->start_tokens);
    space->attention_unit = column_int32(row, 14);
    space->attention_low = column_int32(row, 15);
    space->attention_high = column_int32(row, 16);
    good = good && out->target_length > 0 && out->original_length > 0 && out->iterations >= 0 && out->planned >= 0;
    good = good && isfinite(out->scale) && out->scale >= 1.0 && store_values_positive(out->rope_theta);
    good = good && store_values_positive(out->attention_factor);
    if (good && space_valid(space) && read_stage_model(row, out)) return STATUS_OK;
    char what[200];
    snprintf(what, sizeof what, "the row of stage '%s' makes no sense", out->name);
    return database_damaged(&store->database, what, error);
}

/* The stage that `statement`, with its parameter bound, is about. */
static int read_one_stage(struct store *store, sqlite3_stmt *statement, int bound, struct stage_record *out,
                          bool *found, struct error *error) {
    int status = bound == SQLITE_OK ? database_next(&store->database, statement, found, error)
                                    : database_failed(&store->database, bound, error);
    if (status == STATUS_OK && *found) status = read_stage(store, statement, out, error);
    database_finish(statement);
    return status;
}

int store_find_stage(struct store *store, const char *name, struct stage_record *out, bool *found,
                     struct error *error) {
    sqlite3_stmt *statement;
    *found = false;
    int status = database_prepare(&store->database, STAGE_COLUMNS "WHERE name = ?1", &statement, error);
    if (status != STATUS_OK) return status;
    return read_one_stage(store, statement, database_bind_text(statement, 1, name), out, found, error);
}

static int find_stage_by_id(struct store *store, int64_t id, struct stage_record *out, bool *found,
                            struct error *error) {
    sqlite3_stmt *statement;
    int status = database_prepare(&store->database, STAGE_COLUMNS "WHERE id = ?1", &statement, error);
    if (status != STATUS_OK) return status;
    return read_one_stage(store, statement, sqlite3_bind_int64(statement, 1, id), out, found, error);
}

static int stage_by_id(struct store *store, int64_t id, struct stage_record *out, struct error *error) {
    bool found = false;
    int status = find_stage_by_id(store, id, out, &found, error);
    if (status != STATUS_OK || found) return status;
    return error_set(error, STATUS_FAILED, "%.300s: has no stage %" PRId64, store->database.path, id);
}

static int insert_stage(struct store *store, const struct stage_record *stage, struct error *error) {
    sqlite3_stmt *s;
    const struct genome_space *space = &stage->space;
    char *starts = store_values_integers_text(space->start_tokens, space->start_count);
    if (!starts) return error_memory(error, GENOME_MAX_STARTS * 8.0, "start tokens");
    int status =
        database_prepare(&store->database,
                         "INSERT INTO stages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                         "?15, ?16, ?17)",
                         &s, error);
    if (status == STATUS_OK) {
        int bound = sqlite3_bind_int64(s, 1, stage->id) | database_bind_text(s, 2, stage->name) |
                    database_bind_text(s, 3, state_names[STAGE_PENDING]) |
                    sqlite3_bind_int64(s, 4, stage->target_length) | sqlite3_bind_int64(s, 5, stage->original_length) |
                    sqlite3_bind_double(s, 6, stage->scale) | sqlite3_bind_double(s, 7, stage->rope_theta) |
                    sqlite3_bind_double(s, 8, stage->attention_factor) | sqlite3_bind_int64(s, 9, stage->iterations) |
                    sqlite3_bind_int64(s, 10, stage->planned) | sqlite3_bind_int64(s, 11, space->pairs) |
                    sqlite3_bind_int64(s, 12, space->unit) | sqlite3_bind_int64(s, 13, space->largest) |
                    database_bind_text(s, 14, starts) | sqlite3_bind_int64(s, 15, space->attention_unit) |
                    sqlite3_bind_int64(s, 16, space->attention_low) | sqlite3_bind_int64(s, 17, space->attention_high);
        status = database_execute(&store->database, s, bound, error);
    }
    free(starts);
    return status;
}

static int insert_stage_model(struct store *store, const struct stage_record *stage, struct error *error) {
    sqlite3_stmt *s;
    char *factors = stage->composed ? store_values_doubles_text(stage->base_factors, stage->space.pairs) : NULL;
    if (stage->composed && !factors) {
        return error_set(error, STATUS_FAILED, "stage '%s': the factors of its base are not finite", stage->name);
    }
    int status =
        database_prepare(&store->database, "INSERT INTO stage_models VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", &s, error);
    if (status == STATUS_OK) {
        int bound = sqlite3_bind_int64(s, 1, stage->id) | database_bind_text(s, 2, stage_kind_name(stage->kind)) |
                    database_bind_text(s, 3, stage->model) | sqlite3_bind_int64(s, 4, stage->pretrained_length) |
                    (*stage->base ? database_bind_text(s, 5, stage->base) : sqlite3_bind_null(s, 5)) |
                    (factors ? database_bind_text(s, 6, factors) : sqlite3_bind_null(s, 6)) |
                    sqlite3_bind_double(s, 7, stage->base_attention_factor);
        status = database_execute(&store->database, s, bound, error);
    }
    free(factors);
    return status;
}

static int insert_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                           struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database, "INSERT INTO settings VALUES (?1, ?2, ?3)", &s, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        int bound = sqlite3_bind_int64(s, 1, stage) | database_bind_text(s, 2, settings[i].key) |
                    database_bind_text(s, 3, settings[i].value);
        status = database_execute(&store->database, s, bound, error);
    }
    return status;
}

static int insert_needle(struct store *store, int64_t stage, int64_t index, const struct window_record *sample,
                         struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database, "INSERT INTO needles VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &s, error);
    if (status != STATUS_OK) return status;
    int bound = sqlite3_bind_int64(s, 1, stage) | sqlite3_bind_int64(s, 2, index) |
                sqlite3_bind_int64(s, 3, sample->needle) | sqlite3_bind_double(s, 4, sample->depth) |
                database_bind_text(s, 5, sample->key) | sqlite3_bind_int64(s, 6, sample->answer);
    return database_execute(&store->database, s, bound, error);
}

static int insert_samples(struct store *store, int64_t stage, const struct window_record *samples, size_t count,
                          struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database, "INSERT INTO samples VALUES (?1, ?2, ?3, ?4, ?5)", &s, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        int bound = sqlite3_bind_int64(s, 1, stage) | sqlite3_bind_int64(s, 2, (int64_t)i) |
                    database_bind_text(s, 3, samples[i].document) | sqlite3_bind_int64(s, 4, samples[i].start) |
                    sqlite3_bind_int64(s, 5, samples[i].tokens);
        status = database_execute(&store->database, s, bound, error);
    }
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (samples[i].answer) status = insert_needle(store, stage, (int64_t)i, &samples[i], error);
    }
    return status;
}

int store_add_stage(struct store *store, const struct stage_record *stage, const struct setting *settings,
                    size_t setting_count, const struct window_record *samples, size_t sample_count,
                    struct error *error) {
    if (!space_valid(&stage->space)) {
        return error_set(error, STATUS_FAILED, "stage '%s': its search space is not valid", stage->name);
    }
    struct stage_record other;
    bool taken = false;
    int status = find_stage_by_id(store, stage->id, &other, &taken, error);
    if (status != STATUS_OK) return status;
    if (taken) {
        return error_set(error, STATUS_INPUT,
                         "stage %" PRId64 " of this run is '%s', not '%s'; add new stages at the end, or begin a new "
                         "run with -o",
                         stage->id, other.name, stage->name);
    }
    status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = insert_stage(store, stage, error);
    if (status == STATUS_OK) status = insert_stage_model(store, stage, error);
    if (status == STATUS_OK) status = insert_settings(store, stage->id, settings, setting_count, error);
    if (status == STATUS_OK) status = insert_samples(store, stage->id, samples, sample_count, error);
    return database_end(&store->database, status, error);
}

int store_set_state(struct store *store, int64_t stage, enum stage_state state, struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database, "UPDATE stages SET state = ?2 WHERE id = ?1", &s, error);
    if (status != STATUS_OK) return status;
    status = database_execute(&store->database, s,
                              sqlite3_bind_int64(s, 1, stage) | database_bind_text(s, 2, state_names[state]), error);
    if (status != STATUS_OK || sqlite3_changes(store->database.handle) == 1) return status;
    return error_set(error, STATUS_FAILED, "%.300s: has no stage %" PRId64, store->database.path, stage);
}

static int read_stage_row(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                          struct error *error) {
    (void)stage;
    return read_stage(store, row, item, error);
}

int store_stages(struct store *store, struct stage_record **out, size_t *count, struct error *error) {
    const struct row_reader reader = {sizeof **out, read_stage_row, NULL};
    void *items = NULL;
    int status = store_values_read(store, STAGE_COLUMNS "ORDER BY id", &reader, &items, count, error);
    *out = items;
    return status;
}

/* ---- settings ---- */

static const struct setting *find_setting(const struct setting *settings, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].key, key) == 0) return &settings[i];
    }
    return NULL;
}

/* `then` or `now` is NULL where the setting is only on the other side. */
static int setting_differs(const char *stage, const char *key, const char *then, const char *now, struct error *error) {
    return error_set(
        error, STATUS_INPUT,
        "stage '%s': '%.100s' was %.200s when the run began and is %.200s now; restore it, or begin a new run "
        "with -o",
        stage, key, then ? then : "not set", now ? now : "not set");
}

/* Checks every stored setting against those given, and marks these as seen. */
static int compare_settings(struct store *store, sqlite3_stmt *statement, const char *stage,
                            const struct setting *settings, size_t count, bool *seen, struct error *error) {
    bool row;
    for (;;) {
        int status = database_next(&store->database, statement, &row, error);
        if (status != STATUS_OK || !row) return status;
        const char *key = database_text(statement, 0), *then = database_text(statement, 1);
        const struct setting *now = find_setting(settings, count, key);
        if (!now || strcmp(now->value, then) != 0) {
            return setting_differs(stage, key, then, now ? now->value : NULL, error);
        }
        seen[now - settings] = true;
    }
}

int store_check_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error) {
    struct stage_record record;
    sqlite3_stmt *statement;
    int status = stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK)
        status = database_prepare(&store->database,
                                  "SELECT key, value FROM settings WHERE stage = ?1 "
                                  "ORDER BY key <> '" STORE_OBJECTIVE "', key", /* it decides which others there are */
                                  &statement, error);
    if (status != STATUS_OK) return status;
    bool *seen = calloc(count + 1, sizeof *seen);
    if (!seen) return error_memory(error, (double)count, "settings");
    int bound = sqlite3_bind_int64(statement, 1, stage);
    status = bound == SQLITE_OK ? compare_settings(store, statement, record.name, settings, count, seen, error)
                                : database_failed(&store->database, bound, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (!seen[i]) status = setting_differs(record.name, settings[i].key, NULL, settings[i].value, error);
    }
    database_finish(statement);
    free(seen);
    return status;
}

/* Mathematics of another C library may end in other bits. */
static bool nearly(double a, double b) { return fabs(a - b) <= 1e-9 * fabs(b); }

static bool same_base(const struct stage_record *a, const struct stage_record *b) {
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) {
        if (a->base_factors[i] != b->base_factors[i]) return false;
    }
    return a->composed == b->composed;
}

/* NULL where they are the same. */
static const char *column_that_differs(const struct stage_record *a, const struct stage_record *b) {
    const struct genome_space *s = &a->space, *t = &b->space;
    if (a->target_length != b->target_length) return "target_length";
    if (a->original_length != b->original_length) return "original_length";
    if (a->scale != b->scale) return "scale";
    if (a->rope_theta != b->rope_theta) return "rope_theta";
    if (!nearly(a->attention_factor, b->attention_factor)) return "attention_factor";
    if (a->kind != b->kind) return "kind";
    if (a->pretrained_length != b->pretrained_length) return "pretrained_length";
    if (!same_base(a, b)) return "base_factors";
    if (!nearly(a->base_attention_factor, b->base_attention_factor)) return "base_attention_factor";
    if (s->pairs != t->pairs) return "pairs";
    if (s->unit != t->unit) return "unit";
    if (s->largest != t->largest) return "largest";
    size_t starts = (size_t)s->start_count * sizeof *s->start_tokens;
    if (s->start_count != t->start_count || memcmp(s->start_tokens, t->start_tokens, starts) != 0) {
        return "start_tokens";
    }
    if (s->attention_unit != t->attention_unit) return "attention_unit";
    if (s->attention_low != t->attention_low) return "attention_low";
    return s->attention_high != t->attention_high ? "attention_high" : NULL;
}

int store_check_stage(struct store *store, const struct stage_record *described, struct error *error) {
    struct stage_record stored;
    int status = stage_by_id(store, described->id, &stored, error);
    if (status != STATUS_OK) return status;
    const char *column = column_that_differs(&stored, described);
    if (!column) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s': its %s is not what its settings and model give", stored.name, column);
    return database_damaged(&store->database, what, error);
}

/* ---- samples and their nats ---- */

/* From column 4 on; all of them are NULL where the window has none. */
static bool read_needle(sqlite3_stmt *row, struct window_record *out) {
    if (sqlite3_column_type(row, 7) == SQLITE_NULL) return true;
    out->needle = sqlite3_column_int64(row, 4);
    out->depth = sqlite3_column_double(row, 5);
    snprintf(out->key, sizeof out->key, "%s", database_text(row, 6));
    out->answer = sqlite3_column_int64(row, 7);
    bool within = out->answer > 0 && out->needle >= 0 && out->needle < out->tokens - out->answer;
    return within && out->depth >= 0.0 && out->depth <= 1.0;
}

static int read_sample(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                       struct error *error) {
    struct window_record *out = item;
    snprintf(out->document, sizeof out->document, "%s", database_text(row, 1));
    out->start = sqlite3_column_int64(row, 2);
    out->tokens = sqlite3_column_int64(row, 3);
    if (out->start >= 0 && out->tokens > 0 && read_needle(row, out)) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s': the row of sample %" PRId64 " makes no sense", stage->name,
             (int64_t)sqlite3_column_int64(row, 0));
    return database_damaged(&store->database, what, error);
}

int store_windows(struct store *store, int64_t stage, struct window_record **out, size_t *count, struct error *error) {
    struct stage_record record;
    const struct row_reader reader = {sizeof **out, read_sample, &record};
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK)
        status = store_values_read(
            store,
            "SELECT sample, document, start, tokens, position, depth, key, answer FROM samples LEFT JOIN needles "
            "USING (stage, sample) WHERE stage = ?1 ORDER BY sample",
            &reader, &items, count, error);
    *out = items;
    return status;
}

/* The rows (sample, nats) of a statement whose parameters are bound: samples 0, 1, 2, ... */
static int read_nats(struct store *store, sqlite3_stmt *statement, double *nats, size_t *count, struct error *error) {
    bool row;
    for (;;) {
        int status = database_next(&store->database, statement, &row, error);
        if (status != STATUS_OK || !row) return status;
        if (sqlite3_column_int64(statement, 0) != (int64_t)*count) {
            return database_damaged(&store->database, "nats of a window are missing", error);
        }
        double value = database_double(statement, 1);
        if (!store_values_nats_valid(value)) {
            return database_damaged(&store->database, "nats of a window are negative or not finite", error);
        }
        nats[(*count)++] = value;
    }
}

static int64_t row_limit(size_t capacity) { return capacity > INT64_MAX ? INT64_MAX : (int64_t)capacity; }

int store_window_nats(struct store *store, int64_t stage, int64_t individual, double *nats, size_t capacity,
                      size_t *count, struct error *error) {
    sqlite3_stmt *s;
    *count = 0;
    int status = database_prepare(
        &store->database,
        "SELECT sample, nats FROM sample_nats WHERE stage = ?1 AND individual = ?2 ORDER BY sample LIMIT ?3", &s,
        error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage);
    sqlite3_bind_int64(s, 2, individual);
    sqlite3_bind_int64(s, 3, row_limit(capacity));
    status = read_nats(store, s, nats, count, error);
    database_finish(s);
    return status;
}

int store_baseline_nats(struct store *store, int64_t stage, enum rope_method method, double *nats, size_t capacity,
                        size_t *count, struct error *error) {
    sqlite3_stmt *s;
    *count = 0;
    int status = database_prepare(&store->database,
                                  "SELECT sample, nats FROM baseline_nats WHERE stage = ?1 AND method = ?2 "
                                  "ORDER BY sample LIMIT ?3",
                                  &s, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage);
    database_bind_text(s, 2, rope_method_name(method));
    sqlite3_bind_int64(s, 3, row_limit(capacity));
    status = read_nats(store, s, nats, count, error);
    database_finish(s);
    return status;
}

/* Whose nats they are. */
struct nats_owner {
    int64_t stage;
    const char *method; /* of a baseline; NULL for an individual */
    int64_t individual;
};

static int insert_nats(struct store *store, const struct nats_owner *owner, const double *nats, size_t count,
                       struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database,
                                  owner->method ? "INSERT INTO baseline_nats VALUES (?1, ?2, ?3, ?4)"
                                                : "INSERT INTO sample_nats VALUES (?1, ?2, ?3, ?4)",
                                  &s, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        int bound =
            sqlite3_bind_int64(s, 1, owner->stage) |
            (owner->method ? database_bind_text(s, 2, owner->method) : sqlite3_bind_int64(s, 2, owner->individual)) |
            sqlite3_bind_int64(s, 3, (int64_t)i) | sqlite3_bind_double(s, 4, nats[i]);
        status = database_execute(&store->database, s, bound, error);
    }
    return status;
}

static bool read_scored(sqlite3_stmt *row, int computed, int seconds, int samples, struct scored *out) {
    int64_t windows = sqlite3_column_int64(row, computed);
    out->computed = windows < 0 ? 0 : (size_t)windows;
    out->seconds = store_values_seconds(row, seconds);
    out->samples = (size_t)sqlite3_column_int64(row, samples); /* a count of rows */
    return windows >= 0;
}

/* ---- baselines ---- */

static int insert_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                           const char *frequencies, const char *factors, struct error *error) {
    sqlite3_stmt *s;
    int status =
        database_prepare(&store->database,
                         "INSERT INTO baselines VALUES (?1, (SELECT count(*) FROM baselines WHERE stage = ?1), "
                         "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                         &s, error);
    if (status != STATUS_OK) return status;
    const struct rope_table *table = &baseline->table;
    int bound = sqlite3_bind_int64(s, 1, stage) | database_bind_text(s, 2, rope_method_name(baseline->method)) |
                database_bind_text(s, 3, frequencies) | database_bind_text(s, 4, factors) |
                sqlite3_bind_int64(s, 5, table->start_tokens) | sqlite3_bind_double(s, 6, table->attention_factor) |
                sqlite3_bind_double(s, 7, table->own_attention_factor) |
                sqlite3_bind_double(s, 8, baseline->nats_per_token) |
                sqlite3_bind_int64(s, 9, (int64_t)baseline->scored.computed) |
                sqlite3_bind_double(s, 10, baseline->scored.seconds);
    return database_execute(&store->database, s, bound, error);
}

int store_add_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                       const double *window_nats, struct error *error) {
    const struct rope_table *table = &baseline->table;
    const struct nats_owner owner = {.stage = stage, .method = rope_method_name(baseline->method)};
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    char *frequencies = store_values_doubles_text(table->frequencies, table->pairs);
    char *factors = store_values_doubles_text(table->factors, table->pairs);
    if (frequencies && factors) {
        status = insert_baseline(store, stage, baseline, frequencies, factors, error);
    } else {
        status = error_set(error, STATUS_FAILED,
                           "the table of baseline '%s' has a value that is not finite, or memory "
                           "has run out",
                           owner.method);
    }
    free(frequencies);
    free(factors);
    if (status == STATUS_OK) status = insert_nats(store, &owner, window_nats, baseline->scored.samples, error);
    return database_end(&store->database, status, error);
}

/* Of a table whose frequencies and factors are there. */
static bool table_valid(const struct rope_table *table) {
    for (int64_t i = 0; i < table->pairs; i++) {
        if (!isfinite(table->frequencies[i]) || table->frequencies[i] < 0.0 ||
            !store_values_positive(table->factors[i])) {
            return false;
        }
    }
    return table->start_tokens >= 0 && store_values_positive(table->attention_factor) &&
           store_values_positive(table->own_attention_factor);
}

static int read_baseline(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                         struct error *error) {
    struct baseline_record *out = item;
    struct rope_table *table = &out->table;
    table->pairs = stage->space.pairs;
    table->start_tokens = sqlite3_column_int64(row, 3);
    table->attention_factor = sqlite3_column_double(row, 4);
    bool known = sqlite3_column_type(row, 5) != SQLITE_NULL;
    table->own_attention_factor = known ? sqlite3_column_double(row, 5) : 1.0;
    out->nats_per_token = database_double(row, 6);
    if (rope_method_parse(database_text(row, 0), &out->method) && store_values_nats_valid(out->nats_per_token) &&
        store_values_doubles(database_text(row, 1), table->pairs, table->frequencies) &&
        store_values_doubles(database_text(row, 2), table->pairs, table->factors) && table_valid(table) &&
        read_scored(row, 7, 8, 9, &out->scored)) {
        return STATUS_OK;
    }
    char what[300];
    snprintf(what, sizeof what, "stage '%s', baseline '%.40s': its row makes no sense", stage->name,
             database_text(row, 0));
    return database_damaged(&store->database, what, error);
}

int store_baselines(struct store *store, int64_t stage, struct baseline_record **out, size_t *count,
                    struct error *error) {
    struct stage_record record;
    const struct row_reader reader = {sizeof **out, read_baseline, &record};
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK)
        status = store_values_read(
            store,
            "SELECT method, frequencies, factors, start_tokens, attention_factor, own_attention_factor, "
            "nats_per_token, computed, seconds, (SELECT count(*) FROM baseline_nats AS n "
            "WHERE n.stage = b.stage AND n.method = b.method) FROM baselines AS b "
            "WHERE stage = ?1 ORDER BY position",
            &reader, &items, count, error);
    *out = items;
    return status;
}

/* ---- individuals ---- */

static char *genes_to_json(const struct genome_space *space, const struct genome *genome) {
    int64_t genes[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < space->pairs; i++) genes[i] = genome->genes[i];
    return store_values_integers_text(genes, space->pairs);
}

static int bind_parent(sqlite3_stmt *statement, int index, int64_t parent) {
    return parent == EVOLVE_NO_PARENT ? sqlite3_bind_null(statement, index)
                                      : sqlite3_bind_int64(statement, index, parent);
}

static int insert_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                             const struct scored *scored, struct error *error) {
    sqlite3_stmt *s;
    const struct genome *genome = &individual->genome;
    char *genes = genes_to_json(&stage->space, genome);
    if (!genes) return error_memory(error, sizeof *genome, "a genome");
    int status =
        database_prepare(&store->database,
                         "INSERT INTO individuals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
                         "strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
                         &s, error);
    if (status == STATUS_OK) {
        int bound = sqlite3_bind_int64(s, 1, stage->id) | sqlite3_bind_int64(s, 2, individual->id) |
                    sqlite3_bind_int64(s, 3, individual->generation) |
                    database_bind_text(s, 4, origin_name(individual->origin)) |
                    bind_parent(s, 5, individual->parents[0]) | bind_parent(s, 6, individual->parents[1]) |
                    database_bind_text(s, 7, genes) |
                    sqlite3_bind_int64(s, 8, stage->space.start_tokens[genome->start]) |
                    sqlite3_bind_int64(s, 9, genome->attention) |
                    sqlite3_bind_double(s, 10, individual->stopped ? NAN : individual->score) |
                    sqlite3_bind_int(s, 11, individual->stopped) |
                    sqlite3_bind_int64(s, 12, (int64_t)scored->computed) | sqlite3_bind_double(s, 13, scored->seconds);
        status = database_execute(&store->database, s, bound, error);
    }
    free(genes);
    return status;
}

int store_add_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                         const struct scored *scored, const double *window_nats, struct error *error) {
    const struct nats_owner owner = {.stage = stage->id, .individual = individual->id};
    if (!genome_valid(&stage->space, &individual->genome)) {
        return error_set(error, STATUS_FAILED, "stage '%s': individual %" PRId64 " is outside the search space",
                         stage->name, individual->id);
    }
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = insert_individual(store, stage, individual, scored, error);
    if (status == STATUS_OK) status = insert_nats(store, &owner, window_nats, scored->samples, error);
    return database_end(&store->database, status, error);
}

static bool parse_genes(const struct genome_space *space, const char *text, struct genome *out) {
    int64_t genes[ROPE_MAX_PAIRS];
    if (store_values_integers(text, space->pairs, space->pairs, space->unit, space->largest, genes) < 0) return false;
    for (int64_t i = 0; i < space->pairs; i++) out->genes[i] = (int32_t)genes[i];
    return true;
}

static bool find_start(const struct genome_space *space, int64_t tokens, int32_t *out) {
    for (int32_t i = 0; i < space->start_count; i++) {
        if (space->start_tokens[i] != tokens) continue;
        *out = i;
        return true;
    }
    return false;
}

/* Parents are older than their children. */
static bool read_parent(sqlite3_stmt *row, int column, int64_t child, int64_t *out) {
    bool none = sqlite3_column_type(row, column) == SQLITE_NULL;
    *out = none ? EVOLVE_NO_PARENT : sqlite3_column_int64(row, column);
    return none || (*out >= 0 && *out < child);
}

static bool read_attention(const struct genome_space *space, sqlite3_stmt *row, int column, int32_t *out) {
    int64_t value = sqlite3_column_int64(row, column);
    *out = (int32_t)(value & INT32_MAX);
    return value >= space->attention_low && value <= space->attention_high;
}

static int read_individual(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                           struct error *error) {
    struct individual_record *record = item;
    struct individual *out = &record->individual;
    const struct genome_space *space = &stage->space;
    const char *wrong = NULL;
    out->id = sqlite3_column_int64(row, 0);
    out->generation = sqlite3_column_int64(row, 1);
    out->score = database_double(row, 8);
    out->stopped = sqlite3_column_int(row, 9) != 0;
    out->scored = true;
    if (!read_scored(row, 10, 11, 12, &record->scored)) wrong = "number of computed windows";
    if (out->stopped ? !isnan(out->score) : !store_values_nats_valid(out->score)) wrong = "score";
    if (out->id < 0 || out->generation < 0) wrong = "id or generation";
    if (!origin_parse(database_text(row, 2), &out->origin)) wrong = "origin";
    if (!read_parent(row, 3, out->id, &out->parents[0]) || !read_parent(row, 4, out->id, &out->parents[1])) {
        wrong = "parents";
    }
    if (!parse_genes(space, database_text(row, 5), &out->genome)) wrong = "genes";
    if (!find_start(space, sqlite3_column_int64(row, 6), &out->genome.start)) wrong = "n_hat";
    if (!read_attention(space, row, 7, &out->genome.attention)) wrong = "attention factor";
    if (!wrong && !genome_valid(space, &out->genome)) wrong = "genes";
    if (!wrong) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s', individual %" PRId64 ": its %s cannot be right", stage->name, out->id,
             wrong);
    return database_damaged(&store->database, what, error);
}

int store_individuals(struct store *store, const struct stage_record *stage, struct individual_record **out,
                      size_t *count, struct error *error) {
    const struct row_reader reader = {sizeof **out, read_individual, stage};
    void *items = NULL;
    int status =
        store_values_read(store,
                          "SELECT id, generation, origin, parent_a, parent_b, genes, n_hat, attention, nats_per_token, "
                          "stopped, computed, seconds, (SELECT count(*) FROM sample_nats AS n "
                          "WHERE n.stage = i.stage AND n.individual = i.id) FROM individuals AS i "
                          "WHERE stage = ?1 ORDER BY id",
                          &reader, &items, count, error);
    *out = items;
    return status;
}
