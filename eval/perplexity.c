#include "eval/perplexity.h"

#include <math.h>
#include <stdlib.h>

int64_t window_tokens(const struct window *sample) { return sample->length - 1 - sample->skip; }

int64_t scoring_tokens(const struct scoring *scoring) {
    int64_t tokens = 0;
    for (size_t s = 0; s < scoring->count; s++) tokens += window_tokens(&scoring->samples[s]);
    return tokens;
}

int perplexity_window(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                      size_t sample, double *nats, double *token_nats, struct error *error) {
    const struct window *window = &scoring->samples[sample];
    const int32_t *tokens = scoring->documents->items[window->document].tokens + window->start;
    int64_t count = window_tokens(window);
    double *own = token_nats ? NULL : malloc((size_t)(count + 1) * sizeof *own), *each = token_nats ? token_nats : own;
    if (!each) return error_memory(error, (double)count * sizeof *own, "the nats of a window");
    int status = forward_nats(forward, table, tokens, window->length, window->skip, each, error);
    if (status == STATUS_OK) {
        *nats = 0.0;
        for (int64_t i = 0; i < count; i++) *nats += each[i];
    }
    free(own);
    return status;
}

int perplexity_score(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                     double *window_nats, double *token_nats, struct error *error) {
    for (size_t s = 0; s < scoring->count; s++) {
        int status = perplexity_window(forward, table, scoring, s, &window_nats[s], token_nats, error);
        if (status != STATUS_OK) return status;
        if (token_nats) token_nats += window_tokens(&scoring->samples[s]);
        if (scoring->progress) scoring->progress(scoring->progress_state, s + 1);
    }
    return STATUS_OK;
}

double perplexity_mean_nats(const struct scoring *scoring, const double *window_nats) {
    if (scoring_tokens(scoring) == 0) return NAN;
    double sum = 0.0;
    for (size_t s = 0; s < scoring->count; s++) sum += window_nats[s];
    return sum / (double)scoring_tokens(scoring);
}
