#include "search/recipe/scorer.h"

#include <gnu/libc-version.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "search/base/clock.h"
#include "search/base/progress.h"

enum { DIGITS = 33 }; /* of a fingerprint, with the end of the string */

struct scorer {
    struct scorer_options options;
    struct forward *forward;
    XXH3_state_t *hash;
    char model[DIGITS];
    char arithmetic[160];
    char (*windows)[DIGITS]; /* [scoring->count] */
    size_t done, asked;      /* windows of the range under way */
};

/* ---- fingerprints ---- */

static void digest(const XXH3_state_t *hash, char out[DIGITS]) {
    XXH128_hash_t value = XXH3_128bits_digest(hash);
    snprintf(out, DIGITS, "%016" PRIx64 "%016" PRIx64, value.high64, value.low64);
}

/* The pieces are of fixed sizes, or led by a count, so no two windows or tables feed the same bytes. */
static void window_fingerprint(XXH3_state_t *hash, const struct scoring *scoring, size_t window, char out[DIGITS]) {
    const struct window *at = &scoring->windows[window];
    const int32_t *tokens = scoring->documents->items[at->document].tokens + at->start;
    XXH3_128bits_reset(hash);
    XXH3_128bits_update(hash, &at->skip, sizeof at->skip);
    XXH3_128bits_update(hash, tokens, (size_t)at->length * sizeof *tokens);
    digest(hash, out);
}

/* All of it that rope_rows() reads; a scorer's angles are always in double. */
static void table_fingerprint(XXH3_state_t *hash, const struct rope_table *table, char out[DIGITS]) {
    const double scalars[] = {(double)table->pairs, (double)table->start_tokens, table->attention_factor,
                              table->own_attention_factor};
    size_t bytes = (size_t)table->pairs * sizeof(double);
    XXH3_128bits_reset(hash);
    XXH3_128bits_update(hash, scalars, sizeof scalars);
    XXH3_128bits_update(hash, table->frequencies, bytes);
    XXH3_128bits_update(hash, table->factors, bytes);
    digest(hash, out);
}

/* ---- creating and freeing ---- */

static void pass_advanced(void *state, double fraction) {
    const struct scorer *scorer = state;
    const struct scorer_options *options = &scorer->options;
    if (!options->progress) return;
    options->progress(options->progress_state, ((double)scorer->done + fraction) / (double)scorer->asked);
}

static void take_fingerprints(struct scorer *scorer) {
    const struct model *model = scorer->options.model;
    snprintf(scorer->model, sizeof scorer->model, "%016" PRIx64, model->fingerprint);
    /* the compiler orders sums, and the C library's sines differ in last bits */
    snprintf(scorer->arithmetic, sizeof scorer->arithmetic, "%s %s %d, %.60s, glibc %s",
             number_type_name(model->kernels->type), model->kernels->name, FORWARD_REVISION, __VERSION__,
             gnu_get_libc_version());
    for (size_t w = 0; w < scorer->options.scoring->count; w++) {
        window_fingerprint(scorer->hash, scorer->options.scoring, w, scorer->windows[w]);
    }
}

int scorer_new(const struct scorer_options *options, struct scorer **out, struct error *error) {
    *out = NULL;
    struct scorer *scorer = calloc(1, sizeof *scorer);
    if (!scorer) return error_memory(error, sizeof *scorer, "scoring");
    scorer->options = *options;
    scorer->hash = XXH3_createState();
    scorer->windows = calloc(options->scoring->count, sizeof *scorer->windows);
    struct forward_options forward = {.threads = options->threads,
                                      .angles = ROPE_ANGLES_F64,
                                      .stop = options->stop,
                                      .progress = pass_advanced,
                                      .progress_state = scorer};
    int status = STATUS_OK;
    if (!scorer->hash || !scorer->windows) {
        status = error_memory(error, (double)options->scoring->count * sizeof *scorer->windows, "fingerprints");
    }
    if (status == STATUS_OK) status = forward_new(options->model, &forward, &scorer->forward, error);
    if (status != STATUS_OK) {
        scorer_free(scorer);
        return status;
    }
    take_fingerprints(scorer);
    *out = scorer;
    return STATUS_OK;
}

void scorer_free(struct scorer *scorer) {
    if (!scorer) return;
    forward_free(scorer->forward);
    free(scorer->windows);
    XXH3_freeState(scorer->hash);
    free(scorer);
}

/* ---- scoring ---- */

static bool is_stopped(const struct scorer *scorer) { return scorer->options.stop && *scorer->options.stop; }

/* Computes the nats and blocks of a window. */
static int compute_window(struct scorer *scorer, const struct rope_table *table, size_t window,
                          struct score_cache_entry *out, struct error *error) {
    const struct scoring *scoring = scorer->options.scoring;
    size_t tokens = (size_t)window_tokens(&scoring->windows[window]);
    double *each = malloc((tokens + 1) * sizeof *each);
    if (!each) return error_memory(error, (double)(tokens + 1) * sizeof *each, "the nats of a window");
    int status = perplexity_window(scorer->forward, table, scoring, window, &out->nats, each, error);
    if (status == STATUS_OK) nats_blocks(each, tokens, out->blocks);
    free(each);
    return status;
}

/* Nats and blocks of one window, from the cache or computed and put there. */
static int score_window(struct scorer *scorer, const struct rope_table *table, const char *fingerprint, size_t window,
                        struct window_nats *nats, struct scored *scored, struct error *error) {
    const struct score_cache_key key = {scorer->model, scorer->arithmetic, scorer->windows[window], fingerprint};
    struct score_cache_entry entry = {.blocks = window_nats_blocks(nats, window),
                                      .block_count = window_nats_block_count(nats, window)};
    bool found = false;
    int status = score_cache_find(scorer->options.cache, &key, &entry, &found, error);
    if (status != STATUS_OK) return status;
    if (found) nats->nats[window] = entry.nats;
    if (found && (!scorer->options.blocks || window_nats_has_blocks(nats, window))) return STATUS_OK;
    nats->nats[window] = NAN; /* until it is computed */
    status = compute_window(scorer, table, window, &entry, error);
    if (status != STATUS_OK) return status;
    nats->nats[window] = entry.nats;
    scored->computed++;
    return score_cache_add(scorer->options.cache, &key, &entry, error);
}

int scorer_score(struct scorer *scorer, const struct rope_table *table, const struct race *race,
                 struct window_range range, struct window_nats *nats, struct scored *scored, struct error *error) {
    const struct scoring *scoring = scorer->options.scoring;
    const struct window_range all = {0, scoring->count};
    double began = clock_seconds();
    char fingerprint[DIGITS];
    bool lost = false;
    table_fingerprint(scorer->hash, table, fingerprint);
    *scored = (struct scored){.first = (range.first + range.count) % scoring->count};
    for (size_t i = 0; i < range.count && !lost; i++) {
        size_t window = window_nats_at(nats, range, i);
        if (window_nats_scored(nats, window)) continue;
        /* the forward pass looks at the flag, too, but windows from the cache need none */
        if (is_stopped(scorer)) return error_set(error, STATUS_STOPPED, "stopped");
        if (scored->windows == 0) scored->first = window;
        scorer->done = i, scorer->asked = range.count;
        int status = score_window(scorer, table, fingerprint, window, nats, scored, error);
        if (status != STATUS_OK) return status;
        scored->windows++;
        lost = race && !window_nats_complete(nats, all) && racing_lost(race, scoring, nats);
    }
    scored->seconds = clock_seconds() - began;
    return STATUS_OK;
}
