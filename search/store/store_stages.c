/* The SQL tables stages and stage_models. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "search/store/store.h"
#include "search/store/store_configuration.h"
#include "search/store/store_values.h"

static const char *const state_names[] = {
    [STAGE_PENDING] = "pending", [STAGE_RUNNING] = "running", [STAGE_DONE] = "done", [STAGE_STOPPED] = "stopped"};

enum { STORED_STATES = STAGE_STOPPED };

const char *stage_state_name(enum stage_state state) { return state_names[state]; }

static bool parse_state(const char *name, enum stage_state *out) {
    int state = name_find(state_names, STORED_STATES, name);
    if (state != NAME_UNKNOWN) *out = (enum stage_state)state;
    return state != NAME_UNKNOWN;
}

/* Whether genomes of the space can be stored and read again: n_hat is stored by value, so values are distinct. */
static bool space_valid(const struct genome_space *space) {
    if (space->pairs < 1 || space->pairs > ROPE_MAX_PAIRS || space->unit < 1 || space->largest < space->unit)
        return false;
    if (space->start_count < 1 || space->start_count > GENOME_MAX_STARTS) return false;
    for (int32_t i = 0; i < space->start_count; i++) {
        if (space->start_tokens[i] < 0 || (i > 0 && space->start_tokens[i] <= space->start_tokens[i - 1])) return false;
    }
    if (space->critical_high == 0) {
        if (space->critical_low != 0 || space->smallest != 0) return false;
    } else {
        if (space->critical_low < 1 || space->critical_low > space->critical_high) return false;
        if (space->critical_high >= space->pairs || space->smallest < space->unit) return false;
        if ((int64_t)space->largest - space->smallest < space->pairs - 1 - space->critical_low) return false;
    }
    if (space->attention_unit == 0) return space->attention_low == 0 && space->attention_high == 0;
    return space->attention_unit > 0 && space->attention_low >= 1 && space->attention_low <= space->attention_high;
}

/* -1, which is not valid in a space, if the value is out of range. */
static int32_t column_int32(sqlite3_stmt *row, const char *column) {
    int64_t value = database_integer(row, column);
    return value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
}

#define SELECT_STAGES                                                                                                  \
    "SELECT id, name, state, target_length, original_length, scale, rope_theta, attention_factor, iterations, "        \
    "planned, pairs, unit, largest, start_tokens, attention_unit, attention_low, attention_high, kind, model, "        \
    "pretrained_length, base, base_factors, base_attention_factor, low, high, smallest, "                              \
    "(SELECT value FROM settings WHERE settings.stage = id AND key = '" STORE_OBJECTIVE "') AS objective, "            \
    "(SELECT CAST(value AS INTEGER) FROM settings WHERE settings.stage = id AND key = '" STORE_EVALUATIONS "') "       \
    "AS evaluations "                                                                                                  \
    "FROM stages LEFT JOIN stage_models ON stage_models.stage = id "                                                   \
    "LEFT JOIN critical_pairs ON critical_pairs.stage = id "

/* The columns of critical_pairs, which are NULL in a space without one. */
static void read_critical_pair(sqlite3_stmt *row, struct genome_space *space) {
    if (database_is_null(row, "high")) return;
    space->critical_low = column_int32(row, "low");
    space->critical_high = column_int32(row, "high");
    space->smallest = column_int32(row, "smallest");
}

/* The columns of stage_models, which are NULL in a stage that was started with schema 2. */
static bool read_stage_model(sqlite3_stmt *row, struct stage_record *out) {
    out->kind = STAGE_EXTEND;
    out->pretrained_length = out->original_length;
    out->base_attention_factor = 1.0;
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) out->base_factors[i] = 1.0;
    if (database_is_null(row, "kind")) return true;
    if (!stage_kind_parse(database_text(row, "kind"), &out->kind)) return false;
    snprintf(out->model, sizeof out->model, "%s", database_text(row, "model"));
    out->pretrained_length = database_integer(row, "pretrained_length");
    if (!store_values_name(row, "base", out->base, sizeof out->base)) return false;
    out->base_attention_factor = database_double(row, "base_attention_factor");
    if (out->pretrained_length < 1 || !store_values_positive(out->base_attention_factor)) return false;
    out->composed = !database_is_null(row, "base_factors");
    if (!out->composed) return true;
    if (!store_values_doubles(database_text(row, "base_factors"), out->space.pairs, out->base_factors)) return false;
    for (int64_t i = 0; i < out->space.pairs; i++) {
        if (!store_values_positive(out->base_factors[i])) return false;
    }
    return true;
}

/* Every search stores the setting; without it store_check_settings() refuses to resume. */
static bool read_objective(sqlite3_stmt *row, enum objective *out) {
    *out = OBJECTIVE_PERPLEXITY;
    return database_is_null(row, "objective") || objective_parse(database_text(row, "objective"), out);
}

