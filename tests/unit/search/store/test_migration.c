/* Runs that an older longrope wrote, with schema 1: writers bring them to the newest schema, readers read a
 * copy, and whatever goes wrong leaves them as they were. */
#include "search/store/store.h"
#include "search/store/store_configuration.h"
#include "search/store/store_held_out.h"
#include "search/store/store_machines.h"
#include "search/store/store_measurements.h"
#include "search/store/store_ranks.h"
#include "search/store/store_schema.h"

#include "search/base/clock.h"
#include "tests/unit/child.h"
#include "tests/unit/scratch_run.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { PAIRS = 4, WINDOWS = 3, INDIVIDUALS = 400 };

/* Takes away what schema 10 added, children first. */
#define NO_SCHEMA_10 "DROP TABLE held_out_nats; DROP TABLE held_out_samples; DROP TABLE held_out; DROP TABLE machines; "

/* As longrope wrote it; it does not change any more. */
static const char schema_1[] =
    "CREATE TABLE run ("
    "  id INTEGER PRIMARY KEY CHECK (id = 0), name TEXT NOT NULL,"
    "  stages INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE stages ("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done')),"
    "  target_length INTEGER NOT NULL, original_length INTEGER NOT NULL, scale REAL NOT NULL,"
    "  rope_theta REAL NOT NULL, attention_factor REAL NOT NULL, iterations INTEGER NOT NULL,"
    "  planned INTEGER NOT NULL,"
    "  pairs INTEGER NOT NULL,"
    "  unit INTEGER NOT NULL,"
    "  largest INTEGER NOT NULL,"
    "  start_tokens TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE settings ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), key TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (stage, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE samples ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), sample INTEGER NOT NULL, document TEXT NOT NULL,"
    "  start INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    "  PRIMARY KEY (stage, sample)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE baselines ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), position INTEGER NOT NULL, method TEXT NOT NULL,"
    "  frequencies TEXT NOT NULL,"
    "  factors TEXT NOT NULL,"
    "  start_tokens INTEGER NOT NULL, attention_factor REAL NOT NULL,"
    "  nats_per_token REAL,"
    "  seconds REAL,"
    "  PRIMARY KEY (stage, position), UNIQUE (stage, method)) STRICT;"
    "CREATE TABLE individuals ("
    "  stage INTEGER NOT NULL REFERENCES stages (id), id INTEGER NOT NULL, generation INTEGER NOT NULL,"
    "  origin TEXT NOT NULL, parent_a INTEGER, parent_b INTEGER,"
    "  genes TEXT NOT NULL,"
    "  n_hat INTEGER NOT NULL,"
    "  nats_per_token REAL,"
    "  seconds REAL, scored_at TEXT NOT NULL,"
    "  PRIMARY KEY (stage, id)) STRICT;"
    "CREATE TABLE sample_nats ("
    "  stage INTEGER NOT NULL, individual INTEGER NOT NULL, sample INTEGER NOT NULL, nats REAL,"
    "  PRIMARY KEY (stage, individual, sample),"
    "  FOREIGN KEY (stage, individual) REFERENCES individuals (stage, id),"
    "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 1280470896; PRAGMA user_version = 1;";

static const char rows_1[] =
    "INSERT INTO run VALUES (0, 'demo', 3);"
    "INSERT INTO stages VALUES (0, 'extend-2k', 'done', 2048, 512, 4.0, 10000.0, 1.0 / 3, 40, 1344, 4, 100, 500,"
    "  '[0,4,256]'), (1, 'extend-4k', 'running', 4096, 512, 8.0, 10000.0, 1.5, 40, 1344, 4, 100, 1000, '[0]');"
    "INSERT INTO settings VALUES (0, 'search.seed', '1'), (0, 'target_length', '2048'), (1, 'search.seed', '2');"
    "INSERT INTO samples VALUES (0, 0, 'a.txt', 0, 2048), (0, 1, 'b.txt', 7, 2048), (0, 2, 'a.txt', 99, 2048),"
    "  (1, 0, 'a.txt', 0, 4096);"
    "INSERT INTO baselines VALUES (0, 0, 'none', '[1,0.1,0.01,0.001]', '[1,1,1,1]', 0, 1.1, 2.5e-300, 1.5),"
    "  (0, 1, 'yarn', '[1,0.1,0.01,0.001]', '[1,1.5,2.25,4]', 0, 1.2, 0.1, 2.5);"
    "WITH RECURSIVE ids (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM ids WHERE i < 399)"
    "  INSERT INTO individuals SELECT 0, i, i / 32,"
    "  CASE i WHEN 0 THEN 'pi' WHEN 1 THEN 'ntk' WHEN 2 THEN 'yarn' ELSE 'crossover' END,"
    "  CASE WHEN i > 2 THEN i / 2 END, CASE WHEN i > 2 THEN i / 3 END,"
    "  json_array(100, 100 + i % 7, 200 + i % 50, 500), CASE i % 3 WHEN 0 THEN 0 WHEN 1 THEN 4 ELSE 256 END,"
    "  CASE i % 5 WHEN 0 THEN 0.7 WHEN 1 THEN 5e-324 WHEN 2 THEN 1.7976931348623157e308 ELSE i / 3.0 END,"
    "  i / 7.0, '2024-01-31T12:34:56Z' FROM ids;"
    "INSERT INTO individuals VALUES (1, 0, 0, 'pi', NULL, NULL, '[800,800,800,800]', 0, 3.25, 1.0, '2024-02-01');"
    "INSERT INTO sample_nats SELECT stage, id, sample, (id + sample) / 3.0"
    "  FROM individuals JOIN samples USING (stage);";

