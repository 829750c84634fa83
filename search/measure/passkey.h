/* Pass-key retrieval: how many keys a model finds, by length of the prompt and depth of the key. */
#ifndef LONGROPE_SEARCH_PASSKEY_H
#define LONGROPE_SEARCH_PASSKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/forward.h"
#include "eval/text/needle_prompt.h"
#include "search/ranks/work_list.h"

/* The answer to one prompt. */
struct passkey_answer {
    char key[NEEDLE_MOST_DIGITS + 1];
    bool correct;  /* every token of the answer is the arg max of what precedes it (eval/text/needle_prompt.h) */
    double nats;   /* of all the answer's tokens */
    int64_t count; /* tokens of the answer */
    int32_t *tokens, *arg_max; /* [count]: the right tokens, and the most likely ones */
};

/* The prompts per length. Borrowed. */
struct passkey_task {
    struct needle_setting setting;
    const double *depths; /* [depth_count], 0..1 */
    size_t depth_count;
    int64_t trials; /* per depth */
    uint64_t seed;
    int64_t vocabulary;     /* the model's */
    const int64_t *lengths; /* [length_count] that prompts are asked at */
    size_t length_count;
};

/* The prompts of a length. */
size_t passkey_prompts(const struct passkey_task *task);

/* Answers to all prompts of one length, depth by depth: [depth_count][trials]. */
struct passkey_sheet {
    size_t depth_count;
    int64_t trials;
    struct passkey_answer *answers;
};

/* Prompt `trial` of a depth, of `length` tokens, which does not depend on the table. STATUS_INPUT as
 * needle_prompt_make(), and if the tokenizer has tokens beyond the model's vocabulary. The caller frees *out. */
int passkey_prompt(const struct passkey_task *task, int64_t length, double depth, int64_t trial,
                   struct needle_prompt *out, struct error *error);

/* Who evaluates prompts: `forward`, or workers that have them in a list, one length and table after another. */
struct passkey_asker {
    struct forward *forward; /* not used with a list */
    struct work_list *list;  /* NULL: none */
    size_t sheets;           /* with a list: how many were asked before */
    size_t *known;           /* with a list: [sheets of the list] prompts of each whose answers have come */
    void (*asked)(void *state, size_t prompts); /* receives the number of prompts that are done */
    void *state;
};

/* Adds the prompts of that length, one of the task's, to a list, which workers compute by passkey_compute(). The table
 * is borrowed. STATUS_FAILED for lack of memory. */
int passkey_hand_out(const struct passkey_task *task, const struct rope_table *table, size_t length,
                     struct work_list *list, struct error *error);

/* How a worker asks a prompt: for struct window_task. `task` is a struct passkey_task, whose windows are the prompts of
 * all its lengths. */
int passkey_compute(const void *task, struct forward *forward, const struct work_unit *unit, double *nats,
                    void **details, size_t *size, struct error *error);

/* Evaluates all prompts of that length, one of the task's. Errors are those of forward_predict(), passkey_prompt() and
 * work_list_hear(). The caller frees *out with passkey_sheet_free(), also after a failure. */
int passkey_ask(const struct passkey_task *task, struct passkey_asker *asker, const struct rope_table *table,
                size_t length, struct passkey_sheet *out, struct error *error);
void passkey_sheet_free(struct passkey_sheet *sheet); /* a zeroed struct is allowed */

/* Keys found at depth number `depth`, and at all depths. */
int64_t passkey_found(const struct passkey_sheet *sheet, size_t depth);
int64_t passkey_found_total(const struct passkey_sheet *sheet);

/* Mean nats per token of the answers at depth number `depth`, and at all depths; every token has the same weight. */
double passkey_nats(const struct passkey_sheet *sheet, size_t depth);
double passkey_nats_total(const struct passkey_sheet *sheet);

#endif
