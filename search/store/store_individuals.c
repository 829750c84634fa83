/* The SQL table individuals: genomes that were scored, or stopped by racing. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval/base/trace.h"
#include "search/store/store.h"
#include "search/store/store_values.h"

static char *genes_to_json(const struct genome_space *space, const struct genome *genome) {
    int64_t genes[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < space->pairs; i++) genes[i] = genome->genes[i];
    return store_values_integers_text(genes, space->pairs);
}

static struct database_value set_parent(const char *column, int64_t parent) {
    return parent == EVOLVE_NO_PARENT ? database_set_null(column) : database_set_integer(column, parent);
}

static struct database_value set_work(size_t work) {
    return work ? database_set_integer("work", (int64_t)work) : database_set_null("work");
}

static int insert_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                             const struct scored *scored, struct error *error) {
    const struct genome *genome = &individual->genome;
    char *genes = genes_to_json(&stage->space, genome);
    if (!genes) return error_memory(error, sizeof *genome, "a genome");
    const struct database_value values[] = {
        database_set_integer("stage", stage->id),
        database_set_integer("id", individual->id),
        database_set_integer("generation", individual->generation),
        database_set_text("origin", origin_name(individual->origin)),
        set_parent("parent_a", individual->parents[0]),
        set_parent("parent_b", individual->parents[1]),
        database_set_text("genes", genes),
        database_set_integer("n_hat", stage->space.start_tokens[genome->start]),
        database_set_integer("attention", genome->attention),
        database_set_integer("critical", genome->critical),
        database_set_integer("first_window", (int64_t)scored->first),
        database_set_double("nats_per_token", individual->stopped ? NAN : individual->score),
        set_work(individual->work),
        database_set_integer("stopped", individual->stopped),
        database_set_integer("computed", (int64_t)scored->computed),
        database_set_double("seconds", scored->seconds),
        database_set_expression("scored_at", STORE_NOW),
    };
    const struct database_row row = {"individuals", values, sizeof values / sizeof *values, NULL};
    int status = database_insert(&store->database, &row, error);
    free(genes);
    return status;
}

int store_add_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                         const struct scored *scored, const struct window_nats *nats, struct error *error) {
    const struct store_nats_owner owner = {.stage = stage->id, .individual = individual->id};
    if (!genome_valid(&stage->space, &individual->genome)) {
        return error_set(error, STATUS_FAILED, "stage '%s': individual %" PRId64 " is outside the search space",
                         stage->name, individual->id);
    }
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = insert_individual(store, stage, individual, scored, error);
    if (status == STATUS_OK) status = store_insert_nats(store, &owner, nats, scored, error);
    status = database_end(&store->database, status, error);
    if (status == STATUS_OK) {
        TRACE(TRACE_STORE, "stage %" PRId64 ": stored individual %" PRId64 ", %zu windows", stage->id, individual->id,
              scored->windows);
    }
    return status;
}

/* ---- further windows ---- */

/* STATUS_FAILED unless the windows of `added` follow those that are stored. */
static int check_added(struct store *store, const struct stage_record *stage, int64_t individual,
                       const struct scored *added, struct error *error) {
    sqlite3_stmt *s;
    bool found;
    int status = database_prepare(
        &store->database,
        "SELECT first_window, (SELECT count(*) FROM sample_nats AS n WHERE n.stage = ?1 AND n.individual = ?2) AS "
        "scored, (SELECT count(*) FROM samples WHERE stage = ?1) AS windows FROM individuals "
        "WHERE stage = ?1 AND id = ?2",
        &s, error);
    if (status != STATUS_OK) return status;
    sqlite3_bind_int64(s, 1, stage->id);
    sqlite3_bind_int64(s, 2, individual);
    status = database_next(&store->database, s, &found, error);
    if (status == STATUS_OK && !found) {
        status = error_set(error, STATUS_FAILED, "stage '%s': individual %" PRId64 " is not stored", stage->name,
                           individual);
    } else if (status == STATUS_OK) {
        size_t windows = (size_t)database_integer(s, "windows"), scored = (size_t)database_integer(s, "scored");
        size_t next = windows ? ((size_t)database_integer(s, "first_window") + scored) % windows : 0;
        if (added->first != next || added->windows > windows - scored) {
            status = error_set(error, STATUS_FAILED,
                               "stage '%s', individual %" PRId64 ": %zu windows from %zu on do not follow the %zu of "
                               "%zu that are stored; the next one is %zu",
                               stage->name, individual, added->windows, added->first, scored, windows, next);
        }
    }
    database_finish(s);
    return status;
}

static int update_individual(struct store *store, int64_t stage, const struct individual *individual,
                             const struct scored *added, struct error *error) {
    sqlite3_stmt *s;
    int status =
        database_prepare(&store->database,
                         "UPDATE individuals SET nats_per_token = ?3, work = nullif(?7, 0), stopped = ?4, computed = "
                         "computed + ?5, seconds = coalesce(seconds, 0.0) + ?6 WHERE stage = ?1 AND id = ?2",
                         &s, error);
    if (status != STATUS_OK) return status;
    int bound = sqlite3_bind_int64(s, 1, stage) | sqlite3_bind_int64(s, 2, individual->id) |
                sqlite3_bind_double(s, 3, individual->stopped ? NAN : individual->score) |
                sqlite3_bind_int64(s, 4, individual->stopped) | sqlite3_bind_int64(s, 5, (int64_t)added->computed) |
                sqlite3_bind_double(s, 6, added->seconds) | sqlite3_bind_int64(s, 7, (int64_t)individual->work);
    return database_execute(&store->database, s, bound, error);
}

