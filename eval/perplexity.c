#include "eval/perplexity.h"

#include <math.h>
#include <stdlib.h>

int64_t window_tokens(const struct window *window) { return window->length - 1 - window->skip; }

int64_t scoring_tokens(const struct scoring *scoring) {
    int64_t tokens = 0;
    for (size_t w = 0; w < scoring->count; w++) tokens += window_tokens(&scoring->windows[w]);
    return tokens;
}

double nats_sum(const double *nats, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += nats[i];
    return sum;
}

size_t nats_block_count(size_t tokens) { return tokens / SCORING_BLOCK + (tokens % SCORING_BLOCK != 0); }

void nats_blocks(const double *nats, size_t count, float *blocks) {
    for (size_t block = 0; count > 0; block++) {
        size_t size = count < SCORING_BLOCK ? count : SCORING_BLOCK;
        blocks[block] = (float)nats_sum(nats, size);
        nats += size;
        count -= size;
    }
}

int perplexity_window(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                      size_t window, double *nats, double *token_nats, struct error *error) {
    const struct window *at = &scoring->windows[window];
    const int32_t *tokens = scoring->documents->items[at->document].tokens + at->start;
    size_t count = (size_t)window_tokens(at);
    double *own = token_nats ? NULL : malloc((count + 1) * sizeof *own), *each = token_nats ? token_nats : own;
    if (!each) return error_memory(error, (double)(count + 1) * sizeof *own, "the nats of a window");
    int status = forward_nats(forward, table, tokens, at->length, at->skip, each, error);
    if (status == STATUS_OK) *nats = nats_sum(each, count);
    free(own);
    return status;
}

int perplexity_window_blocks(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                             size_t window, double *nats, float *blocks, struct error *error) {
    size_t tokens = (size_t)window_tokens(&scoring->windows[window]);
    double *each = malloc((tokens + 1) * sizeof *each);
    if (!each) return error_memory(error, (double)(tokens + 1) * sizeof *each, "the nats of a window");
    int status = perplexity_window(forward, table, scoring, window, nats, each, error);
    bool overflowed = status == STATUS_FAILED && forward_overflowed(forward);
    if (overflowed) *nats = INFINITY;
    for (size_t b = 0; overflowed && blocks && b < nats_block_count(tokens); b++) blocks[b] = NAN;
    if (status == STATUS_OK && blocks) nats_blocks(each, tokens, blocks);
    free(each);
    return overflowed ? STATUS_OK : status;
}

double perplexity_mean_nats(const struct scoring *scoring, const double *window_nats) {
    int64_t tokens = scoring_tokens(scoring);
    return tokens == 0 ? NAN : nats_sum(window_nats, scoring->count) / (double)tokens;
}
