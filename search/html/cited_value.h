/* A value of what `longrope show --json` prints, with where it stands there: a page made of these says nothing that
 * show does not, and says of each number where to look it up. */
#ifndef LONGROPE_SEARCH_DATUM_H
#define LONGROPE_SEARCH_DATUM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATUM_PATH_SIZE = 120 };

struct datum {
    const json_t *json;         /* borrowed; NULL: there is no such value */
    char path[DATUM_PATH_SIZE]; /* as jq has it, led by the option of show that prints it:
                                 * ".stages[0].best", "--generations .stages[0].generations[3]" */
};

/* The whole of a document; `option` is the one of show that prints it, "" for none. */
struct datum datum_root(const char *option, const json_t *json);
/* A member or item; of what has none such one that does not exist. `key` is a literal, letters and underscores. */
struct datum datum_get(const struct datum *of, const char *key);
struct datum datum_at(const struct datum *of, size_t index);
size_t datum_count(const struct datum *array);

/* There is one, and it is not null. */
bool datum_known(const struct datum *datum);
/* NaN where it is no number. */
double datum_number(const struct datum *datum);
int64_t datum_integer(const struct datum *datum);  /* 0 where it is none */
const char *datum_text(const struct datum *datum); /* "" where it is none; borrowed */
/* The same of a member. */
double datum_get_number(const struct datum *of, const char *key);
int64_t datum_get_integer(const struct datum *of, const char *key);
const char *datum_get_text(const struct datum *of, const char *key);
bool datum_get_true(const struct datum *of, const char *key);
/* The first item of an array whose member `key` is the lowest number; one that does not exist where none has any. */
struct datum datum_least(const struct datum *array, const char *key);

#endif
