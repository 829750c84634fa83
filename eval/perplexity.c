#include "eval/perplexity.h"

#include <math.h>
#include <stdlib.h>

int64_t sample_tokens(const struct sample *sample) { return sample->length - 1 - sample->skip; }

int64_t scoring_tokens(const struct scoring *scoring) {
    int64_t tokens = 0;
    for (size_t s = 0; s < scoring->count; s++) tokens += sample_tokens(&scoring->samples[s]);
    return tokens;
}

static int64_t most_tokens(const struct scoring *scoring) {
    int64_t most = 0;
    for (size_t s = 0; s < scoring->count; s++) {
        int64_t tokens = sample_tokens(&scoring->samples[s]);
        if (tokens > most) most = tokens;
    }
    return most;
}

int perplexity_score(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                     double *sample_nats, double *token_nats, struct error *error) {
    int64_t most = most_tokens(scoring);
    double *nats = malloc((size_t)(most + 1) * sizeof *nats), *next = token_nats;
    if (!nats) return error_memory(error, (double)most * sizeof *nats, "the nats of a window");
    int status = STATUS_OK;
    for (size_t s = 0; s < scoring->count; s++) {
        const struct sample *sample = &scoring->samples[s];
        const int32_t *tokens = scoring->documents->items[sample->document].tokens + sample->start;
        double *to = token_nats ? next : nats;
        status = forward_nats(forward, table, tokens, sample->length, sample->skip, to, error);
        if (status != STATUS_OK) break;
        sample_nats[s] = 0.0;
        for (int64_t i = 0; i < sample_tokens(sample); i++) sample_nats[s] += to[i];
        if (token_nats) next += sample_tokens(sample);
        if (scoring->progress) scoring->progress(scoring->progress_state, s + 1);
    }
    free(nats);
    return status;
}

double perplexity_mean_nats(const struct scoring *scoring, const double *sample_nats) {
    if (scoring_tokens(scoring) == 0) return NAN;
    double sum = 0.0;
    for (size_t s = 0; s < scoring->count; s++) sum += sample_nats[s];
    return sum / (double)scoring_tokens(scoring);
}
