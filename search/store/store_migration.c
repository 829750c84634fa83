#include "search/store/store_migration.h"

#include <inttypes.h>
#include <stdio.h>

#include "eval/base/trace.h"
#include "search/store/store_schema.h"

enum { MOST_TABLES = 10 };

/* One step, from one schema version to the next. Steps are frozen: a new schema version adds one and changes none. */
struct migration {
    /* SQL tables that are renamed to NAME_old before the copy and dropped after it, children first; ends with NULL */
    const char *replaced[MOST_TABLES];
    enum store_schema_table created[MOST_TABLES]; /* parents first; ends with SCHEMA_END */
    const char *copy;                             /* statements that fill the created tables */
};

/* Schema 1 had no racing, no cache, no searched attention factor, one algorithm and the first revision of the
 * evaluator; it computed every window. The setting search.racing becomes 'bound', today's default: such a race gives
 * up only individuals that cannot become parents, so it finds what a search without racing finds.
 * Schema 1 kept neither the nats of baselines per window nor the model's own attention factor. */
static const char copy_1_to_2[] =
    "INSERT INTO run (id, name, stages) SELECT id, name, stages FROM run_old;"
    "INSERT INTO stages (id, name, state, target_length, original_length, scale, rope_theta, attention_factor,"
    "  iterations, planned, pairs, unit, largest, start_tokens, attention_unit, attention_low, attention_high)"
    "  SELECT id, name, state, target_length, original_length, scale, rope_theta, attention_factor,"
    "  iterations, planned, pairs, unit, largest, start_tokens, 0, 0, 0 FROM stages_old;"
    "INSERT INTO settings (stage, key, value) SELECT stage, key, value FROM settings_old;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'search.algorithm', 'paper' FROM stages_old;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'search.initial', 'pi,ntk,yarn' FROM stages_old;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'search.racing', 'bound' FROM stages_old;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'evaluator', '1' FROM stages_old;"
    "INSERT INTO samples (stage, sample, document, start, tokens)"
    "  SELECT stage, sample, document, start, tokens FROM samples_old;"
    "INSERT INTO baselines (stage, position, method, frequencies, factors, start_tokens, attention_factor,"
    "  own_attention_factor, nats_per_token, computed, seconds)"
    "  SELECT stage, position, method, frequencies, factors, start_tokens, attention_factor, NULL, nats_per_token,"
    "  (SELECT count(*) FROM samples_old AS s WHERE s.stage = b.stage), seconds FROM baselines_old AS b;"
    "INSERT INTO individuals (stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention,"
    "  nats_per_token, stopped, computed, seconds, scored_at)"
    "  SELECT stage, id, generation, origin, parent_a, parent_b, genes, n_hat, 0, nats_per_token, 0,"
    "  (SELECT count(*) FROM sample_nats_old AS n WHERE n.stage = i.stage AND n.individual = i.id), seconds, scored_at"
    "  FROM individuals_old AS i;"
    "INSERT INTO sample_nats (stage, individual, sample, nats)"
    "  SELECT stage, individual, sample, nats FROM sample_nats_old;";

/* Schema 3 adds stage_models. The columns of the other tables stay; the tables are created again for the comments that
 * `.schema` shows. */
static const char copy_2_to_3[] =
    "INSERT INTO run (id, name, stages) SELECT id, name, stages FROM run_old;"
    "INSERT INTO stages (id, name, state, target_length, original_length, scale, rope_theta, attention_factor,"
    "  iterations, planned, pairs, unit, largest, start_tokens, attention_unit, attention_low, attention_high)"
    "  SELECT id, name, state, target_length, original_length, scale, rope_theta, attention_factor,"
    "  iterations, planned, pairs, unit, largest, start_tokens, attention_unit, attention_low, attention_high"
    "  FROM stages_old;"
    "INSERT INTO settings (stage, key, value) SELECT stage, key, value FROM settings_old;"
    "INSERT INTO samples (stage, sample, document, start, tokens)"
    "  SELECT stage, sample, document, start, tokens FROM samples_old;"
    "INSERT INTO baselines (stage, position, method, frequencies, factors, start_tokens, attention_factor,"
    "  own_attention_factor, nats_per_token, computed, seconds)"
    "  SELECT stage, position, method, frequencies, factors, start_tokens, attention_factor,"
    "  own_attention_factor, nats_per_token, computed, seconds FROM baselines_old;"
    "INSERT INTO baseline_nats (stage, method, sample, nats)"
    "  SELECT stage, method, sample, nats FROM baseline_nats_old;"
    "INSERT INTO individuals (stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention,"
    "  nats_per_token, stopped, computed, seconds, scored_at)"
    "  SELECT stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention,"
    "  nats_per_token, stopped, computed, seconds, scored_at FROM individuals_old;"
    "INSERT INTO sample_nats (stage, individual, sample, nats)"
    "  SELECT stage, individual, sample, nats FROM sample_nats_old;";

