#include "search/recipe/window_pool.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/trace.h"
#include "search/ranks/handout.h"
#include "search/recipe/scorer.h"

enum window_state { WINDOW_UNASKED, WINDOW_WAITED_FOR, WINDOW_KNOWN, WINDOW_FAILED };

struct pooled_window {
    enum window_state state;
    bool computed; /* and not heard yet */
};

struct pooled_table {
    int64_t id; /* in the hand-out */
    char fingerprint[SCORE_KEY_SIZE];
    struct rope_table table;
    int64_t tag;
    size_t expected; /* how often it was expected or begun, and not ended */
    bool hopeless;
    struct window_nats nats;
    struct pooled_window *windows; /* [scoring->count] */
    size_t asked, known;           /* windows */
    int failed;                    /* status of the window that failed first */
    struct error why;
    struct pooled_table *next;
};

struct window_pool {
    struct window_pool_options options;
    struct handout *handout;
    struct pooled_table *tables;
    struct pooled_table *front; /* NULL, or the one that was begun last */
    int64_t last;               /* id of a table */
    bool changed;               /* since units were handed out last */
};

/* ---- creating and freeing ---- */

int window_pool_new(const struct window_pool_options *options, struct window_pool **out, struct error *error) {
    *out = NULL;
    struct window_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return error_memory(error, sizeof *pool, "the windows of a generation");
    pool->options = *options;
    int status = handout_new(options->workers->count, &pool->handout, error);
    if (status != STATUS_OK) {
        window_pool_free(pool);
        return status;
    }
    *out = pool;
    return STATUS_OK;
}

static void cancel_units(struct window_pool *pool, int64_t table) {
    const struct workers *workers = pool->options.workers;
    struct handout_unit units[HANDOUT_MOST];
    for (size_t w = 0; w < workers->count; w++) {
        size_t count = handout_under_way(pool->handout, w, units);
        for (size_t i = 0; i < count; i++) {
            if (units[i].table == table) workers->cancel(workers->state, w, units[i].id);
        }
    }
}

static void free_table(struct pooled_table *table) {
    window_nats_close(&table->nats);
    free(table->windows);
    free(table);
}

/* Out of the list and of the hand-out. */
static void remove_table(struct window_pool *pool, struct pooled_table *table) {
    struct pooled_table **at = &pool->tables;
    while (*at != table) at = &(*at)->next;
    *at = table->next;
    if (pool->front == table) pool->front = NULL;
    cancel_units(pool, table->id);
    handout_drop(pool->handout, table->id);
    free_table(table);
    pool->changed = true;
}

static bool is_under_way(const struct window_pool *pool) {
    struct handout_unit units[HANDOUT_MOST];
    size_t count = 0;
    for (size_t w = 0; w < pool->options.workers->count; w++) count += handout_under_way(pool->handout, w, units);
    return count > 0;
}

/* Waits for the units that were cancelled. The next pool of these workers numbers its units from 1 again, and would
 * take their results for its own. Not after a stop or an error of the workers: no other pool follows. */
static void drain(struct window_pool *pool) {
    const struct workers *workers = pool->options.workers;
    const volatile sig_atomic_t *stop = pool->options.stop;
    struct work_result result;
    struct handout_unit unit;
    struct error error;
    while (is_under_way(pool) && !(stop && *stop)) {
        bool taken = false;
        if (workers->take(workers->state, &result, &taken, &error) != STATUS_OK) return;
        if (taken) {
            handout_done(pool->handout, result.worker, result.id, &unit);
        } else {
            workers->wait(workers->state);
        }
    }
}

void window_pool_free(struct window_pool *pool) {
    if (!pool) return;
    while (pool->tables) remove_table(pool, pool->tables);
    if (pool->handout) drain(pool);
    handout_free(pool->handout);
    free(pool);
}

/* ---- tables ---- */

static struct pooled_table *find_id(const struct window_pool *pool, int64_t id) {
    struct pooled_table *table = pool->tables;
    while (table && table->id != id) table = table->next;
    return table;
}

static struct pooled_table *find(const struct window_pool *pool, const char *fingerprint) {
    struct pooled_table *table = pool->tables;
    while (table && strcmp(table->fingerprint, fingerprint) != 0) table = table->next;
    return table;
}

static int add_table(struct window_pool *pool, const struct rope_table *table, const char *fingerprint,
                     struct pooled_table **out, struct error *error) {
    size_t windows = pool->options.scoring->count;
    struct pooled_table *added = calloc(1, sizeof *added);
    if (!added) return error_memory(error, sizeof *added, "a table");
    added->windows = calloc(windows, sizeof *added->windows);
    int status = window_nats_open(&added->nats, pool->options.scoring, error);
    if (status == STATUS_OK && !added->windows) {
        status = error_memory(error, (double)windows * sizeof *added->windows, "the windows of a table");
    }
    if (status != STATUS_OK) {
        free_table(added);
        return status;
    }
    added->id = ++pool->last;
    added->table = *table;
    added->tag = SCORER_NO_TAG;
    strcpy(added->fingerprint, fingerprint);
    added->next = pool->tables;
    pool->tables = added;
    *out = added;
    return STATUS_OK;
}

