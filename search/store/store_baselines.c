/* The SQL table baselines: RoPE tables of closed form, scored before any individual. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval/base/trace.h"
#include "search/store/store.h"
#include "search/store/store_values.h"

static int insert_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                           const char *frequencies, const char *factors, struct error *error) {
    const struct rope_table *table = &baseline->table;
    const struct database_value values[] = {
        database_set_integer("stage", stage),
        database_set_expression("position", "(SELECT count(*) FROM baselines WHERE stage = :stage)"),
        database_set_text("method", rope_method_name(baseline->method)),
        database_set_text("frequencies", frequencies),
        database_set_text("factors", factors),
        database_set_integer("start_tokens", table->start_tokens),
        database_set_double("attention_factor", table->attention_factor),
        database_set_double("own_attention_factor", table->own_attention_factor),
        database_set_double("nats_per_token", baseline->nats_per_token),
        database_set_integer("computed", (int64_t)baseline->scored.computed),
        database_set_double("seconds", baseline->scored.seconds),
    };
    const struct database_row row = {"baselines", values, sizeof values / sizeof *values, NULL};
    return database_insert(&store->database, &row, error);
}

int store_add_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                       const struct window_nats *nats, struct error *error) {
    const struct rope_table *table = &baseline->table;
    const struct store_nats_owner owner = {.stage = stage, .method = rope_method_name(baseline->method)};
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    char *frequencies = store_values_doubles_text(table->frequencies, table->pairs);
    char *factors = store_values_doubles_text(table->factors, table->pairs);
    if (frequencies && factors) {
        status = insert_baseline(store, stage, baseline, frequencies, factors, error);
    } else {
        status = error_set(error, STATUS_FAILED,
                           "the RoPE table of baseline '%s' has a value that is not finite, or "
                           "memory ran out",
                           owner.method);
    }
    free(frequencies);
    free(factors);
    if (status == STATUS_OK) status = store_insert_nats(store, &owner, nats, &baseline->scored, error);
    status = database_end(&store->database, status, error);
    if (status == STATUS_OK) {
        TRACE(TRACE_STORE, "stage %" PRId64 ": stored baseline %s, %zu windows", stage, owner.method,
              baseline->scored.windows);
    }
    return status;
}

static bool rope_table_valid(const struct rope_table *table) {
    for (int64_t i = 0; i < table->pairs; i++) {
        if (!store_values_positive(table->frequencies[i]) || !store_values_positive(table->factors[i])) return false;
    }
    return table->start_tokens >= 0 && store_values_positive(table->attention_factor) &&
           store_values_positive(table->own_attention_factor);
}

static int read_baseline(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                         struct error *error) {
    struct baseline_record *out = item;
    struct rope_table *table = &out->table;
    const char *method = database_text(row, "method");
    table->pairs = stage->space.pairs;
    table->start_tokens = database_integer(row, "start_tokens");
    table->attention_factor = database_double(row, "attention_factor");
    bool known = !database_is_null(row, "own_attention_factor");
    table->own_attention_factor = known ? database_double(row, "own_attention_factor") : 1.0;
    out->nats_per_token = database_double(row, "nats_per_token");
    bool failed = out->nats_per_token == INFINITY;
    if (rope_method_parse(method, &out->method) && (failed || store_values_nats_valid(out->nats_per_token)) &&
        store_values_doubles(database_text(row, "frequencies"), table->pairs, table->frequencies) &&
        store_values_doubles(database_text(row, "factors"), table->pairs, table->factors) && rope_table_valid(table) &&
        store_read_scored(row, &out->scored)) {
        return STATUS_OK;
    }
    char what[300];
    snprintf(what, sizeof what, "stage '%s', baseline '%.40s': its row is not valid", stage->name, method);
    return database_damaged(&store->database, what, error);
}

/* Whoever reads them has room for each method once, and the file may have been made without this constraint. */
static int check_unique(const struct store *store, const struct stage_record *stage,
                        const struct baseline_record *baselines, size_t count, struct error *error) {
    bool seen[ROPE_METHODS] = {false};
    for (size_t i = 0; i < count; i++) {
        enum rope_method method = baselines[i].method;
        char what[300];
        if (seen[method]) {
            snprintf(what, sizeof what, "stage '%s', baseline '%s': it has two rows", stage->name,
                     rope_method_name(method));
            return database_damaged(&store->database, what, error);
        }
        seen[method] = true;
    }
    return STATUS_OK;
}

int store_baselines(struct store *store, int64_t stage, struct baseline_record **out, size_t *count,
                    struct error *error) {
    struct stage_record record;
    const struct store_reader reader = {sizeof **out, read_baseline, &record};
    void *items = NULL;
    *out = NULL;
    *count = 0;
    int status = store_stage_by_id(store, stage, &record, error);
    if (status == STATUS_OK)
        status = store_values_read(
            store,
            "SELECT method, frequencies, factors, start_tokens, attention_factor, own_attention_factor, "
            "nats_per_token, computed, seconds, (SELECT count(*) FROM baseline_nats AS n "
            "WHERE n.stage = b.stage AND n.method = b.method) AS windows FROM baselines AS b "
            "WHERE stage = ?1 ORDER BY position",
            &reader, &items, count, error);
    if (status == STATUS_OK) status = check_unique(store, &record, items, *count, error);
    if (status == STATUS_OK) {
        *out = items;
        return STATUS_OK;
    }
    free(items);
    *count = 0;
    return status;
}