/* A run of schema 1 to open ----------------------------------------------------------------------- */

/* Runs statements on run.db behind the store's back. */
static void run_sql(struct fixture *f, const char *text) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_old_run(struct fixture *f) {
    run_sql(f, "PRAGMA journal_mode = WAL");
    run_sql(f, schema_1);
    run_sql(f, rows_1);
}

/* A run of schema 1 in the fixture. */
static int set_up_old(void **state) {
    if (set_up(state) != 0) return -1;
    struct fixture *f = *state;
    char *parent = scratch_path(&f->scratch, "results");
    assert_int_equal(mkdir(parent, 0755), 0);
    free(parent);
    assert_int_equal(mkdir(f->run, 0700), 0);
    make_old_run(f);
    return 0;
}

/* The text that a query gives for run.db; the caller frees it. */
static char *query(struct fixture *f, const char *text) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *result = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return result;
}

static int64_t query_integer(struct fixture *f, const char *text) {
    char *result = query(f, text);
    int64_t value = strtoll(result, NULL, 10);
    free(result);
    return value;
}

/* All that schema 1 holds, but for what a migration adds to the settings; quote() gives doubles to the last bit. */
static char *dump_old_columns(struct fixture *f) {
    return query(f, "SELECT group_concat(x, char(10)) FROM ("
                    "SELECT quote(name) || stages AS x FROM run UNION ALL "
                    "SELECT quote(id) || name || state || target_length || original_length || quote(scale) || "
                    "quote(rope_theta) || quote(attention_factor) || iterations || planned || pairs || unit || "
                    "largest || start_tokens FROM stages UNION ALL "
                    "SELECT quote(stage) || key || value FROM settings WHERE key NOT IN ('search.algorithm', "
                    "'search.initial', 'search.racing', 'evaluator', 'objective') UNION ALL "
                    "SELECT quote(stage) || sample || document || start || tokens FROM samples UNION ALL "
                    "SELECT quote(stage) || position || method || frequencies || factors || start_tokens || "
                    "quote(attention_factor) || quote(nats_per_token) || quote(seconds) FROM baselines UNION ALL "
                    "SELECT quote(stage) || id || generation || origin || quote(parent_a) || quote(parent_b) || "
                    "genes || n_hat || quote(nats_per_token) || quote(seconds) || scored_at FROM individuals "
                    "UNION ALL SELECT quote(stage) || individual || sample || quote(nats) FROM sample_nats)");
}

static char *dump_schema(struct fixture *f) {
    return query(f, "SELECT group_concat(x, char(10)) FROM (SELECT type || name || tbl_name || coalesce(sql, '') AS x "
                    "FROM sqlite_schema ORDER BY rowid)");
}

static void assert_still_schema_1(struct fixture *f, const char *dump) {
    assert_int_equal(query_integer(f, "PRAGMA user_version"), 1);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 7);
    char *now = dump_old_columns(f);
    assert_string_equal(now, dump);
    free(now);
}

/* What comes out of it ---------------------------------------------------------------------------- */

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

/* As rows_1 has it. */
static void assert_individual(const struct individual_record *record, int64_t i) {
    static const enum origin origins[] = {ORIGIN_PI, ORIGIN_NTK, ORIGIN_YARN};
    const struct individual *one = &record->individual;
    double scores[] = {0.7, DBL_TRUE_MIN, DBL_MAX, (double)i / 3.0, (double)i / 3.0};
    assert_int_equal(one->id, i);
    assert_int_equal(one->generation, i / 32);
    assert_int_equal(one->origin, i < 3 ? origins[i] : ORIGIN_CROSSOVER);
    assert_int_equal(one->parents[0], i > 2 ? i / 2 : EVOLVE_NO_PARENT);
    assert_int_equal(one->parents[1], i > 2 ? i / 3 : EVOLVE_NO_PARENT);
    assert_int_equal(one->genome.genes[0], 100);
    assert_int_equal(one->genome.genes[1], 100 + i % 7);
    assert_int_equal(one->genome.genes[2], 200 + i % 50);
    assert_int_equal(one->genome.genes[3], 500);
    assert_int_equal(one->genome.start, i % 3);
    assert_int_equal(one->genome.attention, 0);
    assert_int_equal(one->genome.critical, 0);
    assert_true(one->scored);
    assert_false(one->stopped);
    assert_true(same_bits(one->score, scores[i % 5]));
    assert_int_equal(one->work, 0);
    assert_int_equal(record->scored.windows, WINDOWS);
    assert_int_equal(record->scored.first, 0);
    assert_int_equal(record->scored.computed, WINDOWS);
    assert_true(same_bits(record->scored.seconds, (double)i / 7.0));
}

