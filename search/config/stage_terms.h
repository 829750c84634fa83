/* What candidates are scored by. */
#ifndef LONGROPE_SEARCH_OBJECTIVE_H
#define LONGROPE_SEARCH_OBJECTIVE_H

#include <stdbool.h>

enum objective {
    OBJECTIVE_PERPLEXITY, /* nats of every token of a window of text (LongRoPE, arXiv 2402.13753) */
    OBJECTIVE_NEEDLE      /* nats of an answer's tokens alone, which stand far before it, at a random depth
                           * (needle-driven perplexity of LongRoPE2, arXiv 2502.20082): most tokens of a text
                           * are foretold by their neighbours, so that the mean over all of them hardly sees
                           * whether far ones are used */
};

/* "perplexity", "needle"; configurations, the store and reports use these words. */
const char *objective_name(enum objective objective);
/* False, with *out untouched, for a name that is neither. */
bool objective_parse(const char *name, enum objective *out);

#endif
