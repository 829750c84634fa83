/* Names: of enumerators, as command lines, configurations, stores and reports spell them, and endings of others.
 *
 * A list is an array with the name of value i at index i:
 *
 *     static const char *const names[] = {[ROPE_NONE] = "none", [ROPE_PI] = "pi", ...};
 *     int method = name_find(names, ROPE_METHODS, text);
 */
#ifndef LONGROPE_EVAL_NAME_H
#define LONGROPE_EVAL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"

enum { NAME_UNKNOWN = -1 };

/* The index of `name` in names[count]; NAME_UNKNOWN if it is none of them. */
int name_find(const char *const *names, size_t count, const char *name);

/* The name most similar to `name`, the first if several are; NULL if none is similar enough. */
const char *name_nearest(const char *const *names, size_t count, const char *name);

/* "a, b and c", joined by `word` ("and", "or") before the last; cut to `size` bytes with the zero. */
void name_list(const char *const *names, size_t count, const char *word, char *out, size_t size);

/* Whether `name`, of a file or a tensor, ends with `ending`. */
bool name_ends_with(const char *name, const char *ending);

/* STATUS_INPUT with "WHERE: unknown WHAT 'NAME' (did you mean 'b'?); choose a, b or c"; the question is left out if
 * no name is similar enough. `where` is an option or a place in a file, "" for none. */
int name_unknown(const char *where, const char *what, const char *name, const char *const *names, size_t count,
                 struct error *error);

#endif
