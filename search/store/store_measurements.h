/* Measurements of `longrope eval`, `longrope passkey` and `longrope choice` on a run: the SQL tables `lengths`,
 * `pass_keys` and `choices` of run.db.
 *
 * A search neither reads nor writes them. They are written beside a running search (STORE_RECORD of
 * search/store/store.h), one transaction per call. */
#ifndef LONGROPE_SEARCH_STORE_MEASUREMENTS_H
#define LONGROPE_SEARCH_STORE_MEASUREMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "search/store/store.h"

enum { STORE_WORD_SIZE = 16 };

/* Labels that begin with this are the search's own, which store_check_label() refuses. */
#define STORE_OWN_LABELS "longrope: "

bool store_is_own_label(const char *label);

/* What was measured: a factor table, at one length, and how. */
struct measurement {
    char label[STORE_NAME_SIZE]; /* of the factor table: a method, the name in a factor file, or the value of --label */
    char model[STORE_PATH_SIZE]; /* folder */
    int64_t length;              /* tokens of a window or prompt; above 0 */
    double scale;                /* s of the factor table; above 0 */
    int64_t start_tokens;        /* n_hat */
    double attention_factor;     /* m */
    int64_t pairs;               /* 1..ROPE_MAX_PAIRS */
    double factors[ROPE_MAX_PAIRS]; /* lambda, fastest pair first */
    char dtype[STORE_WORD_SIZE];    /* "f32", "bf16" */
    char kernels[STORE_WORD_SIZE];  /* as kernels->name */
    char angles[STORE_WORD_SIZE];   /* "f64", "f32" */
    double seconds;                 /* that the measurement took */
};

/* Perplexity of a factor table at one length. */
struct length_record {
    struct measurement measurement;
    int64_t windows;
    int64_t tokens;        /* predictions in them */
    int64_t stride;        /* tokens by which windows advance; 0: windows do not slide */
    double nats_per_token; /* mean; NaN if it is not finite, as without a prediction */
};

/* Pass keys found at one length and depth. */
struct passkey_record {
    struct measurement measurement;
    double depth;   /* of the key in the prompt, 0 (the beginning) to 1 */
    int64_t digits; /* of a key */
    int64_t trials; /* prompts, at least 1 */
    int64_t correct;
    int64_t seed;                  /* of the prompts, from 0 */
    char wording[STORE_WORD_SIZE]; /* of the prompts, as needle_form_name(); "": unknown */
};

/* Accuracy in a task of multiple choice. */
struct choice_record {
    struct measurement measurement; /* length: of an input, at most */
    char task[STORE_NAME_SIZE];
    int64_t items;         /* at least 1 */
    double chance;         /* accuracy of guessing, above 0 to 1 */
    int64_t correct;       /* by log-likelihood */
    int64_t correct_norm;  /* per character */
    int64_t correct_bytes; /* per byte */
};

/* NULL, or what is wrong with the name of a label or a task. */
const char *store_label_fault(const char *label);

/* STATUS_INPUT, naming --label, unless it is 1..STORE_NAME_SIZE-1 bytes of UTF-8 without control characters that do not
 * begin with STORE_OWN_LABELS. */
int store_check_label(const char *label, struct error *error);

/* Record one length, `count` rows, or one task, in one transaction. A row with equal label, length (and depth, or task)
 * is replaced; of pass keys also other depths of that label and length that were asked with another model, table,
 * number of digits or wording. STATUS_FAILED if a value is outside the range that its field states. */
int store_put_length(struct store *store, const struct length_record *record, struct error *error);
int store_put_passkeys(struct store *store, const struct passkey_record *records, size_t count, struct error *error);
int store_put_choice(struct store *store, const struct choice_record *record, struct error *error);

/* All rows: labels in the order of their first recording, then ascending lengths, then ascending depths, or
 * tasks in the order of their first recording. The caller frees *out with free(). */
int store_lengths(struct store *store, struct length_record **out, size_t *count, struct error *error);
int store_passkeys(struct store *store, struct passkey_record **out, size_t *count, struct error *error);
int store_choices(struct store *store, struct choice_record **out, size_t *count, struct error *error);

#endif
