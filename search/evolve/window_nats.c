#include "search/evolve/window_nats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

int window_nats_open(struct window_nats *out, const struct scoring *scoring, struct error *error) {
    *out = (struct window_nats){.windows = scoring->count};
    out->nats = calloc(scoring->count + 1, sizeof *out->nats);
    out->first_block = calloc(scoring->count + 1, sizeof *out->first_block);
    if (out->nats && out->first_block) {
        for (size_t w = 0; w < scoring->count; w++) {
            size_t tokens = (size_t)window_tokens(&scoring->windows[w]);
            out->first_block[w + 1] = out->first_block[w] + nats_block_count(tokens);
        }
        out->blocks = calloc(out->first_block[scoring->count] + 1, sizeof *out->blocks);
    }
    if (!out->blocks) return error_memory(error, (double)scoring->count * sizeof *out->nats, "the nats of windows");
    window_nats_clear(out);
    return STATUS_OK;
}

void window_nats_close(struct window_nats *nats) {
    free(nats->nats);
    free(nats->blocks);
    free(nats->first_block);
    *nats = (struct window_nats){.windows = 0};
}

void window_nats_clear(struct window_nats *nats) {
    for (size_t w = 0; w < nats->windows; w++) nats->nats[w] = NAN;
    for (size_t b = 0; nats->blocks && b < nats->first_block[nats->windows]; b++) nats->blocks[b] = NAN;
}

size_t window_nats_at(const struct window_nats *nats, struct window_range range, size_t index) {
    assert(range.first < nats->windows && range.count <= nats->windows && index < range.count);
    size_t to_end = nats->windows - range.first;
    return index < to_end ? range.first + index : index - to_end;
}

size_t window_nats_block_count(const struct window_nats *nats, size_t window) {
    assert(window < nats->windows);
    return nats->blocks ? nats->first_block[window + 1] - nats->first_block[window] : 0;
}

float *window_nats_blocks(const struct window_nats *nats, size_t window) {
    assert(window < nats->windows);
    return nats->blocks ? nats->blocks + nats->first_block[window] : NULL;
}

bool window_nats_scored(const struct window_nats *nats, size_t window) {
    assert(window < nats->windows);
    return !isnan(nats->nats[window]);
}

bool window_nats_has_blocks(const struct window_nats *nats, size_t window) {
    if (!nats->blocks || !window_nats_scored(nats, window)) return false;
    const float *blocks = window_nats_blocks(nats, window);
    return window_nats_block_count(nats, window) == 0 || !isnan(blocks[0]);
}

bool window_nats_failed(const struct window_nats *nats) {
    for (size_t w = 0; w < nats->windows; w++) {
        if (isinf(nats->nats[w])) return true;
    }
    return false;
}

bool window_nats_complete(const struct window_nats *nats, struct window_range range) {
    for (size_t i = 0; i < range.count; i++) {
        if (!window_nats_scored(nats, window_nats_at(nats, range, i))) return false;
    }
    return true;
}