/* The table with that content, which is added if there is none. */
static int enter(struct window_pool *pool, const struct rope_table *table, struct pooled_table **out,
                 struct error *error) {
    char fingerprint[SCORE_KEY_SIZE];
    score_keys_table(pool->options.keys, table, fingerprint);
    *out = find(pool, fingerprint);
    return *out ? STATUS_OK : add_table(pool, table, fingerprint, out, error);
}

/* ---- windows ---- */

static struct score_cache_entry entry_of(const struct pooled_table *table, size_t window) {
    return (struct score_cache_entry){.blocks = window_nats_blocks(&table->nats, window),
                                      .block_count = window_nats_block_count(&table->nats, window)};
}

/* Takes a window from the cache, or else adds it to what is handed out. */
static int ask(struct window_pool *pool, struct pooled_table *table, size_t window, struct error *error) {
    const struct score_cache_key key = score_keys_of(pool->options.keys, table->fingerprint, window);
    struct score_cache_entry entry = entry_of(table, window);
    bool found = false;
    int status = score_cache_find(pool->options.cache, &key, &entry, &found, error);
    if (status != STATUS_OK) return status;
    table->asked++;
    if (found) table->nats.nats[window] = entry.nats;
    if (found && (!pool->options.blocks || window_nats_has_blocks(&table->nats, window))) {
        table->windows[window].state = WINDOW_KNOWN;
        table->known++;
        return STATUS_OK;
    }
    table->nats.nats[window] = NAN; /* until it is computed */
    table->windows[window].state = WINDOW_WAITED_FOR;
    pool->changed = true;
    return handout_add(pool->handout, table->id, window, error);
}

int window_pool_expect(struct window_pool *pool, const struct rope_table *table, struct window_range range, size_t have,
                       int64_t tag, struct error *error) {
    struct pooled_table *expected = NULL;
    int status = enter(pool, table, &expected, error);
    if (status != STATUS_OK) return status;
    expected->expected++;
    if (expected->tag == SCORER_NO_TAG) expected->tag = tag;
    for (size_t i = have; i < range.count && status == STATUS_OK; i++) {
        size_t window = window_nats_at(&expected->nats, range, i);
        if (expected->windows[window].state == WINDOW_UNASKED) status = ask(pool, expected, window, error);
    }
    return status;
}

/* ---- results ---- */

static int judge(struct window_pool *pool, struct pooled_table *table, struct error *error) {
    bool waits = table->known > 0 && table->known < table->asked && table != pool->front;
    if (!pool->options.hopeless || table->tag == SCORER_NO_TAG || table->hopeless || !waits) return STATUS_OK;
    int status = pool->options.hopeless(pool->options.state, table->tag, &table->nats, &table->hopeless, error);
    if (status != STATUS_OK || !table->hopeless) return status;
    TRACE(TRACE_RANKS, "the table of individual %" PRId64 " is held back: it would be given up by now", table->tag);
    handout_hold(pool->handout, table->id);
    return STATUS_OK;
}

static void note_failure(struct pooled_table *table, size_t window, const struct work_result *result) {
    table->windows[window].state = WINDOW_FAILED;
    if (table->failed == STATUS_OK) table->failed = result->status, table->why = result->error;
}

static int keep(struct window_pool *pool, struct pooled_table *table, size_t window, const struct work_result *result,
                struct error *error) {
    const struct score_cache_key key = score_keys_of(pool->options.keys, table->fingerprint, window);
    struct score_cache_entry entry = entry_of(table, window);
    if (result->size != entry.block_count * sizeof *entry.blocks || !(result->nats >= 0.0)) {
        return error_set(error, STATUS_FAILED,
                         "worker %zu answered with %zu bytes of blocks and %g nats, which the window does not have",
                         result->worker, result->size, result->nats);
    }
    if (result->size) memcpy(entry.blocks, result->details, result->size);
    entry.nats = table->nats.nats[window] = result->nats;
    table->windows[window] = (struct pooled_window){WINDOW_KNOWN, true};
    table->known++;
    int status = isinf(entry.nats) ? STATUS_OK : score_cache_add(pool->options.cache, &key, &entry, error);
    return status == STATUS_OK ? judge(pool, table, error) : status;
}

