#include "search/store/store_schema.h"

/* As `.schema` shows them, comments included. REAL columns give back the bits they were given, but for the sign of a
 * zero. */
const char *const store_schema_tables[SCHEMA_TABLES] = {
    [SCHEMA_RUN_2] =
        "CREATE TABLE run (\n"
        "  -- One row: the run.\n"
        "  id INTEGER PRIMARY KEY CHECK (id = 0),\n"
        "  name TEXT NOT NULL,\n"
        "  stages INTEGER NOT NULL DEFAULT 0 -- that the configuration lists; the table stages has those begun\n"
        ") STRICT;",

    [SCHEMA_STAGES_2] =
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

    [SCHEMA_SETTINGS_2] = "CREATE TABLE settings (\n"
                          "  -- What must be the same when a stage is gone on with, in words.\n"
                          "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
                          "  key TEXT NOT NULL, -- as the configuration has it, for most\n"
                          "  value TEXT NOT NULL,\n"
                          "  PRIMARY KEY (stage, key)\n"
                          ") STRICT, WITHOUT ROWID;",

    [SCHEMA_SAMPLES_2] = "CREATE TABLE samples (\n"
                         "  -- The windows of text that individuals are scored on.\n"
                         "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
                         "  sample INTEGER NOT NULL, -- 0, 1, ... in the order of scoring\n"
                         "  document TEXT NOT NULL, -- name of the file\n"
                         "  start INTEGER NOT NULL, -- first token of the window in the document, from 0\n"
                         "  tokens INTEGER NOT NULL, -- in the window; one less is predicted\n"
                         "  PRIMARY KEY (stage, sample)\n"
                         ") STRICT, WITHOUT ROWID;",

    [SCHEMA_BASELINES_2] =
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

    [SCHEMA_BASELINE_NATS_2] = "CREATE TABLE baseline_nats (\n"
                               "  -- Nats of baselines on each window; none for those of a run begun with schema 1.\n"
                               "  stage INTEGER NOT NULL,\n"
                               "  method TEXT NOT NULL,\n"
                               "  sample INTEGER NOT NULL,\n"
                               "  nats REAL, -- sum over the window's predicted tokens\n"
                               "  PRIMARY KEY (stage, method, sample),\n"
                               "  FOREIGN KEY (stage, method) REFERENCES baselines (stage, method),\n"
                               "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
                               ") STRICT, WITHOUT ROWID;",

    [SCHEMA_INDIVIDUALS_2] =
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

    [SCHEMA_SAMPLE_NATS_2] = "CREATE TABLE sample_nats (\n"
                             "  -- Nats of individuals on each window; of one that was stopped on the first so many.\n"
                             "  stage INTEGER NOT NULL,\n"
                             "  individual INTEGER NOT NULL,\n"
                             "  sample INTEGER NOT NULL,\n"
                             "  nats REAL, -- sum over the window's predicted tokens\n"
                             "  PRIMARY KEY (stage, individual, sample),\n"
                             "  FOREIGN KEY (stage, individual) REFERENCES individuals (stage, id),\n"
                             "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
                             ") STRICT, WITHOUT ROWID;",

    [SCHEMA_STAGE_MODELS_3] =
        "CREATE TABLE stage_models (\n"
        "  -- What a stage's tables rescale. A stage begun with schema 2 has no row: it extends a model without a "
        "table.\n"
        "  stage INTEGER PRIMARY KEY REFERENCES stages (id),\n"
        "  kind TEXT NOT NULL CHECK (kind IN ('extend', 'recover')),\n"
        "  model TEXT NOT NULL, -- folder that it was loaded from; may have moved since\n"
        "  pretrained_length INTEGER NOT NULL, -- tokens: the window before any extension\n"
        "  base TEXT, -- name of the stage whose table the model was fine-tuned with\n"
        "  base_factors TEXT, -- JSON [pairs]: that table, which an individual's factors multiply; NULL: none\n"
        "  base_attention_factor REAL NOT NULL -- likewise; 1: none\n"
        ") STRICT;",

    [SCHEMA_LENGTHS_4] =
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

    [SCHEMA_PASS_KEYS_4] =
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
        "  measured_at TEXT NOT NULL, -- UTC\n"
        "  UNIQUE (label, length, depth)\n"
        ") STRICT;",

    [SCHEMA_NEEDLES_4] = "CREATE TABLE needles (\n"
                         "  -- Of samples of stages with objective: needle, whose text is the haystack. Their nats are "
                         "the answer's alone.\n"
                         "  stage INTEGER NOT NULL,\n"
                         "  sample INTEGER NOT NULL,\n"
                         "  position INTEGER NOT NULL, -- token that the needle begins at, from the window's first\n"
                         "  depth REAL NOT NULL, -- 0 to 1: the share of the haystack that lies before it\n"
                         "  key TEXT NOT NULL, -- that it states, and the answer is\n"
                         "  answer INTEGER NOT NULL, -- tokens of the answer: the window's last\n"
                         "  PRIMARY KEY (stage, sample),\n"
                         "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
                         ") STRICT, WITHOUT ROWID;",

    [SCHEMA_CONFIGURATION_4] = "CREATE TABLE configuration (\n"
                               "  -- One row: what the stage that began last was configured with. None where a "
                               "longrope with schema 3 began it.\n"
                               "  id INTEGER PRIMARY KEY CHECK (id = 0),\n"
                               "  program TEXT NOT NULL, -- name and version\n"
                               "  path TEXT NOT NULL, -- of the file; it may have moved since\n"
                               "  content TEXT NOT NULL, -- of the file\n"
                               "  overrides TEXT NOT NULL -- JSON: the values of --set, in their order\n"
                               ") STRICT;",

    [SCHEMA_PASS_KEYS_5] =
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

    [SCHEMA_BASELINE_NATS_6] = "CREATE TABLE baseline_nats (\n"
                               "  -- Nats of baselines on each window; none for those of a run begun with schema 1.\n"
                               "  stage INTEGER NOT NULL,\n"
                               "  method TEXT NOT NULL,\n"
                               "  sample INTEGER NOT NULL,\n"
                               "  nats REAL, -- sum over the window's predicted tokens\n"
                               "  blocks BLOB, -- as in sample_nats\n"
                               "  PRIMARY KEY (stage, method, sample),\n"
                               "  FOREIGN KEY (stage, method) REFERENCES baselines (stage, method),\n"
                               "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
                               ") STRICT, WITHOUT ROWID;",

    [SCHEMA_INDIVIDUALS_6] =
        "CREATE TABLE individuals (\n"
        "  -- Genomes that were scored, or given up while they were.\n"
        "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
        "  id INTEGER NOT NULL, -- 0, 1, ... in the order of scoring\n"
        "  generation INTEGER NOT NULL, -- 0: the first population\n"
        "  origin TEXT NOT NULL, -- pi, ntk, yarn, yarn-lambda, dynamic-ntk, none, own, critical-ntk, file, mutation, "
        "crossover, sample\n"
        "  parent_a INTEGER, -- ids; NULL: none\n"
        "  parent_b INTEGER,\n"
        "  genes TEXT NOT NULL, -- JSON [pairs]: integers, see stages.unit; 0 before the critical pair\n"
        "  n_hat INTEGER NOT NULL, -- start tokens\n"
        "  attention INTEGER NOT NULL, -- see stages.attention_unit; 0 where it is not searched\n"
        "  critical INTEGER NOT NULL, -- critical pair, see critical_pairs; 0 where the space has none\n"
        "  first_window INTEGER NOT NULL, -- scored on this sample and those behind it; sample 0 follows the last one\n"
        "  nats_per_token REAL, -- mean of all samples, lower is better; NULL: stopped, or not scored on all\n"
        "  stopped INTEGER NOT NULL CHECK (stopped IN (0, 1)), -- 1: given up, being no better than those ahead\n"
        "  computed INTEGER NOT NULL, -- windows that were not taken from the cache\n"
        "  seconds REAL, -- that scoring took\n"
        "  scored_at TEXT NOT NULL, -- UTC, as 2024-01-31T12:34:56Z\n"
        "  PRIMARY KEY (stage, id),\n"
        "  FOREIGN KEY (stage, parent_a) REFERENCES individuals (stage, id),\n"
        "  FOREIGN KEY (stage, parent_b) REFERENCES individuals (stage, id)\n"
        ") STRICT;",

    [SCHEMA_SAMPLE_NATS_6] =
        "CREATE TABLE sample_nats (\n"
        "  -- Nats of individuals on each window that they were scored on.\n"
        "  stage INTEGER NOT NULL,\n"
        "  individual INTEGER NOT NULL,\n"
        "  sample INTEGER NOT NULL,\n"
        "  nats REAL, -- sum over the window's predicted tokens\n"
        "  blocks BLOB, -- sums over each 128 of them, little-endian float32; NULL where a longrope with schema 5 "
        "scored\n"
        "  PRIMARY KEY (stage, individual, sample),\n"
        "  FOREIGN KEY (stage, individual) REFERENCES individuals (stage, id),\n"
        "  FOREIGN KEY (stage, sample) REFERENCES samples (stage, sample)\n"
        ") STRICT, WITHOUT ROWID;",

    [SCHEMA_CRITICAL_PAIRS_6] =
        "CREATE TABLE critical_pairs (\n"
        "  -- One row for each stage in LongRoPE2's space. The pairs of an individual before its critical pair cd have "
        "no genes:\n"
        "  -- their rescale factors are factor(cd) to the power i / cd. The genes from cd on increase strictly.\n"
        "  stage INTEGER PRIMARY KEY REFERENCES stages (id),\n"
        "  low INTEGER NOT NULL, -- bounds of individuals.critical\n"
        "  high INTEGER NOT NULL,\n"
        "  smallest INTEGER NOT NULL -- smallest gene, instead of stages.unit\n"
        ") STRICT;",

    [SCHEMA_INDIVIDUALS_7] =
        "CREATE TABLE individuals (\n"
        "  -- Genomes that were scored, or given up while they were.\n"
        "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
        "  id INTEGER NOT NULL, -- 0, 1, ... in the order of scoring\n"
        "  generation INTEGER NOT NULL, -- 0: the first population\n"
        "  origin TEXT NOT NULL, -- pi, ntk, yarn, yarn-lambda, dynamic-ntk, none, own, critical-ntk, file, mutation, "
        "crossover, sample, model\n"
        "  parent_a INTEGER, -- ids; NULL: none\n"
        "  parent_b INTEGER,\n"
        "  genes TEXT NOT NULL, -- JSON [pairs]: integers, see stages.unit; 0 before the critical pair\n"
        "  n_hat INTEGER NOT NULL, -- start tokens\n"
        "  attention INTEGER NOT NULL, -- see stages.attention_unit; 0 where it is not searched\n"
        "  critical INTEGER NOT NULL, -- critical pair, see critical_pairs; 0 where the space has none\n"
        "  first_window INTEGER NOT NULL, -- scored on this sample and those behind it; sample 0 follows the last one\n"
        "  nats_per_token REAL, -- mean of all samples, lower is better; NULL: stopped, or not scored on all\n"
        "  work INTEGER, -- windows that the search had scored, of all individuals, when nats_per_token was known;\n"
        "  -- NULL: it is not known, or a longrope with schema 6 or older scored it\n"
        "  stopped INTEGER NOT NULL CHECK (stopped IN (0, 1)), -- 1: given up, being no better than those ahead\n"
        "  computed INTEGER NOT NULL, -- windows that were not taken from the cache\n"
        "  seconds REAL, -- that scoring took\n"
        "  scored_at TEXT NOT NULL, -- UTC, as 2024-01-31T12:34:56Z\n"
        "  PRIMARY KEY (stage, id),\n"
        "  FOREIGN KEY (stage, parent_a) REFERENCES individuals (stage, id),\n"
        "  FOREIGN KEY (stage, parent_b) REFERENCES individuals (stage, id)\n"
        ") STRICT;",

    [SCHEMA_RANKS_8] = "CREATE TABLE ranks (\n"
                       "  -- What the processes of a search on several ranks did, over all starts but those killed.\n"
                       "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
                       "  rank INTEGER NOT NULL,\n"
                       "  host TEXT NOT NULL, -- that it was on last\n"
                       "  units INTEGER NOT NULL, -- windows of tables that it computed\n"
                       "  seconds REAL NOT NULL, -- in which it computed\n"
                       "  present_seconds REAL NOT NULL, -- in which it was asked for windows\n"
                       "  PRIMARY KEY (stage, rank)\n"
                       ") STRICT, WITHOUT ROWID;",

    [SCHEMA_CHOICES_9] = "CREATE TABLE choices (\n"
                         "  -- Accuracy in multiple choice, as longrope choice --into measured it beside the search.\n"
                         "  id INTEGER PRIMARY KEY, -- label to seconds are as in lengths\n"
                         "  label TEXT NOT NULL,\n"
                         "  length INTEGER NOT NULL, -- tokens of an input, at most\n"
                         "  model TEXT NOT NULL,\n"
                         "  scale REAL NOT NULL,\n"
                         "  factors TEXT NOT NULL,\n"
                         "  start_tokens INTEGER NOT NULL,\n"
                         "  attention_factor REAL NOT NULL,\n"
                         "  dtype TEXT NOT NULL,\n"
                         "  kernels TEXT NOT NULL,\n"
                         "  angles TEXT NOT NULL,\n"
                         "  seconds REAL,\n"
                         "  task TEXT NOT NULL,\n"
                         "  items INTEGER NOT NULL,\n"
                         "  chance REAL NOT NULL, -- accuracy of guessing\n"
                         "  correct INTEGER NOT NULL, -- items whose answer has the largest log-likelihood\n"
                         "  correct_norm INTEGER NOT NULL, -- the largest per character\n"
                         "  correct_bytes INTEGER NOT NULL, -- the largest per byte\n"
                         "  measured_at TEXT NOT NULL, -- UTC\n"
                         "  UNIQUE (label, length, task)\n"
                         ") STRICT;",

    [SCHEMA_MACHINES_10] =
        "CREATE TABLE machines (\n"
        "  -- The machines that searched a stage; no result depends on them.\n"
        "  id INTEGER PRIMARY KEY, -- in the order in which they began\n"
        "  stage INTEGER NOT NULL REFERENCES stages (id),\n"
        "  host TEXT NOT NULL,\n"
        "  processor TEXT NOT NULL, -- its model; '': unknown\n"
        "  threads INTEGER NOT NULL, -- of the process; of a search on several ranks those of rank 0\n"
        "  UNIQUE (stage, host, processor, threads)\n"
        ") STRICT;",

    [SCHEMA_HELD_OUT_10] = "CREATE TABLE held_out (\n"
                           "  -- Stages that, at their end, were measured on text that they were not searched on.\n"
                           "  stage INTEGER PRIMARY KEY REFERENCES stages (id),\n"
                           "  individual INTEGER, -- whose table was measured; NULL: no text was left\n"
                           "  FOREIGN KEY (stage, individual) REFERENCES individuals (stage, id)\n"
                           ") STRICT;",

    [SCHEMA_HELD_OUT_SAMPLES_10] = "CREATE TABLE held_out_samples (\n"
                                   "  -- The windows of that text.\n"
                                   "  stage INTEGER NOT NULL REFERENCES held_out (stage),\n"
                                   "  sample INTEGER NOT NULL,\n"
                                   "  document TEXT NOT NULL, -- document to tokens are as in samples\n"
                                   "  start INTEGER NOT NULL,\n"
                                   "  tokens INTEGER NOT NULL,\n"
                                   "  predictions INTEGER NOT NULL, -- that are scored\n"
                                   "  PRIMARY KEY (stage, sample)\n"
                                   ") STRICT, WITHOUT ROWID;",

    [SCHEMA_HELD_OUT_NATS_10] = "CREATE TABLE held_out_nats (\n"
                                "  -- Nats of tables on each of these windows.\n"
                                "  stage INTEGER NOT NULL,\n"
                                "  method TEXT NOT NULL, -- as in baselines; longrope: the individual of held_out\n"
                                "  sample INTEGER NOT NULL,\n"
                                "  nats REAL, -- sum over the predictions\n"
                                "  PRIMARY KEY (stage, method, sample),\n"
                                "  FOREIGN KEY (stage, sample) REFERENCES held_out_samples (stage, sample)\n"
                                ") STRICT, WITHOUT ROWID;",
};

