/* A value of what `longrope show --json` prints, with where it stands there: a page made of these says nothing that
 * show does not, and says of each number where to look it up. */
#ifndef LONGROPE_SEARCH_CITED_VALUE_H
#define LONGROPE_SEARCH_CITED_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CITED_PATH_SIZE = 120 };

struct cited_value {
    const json_t *json;         /* borrowed; NULL: there is no such value */
    char path[CITED_PATH_SIZE]; /* as jq has it, led by the option of show that prints it:
                                 * ".stages[0].best", "--generations .stages[0].generations[3]" */
};

/* The whole of a document; `option` is the one of show that prints it, "" for none. */
struct cited_value cited_root(const char *option, const json_t *json);
/* A member or item; of what has none such one that does not exist. `key` is a literal, letters and underscores. */
struct cited_value cited_get(const struct cited_value *of, const char *key);
struct cited_value cited_at(const struct cited_value *of, size_t index);
size_t cited_count(const struct cited_value *array);

/* There is one, and it is not null. */
bool cited_known(const struct cited_value *value);
/* NaN where it is no number. */
double cited_number(const struct cited_value *value);
int64_t cited_integer(const struct cited_value *value);  /* 0 where it is none */
const char *cited_text(const struct cited_value *value); /* "" where it is none; borrowed */
/* The same of a member. */
double cited_get_number(const struct cited_value *of, const char *key);
int64_t cited_get_integer(const struct cited_value *of, const char *key);
const char *cited_get_text(const struct cited_value *of, const char *key);
bool cited_get_true(const struct cited_value *of, const char *key);
/* The first item of an array whose member `key` is the lowest number; one that does not exist where none has any. */
struct cited_value cited_least(const struct cited_value *array, const char *key);

#endif