/* Of windows of 2047 predictions; blocks are not known, whatever their number. */
static struct window_nats open_nats(void) {
    static const struct window windows[WINDOWS] = {{.length = 2048}, {.length = 2048}, {.length = 2048}};
    const struct scoring scoring = {.windows = windows, .count = WINDOWS};
    struct window_nats nats;
    struct error error;
    if (window_nats_open(&nats, &scoring, &error) != STATUS_OK) fail_msg("%s", error.message);
    return nats;
}

static void check_individuals(struct fixture *f, struct store *store, const struct stage_record *stage) {
    struct individual_record *individuals;
    size_t count;
    good(f, store_individuals(store, stage, &individuals, &count, &f->error));
    assert_int_equal(count, INDIVIDUALS);
    for (size_t i = 0; i < count; i++) assert_individual(&individuals[i], (int64_t)i);
    free(individuals);
    for (int64_t i = 0; i < INDIVIDUALS; i += 57) {
        struct window_nats nats = open_nats();
        good(f, store_window_nats(store, 0, i, &nats, &f->error));
        for (size_t s = 0; s < WINDOWS; s++) {
            assert_true(same_bits(nats.nats[s], (double)(i + (int64_t)s) / 3.0));
            assert_false(window_nats_has_blocks(&nats, s));
        }
        window_nats_close(&nats);
    }
}

static void check_baselines(struct fixture *f, struct store *store) {
    struct baseline_record *baselines;
    struct window_nats nats = open_nats();
    size_t count;
    good(f, store_baselines(store, 0, &baselines, &count, &f->error));
    assert_int_equal(count, 2);
    assert_int_equal(baselines[1].method, ROPE_YARN);
    assert_true(same_bits(baselines[0].nats_per_token, 2.5e-300));
    assert_true(same_bits(baselines[1].nats_per_token, 0.1));
    assert_true(same_bits(baselines[1].table.frequencies[1], 0.1));
    assert_true(same_bits(baselines[1].table.factors[2], 2.25));
    assert_true(same_bits(baselines[1].table.attention_factor, 1.2));
    assert_true(same_bits(baselines[1].table.own_attention_factor, 1.0)); /* was not kept */
    assert_int_equal(baselines[1].scored.windows, 0);                     /* nor were these */
    assert_int_equal(baselines[1].scored.computed, WINDOWS);
    assert_true(same_bits(baselines[1].scored.seconds, 2.5));
    free(baselines);
    good(f, store_baseline_nats(store, 0, ROPE_YARN, &nats, &f->error));
    for (size_t s = 0; s < WINDOWS; s++) assert_false(window_nats_scored(&nats, s));
    window_nats_close(&nats);
}

/* All that rows_1 puts in, through the store. */
static void check_run(struct fixture *f, struct store *store) {
    static const struct setting then[] = {{"search.seed", "1"},          {"target_length", "2048"},
                                          {"search.algorithm", "paper"}, {"search.initial", "pi,ntk,yarn"},
                                          {"search.racing", "bound"},    {"evaluator", "1"},
                                          {"objective", "perplexity"}};
    char name[STORE_NAME_SIZE];
    struct stage_record *stages;
    struct window_record *windows;
    size_t count;
    int64_t planned;
    good(f, store_name(store, name, sizeof name, &f->error));
    assert_string_equal(name, "demo");
    good(f, store_stage_count(store, &planned, &f->error));
    assert_int_equal(planned, 3);
    good(f, store_stages(store, &stages, &count, &f->error));
    assert_int_equal(count, 2);
    assert_string_equal(stages[0].name, "extend-2k");
    assert_int_equal(stages[0].objective, OBJECTIVE_PERPLEXITY);
    assert_int_equal(stages[0].state, STAGE_DONE);
    assert_int_equal(stages[1].state, STAGE_RUNNING);
    assert_true(same_bits(stages[0].attention_factor, 1.0 / 3));
    assert_int_equal(stages[0].space.pairs, PAIRS);
    assert_int_equal(stages[0].space.start_tokens[2], 256);
    assert_int_equal(stages[0].space.attention_unit, 0);
    assert_int_equal(stages[0].space.attention_high, 0);
    good(f, store_check_settings(store, 0, then, sizeof then / sizeof *then, &f->error));
    good(f, store_windows(store, 0, &windows, &count, &f->error));
    assert_int_equal(count, WINDOWS);
    assert_string_equal(windows[1].document, "b.txt");
    assert_int_equal(windows[2].start, 99);
    free(windows);
    check_baselines(f, store);
    check_individuals(f, store, &stages[0]);
    free(stages);
}

static struct stage_record find_stage(struct fixture *f, struct store *store) {
    struct stage_record stage;
    bool found;
    good(f, store_find_stage(store, "extend-2k", &stage, &found, &f->error));
    assert_true(found);
    return stage;
}

/* Opening it -------------------------------------------------------------------------------------- */