static int arrived(struct window_pool *pool, const struct work_result *result, struct error *error) {
    struct handout_unit unit;
    enum handout_return what = handout_done(pool->handout, result->worker, result->id, &unit);
    if (what == HANDOUT_UNKNOWN) return STATUS_OK;
    pool->changed = true;
    TRACE(TRACE_RANKS, "worker %zu: unit %" PRIu64 " (table %" PRId64 ", window %zu) %s", result->worker, unit.id,
          unit.table, unit.window,
          what == HANDOUT_DROPPED       ? "is not required any more"
          : result->status == STATUS_OK ? "is scored"
                                        : "failed");
    if (what == HANDOUT_DROPPED) return STATUS_OK;
    struct pooled_table *table = find_id(pool, unit.table);
    assert(table);
    if (result->status == STATUS_OK) return keep(pool, table, unit.window, result, error);
    note_failure(table, unit.window, result);
    return STATUS_OK;
}

/* ---- working ---- */

/* *idle: a worker has nothing to do. */
static int hand_out_known(struct window_pool *pool, bool *idle, struct error *error) {
    const struct workers *workers = pool->options.workers;
    struct handout_unit unit, under_way[HANDOUT_MOST];
    *idle = false;
    pool->changed = false;
    for (size_t w = 0; w < workers->count; w++) {
        while (handout_next(pool->handout, w, &unit)) {
            const struct work_unit work = {unit.id, unit.window, find_id(pool, unit.table)->table};
            TRACE(TRACE_RANKS, "worker %zu: gets unit %" PRIu64 " (table %" PRId64 ", window %zu)", w, unit.id,
                  unit.table, unit.window);
            int status = workers->give(workers->state, w, &work, error);
            if (status != STATUS_OK) return status;
        }
        *idle = *idle || handout_under_way(pool->handout, w, under_way) == 0;
    }
    return STATUS_OK;
}

static int hand_out(struct window_pool *pool, struct error *error) {
    bool idle = false;
    int status = pool->changed ? hand_out_known(pool, &idle, error) : STATUS_OK;
    if (status == STATUS_OK && idle && pool->options.idle) status = pool->options.idle(pool->options.state, error);
    return status == STATUS_OK && pool->changed ? hand_out_known(pool, &idle, error) : status;
}

/* Hands out units, and takes what has come; waits a little if nothing has. */
static int work(struct window_pool *pool, struct error *error) {
    const struct workers *workers = pool->options.workers;
    struct work_result result;
    bool taken = false, any = false;
    int status = hand_out(pool, error);
    do {
        if (status == STATUS_OK) status = workers->take(workers->state, &result, &taken, error);
        if (status == STATUS_OK && taken) status = arrived(pool, &result, error);
        any = any || taken;
    } while (status == STATUS_OK && taken);
    if (status == STATUS_OK && pool->options.stop && *pool->options.stop) {
        return error_set(error, STATUS_STOPPED, "stopped");
    }
    if (status == STATUS_OK && !any) workers->wait(workers->state);
    return status;
}

int window_pool_begin(struct window_pool *pool, const struct rope_table *table, struct pooled_table **out,
                      struct error *error) {
    int status = enter(pool, table, out, error);
    if (status != STATUS_OK) return status;
    if ((*out)->expected == 0) (*out)->expected++;
    pool->front = *out;
    handout_to_front(pool->handout, (*out)->id);
    pool->changed = true;
    /* what was told since may have made rivals better */
    for (struct pooled_table *other = pool->tables; other && status == STATUS_OK; other = other->next) {
        status = judge(pool, other, error);
    }
    return status;
}

int window_pool_await(struct window_pool *pool, struct pooled_table *table, size_t window, struct window_nats *nats,
                      bool *computed, struct error *error) {
    struct pooled_window *at = &table->windows[window];
    int status = at->state == WINDOW_UNASKED ? ask(pool, table, window, error) : STATUS_OK;
    while (status == STATUS_OK && at->state == WINDOW_WAITED_FOR) {
        status = work(pool, error);
        if (!pool->options.progress) continue;
        pool->options.progress(pool->options.progress_state, (double)table->known / (double)table->asked);
    }
    if (status != STATUS_OK) return status;
    if (at->state == WINDOW_FAILED) return error_set(error, table->failed, "%s", table->why.message);
    nats->nats[window] = table->nats.nats[window];
    size_t blocks = window_nats_block_count(nats, window);
    if (blocks)
        memcpy(window_nats_blocks(nats, window), window_nats_blocks(&table->nats, window), blocks * sizeof(float));
    *computed = at->computed;
    at->computed = false;
    return STATUS_OK;
}

void window_pool_end(struct window_pool *pool, struct pooled_table *table) {
    if (--table->expected == 0) remove_table(pool, table);
}
