/* The words that describe a stage: its kind and its objective. Configurations, the store, factor files and reports use
 * the same names. */
#ifndef LONGROPE_SEARCH_STAGE_TERMS_H
#define LONGROPE_SEARCH_STAGE_TERMS_H

#include <stdbool.h>

/* What a stage is for, as in the progressive recipe (LongRoPE, arXiv 2402.13753, section 3.3). */
enum stage_kind {
    STAGE_EXTEND,  /* a longer window: the searched table multiplies the table that the model was fine-tuned with */
    STAGE_RECOVER, /* a short window of the extended model: the searched table replaces that table */
    STAGE_KINDS
};

/* What candidates are scored by. */
enum objective {
    OBJECTIVE_PERPLEXITY, /* nats of every token of a window of text (LongRoPE, arXiv 2402.13753) */
    OBJECTIVE_NEEDLE,     /* nats of an answer's tokens alone; the answer stands far before them, at a random depth
                           * (needle-driven perplexity of LongRoPE2, arXiv 2502.20082). Neighbouring tokens predict most
                           * tokens of a text, so the mean over all tokens hardly shows whether distant ones are used */
    OBJECTIVES
};

extern const char *const stage_kind_names[STAGE_KINDS]; /* "extend", "recover"; see eval/base/name.h */
extern const char *const objective_names[OBJECTIVES];   /* "perplexity", "needle" */

const char *stage_kind_name(enum stage_kind kind);
const char *objective_name(enum objective objective);

/* False, with *out unchanged, for an unknown name. */
bool stage_kind_parse(const char *name, enum stage_kind *out);
bool objective_parse(const char *name, enum objective *out);

#endif