static void test_writer_migrates(void **state) {
    struct fixture *f = *state;
    char *before = dump_old_columns(f);
    struct store *store = open_run(f, STORE_RESUME);
    check_run(f, store);

    struct individual next = {.id = INDIVIDUALS, .parents = {3, EVOLVE_NO_PARENT}, .stopped = true};
    for (int i = 0; i < PAIRS; i++) next.genome.genes[i] = 100 + i;
    const struct scored scored = {1, 0, 0.5, 0};
    double value = 2.5;
    const struct window_nats nats = {.windows = 1, .nats = &value};
    struct stage_record stage = find_stage(f, store);
    good(f, store_add_individual(store, &stage, &next, &scored, &nats, &f->error));
    next.id++;
    next.parents[1] = 9999;
    assert_int_equal(store_add_individual(store, &stage, &next, &scored, &nats, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "FOREIGN KEY");
    store_close(store);

    run_sql(f, "DELETE FROM sample_nats WHERE individual = 400; DELETE FROM individuals WHERE id = 400");
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *after = dump_old_columns(f);
    assert_string_equal(after, before);
    check_run(f, store = open_run(f, STORE_RESUME)); /* there is nothing left to migrate */
    store_close(store);
    free(before);
    free(after);
}

/* What was begun with an old schema has its iterations among its settings, and goes on with more of them. */
static void test_old_run_gets_another_budget(void **state) {
    struct fixture *f = *state;
    run_sql(f, "INSERT INTO settings VALUES (0, 'search.iterations', '40')");
    struct store *store = open_run(f, STORE_RESUME);
    struct stage_record stage = find_stage(f, store);
    assert_true(stage.iterations == 40 && stage.evaluations == 0);
    struct setting_record *stored = NULL;
    struct setting now[40];
    size_t count = 0;
    good(f, store_settings(store, &stage, &stored, &count, &f->error));
    assert_true(count < 40);
    for (size_t i = 0; i < count; i++) {
        bool iterations = strcmp(stored[i].key, STORE_ITERATIONS) == 0;
        now[i] = (struct setting){stored[i].key, iterations ? "90" : stored[i].value};
    }
    now[count] = (struct setting){STORE_EVALUATIONS, "500"};
    const struct configuration_record configuration = {"longrope", "/a.yaml", "name: a\n", "[]"};
    good(f, store_check_settings(store, 0, now, count + 1, &f->error));
    stage.iterations = 90;
    stage.planned = 500;
    good(f, store_set_budget(store, &stage, now, count + 1, &configuration, &f->error));
    stage = find_stage(f, store);
    assert_true(stage.state == STAGE_RUNNING && stage.iterations == 90 && stage.evaluations == 500);
    check_individuals(f, store, &stage);
    store_close(store);
    free(stored);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM settings WHERE stage = 0"), count + 1);
    assert_int_equal(query_integer(f, "SELECT value FROM settings WHERE stage = 0 AND key = 'search.iterations'"), 90);
}

/* Schema 2 was schema 3 without what a stage's tables rescale; its rows are kept, and it gets the schema of a new
 * run. */
static void test_schema_2_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f), *before = dump_old_columns(f);
    run_sql(f, "UPDATE baselines SET own_attention_factor = 1.25 WHERE method = 'yarn';"
               "INSERT INTO baseline_nats (stage, method, sample, nats) VALUES (0, 'yarn', 0, 0.1);"
               "UPDATE individuals SET stopped = 1, nats_per_token = NULL WHERE id = 399;"
               "DROP TABLE stage_models; DROP TABLE lengths; DROP TABLE pass_keys; DROP TABLE needles; DROP TABLE "
               "configuration; DROP TABLE critical_pairs;"
               "DELETE FROM settings WHERE key = 'objective'; DROP TABLE ranks; " NO_SCHEMA_10
               "DROP TABLE choices; PRAGMA user_version = 2");
    struct store *store = open_run(f, STORE_READ); /* as a copy */
    struct stage_record stage = find_stage(f, store);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), 2);
    assert_int_equal(stage.kind, STAGE_EXTEND);
    assert_int_equal(stage.pretrained_length, stage.original_length);
    assert_false(stage.composed);
    assert_true(stage.base_attention_factor == 1.0 && stage.base_factors[0] == 1.0);
    assert_string_equal(stage.model, "");

    store_close(open_run(f, STORE_RESUME));
    char *after = dump_schema(f);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    assert_string_equal(after, newest);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM individuals WHERE stopped AND nats_per_token IS NULL"), 1);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM baselines WHERE own_attention_factor = 1.25"), 1);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM baseline_nats WHERE nats = 0.1"), 1);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM stage_models"), 0);
    run_sql(f, "UPDATE individuals SET stopped = 0, nats_per_token = 399 / 3.0 WHERE id = 399");
    free(after);
    after = dump_old_columns(f);
    assert_int_equal(strlen(after), strlen(before));
    free(before), free(after), free(newest);
}

/* Schema 3 was schema 4 without what is measured beside the search, and without needles and the configuration. */
static void make_schema_3(struct fixture *f) {
    store_close(open_run(f, STORE_RESUME));
    run_sql(f, "INSERT INTO stage_models VALUES (1, 'recover', 'model', 256, 'extend-2k', '[1,2,3,4]', 1.5);"
               "DROP TABLE lengths; DROP TABLE pass_keys; DROP TABLE needles; DROP TABLE configuration;"
               "DROP TABLE critical_pairs;"
               "DELETE FROM settings WHERE key = 'objective'; DROP TABLE ranks; " NO_SCHEMA_10
               "DROP TABLE choices; PRAGMA user_version = 3");
}

