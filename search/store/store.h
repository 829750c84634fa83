/* The run directory: run.db, an SQLite database with all that a run knows.
 *
 * `sqlite3 RUN_DIR/run.db .schema` documents its tables and columns; their text is in store_schema.c. Of one
 * configuration, model and text there is one content, but for the columns named *seconds and *_at, which hold
 * times, `computed`, which depends on what was interrupted and cached, and `model`, where the model lay. The number of
 * threads, the host's name and the path of the run directory make no difference to it. What was measured beside the
 * search (search/store/store_measurements.h) is in tables of its own.
 *
 * Write-ahead log, synchronous=FULL, one transaction for every scored individual: whatever was
 * reported as scored survives kill -9. While a search has it open it holds an flock on RUN_DIR/run.lock,
 * which names its host and process.
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
#include "search/store/scored.h"

struct store;

enum store_mode {
    STORE_CREATE, /* a new run; STATUS_INPUT where the folder holds one with a stage already */
    STORE_RESUME, /* a run that is there, which gets the newest schema; STATUS_INPUT where there is none */
    STORE_READ,   /* read-only, beside a writer if need be; takes no lock. One of an older schema is copied to
                   * memory as it is now and read there. */
    STORE_RECORD  /* a run with a stage, beside a search that holds it if need be, to write what is measured
                   * (search/store/store_measurements.h) and nothing else. Takes no lock, but to bring a run of an older
                   * schema to the newest: STATUS_INPUT, naming it, where another process holds that. */
};

/* Opens RUN_DIR/run.db, making RUN_DIR and its parents for STORE_CREATE. STATUS_INPUT where it is
 * not a run of this program, is of a newer schema, or is held by another process (named);
 * STATUS_FAILED where it is damaged or the disk does not let it. The caller closes *out. */
int store_open(const char *run_dir, enum store_mode mode, struct store **out, struct error *error);
void store_close(struct store *store); /* NULL is allowed */

/* True where RUN_DIR/run.db exists and is not empty. */
bool store_exists(const char *run_dir);

/* The run's name. Set once, when the run is created: setting the same name again does nothing,
 * another one is STATUS_INPUT. store_name() gives "" where none is set, as after a kill just before. */
int store_set_name(struct store *store, const char *name, struct error *error);
int store_name(struct store *store, char *name, size_t size, struct error *error);

/* How many stages the configuration lists; those not yet begun are not among store_stages(). */
int store_set_stage_count(struct store *store, int64_t count, struct error *error);
int store_stage_count(struct store *store, int64_t *count, struct error *error);

enum stage_state { STAGE_PENDING, STAGE_RUNNING, STAGE_DONE };
const char *stage_state_name(enum stage_state state); /* "pending", "running", "done" */

enum {
    STORE_NAME_SIZE = 128,
    STORE_DOCUMENT_SIZE = 256, /* names of files are no longer than 255 bytes */
    STORE_PATH_SIZE = 4096
};

/* All that turns a row of `individuals` into a factor table. */
struct stage_record {
    int64_t id; /* 0, 1, ... in the order of the configuration */
    char name[STORE_NAME_SIZE];
    enum stage_state state;
    enum objective objective; /* as its settings have it (STORE_OBJECTIVE) */
    int64_t target_length;
    int64_t original_length; /* the model's window */
    double scale;            /* target_length / original_length, at least 1 */
    double rope_theta;
    double attention_factor; /* what searched tables multiply base_attention_factor by */
    int64_t iterations;
    int64_t planned; /* evaluations */
    struct genome_space space;
    /* What a run begun with schema 2 does not know has the values in parentheses. */
    enum stage_kind kind;                /* (STAGE_EXTEND) */
    char model[STORE_PATH_SIZE];         /* folder that it was loaded from; "": not known */
    int64_t pretrained_length;           /* the window before any extension (original_length) */
    char base[STORE_NAME_SIZE];          /* stage whose table the model was fine-tuned with; "": none is named */
    bool composed;                       /* searched factors multiply base_factors (false) */
    double base_factors[ROPE_MAX_PAIRS]; /* the model's own longrope table; 1 where not composed */
    double base_attention_factor;        /* its own; 1 where not composed */
};

