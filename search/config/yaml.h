/* A YAML document as a small tree in which every node has the line that it was written in.
 *
 * Only what configurations need: words, lists and maps, in block or flow style. Errors, with their line: syntax errors,
 * keys given twice, more than one document, aliases and tags, keys that are not words, and nesting deeper than
 * YAML_TREE_DEPTH.
 */
#ifndef LONGROPE_SEARCH_YAML_H
#define LONGROPE_SEARCH_YAML_H

#include <stddef.h>

#include "eval/base/error.h"

enum {
    YAML_TREE_DEPTH = 32,
    YAML_TREE_BYTES = 1 << 20 /* largest file read */
};

/* Where something was written. The text is borrowed: it must outlive the tree. */
struct yaml_where {
    const char *origin; /* the file, or "key.path=value" if it was set on the command line */
    int line;           /* from 1 on; 0 for the command line */
};

enum yaml_tree_kind { YAML_TREE_SCALAR, YAML_TREE_LIST, YAML_TREE_MAP };

struct yaml_tree {
    enum yaml_tree_kind kind;
    struct yaml_where where;
    char *scalar;               /* its text, without quotes; NULL for lists and maps */
    size_t count;               /* items of a list or a map; 0 for a scalar */
    struct yaml_entry *entries; /* [count], in the order of the file */
};

struct yaml_entry {
    char *key;               /* NULL in a list */
    struct yaml_where where; /* of the key */
    struct yaml_tree *value;
};

/* Parses a file, or `size` bytes of text that came from `origin`. STATUS_INPUT if it cannot be
 * read, is not YAML or is empty. The caller frees *out with yaml_tree_free(). */
int yaml_tree_read(const char *path, struct yaml_tree **out, struct error *error);
int yaml_tree_parse(const char *text, size_t size, const char *origin, struct yaml_tree **out, struct error *error);
void yaml_tree_free(struct yaml_tree *tree); /* NULL is allowed */

/* Carries out "a.b.0.c=value": the value, parsed as YAML, replaces the value at that path. Keys that do not exist are
 * added, items of lists are not. `assignment` is borrowed by the tree. */
int yaml_tree_set(struct yaml_tree *root, const char *assignment, struct error *error);

/* "file:line" or "--set key.path=value", which the caller frees; NULL for lack of memory. */
char *yaml_where_text(const struct yaml_where *where);

/* Sets "file:line: message" or "--set key.path=value: message"; returns STATUS_INPUT. */
int yaml_tree_error(const struct yaml_where *where, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