static void test_schema_3_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f), *before = dump_old_columns(f);
    make_schema_3(f);
    struct store *store = open_run(f, STORE_READ); /* as a copy */
    check_run(f, store);
    struct length_record *lengths;
    size_t count = 9;
    good(f, store_lengths(store, &lengths, &count, &f->error));
    assert_int_equal(count, 0);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), 3);

    store_close(open_run(f, STORE_RESUME));
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM stage_models WHERE base_factors = '[1,2,3,4]'"), 1);
    free(before), free(after), free(newest), free(schema);
}

static void test_schema_4_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f), *before = dump_old_columns(f);
    run_sql(
        f,
        "ALTER TABLE pass_keys DROP COLUMN wording; DROP TABLE critical_pairs; DROP TABLE ranks; " NO_SCHEMA_10
        "DROP TABLE choices; "
        "PRAGMA user_version = "
        "4;"
        "INSERT INTO pass_keys (label, length, model, scale, factors, start_tokens, attention_factor, dtype,"
        "  kernels, angles, seconds, depth, digits, trials, correct, seed, measured_at)"
        "  VALUES ('yarn', 512, 'model', 2, '[1.0, 2.5]', 3, 1.25, 'f32', 'avx2', 'f64', 0.5, 0.75, 5, 20, 17, 1, '')");
    struct store *store = open_run(f, STORE_RESUME);
    check_run(f, store);
    struct passkey_record *keys;
    size_t count;
    good(f, store_passkeys(store, &keys, &count, &f->error));
    assert_int_equal(count, 1);
    assert_string_equal(keys->measurement.label, "yarn");
    assert_int_equal(keys->measurement.start_tokens, 3);
    assert_true(keys->measurement.factors[1] == 2.5 && keys->depth == 0.75);
    assert_int_equal(keys->correct, 17);
    assert_string_equal(keys->wording, "");
    free(keys);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    free(before), free(after), free(newest), free(schema);
}

/* Schema 5 was schema 6 without critical pairs, first windows and blocks. */
static void make_schema_5(struct fixture *f) {
    store_close(open_run(f, STORE_RESUME));
    run_sql(f, "DROP TABLE critical_pairs; ALTER TABLE individuals DROP COLUMN critical; ALTER TABLE individuals DROP "
               "COLUMN first_window; ALTER TABLE individuals DROP COLUMN work;"
               "ALTER TABLE sample_nats DROP COLUMN blocks; ALTER TABLE baseline_nats DROP COLUMN blocks;"
               "INSERT INTO baseline_nats VALUES (0, 'yarn', 0, 0.1), (0, 'yarn', 1, 0.2), (0, 'yarn', 2, 0.3);"
               "INSERT INTO lengths (label, length, model, scale, factors, start_tokens, attention_factor, dtype,"
               "  kernels, angles, samples, tokens, nats_per_token, measured_at)"
               "  VALUES ('yarn', 512, 'model', 2, '[1.0, 2.5]', 3, 1.25, 'f32', 'avx2', 'f64', 5, 2555, 1.5, '');"
               "UPDATE individuals SET stopped = 1, nats_per_token = NULL WHERE id = 399;"
               "DELETE FROM sample_nats WHERE individual = 399 AND sample = 2; DROP TABLE ranks; " NO_SCHEMA_10
               "DROP TABLE choices; "
               "PRAGMA user_version = 5");
}

static void test_schema_5_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f);
    make_schema_5(f);
    char *before = dump_old_columns(f);
    struct store *store = open_run(f, STORE_READ); /* as a copy */
    struct stage_record stage = find_stage(f, store);
    struct individual_record *individuals;
    struct window_nats nats = open_nats();
    size_t count;
    good(f, store_individuals(store, &stage, &individuals, &count, &f->error));
    assert_int_equal(count, INDIVIDUALS);
    for (int64_t i = 0; i < 399; i++) assert_individual(&individuals[i], i);
    assert_true(individuals[399].individual.stopped && isnan(individuals[399].individual.score));
    assert_int_equal(individuals[399].scored.windows, 2);
    free(individuals);
    good(f, store_baseline_nats(store, 0, ROPE_YARN, &nats, &f->error));
    assert_true(nats.nats[0] == 0.1 && nats.nats[1] == 0.2 && nats.nats[2] == 0.3);
    assert_false(window_nats_has_blocks(&nats, 0));
    window_nats_close(&nats);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), 5);

    store_close(open_run(f, STORE_RESUME));
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    assert_int_equal(query_integer(f, "SELECT sum(first_window) + sum(critical) FROM individuals"), 0);
    assert_int_equal(query_integer(f, "SELECT count(blocks) FROM sample_nats"), 0);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM lengths WHERE samples = 5"), 1);
    free(before), free(after), free(newest), free(schema);
}

