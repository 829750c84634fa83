#include "search/recipe/scorer.h"

#include <math.h>
#include <stdlib.h>

#include "search/base/clock.h"
#include "search/recipe/score_keys.h"
#include "search/recipe/window_pool.h"

struct scorer {
    struct scorer_options options;
    struct forward *forward;  /* NULL with workers */
    struct window_pool *pool; /* NULL without */
    size_t done, asked;       /* windows of the range under way */
};

/* ---- creating and freeing ---- */

static void pass_advanced(void *state, double fraction) {
    const struct scorer *scorer = state;
    const struct scorer_options *options = &scorer->options;
    if (!options->progress) return;
    options->progress(options->progress_state, ((double)scorer->done + fraction) / (double)scorer->asked);
}

static int open_forward(struct scorer *scorer, struct error *error) {
    const struct scorer_options *options = &scorer->options;
    const struct forward_options forward = {.threads = options->threads,
                                            .angles = ROPE_ANGLES_F64,
                                            .stop = options->stop,
                                            .progress = pass_advanced,
                                            .progress_state = scorer,
                                            .checkpoints = options->checkpoints};
    return forward_new(options->model, &forward, &scorer->forward, error);
}

static int open_pool(struct scorer *scorer, struct error *error) {
    const struct scorer_options *options = &scorer->options;
    const struct window_pool_options pool = {.workers = options->workers,
                                             .scoring = options->scoring,
                                             .keys = options->keys,
                                             .cache = options->cache,
                                             .blocks = options->blocks,
                                             .stop = options->stop,
                                             .hopeless = options->hopeless,
                                             .idle = options->idle,
                                             .state = options->workers_state,
                                             .progress = options->progress,
                                             .progress_state = options->progress_state};
    return window_pool_new(&pool, &scorer->pool, error);
}

int scorer_new(const struct scorer_options *options, struct scorer **out, struct error *error) {
    *out = NULL;
    struct scorer *scorer = calloc(1, sizeof *scorer);
    if (!scorer) return error_memory(error, sizeof *scorer, "scoring");
    scorer->options = *options;
    int status = options->workers ? open_pool(scorer, error) : open_forward(scorer, error);
    if (status != STATUS_OK) {
        scorer_free(scorer);
        return status;
    }
    *out = scorer;
    return STATUS_OK;
}

void scorer_free(struct scorer *scorer) {
    if (!scorer) return;
    window_pool_free(scorer->pool);
    forward_free(scorer->forward);
    free(scorer);
}

int scorer_expect(struct scorer *scorer, const struct rope_table *table, struct window_range range, size_t have,
                  int64_t tag, struct error *error) {
    return scorer->pool ? window_pool_expect(scorer->pool, table, range, have, tag, error) : STATUS_OK;
}

/* ---- scoring ---- */

static bool is_stopped(const struct scorer *scorer) { return scorer->options.stop && *scorer->options.stop; }

/* Nats and blocks of one window, from the cache or computed and put there. */
static int score_window(struct scorer *scorer, const struct rope_table *table, const char *fingerprint, size_t window,
                        struct window_nats *nats, bool *computed, struct error *error) {
    const struct score_cache_key key = score_keys_of(scorer->options.keys, fingerprint, window);
    struct score_cache_entry entry = {.blocks = window_nats_blocks(nats, window),
                                      .block_count = window_nats_block_count(nats, window)};
    bool found = false;
    *computed = false;
    int status = score_cache_find(scorer->options.cache, &key, &entry, &found, error);
    if (status != STATUS_OK) return status;
    if (found) nats->nats[window] = entry.nats;
    if (found && (!scorer->options.blocks || window_nats_has_blocks(nats, window))) return STATUS_OK;
    nats->nats[window] = NAN; /* until it is computed */
    status = perplexity_window_blocks(scorer->forward, table, scorer->options.scoring, window, &entry.nats,
                                      entry.blocks, error);
    if (status != STATUS_OK) return status;
    nats->nats[window] = entry.nats;
    *computed = true;
    if (isinf(entry.nats)) return STATUS_OK; /* failures are soon found again */
    return score_cache_add(scorer->options.cache, &key, &entry, error);
}

/* A table whose windows are scored. */
struct under_way {
    const struct rope_table *table;
    char fingerprint[SCORE_KEY_SIZE];
    struct pooled_table *pooled; /* with workers */
};

static int begin(struct scorer *scorer, const struct rope_table *table, struct under_way *out, struct error *error) {
    *out = (struct under_way){.table = table};
    if (scorer->pool) return window_pool_begin(scorer->pool, table, &out->pooled, error);
    score_keys_table(scorer->options.keys, table, out->fingerprint);
    return STATUS_OK;
}

static int next_window(struct scorer *scorer, const struct under_way *at, size_t window, struct window_nats *nats,
                       bool *computed, struct error *error) {
    if (scorer->pool) return window_pool_await(scorer->pool, at->pooled, window, nats, computed, error);
    return score_window(scorer, at->table, at->fingerprint, window, nats, computed, error);
}

static int score_range(struct scorer *scorer, const struct under_way *at, const struct race *race,
                       struct window_range range, struct window_nats *nats, struct scored *scored,
                       struct error *error) {
    const struct scoring *scoring = scorer->options.scoring;
    const struct scoring raced = racing_windows(scoring, range);
    bool lost = false, computed = false;
    for (size_t i = 0; i < range.count && !lost; i++) {
        size_t window = window_nats_at(nats, range, i);
        if (window_nats_scored(nats, window)) continue;
        /* the forward pass looks at the flag, too, but windows from the cache need none */
        if (is_stopped(scorer)) return error_set(error, STATUS_STOPPED, "stopped");
        if (scored->windows == 0) scored->first = window;
        scorer->done = i, scorer->asked = range.count;
        int status = next_window(scorer, at, window, nats, &computed, error);
        if (status != STATUS_OK) return status;
        scored->windows++;
        scored->computed += computed;
        if (computed && scorer->forward) scored->seconds += forward_earlier_seconds(scorer->forward);
        lost = isinf(nats->nats[window]);
        if (!lost) lost = race && !window_nats_complete(nats, range) && racing_lost(race, &raced, nats);
    }
    return STATUS_OK;
}

int scorer_score(struct scorer *scorer, const struct rope_table *table, const struct race *race,
                 struct window_range range, struct window_nats *nats, struct scored *scored, struct error *error) {
    double began = clock_seconds();
    struct under_way at;
    *scored = (struct scored){.first = (range.first + range.count) % scorer->options.scoring->count};
    int status = begin(scorer, table, &at, error);
    if (status == STATUS_OK) status = score_range(scorer, &at, race, range, nats, scored, error);
    if (status == STATUS_OK && scorer->pool) window_pool_end(scorer->pool, at.pooled);
    scored->seconds += clock_seconds() - began;
    return status;
}
