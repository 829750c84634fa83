/* The run directory: run.db, an SQLite database that holds the whole state of a run.
 *
 * `sqlite3 RUN_DIR/run.db .schema` documents the SQL tables and columns; their text is in store_schema.c.
 * Configuration, model and text determine the content, except these columns: *seconds and *_at hold times, `computed`
 * depends on interruptions and the cache, `model` is the folder of the model. The number of threads, the host and the
 * path of the run directory do not change the content. Measurements beside the search
 * (search/store/store_measurements.h) have SQL tables of their own. `ranks` says what each process of a search on
 * several nodes did.
 *
 * Write-ahead log, synchronous=FULL, one transaction per scored individual: an individual that was reported as scored
 * survives kill -9. A search holds an flock on RUN_DIR/run.lock, which names its host and process, while it has the
 * database open.
 *
 * Where the file system lacks memory that processes share, or locks, or several hosts may mount it, a search says so in
 * a line on stderr and uses a rollback journal, with run.db to itself. Others read a copy that it makes. Without locks
 * run.lock counts as locked while it is touched again and again, and its process is alive if it is one of this host.
 */
#ifndef LONGROPE_SEARCH_STORE_H
#define LONGROPE_SEARCH_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "eval/text/needle_prompt.h"
#include "search/config/stage_terms.h"
#include "search/evolve/evolve.h"
#include "search/evolve/window_nats.h"
#include "search/store/scored.h"

struct store;
struct configuration_record; /* search/store/store_configuration.h */

enum store_mode {
    STORE_CREATE, /* a new run; STATUS_INPUT if the folder holds a run with a stage */
    STORE_RESUME, /* an existing run, which is migrated to the newest schema; STATUS_INPUT if there is none */
    STORE_READ,   /* read-only, also beside a writer; takes no lock. A run of an older schema is copied to memory and
                   * migrated there. */
    STORE_RECORD  /* a run with a stage, also beside its search, to write measurements only
                   * (search/store/store_measurements.h). Takes the lock only to migrate a run of an older schema:
                   * STATUS_INPUT, naming the holder, if another process holds the lock. */
};

/* Opens RUN_DIR/run.db; STORE_CREATE makes RUN_DIR and its parents. STATUS_INPUT if the file is not a run of this
 * program, has a newer schema, or another process, which is named, holds it; STATUS_FAILED if the file is damaged or
 * the disk fails. The caller closes *out. */
int store_open(const char *run_dir, enum store_mode mode, struct store **out, struct error *error);
void store_close(struct store *store); /* NULL is allowed */

/* For a search to call every few seconds: where it has run.db to itself, because the file system does not let several
 * processes use it, readers have a copy that is STORE_SNAPSHOT_SECONDS old at most. It does nothing elsewhere. */
enum { STORE_SNAPSHOT_SECONDS = 30 };
void store_keep_readable(struct store *store);
/* The same at once, before something that takes long. */
void store_make_readable(struct store *store);

/* Whether a run can be written at RUN_DIR, which may not exist, as far as can be told without making anything.
 * STATUS_INPUT if it or what it holds is no folder and no file, or its path is too long; STATUS_FAILED without write
 * permission. */
int store_check_path(const char *run_dir, struct error *error);

/* True if RUN_DIR/run.db exists and is not empty. */
bool store_exists(const char *run_dir);

/* Whether a process searches in the run: this one, or one that holds the lock. Also true if that cannot be known here:
 * run.lock cannot be read or locked, or another host began the search, on a file system that hosts share and may not
 * show their locks. */
bool store_is_searched(const struct store *store);

/* STATUS_INPUT if `path` is one of the run's own files, such as run.db. */
int store_check_output(const char *run_dir, const char *path, struct error *error);

/* The run's name, which is set once, when the run is created. Setting an equal name again does nothing; another name is
 * STATUS_INPUT. store_name() gives "" if no name is set, as after a kill before it was. */
int store_set_name(struct store *store, const char *name, struct error *error);
int store_name(struct store *store, char *name, size_t size, struct error *error);

/* The number of stages in the configuration; store_stages() gives only those that have started. */
int store_set_stage_count(struct store *store, int64_t count, struct error *error);
int store_stage_count(struct store *store, int64_t *count, struct error *error);

/* STAGE_STOPPED is not stored: views of a run say it of a stage that is stored as running while no process searches. */
enum stage_state { STAGE_PENDING, STAGE_RUNNING, STAGE_DONE, STAGE_STOPPED };
const char *stage_state_name(enum stage_state state); /* "pending", "running", "done", "stopped" */

enum {
    STORE_NAME_SIZE = 128,
    STORE_DOCUMENT_SIZE = 256, /* file names have at most 255 bytes */
    STORE_PATH_SIZE = 4096
};

/* A row of `stages` with its rows of `stage_models` and `critical_pairs`: what turns a row of `individuals` into a
 * factor table. */
struct stage_record {
    int64_t id; /* 0, 1, ... in the order of the configuration */
    char name[STORE_NAME_SIZE];
    enum stage_state state;
    enum objective objective; /* from its settings (STORE_OBJECTIVE) */
    int64_t target_length;
    int64_t original_length; /* the model's window */
    double scale;            /* target_length / original_length, at least 1 */
    double rope_theta;
    double attention_factor; /* of searched tables; multiplies base_attention_factor */
    int64_t iterations;
    int64_t evaluations; /* that the search may make, from its settings (STORE_EVALUATIONS); 0: no limit */
    int64_t planned;     /* evaluations */
    struct genome_space space;
    /* A stage that was started with schema 2 has the values in parentheses. */
    enum stage_kind kind;                /* (STAGE_EXTEND) */
    char model[STORE_PATH_SIZE];         /* folder that it was loaded from; "": unknown */
    int64_t pretrained_length;           /* the window before any extension (original_length) */
    char base[STORE_NAME_SIZE];          /* stage whose table the model was fine-tuned with; "": none */
    bool composed;                       /* searched factors multiply base_factors (false) */
    double base_factors[ROPE_MAX_PAIRS]; /* the model's own longrope table; 1 if not composed */
    double base_attention_factor;        /* the model's own; 1 if not composed */
};

