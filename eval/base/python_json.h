/* JSON as Python's json module reads it, and so transformers.
 *
 * Beyond the standard it has NaN, Infinity, -Infinity, numbers of any size, and keys that repeat: the last one counts.
 */
#ifndef LONGROPE_EVAL_PYTHON_JSON_H
#define LONGROPE_EVAL_PYTHON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The tree of the text; NULL where it is not valid, with jansson's reason, whose text is "" for lack of memory. Numbers
 * that jansson cannot hold become strings that begin with PYTHON_JSON_MARK: whoever requires a number refuses them, and
 * whoever does not read them is not disturbed. *repeats says whether a key repeats; then *reason says which and where,
 * and the tree is not NULL for that. The caller releases the tree. */
json_t *python_json_load(const void *bytes, size_t size, json_error_t *reason, bool *repeats);

#define PYTHON_JSON_MARK "longrope-number:"

/* Turns such strings in the text of a tree back into numbers, in place. */
void python_json_restore(char *text);

#endif