int store_extend_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                            const struct scored *added, const struct window_nats *nats, struct error *error) {
    const struct store_nats_owner owner = {.stage = stage->id, .individual = individual->id};
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    status = check_added(store, stage, individual->id, added, error);
    if (status == STATUS_OK) status = store_insert_nats(store, &owner, nats, added, error);
    if (status == STATUS_OK) status = update_individual(store, stage->id, individual, added, error);
    status = database_end(&store->database, status, error);
    if (status == STATUS_OK) {
        TRACE(TRACE_STORE, "stage %" PRId64 ": stored %zu more windows of individual %" PRId64, stage->id,
              added->windows, individual->id);
    }
    return status;
}

/* ---- reading ---- */

static bool parse_genes(const struct genome_space *space, const char *text, struct genome *out) {
    int64_t genes[ROPE_MAX_PAIRS];
    int32_t least = space->critical_high > 0 ? 0 : space->unit; /* genome_valid() checks the rest */
    if (store_values_integers(text, space->pairs, space->pairs, least, space->largest, genes) < 0) return false;
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
static bool read_parent(sqlite3_stmt *row, const char *column, int64_t child, int64_t *out) {
    bool none = database_is_null(row, column);
    *out = none ? EVOLVE_NO_PARENT : database_integer(row, column);
    return none || (*out >= 0 && *out < child);
}

static bool read_attention(const struct genome_space *space, sqlite3_stmt *row, int32_t *out) {
    int64_t value = database_integer(row, "attention");
    *out = (int32_t)(value & INT32_MAX);
    return value >= space->attention_low && value <= space->attention_high;
}

static bool read_critical(sqlite3_stmt *row, int32_t *out) {
    int64_t value = database_integer(row, "critical");
    *out = (int32_t)(value & INT32_MAX);
    return value >= 0 && value <= ROPE_MAX_PAIRS;
}

/* Only an individual that is scored on all windows has a score, and it was not stopped. */
static bool read_score(sqlite3_stmt *row, const struct scored *scored, struct individual *out) {
    out->score = database_double(row, "nats_per_token");
    out->stopped = database_integer(row, "stopped") != 0;
    bool complete = (int64_t)scored->windows == database_integer(row, "all_windows");
    out->scored = complete || out->stopped;
    out->failed = database_double(row, "worst") == INFINITY;
    if (out->failed && !out->stopped) return false;
    return complete && !out->stopped ? store_values_nats_valid(out->score) : isnan(out->score);
}

/* No other individual has any. */
static bool read_work(sqlite3_stmt *row, struct individual *out) {
    int64_t work = database_is_null(row, "work") ? 0 : database_integer(row, "work");
    out->work = work > 0 && !isnan(out->score) ? (size_t)work : 0;
    return work >= 0;
}

static bool read_first_window(sqlite3_stmt *row, struct scored *out) {
    int64_t first = database_integer(row, "first_window");
    out->first = (size_t)first;
    return first >= 0 && (first == 0 || first < database_integer(row, "all_windows"));
}

static int read_individual(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                           struct error *error) {
    struct individual_record *record = item;
    struct individual *out = &record->individual;
    const struct genome_space *space = &stage->space;
    const char *wrong = NULL;
    out->id = database_integer(row, "id");
    out->generation = database_integer(row, "generation");
    if (!store_read_scored(row, &record->scored)) wrong = "number of computed windows";
    if (!read_first_window(row, &record->scored)) wrong = "first window";
    if (!read_score(row, &record->scored, out)) wrong = "score";
    if (!read_work(row, out)) wrong = "work";
    if (!store_values_count_valid(out->id) || !store_values_count_valid(out->generation)) wrong = "id or generation";
    if (!origin_parse(database_text(row, "origin"), &out->origin)) wrong = "origin";
    if (!read_parent(row, "parent_a", out->id, &out->parents[0]) ||
        !read_parent(row, "parent_b", out->id, &out->parents[1])) {
        wrong = "parents";
    }
    if (!parse_genes(space, database_text(row, "genes"), &out->genome)) wrong = "genes";
    if (!find_start(space, database_integer(row, "n_hat"), &out->genome.start)) wrong = "n_hat";
    if (!read_attention(space, row, &out->genome.attention)) wrong = "attention factor";
    if (!read_critical(row, &out->genome.critical)) wrong = "critical pair";
    if (!wrong && !genome_valid(space, &out->genome)) wrong = "genes";
    if (!wrong) return STATUS_OK;
    char what[300];
    snprintf(what, sizeof what, "stage '%s', individual %" PRId64 ": its %s is not valid", stage->name, out->id, wrong);
    return database_damaged(&store->database, what, error);
}

int store_individuals(struct store *store, const struct stage_record *stage, struct individual_record **out,
                      size_t *count, struct error *error) {
    const struct store_reader reader = {sizeof **out, read_individual, stage};
    void *items = NULL;
    int status =
        store_values_read(store,
                          "SELECT id, generation, origin, parent_a, parent_b, genes, n_hat, attention, critical, "
                          "first_window, nats_per_token, work, stopped, computed, seconds, (SELECT count(*) FROM "
                          "sample_nats AS n WHERE n.stage = i.stage AND n.individual = i.id) AS windows, (SELECT "
                          "max(nats) FROM sample_nats AS n WHERE n.stage = i.stage AND n.individual = i.id) AS worst, "
                          "(SELECT count(*) FROM samples WHERE stage = ?1) AS all_windows FROM individuals AS i "
                          "WHERE stage = ?1 ORDER BY id",
                          &reader, &items, count, error);
    *out = items;
    return status;
}