/* Those of the newest schema, parents before children. */
static const enum store_schema_table newest[] = {SCHEMA_RUN_2,
                                                 SCHEMA_STAGES_2,
                                                 SCHEMA_STAGE_MODELS_3,
                                                 SCHEMA_SETTINGS_2,
                                                 SCHEMA_SAMPLES_2,
                                                 SCHEMA_BASELINES_2,
                                                 SCHEMA_LENGTHS_4,
                                                 SCHEMA_PASS_KEYS_5,
                                                 SCHEMA_NEEDLES_4,
                                                 SCHEMA_CONFIGURATION_4,
                                                 SCHEMA_BASELINE_NATS_6,
                                                 SCHEMA_CRITICAL_PAIRS_6,
                                                 SCHEMA_INDIVIDUALS_7,
                                                 SCHEMA_SAMPLE_NATS_6,
                                                 SCHEMA_RANKS_8,
                                                 SCHEMA_CHOICES_9,
                                                 SCHEMA_MACHINES_10,
                                                 SCHEMA_HELD_OUT_10,
                                                 SCHEMA_HELD_OUT_SAMPLES_10,
                                                 SCHEMA_HELD_OUT_NATS_10};

int store_schema_create(struct database *database, struct error *error) {
    int status = database_begin(database, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < sizeof newest / sizeof *newest && status == STATUS_OK; i++) {
        status = database_run(database, store_schema_tables[newest[i]], error);
    }
    if (status == STATUS_OK) status = database_stamp(database, error);
    return database_end(database, status, error);
}
