/* Tasks of multiple choice in files of JSON lines, as tokens.
 *
 * A line is one item: {"context": TEXT, "choices": [TEXT, ...], "answer": INDEX, "task": NAME, "delimiter": TEXT}.
 * INDEX counts from 0. `task` may be missing: the item then belongs to the task with the file's name. `delimiter`
 * stands between the context and each choice, and does not count as a part of the choice; missing, it is empty. Other
 * members are not read. A line may end with CR LF; empty lines are left out. */
#ifndef LONGROPE_SEARCH_CHOICE_TASKS_H
#define LONGROPE_SEARCH_CHOICE_TASKS_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/continuation.h"
#include "search/base/string_list.h"

/* One choice of an item, behind the item's context. */
struct choice_text {
    struct continuation tokens;
    int64_t characters, bytes; /* of the choice without the delimiter */
};

struct choice_item {
    const char *file; /* borrowed */
    size_t line;      /* from 1 */
    size_t answer;    /* below count */
    size_t count;     /* at least 1 */
    struct choice_text *choices;
};

struct choice_task {
    char *name;
    const char *file; /* that the task is named after, borrowed; NULL: items state its name */
    size_t count;     /* at least 1 */
    struct choice_item *items;
    size_t capacity;
};

struct choice_tasks {
    size_t count;
    struct choice_task *items; /* [count], in the order of their first item */
    size_t capacity;
};

struct choice_reader {
    const struct tokenizer *tokenizer;
    int64_t vocabulary; /* the model's */
};

/* Reads files of items and encodes them. STATUS_INPUT, with file and line, for a line that is not such an object, for
 * an answer that is no index of the choices, for empty choices, for task names that a run cannot store, for tokens
 * beyond the vocabulary, and as continuation_encode(). The paths are borrowed. The caller frees *out with
 * choice_tasks_free(), also after an error. */
int choice_tasks_read(const struct choice_reader *reader, char *const *paths, size_t count, struct choice_tasks *out,
                      struct error *error);
void choice_tasks_free(struct choice_tasks *tasks); /* zeroed tasks are allowed */

#endif