/* Schema 7 was schema 8 without what ranks did. */
static void test_schema_7_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f), *before = dump_old_columns(f);
    run_sql(f, "DROP TABLE ranks; " NO_SCHEMA_10 "DROP TABLE choices; PRAGMA user_version = 7");
    struct store *store = open_run(f, STORE_RESUME);
    struct stage_record stage = find_stage(f, store);
    struct rank_record *ranks;
    size_t count;
    good(f, store_ranks(store, &stage, &ranks, &count, &f->error));
    assert_int_equal(count, 0);
    check_individuals(f, store, &stage);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    free(before), free(after), free(newest), free(schema);
}

/* Schema 8 was schema 9 without multiple choice. */
static void test_schema_8_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f), *before = dump_old_columns(f);
    run_sql(f, NO_SCHEMA_10 "DROP TABLE choices; PRAGMA user_version = 8");
    struct store *store = open_run(f, STORE_RESUME);
    struct choice_record *choices;
    size_t count;
    good(f, store_choices(store, &choices, &count, &f->error));
    assert_int_equal(count, 0);
    struct stage_record stage = find_stage(f, store);
    check_individuals(f, store, &stage);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    free(before), free(after), free(newest), free(schema);
}

/* Schema 9 was schema 10 without machines and text that is held out. */
static void test_schema_9_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f), *before = dump_old_columns(f);
    run_sql(f, NO_SCHEMA_10 "PRAGMA user_version = 9");
    struct store *store = open_run(f, STORE_RESUME);
    struct stage_record stage = find_stage(f, store);
    struct held_out held_out;
    struct machine_record *machines;
    size_t count;
    good(f, store_held_out(store, &stage, &held_out, &f->error));
    good(f, store_machines(store, &stage, &machines, &count, &f->error));
    assert_true(!held_out.known && count == 0);
    check_individuals(f, store, &stage);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    free(before), free(after), free(newest), free(schema);
}

/* Schema 6 was schema 7 without the work at which a score was known. */
static void test_schema_6_migrates(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *newest = dump_schema(f);
    run_sql(f, "ALTER TABLE individuals DROP COLUMN work; UPDATE individuals SET first_window = 2 WHERE id = 399;"
               "UPDATE sample_nats SET blocks = x'0000803f' WHERE sample = 1; DROP TABLE ranks; " NO_SCHEMA_10
               "DROP TABLE choices; "
               "PRAGMA user_version = 6");
    char *before = dump_old_columns(f);
    struct store *store = open_run(f, STORE_RESUME);
    struct stage_record stage = find_stage(f, store);
    struct individual_record *individuals;
    size_t count;
    good(f, store_individuals(store, &stage, &individuals, &count, &f->error));
    assert_int_equal(count, INDIVIDUALS);
    for (int64_t i = 0; i < 399; i++) assert_individual(&individuals[i], i);
    assert_int_equal(individuals[399].scored.first, 2);
    free(individuals);
    store_close(store);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    char *schema = dump_schema(f), *after = dump_old_columns(f);
    assert_string_equal(schema, newest);
    assert_string_equal(after, before);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM individuals WHERE work IS NOT NULL"), 0);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM sample_nats WHERE blocks = x'0000803f'"), INDIVIDUALS);
    free(before), free(after), free(newest), free(schema);
}

static struct length_record measured_length(void) {
    struct length_record record = {.windows = 5, .tokens = 1275, .nats_per_token = 1.0 / 3};
    record.measurement = (struct measurement){.label = "yarn",
                                              .length = 256,
                                              .scale = 1.0,
                                              .attention_factor = 1.0,
                                              .pairs = 2,
                                              .factors = {1.0, 2.5},
                                              .dtype = "f32",
                                              .kernels = "avx2",
                                              .angles = "f64",
                                              .seconds = 0.5};
    return record;
}

/* Who measures brings a run of an older schema to the newest, where nobody holds it. */
static void test_recorder_migrates(void **state) {
    struct fixture *f = *state;
    char *before = dump_old_columns(f);
    struct store *store = open_run(f, STORE_RECORD);
    const struct length_record record = measured_length();
    good(f, store_put_length(store, &record, &f->error));
    store_close(open_run(f, STORE_RESUME)); /* the lock is free again */
    store_close(store);
    char *after = dump_old_columns(f);
    assert_string_equal(after, before);
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM lengths"), 1);
    free(before), free(after);
}

/* An older longrope at work, as far as run.lock says so. */
static int hold_lock(void *state, int pipe) {
    struct fixture *f = state;
    char path[600];
    snprintf(path, sizeof path, "%s/run.lock", f->run);
    int lock = open(path, O_RDWR | O_CREAT, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0 || write(lock, "oldhost 4711\n", 13) != 13) return 1;
    child_say(pipe, "held");
    for (;;) pause();
}

static void test_recorder_beside_an_older_search(void **state) {
    struct fixture *f = *state;
    char letter;
    int pipe;
    char *before = dump_old_columns(f);
    pid_t child = child_start(hold_lock, f, &pipe);
    assert_int_equal(read(pipe, &letter, 1), 1);
    open_bad(f, STORE_RECORD, STATUS_INPUT,
             "results/x: an older longrope (process 4711 on host oldhost) is using this run with schema 1|"
             "wait until it ends, or stop it, and try again");
    assert_still_schema_1(f, before);
    kill(child, SIGKILL);
    child_wait(child);
    close(pipe);
    store_close(open_run(f, STORE_RECORD));
    free(before);
}

