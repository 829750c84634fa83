/* What a tokenizer looks for in a text: a text, or a regular expression, which PCRE2 matches. */
#ifndef LONGROPE_EVAL_PATTERN_H
#define LONGROPE_EVAL_PATTERN_H

#include <stddef.h>

#include "eval/base/error.h"

struct pattern;

/* A regular expression as regex_syntax.h describes. STATUS_INPUT if it is not supported, or matches an empty text,
 * which would never end; `where` is its place. The caller frees *out with pattern_free(). */
int pattern_new_regex(const char *where, const char *regex, struct pattern **out, struct error *error);
/* `text` as it is, which is not empty. */
int pattern_new_text(const char *where, const char *text, struct pattern **out, struct error *error);
void pattern_free(struct pattern *pattern); /* NULL is allowed */

/* Memory for matching, which any number of patterns may share, one at a time. */
struct pattern_memory;

int pattern_memory_new(struct pattern_memory **out, struct error *error);
void pattern_memory_free(struct pattern_memory *memory); /* NULL is allowed */

struct match {
    size_t begin, end;
};

/* The leftmost match in text[size], UTF-8, that begins at `from` or later; begin = end = size if there is none.
 * Expressions see the text before `from`. STATUS_INPUT if the expression takes too long or too much memory; `name` is
 * where the text came from. */
int pattern_find(const struct pattern *pattern, struct pattern_memory *memory, const char *name, const char *text,
                 size_t size, size_t from, struct match *out, struct error *error);

#endif
