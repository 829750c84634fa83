#include "search/recipe/score_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_fingerprint(XXH128_hash_t value, char out[SCORE_KEY_SIZE]) {
    snprintf(out, SCORE_KEY_SIZE, "%016" PRIx64 "%016" PRIx64, value.high64, value.low64);
}

static void window_key(XXH3_state_t *hash, const struct scoring *scoring, size_t window, char out[SCORE_KEY_SIZE]) {
    const struct window *at = &scoring->windows[window];
    const int32_t *tokens = scoring->documents->items[at->document].tokens + at->start;
    print_fingerprint(fingerprint_window(hash, tokens, at->length, at->skip), out);
}

/* A search's angles are always in double. */
void score_keys_table(const struct score_keys *keys, const struct rope_table *table, char out[SCORE_KEY_SIZE]) {
    print_fingerprint(fingerprint_table(keys->hash, table), out);
}

static void take_fingerprints(struct score_keys *keys, const struct model *model, const struct scoring *scoring) {
    snprintf(keys->model, sizeof keys->model, "%016" PRIx64, model->fingerprint);
    fingerprint_arithmetic(model->kernels, keys->arithmetic);
    for (size_t w = 0; w < scoring->count; w++) window_key(keys->hash, scoring, w, keys->windows[w]);
    XXH3_128bits_reset(keys->hash);
    XXH3_128bits_update(keys->hash, keys->windows, scoring->count * sizeof *keys->windows);
    print_fingerprint(XXH3_128bits_digest(keys->hash), keys->all_windows);
}

int score_keys_open(struct score_keys *out, const struct model *model, const struct scoring *scoring,
                    struct error *error) {
    *out = (struct score_keys){.hash = XXH3_createState(), .windows = calloc(scoring->count, sizeof *out->windows)};
    if (!out->hash || !out->windows) {
        return error_memory(error, (double)scoring->count * sizeof *out->windows, "fingerprints");
    }
    take_fingerprints(out, model, scoring);
    return STATUS_OK;
}

void score_keys_close(struct score_keys *keys) {
    free(keys->windows);
    XXH3_freeState(keys->hash);
    *keys = (struct score_keys){.windows = NULL};
}

struct rank_loaded score_keys_loaded(const struct score_keys *keys) {
    struct rank_loaded loaded;
    memset(&loaded, 0, sizeof loaded); /* all of it is sent */
    strcpy(loaded.model, keys->model);
    strcpy(loaded.windows, keys->all_windows);
    strcpy(loaded.arithmetic, keys->arithmetic);
    return loaded;
}

struct score_cache_key score_keys_of(const struct score_keys *keys, const char *table, size_t window) {
    return (struct score_cache_key){keys->model, keys->arithmetic, keys->windows[window], table};
}