/* A migrated database is made as a new one is. */
static void test_schema_is_that_of_a_new_run(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    char *migrated = dump_schema(f);
    assert_int_equal(unlink(f->path), 0);
    store_close(open_run(f, STORE_CREATE));
    char *fresh = dump_schema(f);
    assert_string_equal(migrated, fresh);
    free(migrated);
    free(fresh);
}

/* `.schema` says of every table first what its rows are. */
static void test_schema_documents_itself(void **state) {
    struct fixture *f = *state;
    store_close(open_run(f, STORE_RESUME));
    assert_int_equal(query_integer(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
                                      "sql NOT LIKE 'CREATE TABLE ' || name || ' (' || char(10) || '  -- %'"),
                     0);
}

struct bytes {
    char *data;
    size_t size;
};

static struct bytes read_file(const char *path) {
    struct bytes bytes = {malloc(1 << 22), 0};
    FILE *file = fopen(path, "rb");
    if (!file || !bytes.data) fail_msg("%s cannot be read", path);
    bytes.size = fread(bytes.data, 1, 1 << 22, file);
    fclose(file);
    return bytes;
}

static void test_reader_leaves_the_file(void **state) {
    struct fixture *f = *state;
    struct bytes before = read_file(f->path);
    struct store *store = open_run(f, STORE_READ);
    check_run(f, store);
    struct individual next = {.id = INDIVIDUALS, .parents = {EVOLVE_NO_PARENT, EVOLVE_NO_PARENT}};
    for (int i = 0; i < PAIRS; i++) next.genome.genes[i] = 100;
    const struct scored scored = {0, 0, 0.5, 0};
    struct stage_record stage = find_stage(f, store);
    assert_int_equal(
        store_add_individual(store, &stage, &next, &scored, &(struct window_nats){.windows = 0}, &f->error),
        STATUS_FAILED);
    assert_message(f->error.message, "results/x: cannot be written");
    store_close(store);
    struct bytes after = read_file(f->path);
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, before.size);
    free(before.data);
    free(after.data);
}

/* An older longrope goes on writing meanwhile, and is killed: what is in its log counts. */
static int write_and_die(void *state, int pipe) {
    struct fixture *f = state;
    sqlite3 *db;
    if (sqlite3_open(f->path, &db) != SQLITE_OK) return 1;
    if (sqlite3_exec(db, "UPDATE run SET name = 'logged'", NULL, NULL, NULL) != SQLITE_OK) return 2;
    child_say(pipe, "written");
    for (;;) pause();
}

static void assert_name(struct fixture *f, struct store *store, const char *expected) {
    char name[STORE_NAME_SIZE];
    good(f, store_name(store, name, sizeof name, &f->error));
    assert_string_equal(name, expected);
}

static void test_what_is_in_the_log(void **state) {
    struct fixture *f = *state;
    char letter;
    int pipe;
    pid_t child = child_start(write_and_die, f, &pipe);
    assert_int_equal(read(pipe, &letter, 1), 1);
    struct store *reader = open_run(f, STORE_READ); /* beside the writer */
    assert_name(f, reader, "logged");
    kill(child, SIGKILL);
    child_wait(child);
    close(pipe);
    struct store *writer = open_run(f, STORE_RESUME);
    assert_name(f, writer, "logged");
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    assert_name(f, reader, "logged");
    store_close(reader);
    store_close(writer);
}

static int read_as_stranger(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    char name[STORE_NAME_SIZE] = "";
    child_drop_root();
    int status = store_open(f->run, STORE_READ, &store, &f->error);
    if (status == STATUS_OK) status = store_name(store, name, sizeof name, &f->error);
    child_say(pipe, status == STATUS_OK ? name : f->error.message);
    return status;
}

static void test_read_only_folder(void **state) {
    struct fixture *f = *state;
    char said[1200];
    assert_int_equal(chmod(f->scratch.dir, 0755), 0);
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(chmod(f->run, 0555), 0);
    int status = child_run(read_as_stranger, f, said, sizeof said);
    assert_int_equal(chmod(f->run, 0755), 0);
    assert_string_equal(said, "demo");
    assert_int_equal(status, STATUS_OK);
}

static void test_create_over_it(void **state) {
    struct fixture *f = *state;
    char *before = dump_old_columns(f);
    open_bad(f, STORE_CREATE, STATUS_INPUT, "results/x: already holds a run; continue with --resume");
    assert_still_schema_1(f, before);
    free(before);

    /* one that never came to its first stage has nothing to lose */
    run_sql(f, "DELETE FROM sample_nats; DELETE FROM individuals; DELETE FROM baselines; DELETE FROM samples;"
               "DELETE FROM settings; DELETE FROM stages");
    store_close(open_run(f, STORE_CREATE));
    assert_int_equal(query_integer(f, "PRAGMA user_version"), STORE_SCHEMA);
    assert_int_equal(query_integer(f, "SELECT count(*) FROM run"), 0);
}

/* What goes wrong --------------------------------------------------------------------------------- */