struct setting {
    char *key, *value;
};

#define STORE_OBJECTIVE "objective" /* key of the setting that every stage has */

/* A window that is scored. */
struct window_record {
    char document[STORE_DOCUMENT_SIZE]; /* the file's name, without folders */
    int64_t start, tokens;
    /* With OBJECTIVE_NEEDLE the window's text is the haystack; with others all of these are 0. */
    int64_t answer;                   /* tokens that are scored: the last ones */
    int64_t needle;                   /* token that the needle begins at, from the window's first */
    double depth;                     /* 0..1: the share of the haystack that lies before it */
    char key[NEEDLE_MOST_DIGITS + 1]; /* that it states */
};

/* In a run begun with schema 1 the windows' nats and the model's own attention factor are not known: then
 * scored.windows is 0 and table.own_attention_factor 1. */
struct baseline_record {
    enum rope_method method;
    struct rope_table table; /* without theta and own_factors: frequencies holds what they give */
    double nats_per_token;   /* mean */
    struct scored scored;
};

struct individual_record {
    struct individual individual; /* scored; its score is NaN where it was stopped */
    struct scored scored;
};

/* Adds a stage with its settings and windows, in one transaction, in state pending. STATUS_INPUT
 * where another stage has its id. */
int store_add_stage(struct store *store, const struct stage_record *stage, const struct setting *settings,
                    size_t setting_count, const struct window_record *windows, size_t window_count,
                    struct error *error);
int store_set_state(struct store *store, int64_t stage, enum stage_state state, struct error *error);

/* *found is false where there is no such stage. */
int store_find_stage(struct store *store, const char *name, struct stage_record *out, bool *found, struct error *error);
/* All stages by id; the caller frees *out with free(). */
int store_stages(struct store *store, struct stage_record **out, size_t *count, struct error *error);

/* STATUS_INPUT, naming the first setting that differs and both its values, unless the stage was
 * stored with exactly these. */
int store_check_settings(struct store *store, int64_t stage, const struct setting *settings, size_t count,
                         struct error *error);

/* STATUS_FAILED, naming the column, where the stored stage is not the one that equal settings describe now; its state
 * and numbers of individuals are not looked at. */
int store_check_stage(struct store *store, const struct stage_record *described, struct error *error);

/* The windows of a stage in the order of their scoring; the caller frees *out with free(). */
int store_windows(struct store *store, int64_t stage, struct window_record **out, size_t *count, struct error *error);

/* A baseline with its nats on the first windows, window_nats[baseline->scored.windows], in one transaction. */
int store_add_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline,
                       const double *window_nats, struct error *error);
/* In the order they were added; the caller frees *out with free(). */
int store_baselines(struct store *store, int64_t stage, struct baseline_record **out, size_t *count,
                    struct error *error);

/* A scored or stopped individual with its nats on the first windows, window_nats[scored->windows], in one
 * transaction. Its parents are there already. */
int store_add_individual(struct store *store, const struct stage_record *stage, const struct individual *individual,
                         const struct scored *scored, const double *window_nats, struct error *error);
/* All individuals of a stage by id; the caller frees *out with free(). */
int store_individuals(struct store *store, const struct stage_record *stage, struct individual_record **out,
                      size_t *count, struct error *error);

/* Nats, summed over its tokens, of each of the first windows, at most nats[capacity]; *count says how many
 * there are. None for what is not in the store. */
int store_window_nats(struct store *store, int64_t stage, int64_t individual, double *nats, size_t capacity,
                      size_t *count, struct error *error);
int store_baseline_nats(struct store *store, int64_t stage, enum rope_method method, double *nats, size_t capacity,
                        size_t *count, struct error *error);

#endif
