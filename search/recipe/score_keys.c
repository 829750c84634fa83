#include "search/recipe/score_keys.h"

#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

static void digest(const XXH3_state_t *hash, char out[SCORE_KEY_SIZE]) {
    XXH128_hash_t value = XXH3_128bits_digest(hash);
    snprintf(out, SCORE_KEY_SIZE, "%016" PRIx64 "%016" PRIx64, value.high64, value.low64);
}

/* The pieces are of fixed sizes, or led by a count, so no two windows or tables feed the same bytes. */
static void window_fingerprint(XXH3_state_t *hash, const struct scoring *scoring, size_t window,
                               char out[SCORE_KEY_SIZE]) {
    const struct window *at = &scoring->windows[window];
    const int32_t *tokens = scoring->documents->items[at->document].tokens + at->start;
    XXH3_128bits_reset(hash);
    XXH3_128bits_update(hash, &at->skip, sizeof at->skip);
    XXH3_128bits_update(hash, tokens, (size_t)at->length * sizeof *tokens);
    digest(hash, out);
}

/* All of it that rope_rows() reads; a search's angles are always in double. */
void score_keys_table(const struct score_keys *keys, const struct rope_table *table, char out[SCORE_KEY_SIZE]) {
    const double scalars[] = {(double)table->pairs, (double)table->start_tokens, table->attention_factor,
                              table->own_attention_factor};
    size_t bytes = (size_t)table->pairs * sizeof(double);
    XXH3_128bits_reset(keys->hash);
    XXH3_128bits_update(keys->hash, scalars, sizeof scalars);
    XXH3_128bits_update(keys->hash, table->frequencies, bytes);
    XXH3_128bits_update(keys->hash, table->factors, bytes);
    digest(keys->hash, out);
}

static void take_fingerprints(struct score_keys *keys, const struct model *model, const struct scoring *scoring) {
    snprintf(keys->model, sizeof keys->model, "%016" PRIx64, model->fingerprint);
    /* the compiler orders sums, and the C library's sines differ in last bits */
    snprintf(keys->arithmetic, sizeof keys->arithmetic, "%s %s %d, %.60s, glibc %s",
             number_type_name(model->kernels->type), model->kernels->name, FORWARD_REVISION, __VERSION__,
             gnu_get_libc_version());
    for (size_t w = 0; w < scoring->count; w++) window_fingerprint(keys->hash, scoring, w, keys->windows[w]);
    XXH3_128bits_reset(keys->hash);
    XXH3_128bits_update(keys->hash, keys->windows, scoring->count * sizeof *keys->windows);
    digest(keys->hash, keys->all_windows);
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

struct score_cache_key score_keys_of(const struct score_keys *keys, const char *table, size_t window) {
    return (struct score_cache_key){keys->model, keys->arithmetic, keys->windows[window], table};
}
