#include "eval/perplexity.h"

#include <math.h>
#include <stdlib.h>

int64_t scoring_tokens(const struct scoring *scoring) { return (int64_t)scoring->count * (scoring->length - 1); }

int perplexity_score(struct forward *forward, const struct rope_table *table, const struct scoring *scoring,
                     double *sample_nats, double *token_nats, struct error *error) {
    int64_t predicted = scoring->length - 1;
    double *nats = malloc((size_t)(predicted + 1) * sizeof *nats);
    if (!nats) return error_memory(error, (double)predicted * sizeof *nats, "the nats of a window");
    int status = STATUS_OK;
    for (size_t s = 0; s < scoring->count && status == STATUS_OK; s++) {
        const struct document *document = &scoring->documents->items[scoring->samples[s].document];
        double *to = token_nats ? token_nats + (int64_t)s * predicted : nats;
        status = forward_nats(forward, table, document->tokens + scoring->samples[s].start, scoring->length, to, error);
        if (status != STATUS_OK) break;
        sample_nats[s] = 0.0;
        for (int64_t i = 0; i < predicted; i++) sample_nats[s] += to[i];
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