/* Reads a row of SELECT_STAGES. */
static int read_stage(const struct store *store, sqlite3_stmt *row, struct stage_record *out, struct error *error) {
    struct genome_space *space = &out->space;
    *out = (struct stage_record){.id = database_integer(row, "id")};
    bool good = store_values_name(row, "name", out->name, sizeof out->name);
    good = good && parse_state(database_text(row, "state"), &out->state) && read_objective(row, &out->objective);
    out->target_length = database_integer(row, "target_length");
    out->original_length = database_integer(row, "original_length");
    out->scale = database_double(row, "scale");
    out->rope_theta = database_double(row, "rope_theta");
    out->attention_factor = database_double(row, "attention_factor");
    out->iterations = database_integer(row, "iterations");
    out->evaluations = database_integer(row, "evaluations");
    out->planned = database_integer(row, "planned");
    space->pairs = database_integer(row, "pairs");
    space->unit = column_int32(row, "unit");
    space->largest = column_int32(row, "largest");
    space->start_count = (int32_t)store_values_integers(database_text(row, "start_tokens"), 1, GENOME_MAX_STARTS, 0,
                                                        INT64_MAX, space->start_tokens);
    space->attention_unit = column_int32(row, "attention_unit");
    space->attention_low = column_int32(row, "attention_low");
    space->attention_high = column_int32(row, "attention_high");
    read_critical_pair(row, space);
    good = good && out->target_length > 0 && out->original_length > 0 && out->iterations >= 0 && out->planned >= 0;
    good = good && out->evaluations >= 0;
    good = good && isfinite(out->scale) && out->scale >= 1.0 && store_values_positive(out->rope_theta);
    good = good && store_values_positive(out->attention_factor);
    if (good && space_valid(space) && read_stage_model(row, out)) return STATUS_OK;
    char what[200];
    snprintf(what, sizeof what, "the row of stage '%s' is not valid", out->name);
    return database_damaged(&store->database, what, error);
}

/* Reads the stage that `statement`, whose parameter is bound, selects, and finishes the statement. */
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
    int status = database_prepare(&store->database, SELECT_STAGES "WHERE name = ?1", &statement, error);
    if (status != STATUS_OK) return status;
    return read_one_stage(store, statement, database_bind_text(statement, 1, name), out, found, error);
}

static int find_stage_by_id(struct store *store, int64_t id, struct stage_record *out, bool *found,
                            struct error *error) {
    sqlite3_stmt *statement;
    int status = database_prepare(&store->database, SELECT_STAGES "WHERE id = ?1", &statement, error);
    if (status != STATUS_OK) return status;
    return read_one_stage(store, statement, sqlite3_bind_int64(statement, 1, id), out, found, error);
}

int store_stage_by_id(struct store *store, int64_t id, struct stage_record *out, struct error *error) {
    bool found = false;
    int status = find_stage_by_id(store, id, out, &found, error);
    if (status != STATUS_OK || found) return status;
    return error_set(error, STATUS_FAILED, "%.300s: has no stage %" PRId64, store->database.path, id);
}

static int insert_stage(struct store *store, const struct stage_record *stage, struct error *error) {
    const struct genome_space *space = &stage->space;
    char *starts = store_values_integers_text(space->start_tokens, space->start_count);
    if (!starts) return error_memory(error, GENOME_MAX_STARTS * 8.0, "start tokens");
    const struct database_value values[] = {
        database_set_integer("id", stage->id),
        database_set_text("name", stage->name),
        database_set_text("state", state_names[STAGE_PENDING]),
        database_set_integer("target_length", stage->target_length),
        database_set_integer("original_length", stage->original_length),
        database_set_double("scale", stage->scale),
        database_set_double("rope_theta", stage->rope_theta),
        database_set_double("attention_factor", stage->attention_factor),
        database_set_integer("iterations", stage->iterations),
        database_set_integer("planned", stage->planned),
        database_set_integer("pairs", space->pairs),
        database_set_integer("unit", space->unit),
        database_set_integer("largest", space->largest),
        database_set_text("start_tokens", starts),
        database_set_integer("attention_unit", space->attention_unit),
        database_set_integer("attention_low", space->attention_low),
        database_set_integer("attention_high", space->attention_high),
    };
    const struct database_row row = {"stages", values, sizeof values / sizeof *values, NULL};
    int status = database_insert(&store->database, &row, error);
    free(starts);
    return status;
}

