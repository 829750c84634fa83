/* What `longrope eval` and `longrope passkey` measured on a run: the tables `lengths` and `passkeys` of its run.db.
 *
 * Nothing in a search reads or writes them. They are written beside one that goes on (STORE_RECORD of
 * search/store/store.h), a transaction a call. */
#ifndef LONGROPE_SEARCH_STORE_MEASUREMENTS_H
#define LONGROPE_SEARCH_STORE_MEASUREMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "search/store/store.h"

enum { STORE_WORD_SIZE = 16 };

/* With which table and how something was measured. */
struct measurement {
    char label[STORE_NAME_SIZE];    /* whose table: a method's name, a factor file's table, or as --label says */
    char model[STORE_PATH_SIZE];    /* folder */
    int64_t length;                 /* tokens of a window or prompt; above 0 */
    double scale;                   /* s that the table was made for; above 0 */
    int64_t start_tokens;           /* n_hat */
    double attention_factor;        /* m */
    int64_t pairs;                  /* 1..ROPE_MAX_PAIRS */
    double factors[ROPE_MAX_PAIRS]; /* lambda, fastest pair first */
    char dtype[STORE_WORD_SIZE];    /* "f32", "bf16" */
    char kernels[STORE_WORD_SIZE];  /* as kernels->name */
    char angles[STORE_WORD_SIZE];   /* "f64", "f32" */
    double seconds;                 /* that it took */
};

/* Perplexity of a table at one length. */
struct length_record {
    struct measurement measured;
    int64_t windows;
    int64_t tokens;        /* predictions in them */
    int64_t stride;        /* by which windows advance; 0: they do not slide */
    double nats_per_token; /* mean; NaN where it is no finite number, as without a prediction */
};

/* Pass keys found at one length and depth. */
struct passkey_record {
    struct measurement measured;
    double depth;   /* of the key in the prompt, 0: at its beginning, to 1 */
    int64_t digits; /* of a key */
    int64_t trials; /* prompts, at least 1 */
    int64_t correct;
    int64_t seed;                  /* of the prompts, from 0 */
    char wording[STORE_WORD_SIZE]; /* of the prompts, as needle_form_name(); "" where it was not kept */
};

/* STATUS_INPUT, naming --label, unless it is 1..STORE_NAME_SIZE-1 bytes of UTF-8 without control characters. */
int store_check_label(const char *label, struct error *error);

/* Record one length, or `count` rows in one transaction. A row of the same label, length (and depth) is replaced.
 * STATUS_FAILED where a record has values that it says it cannot have. */
int store_put_length(struct store *store, const struct length_record *record, struct error *error);
int store_put_passkeys(struct store *store, const struct passkey_record *records, size_t count, struct error *error);

/* All of them: labels in the order in which each was first recorded, ascending lengths, ascending depths. The caller
 * frees *out with free(). */
int store_lengths(struct store *store, struct length_record **out, size_t *count, struct error *error);
int store_passkeys(struct store *store, struct passkey_record **out, size_t *count, struct error *error);

#endif
