/* What a stage found, measured on text that it was not searched on: the SQL tables held_out, held_out_samples and
 * held_out_nats of run.db. A stage writes them when it ends (search/recipe/held_out.h). */
#ifndef LONGROPE_SEARCH_STORE_HELD_OUT_H
#define LONGROPE_SEARCH_STORE_HELD_OUT_H

#include "search/store/store.h"

/* Tables that are measured: closed forms, by their enum rope_method, and the one that was searched. */
enum { HELD_OUT_SEARCHED = ROPE_METHODS, HELD_OUT_TABLES };

struct held_out_window {
    char document[STORE_DOCUMENT_SIZE];
    int64_t start, tokens;        /* as in struct window_record */
    int64_t predictions;          /* that are scored */
    double nats[HELD_OUT_TABLES]; /* sum over them; NaN: not measured; infinite: the model's numbers overflowed */
};

struct held_out {
    bool known;                      /* the stage has looked for other text */
    int64_t individual;              /* whose table is HELD_OUT_SEARCHED; meaningless where count is 0 */
    size_t count;                    /* 0: no text is left */
    struct held_out_window *windows; /* [count]; owned */
};

/* Replaces what the store has of the stage, in one transaction. */
int store_put_held_out(struct store *store, int64_t stage, const struct held_out *held_out, struct error *error);

/* out->known is false of a stage that has not ended, or was searched by an older version. The caller frees
 * out->windows. */
int store_held_out(struct store *store, const struct stage_record *stage, struct held_out *out, struct error *error);

/* Mean nats per token of a table; NaN where it was not measured, infinite where the numbers overflowed. */
double held_out_mean(const struct held_out *held_out, int table);

/* "longrope", or the name of the closed form. */
const char *held_out_name(int table);

#endif