struct setting {
    char *key, *value;
};

#define STORE_SLIDING_WINDOW "sliding_window (tokens)" /* of a model whose sliding window is below the target */
#define STORE_OBJECTIVE "objective"                    /* key of a setting that every stage has */
/* Keys of the settings of the budget, which may grow; that of evaluations is missing where there is no limit. */
#define STORE_ITERATIONS "search.iterations"
#define STORE_EVALUATIONS "search.evaluations"

/* A window that is scored. */
struct window_record {
    char document[STORE_DOCUMENT_SIZE]; /* the file's name, without folders */
    int64_t start, tokens;
    /* Of OBJECTIVE_NEEDLE, whose haystack is the window's text; 0 with other objectives. */
    int64_t answer;                   /* tokens that are scored: the last ones of the window */
    int64_t needle;                   /* first token of the needle, from the window's first */
    double depth;                     /* 0..1: the share of the haystack before the needle */
    char key[NEEDLE_MOST_DIGITS + 1]; /* that the needle states */
};

/* A run that was started with schema 1 has neither nats per window nor the model's own attention factor: then
 * scored.windows is 0 and table.own_attention_factor 1. */
struct baseline_record {
    enum rope_method method;
    struct rope_table table; /* theta and own_factors are not set: frequencies includes them */
    double nats_per_token;   /* mean */
    struct scored scored;
};

struct individual_record {
    struct individual individual; /* its score is NaN, unless it is scored on all windows of the stage; its work is also
                                   * 0 if a longrope with schema 6 or older scored it */
    struct scored scored;
};

/* Adds a stage in state pending with its settings and windows, in one transaction. STATUS_INPUT if another stage has
 * its id. */
int store_add_stage(struct store *store, const struct stage_record *stage, const struct setting *settings,
                    size_t setting_count, const struct window_record *windows, size_t window_count,
                    struct error *error);
int store_set_state(struct store *store, int64_t stage, enum stage_state state, struct error *error);

/* Where the model of a stage is now: models are moved between the parts of a job. */
int store_set_model(struct store *store, int64_t stage, const char *folder, struct error *error);

/* Opens a stage, also one that is done, for another budget, in one transaction: `iterations` and `planned` become those
 * of *stage, the settings of the budget those of settings[count], its state STAGE_RUNNING, and the run's configuration
 * *configuration. Other settings are not changed. STATUS_FAILED if there is no such stage. */
int store_set_budget(struct store *store, const struct stage_record *stage, const struct setting *settings,
                     size_t count, const struct configuration_record *configuration, struct error *error);

/* *found is false if there is no such stage. */
int store_find_stage(struct store *store, const char *name, struct stage_record *out, bool *found, struct error *error);
/* All stages, ordered by id; the caller frees *out with free(). */
int store_stages(struct store *store, struct stage_record **out, size_t *count, struct error *error);

/* STATUS_INPUT, naming the first setting that differs and both values, unless the stage was stored with exactly these
 * settings. Those of the budget are not compared. */
int store_check_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error);

/* STATUS_FAILED, naming the first column that differs, unless the stored stage equals the one that its settings and
 * model give now. Compares neither the state nor the budget. */
int store_check_stage(struct store *store, const struct stage_record *described, struct error *error);

/* The windows of a stage in the order of scoring; the caller frees *out with free(). */
int store_windows(struct store *store, int64_t stage, struct window_record **out, size_t *count, struct error *error);

/* Adds a baseline with its nats and blocks on the windows of baseline->scored, the first of which is 0, in one
 * transaction. */
int store_add_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                       const struct window_nats *nats, struct error *error);
/* All baselines of a stage in the order of scoring; the caller frees *out with free(). */
int store_baselines(struct store *store, int64_t stage, struct baseline_record **out, size_t *count,
                    struct error *error);

/* Adds an individual with its nats and blocks on the windows of `scored`, in one transaction; other windows of `nats`
 * are not read. Its parents are stored before it. individual->score is the mean over all windows of the stage, NaN if
 * it is not scored on all of them; individual->work is that of the driver; individual->stopped says that racing gave it
 * up. */
int store_add_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                         const struct scored *scored, const struct window_nats *nats, struct error *error);
/* Adds the windows of `added` to an individual that is stored, in one transaction: their nats and blocks, and what they
 * cost; individual->score, ->work and ->stopped replace the stored ones. added->first is the window behind those
 * stored. STATUS_FAILED if the individual is not stored, or the windows do not follow or are stored. */
int store_extend_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                            const struct scored *added, const struct window_nats *nats, struct error *error);
/* All individuals of a stage, ordered by id; the caller frees *out with free(). */
int store_individuals(struct store *store, const struct stage_record *stage, struct individual_record **out,
                      size_t *count, struct error *error);

/* Sets out->nats and, unless it is NULL, out->blocks, whose sizes the caller has set, for all out->windows windows: at
 * least those of the stage. Windows that are not scored are NaN; all are if the store has no such individual or
 * baseline. STATUS_FAILED, as damaged, if a window within the range is missing, or nats or blocks are not valid. */
int store_window_nats(struct store *store, int64_t stage, int64_t individual, struct window_nats *out,
                      struct error *error);
int store_baseline_nats(struct store *store, int64_t stage, enum rope_method method, struct window_nats *out,
                        struct error *error);

#endif
