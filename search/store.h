/* The run directory: run.db, an SQLite database with all that a run knows.
 *
 * Write-ahead log, synchronous=FULL, one transaction for every scored individual: whatever was
 * reported as scored survives kill -9. Nothing in it depends on the number of threads, the host's
 * name or the paths of the run directory; only the columns named *seconds and *_at hold times. While a
 * writer has it open it holds an flock on RUN_DIR/run.lock, which names its host and process.
 *
 *     run          one row: the run's name
 *     stages       one row a stage: name, state, everything that its individuals are read with
 *     settings     what a resume must find unchanged, as words: (stage, key, value)
 *     samples      the windows that are scored: (stage, sample, document, start, tokens)
 *     baselines    closed-form tables, scored first: (stage, method, table, nats a token); the model's own
 *                  attention factor is not kept, and 1 when they are read
 *     individuals  scored genomes: (stage, id, generation, origin, parents, genes, n_hat, nats a token)
 *     sample_nats  nats of each individual on each sample: (stage, individual, sample, nats)
 */
#ifndef LONGROPE_SEARCH_STORE_H
#define LONGROPE_SEARCH_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/error.h"
#include "eval/rope.h"
#include "search/evolve.h"

struct store;

enum store_mode {
    STORE_CREATE, /* a new run; STATUS_INPUT where the folder holds one with a stage already */
    STORE_RESUME, /* a run that is there; STATUS_INPUT where there is none */
    STORE_READ    /* read-only, beside a writer if need be; takes no lock */
};

/* Opens RUN_DIR/run.db, making RUN_DIR and its parents for STORE_CREATE. STATUS_INPUT where it is
 * not a run of this program, is of a newer schema, or is held by another process (named);
 * STATUS_FAILED where the disk does not let it. The caller closes *out. */
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

enum { STORE_NAME_SIZE = 128 };

/* All that turns a row of `individuals` into a factor table. */
struct stage_record {
    int64_t id; /* 0, 1, ... in the order of the configuration */
    char name[STORE_NAME_SIZE];
    enum stage_state state;
    int64_t target_length;
    int64_t original_length; /* the model's window */
    double scale;
    double rope_theta;
    double attention_factor;
    int64_t iterations;
    int64_t planned; /* evaluations */
    struct genome_space space;
};

struct setting {
    char *key, *value;
};

struct sample_record {
    const char *document;
    int64_t start, tokens;
};

struct baseline_record {
    enum rope_method method;
    struct rope_table table;
    double nats_per_token; /* mean */
    double seconds;
};

/* Adds a stage with its settings and samples, in one transaction, in state pending. STATUS_INPUT
 * where another stage has its id. */
int store_add_stage(struct store *store, const struct stage_record *stage, const struct setting *settings,
                    size_t setting_count, const struct sample_record *samples, size_t sample_count,
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

int store_add_baseline(struct store *store, int64_t stage, const struct baseline_record *baseline, struct error *error);
/* In the order they were added; the caller frees *out with free(). */
int store_baselines(struct store *store, int64_t stage, struct baseline_record **out, size_t *count,
                    struct error *error);

/* One scored individual with its nats on each sample, in one transaction. */
int store_add_individual(struct store *store, int64_t stage, const struct individual *individual,
                         const double *sample_nats, size_t sample_count, double seconds, struct error *error);
/* All scored individuals of a stage by id; the caller frees *out with free(). */
int store_individuals(struct store *store, const struct stage_record *stage, struct individual **out, size_t *count,
                      struct error *error);

#endif
