/* Pass-key retrieval: how many of the keys hidden at each depth of prompts of one length a model finds. */
#ifndef LONGROPE_SEARCH_PASSKEY_H
#define LONGROPE_SEARCH_PASSKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/forward.h"
#include "eval/text/needle.h"

/* What came of one prompt. */
struct pass_key_answer {
    char key[NEEDLE_MOST_DIGITS + 1];
    bool correct;              /* every token of the answer is the arg max of what precedes it (eval/text/needle.h) */
    double nats;               /* of all the answer's tokens */
    int64_t count;             /* tokens of the answer */
    int32_t *tokens, *arg_max; /* [count]: the right ones, and those that the model holds likeliest */
};

/* What is asked at each length. Borrowed. */
struct pass_key_task {
    struct needle_setting setting;
    const double *depths; /* [depth_count], 0..1 */
    size_t depth_count;
    int64_t trials; /* at each depth */
    uint64_t seed;
    int64_t vocabulary; /* the model's */
};

/* Answers to all prompts of one length, depth by depth: [depth_count][trials]. */
struct pass_key_sheet {
    size_t depth_count;
    int64_t trials;
    struct pass_key_answer *answers;
};

/* Prompt `trial` of a depth, of `length` tokens. Every table gets the same ones. STATUS_INPUT as needle_prompt_make(),
 * and where the tokenizer has tokens that the model has not. The caller frees *out. */
int pass_key_prompt(const struct pass_key_task *task, int64_t length, double depth, int64_t trial,
                    struct needle_prompt *out, struct error *error);

/* Asks for every key at that length. `asked` is told how many prompts are done; it may be NULL. Errors are those of
 * forward_predict() and pass_key_prompt(). The caller frees *out with pass_key_sheet_free(), also after a failure. */
int pass_key_ask(const struct pass_key_task *task, struct forward *forward, const struct rope_table *table,
                 int64_t length, void (*asked)(void *state, size_t prompts), void *state, struct pass_key_sheet *out,
                 struct error *error);
void pass_key_sheet_free(struct pass_key_sheet *sheet); /* a zeroed struct is allowed */

/* Keys found at depth number `depth`, and at all. */
int64_t pass_keys_found(const struct pass_key_sheet *sheet, size_t depth);
int64_t pass_keys_found_at_all(const struct pass_key_sheet *sheet);

/* Mean nats of a token of the answers at depth number `depth`, and at all, every token counting the same. */
double pass_key_nats(const struct pass_key_sheet *sheet, size_t depth);
double pass_key_nats_at_all(const struct pass_key_sheet *sheet);

#endif
