#include "search/store/store_schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "search/store/store.h"

/* The tables as `.schema` shows them, comments included; parents before children. REAL columns give back the
 * bits they were given, but for the sign of a zero. */
static const char *const tables[] = {
    "CREATE TABLE run (\n"
    "  -- One row: the run.\n"
    "  id INTEGER PRIMARY KEY CHECK (id = 0),\n"
    "  name TEXT NOT NULL,\n"
    "  stages INTEGER NOT NULL DEFAULT 0 -- that the configuration lists; the table stages has those begun\n"
    ") STRICT;",

    "CREATE TABLE stages (\n"
    "  -- One row a stage, with all that turns its individuals into factor tables.\n"
    "  id INTEGER PRIMARY KEY, -- 0, 1, ... in the order of the configuration\n"
    "  name TEXT NOT NULL UNIQUE,\n"
    "  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done')),\n"
    "  target_length INTEGER NOT NULL, -- tokens\n"
    "  original_length INTEGER NOT NULL, -- tokens: the model's window\n"
    "  scale REAL NOT NULL, -- target_length / original_length, at least 1\n"
    "  rope_theta REAL NOT NULL, -- base of the model's frequencies\n"
    "  attention_factor REAL NOT NULL, -- of all individuals where it is not searched\n"
    "  iterations INTEGER NOT NULL, -- generations after the first\n"
    "  planned INTEGER NOT NULL, -- individuals\n"
    "  pairs INTEGER NOT NULL, -- rotary pairs: genes of an individual\n"
    "  unit INTEGER NOT NULL, -- rescale factor = gene / unit; also the smallest gene\n"
    "  largest INTEGER NOT NULL, -- largest gene\n"
    "  start_tokens TEXT NOT NULL, -- JSON: the values that n_hat may take\n"
    "  attention_unit INTEGER NOT NULL, -- attention factor = individuals.attention / attention_unit;\n"
    "  attention_low INTEGER NOT NULL, -- its bounds; all three are 0 where it is not searched\n"
    "  attention_high INTEGER NOT NULL\n"
    ") STRICT;",

    "CREATE TABLE stage_models (\n"
    "  -- What a stage's tables rescale. A stage begun with schema 2 has no row: it extends a model without a table.\n"
    "  stage INTEGER PRIMARY KEY REFERENCES stages (id),\n"
    "  kind TEXT NOT NULL CHECK (kind IN ('extend', 'recover')),\n"
    "  model TEXT NOT NULL, -- folder that it was loaded from; may have moved since\n"
    "  pretrained_length INTEGER NOT NULL, -- tokens: the window before any extension\n"
    "  base TEXT, -- name of the stage whose table the model was fine-tuned with\n"
    "  base_factors TEXT, -- JSON [pairs]: that table, which an individual's factors multiply; NULL: none\n"
    "  base_attention_factor REAL NOT NULL -- likewise; 1: none\n"
    ") STRICT;",

    "CREATE TABLE settings (\n"
    "  -- What must be the same when a stage is gone on with, in words.\n"
    "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
    "  key TEXT NOT NULL, -- as the configuration has it, for most\n"
    "  value TEXT NOT NULL,\n"
    "  PRIMARY KEY (stage, key)\n"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE samples (\n"
    "  -- The windows of text that individuals are scored on.\n"
    "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
    "  sample INTEGER NOT NULL, -- 0, 1, ... in the order of scoring\n"
    "  document TEXT NOT NULL, -- name of the file\n"
    "  start INTEGER NOT NULL, -- first token of the window in the document, from 0\n"
    "  tokens INTEGER NOT NULL, -- in the window; one less is predicted\n"
    "  PRIMARY KEY (stage, sample)\n"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE baselines (\n"
    "  -- Tables of closed form, scored before any individual.\n"
    "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
    "  position INTEGER NOT NULL, -- 0, 1, ... in the order of scoring\n"
    "  method TEXT NOT NULL, -- none, pi, ntk, dynamic-ntk, yarn\n"
    "  frequencies TEXT NOT NULL, -- JSON [pairs]: the model's own, radians a token\n"
    "  factors TEXT NOT NULL, -- JSON [pairs]: rescale factors, by which they are divided\n"
    "  start_tokens INTEGER NOT NULL, -- n_hat\n"
    "  attention_factor REAL NOT NULL,\n"
    "  own_attention_factor REAL, -- the model's own, which it multiplies; NULL: begun with schema 1, not kept\n"
    "  nats_per_token REAL, -- mean\n"
    "  computed INTEGER NOT NULL, -- windows that were not taken from the cache\n"
    "  seconds REAL, -- that scoring took\n"
    "  PRIMARY KEY (stage, position),\n"
    "  UNIQUE (stage, method)\n"
    ") STRICT;",

    "CREATE TABLE baseline_nats (\n"
    "  -- Nats of baselines on each window; none for those of a run begun with schema 1.\n"
    "  stage INTEGER NOT NULL,\n"
    "  method TEXT NOT NULL,\n"
    "  sample INTEGER NOT NULL,\n"
    "  nats REAL, -- sum over the window's predicted tokens\n"
    "  PRIMARY KEY (stage, method, sample),\n"
    "  FOREIGN KEY (stage, method) REFERENCES baselines (stage, method),\n"
    "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE individuals (\n"
    "  -- Genomes that were scored, or given up while they were.\n"
    "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
    "  id INTEGER NOT NULL, -- 0, 1, ... in the order of scoring\n"
    "  generation INTEGER NOT NULL, -- 0: the first population\n"
    "  origin TEXT NOT NULL, -- pi, ntk, yarn, yarn-lambda, dynamic-ntk, none, own, mutation, crossover, sample\n"
    "  parent_a INTEGER, -- ids; NULL: none\n"
    "  parent_b INTEGER,\n"
    "  genes TEXT NOT NULL, -- JSON [pairs]: integers, see stages.unit\n"
    "  n_hat INTEGER NOT NULL, -- start tokens\n"
    "  attention INTEGER NOT NULL, -- see stages.attention_unit; 0 where it is not searched\n"
    "  nats_per_token REAL, -- mean, lower is better; NULL: stopped\n"
    "  stopped INTEGER NOT NULL CHECK (stopped IN (0, 1)), -- 1: given up, being no better than those ahead\n"
    "  computed INTEGER NOT NULL, -- windows that were not taken from the cache\n"
    "  seconds REAL, -- that scoring took\n"
    "  scored_at TEXT NOT NULL, -- UTC, as 2024-01-31T12:34:56Z\n"
    "  PRIMARY KEY (stage, id),\n"
    "  FOREIGN KEY (stage, parent_a) REFERENCES individuals (stage, id),\n"
    "  FOREIGN KEY (stage, parent_b) REFERENCES individuals (stage, id)\n"
    ") STRICT;",

    "CREATE TABLE sample_nats (\n"
    "  -- Nats of individuals on each window; of one that was stopped on the first so many.\n"
    "  stage INTEGER NOT NULL,\n"
    "  individual INTEGER NOT NULL,\n"
    "  sample INTEGER NOT NULL,\n"
    "  nats REAL, -- sum over the window's predicted tokens\n"
    "  PRIMARY KEY (stage, individual, sample),\n"
    "  FOREIGN KEY (stage, individual) REFERENCES individuals (stage, id),\n"
    "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE lengths (\n"
    "  -- Perplexity of tables at lengths, as longrope eval --into measured it beside the search.\n"
    "  id INTEGER PRIMARY KEY, -- in the order in which they were first recorded\n"
    "  label TEXT NOT NULL, -- whose table: a method, a table of a factor file, or as --label said\n"
    "  length INTEGER NOT NULL, -- tokens of a window\n"
    "  model TEXT NOT NULL, -- folder that it was loaded from; may have moved since\n"
    "  scale REAL NOT NULL, -- that the table was made for\n"
    "  factors TEXT NOT NULL, -- JSON [pairs]: rescale factors, fastest pair first\n"
    "  start_tokens INTEGER NOT NULL, -- n_hat\n"
    "  attention_factor REAL NOT NULL,\n"
    "  dtype TEXT NOT NULL, -- f32, bf16\n"
    "  kernels TEXT NOT NULL, -- instruction set\n"
    "  angles TEXT NOT NULL, -- f64, f32\n"
    "  seconds REAL,\n"
    "  samples INTEGER NOT NULL, -- windows\n"
    "  tokens INTEGER NOT NULL, -- predictions in them\n"
    "  stride INTEGER, -- by which windows advance; NULL: they do not slide\n"
    "  nats_per_token REAL, -- mean\n"
    "  measured_at TEXT NOT NULL, -- UTC\n"
    "  UNIQUE (label, length)\n"
    ") STRICT;",

    "CREATE TABLE pass_keys (\n"
    "  -- Pass keys found in prompts, as longrope passkey --into measured it beside the search.\n"
    "  id INTEGER PRIMARY KEY, -- label to seconds are as in lengths\n"
    "  label TEXT NOT NULL,\n"
    "  length INTEGER NOT NULL, -- tokens of a prompt\n"
    "  model TEXT NOT NULL,\n"
    "  scale REAL NOT NULL,\n"
    "  factors TEXT NOT NULL,\n"
    "  start_tokens INTEGER NOT NULL,\n"
    "  attention_factor REAL NOT NULL,\n"
    "  dtype TEXT NOT NULL,\n"
    "  kernels TEXT NOT NULL,\n"
    "  angles TEXT NOT NULL,\n"
    "  seconds REAL,\n"
    "  depth REAL NOT NULL, -- of the key in the prompt, 0 (its beginning) to 1\n"
    "  digits INTEGER NOT NULL, -- of a key\n"
    "  trials INTEGER NOT NULL, -- prompts\n"
    "  correct INTEGER NOT NULL, -- of these, those whose key was given back\n"
    "  seed INTEGER NOT NULL, -- of the prompts\n"
    "  wording TEXT, -- of the prompts: published, demo; NULL where a longrope with schema 4 asked\n"
    "  measured_at TEXT NOT NULL, -- UTC\n"
    "  UNIQUE (label, length, depth)\n"
    ") STRICT;",

    "CREATE TABLE needles (\n"
    "  -- Of samples of stages with objective: needle, whose text is the haystack. Their nats are the answer's alone.\n"
    "  stage INTEGER NOT NULL,\n"
    "  sample INTEGER NOT NULL,\n"
    "  position INTEGER NOT NULL, -- token that the needle begins at, from the window's first\n"
    "  depth REAL NOT NULL, -- 0 to 1: the share of the haystack that lies before it\n"
    "  key TEXT NOT NULL, -- that it states, and the answer is\n"
    "  answer INTEGER NOT NULL, -- tokens of the answer: the window's last\n"
    "  PRIMARY KEY (stage, sample),\n"
    "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE configuration (\n"
    "  -- One row: what the stage that began last was configured with. None where a longrope with schema 3 began it.\n"
    "  id INTEGER PRIMARY KEY CHECK (id = 0),\n"
    "  program TEXT NOT NULL, -- name and version\n"
    "  path TEXT NOT NULL, -- of the file; it may have moved since\n"
    "  content TEXT NOT NULL, -- of the file\n"
    "  overrides TEXT NOT NULL -- JSON: the values of --set, in their order\n"
    ") STRICT;",
};
enum { TABLES = sizeof tables / sizeof *tables, TABLES_3 = TABLES - 4 /* schema 3 had all but the last four */ };
enum { PASS_KEYS = TABLES - 3 }; /* the place of passkeys */

/* Those from `first` on. */
static int make_tables(struct database *database, size_t first, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = first; i < TABLES && status == STATUS_OK; i++) {
        status = database_run(database, tables[i], error);
    }
    return status;
}

int store_schema_create(struct database *database, struct error *error) {
    int status = database_begin(database, error);
    if (status != STATUS_OK) return status;
    status = make_tables(database, 0, error);
    if (status == STATUS_OK) status = database_stamp(database, error);
    return database_end(database, status, error);
}

/* ---- migration ---- */

/* Schema 1 had no racing, no cache, no searched attention factor, one algorithm and the first revision of the
 * evaluator; every window was computed. Its settings say 'bound' all the same, which is now the default: such a race
 * only gives up what cannot become a parent, so that it proposes and finds what a search without one does.
 * Of baselines it kept neither the windows' nats nor the model's own attention factor. Tables are made anew, not
 * altered: so that a migrated database has the schema of a new one to the letter. */
static const char set_aside_1[] = "ALTER TABLE run RENAME TO run_1;"
                                  "ALTER TABLE stages RENAME TO stages_1;"
                                  "ALTER TABLE settings RENAME TO settings_1;"
                                  "ALTER TABLE samples RENAME TO samples_1;"
                                  "ALTER TABLE baselines RENAME TO baselines_1;"
                                  "ALTER TABLE individuals RENAME TO individuals_1;"
                                  "ALTER TABLE sample_nats RENAME TO sample_nats_1;";

static const char copy_1[] =
    "INSERT INTO run (id, name, stages) SELECT id, name, stages FROM run_1;"
    "INSERT INTO stages (id, name, state, target_length, original_length, scale, rope_theta, attention_factor,"
    "  iterations, planned, pairs, unit, largest, start_tokens, attention_unit, attention_low, attention_high)"
    "  SELECT id, name, state, target_length, original_length, scale, rope_theta, attention_factor,"
    "  iterations, planned, pairs, unit, largest, start_tokens, 0, 0, 0 FROM stages_1;"
    "INSERT INTO settings (stage, key, value) SELECT stage, key, value FROM settings_1;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'search.algorithm', 'paper' FROM stages_1;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'search.initial', 'pi,ntk,yarn' FROM stages_1;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'search.racing', 'bound' FROM stages_1;"
    "INSERT INTO settings (stage, key, value) SELECT id, 'evaluator', '1' FROM stages_1;"
    "INSERT INTO samples (stage, sample, document, start, tokens)"
    "  SELECT stage, sample, document, start, tokens FROM samples_1;"
    "INSERT INTO baselines (stage, position, method, frequencies, factors, start_tokens, attention_factor,"
    "  own_attention_factor, nats_per_token, computed, seconds)"
    "  SELECT stage, position, method, frequencies, factors, start_tokens, attention_factor, NULL, nats_per_token,"
    "  (SELECT count(*) FROM samples_1 AS s WHERE s.stage = b.stage), seconds FROM baselines_1 AS b;"
    "INSERT INTO individuals (stage, id, generation, origin, parent_a, parent_b, genes, n_hat, attention,"
    "  nats_per_token, stopped, computed, seconds, scored_at)"
    "  SELECT stage, id, generation, origin, parent_a, parent_b, genes, n_hat, 0, nats_per_token, 0,"
    "  (SELECT count(*) FROM sample_nats_1 AS n WHERE n.stage = i.stage AND n.individual = i.id), seconds, scored_at"
    "  FROM individuals_1 AS i;"
    "INSERT INTO sample_nats (stage, individual, sample, nats)"
    "  SELECT stage, individual, sample, nats FROM sample_nats_1;";

static const char drop_1[] = "DROP TABLE sample_nats_1; DROP TABLE individuals_1; DROP TABLE baselines_1;"
                             "DROP TABLE samples_1; DROP TABLE settings_1; DROP TABLE stages_1; DROP TABLE run_1;";

static int from_1(struct database *database, struct error *error) {
    int status = database_run(database, set_aside_1, error);
    if (status == STATUS_OK) status = make_tables(database, 0, error);
    if (status == STATUS_OK) status = database_run(database, copy_1, error);
    if (status == STATUS_OK) status = database_run(database, drop_1, error);
    return status;
}

/* Schema 2 had no stage_models, and the rest of schema 3. */
static const char *const tables_2[] = {"run",       "stages",        "settings",    "samples",
                                       "baselines", "baseline_nats", "individuals", "sample_nats"};
enum { TABLES_2 = sizeof tables_2 / sizeof *tables_2 };

/* Runs `format`, in which each %1$s stands for a table's name. */
static int with_table(struct database *database, const char *format, const char *table, struct error *error) {
    char text[200];
    snprintf(text, sizeof text, format, table);
    return database_run(database, text, error);
}

static int from_2(struct database *database, struct error *error) {
    int status = STATUS_OK;
    for (int i = 0; i < TABLES_2 && status == STATUS_OK; i++) {
        status = with_table(database, "ALTER TABLE %1$s RENAME TO %1$s_2", tables_2[i], error);
    }
    if (status == STATUS_OK) status = make_tables(database, 0, error);
    for (int i = 0; i < TABLES_2 && status == STATUS_OK; i++) {
        status = with_table(database, "INSERT INTO %1$s SELECT * FROM %1$s_2", tables_2[i], error);
    }
    for (int i = TABLES_2 - 1; i >= 0 && status == STATUS_OK; i--) { /* children first */
        status = with_table(database, "DROP TABLE %1$s_2", tables_2[i], error);
    }
    return status;
}

/* Schema 3 had nothing that was measured beside the search, no needles and no configuration. */
static int from_3(struct database *database, struct error *error) { return make_tables(database, TABLES_3, error); }

/* Schema 4 did not keep how prompts are worded. */
static int from_4(struct database *database, struct error *error) {
    int status = database_run(database, "ALTER TABLE pass_keys RENAME TO pass_keys_4", error);
    if (status == STATUS_OK) status = database_run(database, tables[PASS_KEYS], error);
    if (status != STATUS_OK) return status;
    return database_run(database,
                        "INSERT INTO pass_keys (id, label, length, model, scale, factors, start_tokens,"
                        "  attention_factor, dtype, kernels, angles, seconds, depth, digits, trials, correct, seed,"
                        "  wording, measured_at)"
                        "  SELECT id, label, length, model, scale, factors, start_tokens,"
                        "  attention_factor, dtype, kernels, angles, seconds, depth, digits, trials, correct, seed,"
                        "  NULL, measured_at FROM pass_keys_4;"
                        "DROP TABLE pass_keys_4",
                        error);
}

/* What all of them were searched by. */
static int add_objective(struct database *database, struct error *error) {
    return database_run(database, "INSERT INTO settings SELECT id, '" STORE_OBJECTIVE "', 'perplexity' FROM stages",
                        error);
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
        snprintf(what, sizeof what, "a row of table %.40s speaks of one of table %.40s that is not there",
                 database_text(statement, 0), database_text(statement, 2));
        status = database_damaged(database, what, error);
    }
    database_finish(statement);
    return status;
}

int store_schema_migrate(struct database *database, int64_t version, struct error *error) {
    if (version == STORE_SCHEMA) return STATUS_OK;
    int status = database_run(database, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL", error);
    if (status == STATUS_OK) status = database_begin(database, error);
    if (status != STATUS_OK) return status;
    status = version == 1   ? from_1(database, error)
             : version == 2 ? from_2(database, error)
             : version == 3 ? from_3(database, error)
                            : from_4(database, error);
    if (status == STATUS_OK && version < 4) status = add_objective(database, error);
    if (status == STATUS_OK) status = check_references(database, error);
    if (status == STATUS_OK) status = database_stamp(database, error);
    return database_end(database, status, error);
}
