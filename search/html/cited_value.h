/* A value that `longrope show --json` prints, with its path there. A page made of such values holds no number that show
 * does not print, and cites the source of each. */
#ifndef LONGROPE_SEARCH_CITED_VALUE_H
#define LONGROPE_SEARCH_CITED_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CITED_PATH_SIZE = 120 };

struct cited_value {
    const json_t *json;         /* borrowed; NULL: the value does not exist */
    char path[CITED_PATH_SIZE]; /* in jq's notation, after the option of show that prints it:
                                 * ".stages[0].best", "--generations .stages[0].generations[3]" */
};

/* The whole of a document; `option` is the one of show that prints it, "" for none. */
struct cited_value cited_root(const char *option, const json_t *json);
/* A member or item; a value that does not exist if there is none. `key` is a literal of letters and underscores. */
struct cited_value cited_get(const struct cited_value *of, const char *key);
struct cited_value cited_at(const struct cited_value *of, size_t index);
size_t cited_count(const struct cited_value *array);

/* True if the value exists and is not null. */
bool cited_known(const struct cited_value *value);
/* NaN if it is not a number. */
double cited_number(const struct cited_value *value);
int64_t cited_integer(const struct cited_value *value);  /* 0 if it is not an integer */
const char *cited_text(const struct cited_value *value); /* "" if it is not a string; borrowed */
/* As above, for the member `key`. */
double cited_get_number(const struct cited_value *of, const char *key);
int64_t cited_get_integer(const struct cited_value *of, const char *key);
const char *cited_get_text(const struct cited_value *of, const char *key);
bool cited_get_true(const struct cited_value *of, const char *key);
/* The first item of an array with the lowest number in member `key`; a value that does not exist if no item has a
 * number. */
struct cited_value cited_least(const struct cited_value *array, const char *key);

#endif
