/* A growing list of strings; either all of them are borrowed or all are owned. Functions that add strings return
 * STATUS_FAILED for lack of memory. */
#ifndef LONGROPE_SEARCH_STRING_LIST_H
#define LONGROPE_SEARCH_STRING_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"

/* Zeroed is empty. */
struct string_list {
    size_t count;
    char **items; /* [count] */
};

/* Borrowed strings: the caller frees only `items`. */
int string_list_add(struct string_list *list, char *string, struct error *error);

/* Splits `text` at commas, in place, and adds the pieces, borrowed. */
int string_list_split(struct string_list *list, char *text, struct error *error);

/* Owned strings: adds a copy; frees all of them and leaves the list empty. */
int string_list_copy(struct string_list *list, const char *string, struct error *error);
void string_list_free_copies(struct string_list *list);

bool string_list_has(const struct string_list *list, const char *string);

#endif
