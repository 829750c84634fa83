/* Accuracy in multiple choice: the choice with the largest log-likelihood given the context is the model's answer.
 *
 * As lm-evaluation-harness 0.4.13 computes `acc` and `acc_norm` (lm_eval/api/task.py, process_results): the
 * log-likelihood of a choice is the sum over its tokens, behind the context (eval/text/continuation.h); acc_norm
 * divides it by the number of the choice's characters, acc_bytes by that of its bytes in UTF-8. Of equal ones the first
 * is the answer. Inputs that are too long lose their beginning.
 *
 * Inputs are computed in the order of the files. With a forward that keeps keys and values (eval/forward.h) an input
 * shares the tokens with which the previous one begins as well: the context of an item is computed once for all its
 * choices, and examples before the contexts of successive items once for all of these. No bit of a result changes.
 */
#ifndef LONGROPE_SEARCH_CHOICE_H
#define LONGROPE_SEARCH_CHOICE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/forward.h"
#include "search/measure/choice_tasks.h"
#include "search/ranks/work_list.h"

/* For forward_options.kept_bytes. Llama 3 8B keeps 8 192 tokens in as much, in bf16. Longer inputs share nothing. */
enum { CHOICE_KEPT_BYTES = 1 << 30 };

/* What a model answers, by log-likelihoods alone, and divided by characters and by bytes. */
enum choice_norm { CHOICE_PLAIN, CHOICE_CHARACTERS, CHOICE_BYTES, CHOICE_NORMS };

/* The answer to one item. */
struct choice_answer {
    double *log_likelihoods; /* [count of the item], in nats */
    int64_t computed;        /* tokens of its inputs that were computed; the others were kept */
    size_t chosen[CHOICE_NORMS];
};

/* The answers to all items of a task. */
struct choice_sheet {
    const struct choice_task *task;
    struct choice_answer *answers; /* [task->count] */
    int64_t correct[CHOICE_NORMS]; /* items */
    int64_t tokens, computed;      /* of all inputs, and how many of them were computed */
};

/* STATUS_INPUT, naming the first line, if a choice of the tasks has more than `length` tokens: it would lose tokens
 * that are scored. */
int choice_check_length(const struct choice_tasks *tasks, int64_t length, struct error *error);

/* Items that have an input of more than `length` tokens, the last of which is not an input. */
int64_t choice_cut_items(const struct choice_task *task, int64_t length);

/* The mean of 1 / choices: the accuracy of guessing. */
double choice_chance(const struct choice_task *task);

/* The index of the largest of values[count], the first of equal ones, as numpy.argmax. */
size_t choice_largest(const double *values, size_t count);

/* All that is asked. Borrowed. */
struct choice_work {
    const struct choice_tasks *tasks;
    const int64_t *lengths; /* [length_count] */
    size_t length_count;
};

/* Who evaluates items: `forward`, or workers that have them in a list, in the order in which choice_ask() is called. */
struct choice_asker {
    struct forward *forward;                     /* not used with a list */
    struct work_list *list;                      /* NULL: none */
    size_t heard;                                /* with a list: items that were asked before */
    void (*answered)(void *state, size_t items); /* receives the number of items of the task that are done */
    void *state;
};

/* The items of all tasks. */
size_t choice_items(const struct choice_tasks *tasks);

/* Adds the items of all tasks at that length, one of the work's, to a list, which workers compute by choice_compute().
 * The table is borrowed. STATUS_FAILED for lack of memory. */
int choice_hand_out(const struct choice_work *work, const struct rope_table *table, size_t length,
                    struct work_list *list, struct error *error);

/* How a worker answers an item: for struct window_task. `work` is a struct choice_work, whose windows are the items at
 * all its lengths. */
int choice_compute(const void *work, struct forward *forward, const struct work_unit *unit, double *nats,
                   void **details, size_t *size, struct error *error);

/* Evaluates all items with inputs of at most `length` tokens; choice_check_length() holds. Errors are those of
 * forward_nats() and work_list_hear(). The caller frees *out with choice_sheet_free(), also after a failure. */
int choice_ask(const struct choice_task *task, struct choice_asker *asker, const struct rope_table *table,
               int64_t length, struct choice_sheet *out, struct error *error);
void choice_sheet_free(struct choice_sheet *sheet); /* a zeroed sheet is allowed */

#endif