/* Schema 4 adds measurements beside the search, needles and the configuration. All older searches minimised
 * perplexity. */
static const char copy_3_to_4[] =
    "INSERT INTO settings (stage, key, value) SELECT id, 'objective', 'perplexity' FROM stages;";

/* Schema 5 adds pass_keys.wording. The two tables behind pass_keys are created again too, so that `.schema` lists the
 * tables in the order of a new run. */
static const char copy_4_to_5[] =
    "INSERT INTO pass_keys (id, label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels,"
    "  angles, seconds, depth, digits, trials, correct, seed, wording, measured_at)"
    "  SELECT id, label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels,"
    "  angles, seconds, depth, digits, trials, correct, seed, NULL, measured_at FROM pass_keys_old;"
    "INSERT INTO needles (stage, sample, position, depth, key, answer)"
    "  SELECT stage, sample, position, depth, key, answer FROM needles_old;"
    "INSERT INTO configuration (id, program, path, content, overrides)"
    "  SELECT id, program, path, content, overrides FROM configuration_old;";

/* Schema 6 adds individuals.first_window and .critical, critical_pairs, and the blocks of windows, which older versions
 * did not keep.
 */
static const char copy_5_to_6[] =
    "INSERT INTO baseline_nats (stage, method, sample, nats, blocks)"
    "  SELECT stage, method, sample, nats, NULL FROM baseline_nats_old;"
    "INSERT INTO individuals (stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention, critical,"
    "  first_window, nats_per_token, stopped, computed, seconds, scored_at)"
    "  SELECT stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention, 0,"
    "  0, nats_per_token, stopped, computed, seconds, scored_at FROM individuals_old;"
    "INSERT INTO sample_nats (stage, individual, sample, nats, blocks)"
    "  SELECT stage, individual, sample, nats, NULL FROM sample_nats_old;";

/* Schema 7 adds individuals.work, which older versions did not keep. sample_nats refers to individuals and is created
 * again too. */
static const char copy_6_to_7[] =
    "INSERT INTO individuals (stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention, critical,"
    "  first_window, nats_per_token, work, stopped, computed, seconds, scored_at)"
    "  SELECT stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention, critical,"
    "  first_window, nats_per_token, NULL, stopped, computed, seconds, scored_at FROM individuals_old;"
    "INSERT INTO sample_nats (stage, individual, sample, nats, blocks)"
    "  SELECT stage, individual, sample, nats, blocks FROM sample_nats_old;";