static void test_damage_stops_it(void **state) {
    static const struct {
        const char *damage, *words;
    } cases[] = {
        {"UPDATE individuals SET parent_b = 1000 WHERE id = 7", "is damaged|to a missing row of table individuals"},
        {"DELETE FROM individuals WHERE id = 399", "is damaged|of table sample_nats|of table individuals"},
        {"DELETE FROM samples WHERE sample = 2", "is damaged|table sample_nats|table samples"},
        {"DELETE FROM stages WHERE id = 1", "is damaged|of table stages"},
        {"INSERT INTO settings VALUES (1, 'search.racing', 'none')", "is damaged|UNIQUE constraint failed"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(unlink(f->path), 0);
        make_old_run(f);
        run_sql(f, cases[i].damage);
        char *before = dump_old_columns(f);
        open_bad(f, STORE_RESUME, STATUS_FAILED, cases[i].words);
        assert_still_schema_1(f, before);
        open_bad(f, STORE_READ, STATUS_FAILED, cases[i].words);
        assert_still_schema_1(f, before);
        free(before);
    }
    run_sql(f, "DROP TABLE samples");
    open_bad(f, STORE_RESUME, STATUS_FAILED, "run.db: is damaged|no such table: samples");
    open_bad(f, STORE_READ, STATUS_FAILED, "run.db: is damaged|no such table: samples");
}

static int migrate_on_full_disk(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    struct stat info;
    if (stat(f->path, &info) != 0) return 100;
    child_limit_files((rlim_t)info.st_size + 8192);
    int status = store_open(f->run, STORE_RESUME, &store, &f->error);
    child_say(pipe, status == STATUS_OK ? "migrated" : f->error.message);
    return status;
}

static void test_full_disk_leaves_it(void **state) {
    struct fixture *f = *state;
    char said[1200], *before = dump_old_columns(f);
    int status = child_run(migrate_on_full_disk, f, said, sizeof said);
    assert_message(said, "run.db: exceeds the limit on the size of files|ulimit -f), then continue with --resume; "
                         "saved results are intact");
    assert_int_equal(status, STATUS_FAILED);
    assert_still_schema_1(f, before);
    free(before);
    struct store *store = open_run(f, STORE_RESUME);
    check_run(f, store);
    store_close(store);
}

static int migrate(void *state, int pipe) {
    struct fixture *f = state;
    struct store *store;
    child_say(pipe, "begun");
    int status = store_open(f->run, STORE_RESUME, &store, &f->error);
    if (status == STATUS_OK) store_close(store);
    return status;
}

/* Seconds that it takes undisturbed. */
static double time_migration(struct fixture *f) {
    char said[100];
    double began = clock_seconds();
    assert_int_equal(child_run(migrate, f, said, sizeof said), STATUS_OK);
    return clock_seconds() - began;
}

/* Killed at whatever moment: the one schema or the other, and all that was there. */
static void test_kill_while_migrating(void **state) {
    enum { ROUNDS = 24, MOST = 400 };
    struct fixture *f = *state;
    char *before = dump_old_columns(f);
    double whole = time_migration(f);
    int seen[2] = {0}; /* before, after */
    for (int round = 0; round < ROUNDS || ((!seen[0] || !seen[1]) && round < MOST); round++) {
        char letter;
        int pipe;
        assert_int_equal(unlink(f->path), 0);
        make_old_run(f);
        pid_t child = child_start(migrate, f, &pipe);
        assert_int_equal(read(pipe, &letter, 1), 1);
        usleep((useconds_t)(1e6 * whole * (round % ROUNDS) / (ROUNDS - 4)));
        kill(child, SIGKILL);
        child_wait(child);
        close(pipe);
        int64_t version = query_integer(f, "PRAGMA user_version");
        if (version != 1) assert_int_equal(version, STORE_SCHEMA);
        seen[version != 1]++;
        if (version == 1) assert_still_schema_1(f, before);
        struct store *store = open_run(f, STORE_RESUME);
        check_run(f, store);
        store_close(store);
        char *after = dump_old_columns(f);
        assert_string_equal(after, before);
        free(after);
    }
    if (!seen[0] || !seen[1]) fail_msg("killed %d times before and %d times after it", seen[0], seen[1]);
    free(before);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up_old, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_writer_migrates),
        TEST(test_old_run_gets_another_budget),
        TEST(test_schema_2_migrates),
        TEST(test_schema_3_migrates),
        TEST(test_schema_4_migrates),
        TEST(test_schema_5_migrates),
        TEST(test_schema_6_migrates),
        TEST(test_schema_7_migrates),
        TEST(test_schema_8_migrates),
        TEST(test_schema_9_migrates),
        TEST(test_recorder_migrates),
        TEST(test_recorder_beside_an_older_search),
        TEST(test_schema_is_that_of_a_new_run),
        TEST(test_schema_documents_itself),
        TEST(test_reader_leaves_the_file),
        TEST(test_what_is_in_the_log),
        TEST(test_read_only_folder),
        TEST(test_create_over_it),
        TEST(test_damage_stops_it),
        TEST(test_full_disk_leaves_it),
        TEST(test_kill_while_migrating),
    };
    return cmocka_run_group_tests_name("migration", tests, NULL, NULL);
}