static int insert_stage_model(struct store *store, const struct stage_record *stage, struct error *error) {
    char *factors = stage->composed ? store_values_doubles_text(stage->base_factors, stage->space.pairs) : NULL;
    if (stage->composed && !factors) {
        return error_set(error, STATUS_FAILED, "stage '%s': the factors of its base are not finite", stage->name);
    }
    const struct database_value values[] = {
        database_set_integer("stage", stage->id),
        database_set_text("kind", stage_kind_name(stage->kind)),
        database_set_text("model", stage->model),
        database_set_integer("pretrained_length", stage->pretrained_length),
        database_set_text("base", *stage->base ? stage->base : NULL),
        database_set_text("base_factors", factors),
        database_set_double("base_attention_factor", stage->base_attention_factor),
    };
    const struct database_row row = {"stage_models", values, sizeof values / sizeof *values, NULL};
    int status = database_insert(&store->database, &row, error);
    free(factors);
    return status;
}

static int insert_critical_pair(struct store *store, const struct stage_record *stage, struct error *error) {
    const struct genome_space *space = &stage->space;
    const struct database_value values[] = {
        database_set_integer("stage", stage->id),
        database_set_integer("low", space->critical_low),
        database_set_integer("high", space->critical_high),
        database_set_integer("smallest", space->smallest),
    };
    const struct database_row row = {"critical_pairs", values, sizeof values / sizeof *values, NULL};
    return space->critical_high > 0 ? database_insert(&store->database, &row, error) : STATUS_OK;
}

int store_add_stage(struct store *store, const struct stage_record *stage, const struct setting *settings,
                    size_t setting_count, const struct window_record *windows, size_t window_count,
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
                         "stage %" PRId64 " of this run is '%s', not '%s'; add new stages at the end, or start a new "
                         "run with -o",
                         stage->id, other.name, stage->name);
    }
    status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = insert_stage(store, stage, error);
    if (status == STATUS_OK) status = insert_stage_model(store, stage, error);
    if (status == STATUS_OK) status = insert_critical_pair(store, stage, error);
    if (status == STATUS_OK) status = store_insert_settings(store, stage->id, settings, setting_count, error);
    if (status == STATUS_OK) status = store_insert_windows(store, stage->id, windows, window_count, error);
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

int store_set_model(struct store *store, int64_t stage, const char *folder, struct error *error) {
    sqlite3_stmt *s;
    int status = database_prepare(&store->database,
                                  "UPDATE stage_models SET model = ?2 WHERE stage = ?1 AND model <> ?2", &s, error);
    if (status != STATUS_OK) return status;
    return database_execute(&store->database, s, sqlite3_bind_int64(s, 1, stage) | database_bind_text(s, 2, folder),
                            error);
}

static int update_budget(struct store *store, const struct stage_record *stage, struct error *error) {
    sqlite3_stmt *s;
    int status =
        database_prepare(&store->database, "UPDATE stages SET iterations = ?2, planned = ?3 WHERE id = ?1", &s, error);
    if (status != STATUS_OK) return status;
    int bound = sqlite3_bind_int64(s, 1, stage->id) | sqlite3_bind_int64(s, 2, stage->iterations) |
                sqlite3_bind_int64(s, 3, stage->planned);
    return database_execute(&store->database, s, bound, error);
}

int store_set_budget(struct store *store, const struct stage_record *stage, const struct setting *settings,
                     size_t count, const struct configuration_record *configuration, struct error *error) {
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = store_set_state(store, stage->id, STAGE_RUNNING, error);
    if (status == STATUS_OK) status = update_budget(store, stage, error);
    if (status == STATUS_OK) status = store_replace_budget(store, stage->id, settings, count, error);
    if (status == STATUS_OK) status = store_put_configuration(store, configuration, error);
    return database_end(&store->database, status, error);
}

static int read_stage_row(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                          struct error *error) {
    (void)stage;
    return read_stage(store, row, item, error);
}

int store_stages(struct store *store, struct stage_record **out, size_t *count, struct error *error) {
    const struct store_reader reader = {sizeof **out, read_stage_row, NULL};
    void *items = NULL;
    int status = store_values_read(store, SELECT_STAGES "ORDER BY id", &reader, &items, count, error);
    *out = items;
    return status;
}

/* ---- comparing ---- */

/* The mathematical functions of another C library may differ in the last bits. */
static bool nearly(double a, double b) { return fabs(a - b) <= 1e-9 * fabs(b); }

static bool same_base(const struct stage_record *a, const struct stage_record *b) {
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) {
        if (a->base_factors[i] != b->base_factors[i]) return false;
    }
    return a->composed == b->composed;
}

/* The first column that differs, or NULL. */
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
    if (s->critical_low != t->critical_low || s->critical_high != t->critical_high || s->smallest != t->smallest) {
        return "critical_pairs";
    }
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
    int status = store_stage_by_id(store, described->id, &stored, error);
    if (status != STATUS_OK) return status;
    const char *column = column_that_differs(&stored, described);
    if (!column) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s': its %s is not what its settings and model give", stored.name, column);
    return database_damaged(&store->database, what, error);
}