/* The step from schema i to i + 1. */
static const struct migration steps[STORE_SCHEMA] = {
    [1] = {.replaced = {"sample_nats", "individuals", "baselines", "samples", "settings", "stages", "run"},
           .created = {SCHEMA_RUN_2, SCHEMA_STAGES_2, SCHEMA_SETTINGS_2, SCHEMA_SAMPLES_2, SCHEMA_BASELINES_2,
                       SCHEMA_BASELINE_NATS_2, SCHEMA_INDIVIDUALS_2, SCHEMA_SAMPLE_NATS_2},
           .copy = copy_1_to_2},
    [2] = {.replaced = {"sample_nats", "individuals", "baseline_nats", "baselines", "samples", "settings", "stages",
                        "run"},
           .created = {SCHEMA_RUN_2, SCHEMA_STAGES_2, SCHEMA_STAGE_MODELS_3, SCHEMA_SETTINGS_2, SCHEMA_SAMPLES_2,
                       SCHEMA_BASELINES_2, SCHEMA_BASELINE_NATS_2, SCHEMA_INDIVIDUALS_2, SCHEMA_SAMPLE_NATS_2},
           .copy = copy_2_to_3},
    [3] = {.created = {SCHEMA_LENGTHS_4, SCHEMA_PASS_KEYS_4, SCHEMA_NEEDLES_4, SCHEMA_CONFIGURATION_4},
           .copy = copy_3_to_4},
    [4] = {.replaced = {"pass_keys", "needles", "configuration"},
           .created = {SCHEMA_PASS_KEYS_5, SCHEMA_NEEDLES_4, SCHEMA_CONFIGURATION_4},
           .copy = copy_4_to_5},
    [5] = {.replaced = {"sample_nats", "individuals", "baseline_nats"},
           .created = {SCHEMA_BASELINE_NATS_6, SCHEMA_INDIVIDUALS_6, SCHEMA_SAMPLE_NATS_6, SCHEMA_CRITICAL_PAIRS_6},
           .copy = copy_5_to_6},
    [6] = {.replaced = {"sample_nats", "individuals"},
           .created = {SCHEMA_INDIVIDUALS_7, SCHEMA_SAMPLE_NATS_6},
           .copy = copy_6_to_7},
    [7] = {.created = {SCHEMA_RANKS_8}, .copy = ""},
    [8] = {.created = {SCHEMA_CHOICES_9}, .copy = ""},
    /* Older versions kept neither what searched nor what was measured on other text. */
    [9] = {.created = {SCHEMA_MACHINES_10, SCHEMA_HELD_OUT_10, SCHEMA_HELD_OUT_SAMPLES_10, SCHEMA_HELD_OUT_NATS_10},
           .copy = ""},
};

/* Runs `format`, in which each %1$s stands for a table's name, for every replaced table. */
static int for_replaced(struct database *database, const struct migration *step, const char *format,
                        struct error *error) {
    int status = STATUS_OK;
    for (int i = 0; step->replaced[i] && status == STATUS_OK; i++) {
        char text[100];
        snprintf(text, sizeof text, format, step->replaced[i]);
        status = database_run(database, text, error);
    }
    return status;
}

static int run_step(struct database *database, const struct migration *step, struct error *error) {
    int status = for_replaced(database, step, "ALTER TABLE %1$s RENAME TO %1$s_old", error);
    for (int i = 0; step->created[i] != SCHEMA_END && status == STATUS_OK; i++) {
        status = database_run(database, store_schema_tables[step->created[i]], error);
    }
    if (status == STATUS_OK) status = database_run(database, step->copy, error);
    return status == STATUS_OK ? for_replaced(database, step, "DROP TABLE %1$s_old", error) : status;
}

/* Foreign keys are not enforced while rows are copied. */
static int check_references(struct database *database, struct error *error) {
    sqlite3_stmt *statement;
    bool orphan = false;
    int status = database_prepare(database, "PRAGMA foreign_key_check", &statement, error);
    if (status != STATUS_OK) return status;
    status = database_next(database, statement, &orphan, error);
    if (status == STATUS_OK && orphan) {
        char what[200];
        snprintf(what, sizeof what, "a row of table %.40s refers to a missing row of table %.40s",
                 database_text(statement, "table"), database_text(statement, "parent"));
        status = database_damaged(database, what, error);
    }
    database_finish(statement);
    return status;
}

int store_migrate(struct database *database, int64_t version, struct error *error) {
    if (version == STORE_SCHEMA) return STATUS_OK;
    int status = database_run(database, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL", error);
    if (status == STATUS_OK) status = database_begin(database, error);
    if (status != STATUS_OK) return status;
    for (int64_t from = version; from < STORE_SCHEMA && status == STATUS_OK; from++) {
        TRACE(TRACE_STORE, "%s: migrating from schema %" PRId64 " to %" PRId64, database->path, from, from + 1);
        status = run_step(database, &steps[from], error);
    }
    if (status == STATUS_OK) status = check_references(database, error);
    if (status == STATUS_OK) status = database_stamp(database, error);
    return database_end(database, status, error);
}
