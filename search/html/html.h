/* Writing HTML. Text from outside goes through html_text(), which is the one place that escapes it, and numbers of a
 * run through html_number() and its like, which say where they are from. */
#ifndef LONGROPE_SEARCH_HTML_H
#define LONGROPE_SEARCH_HTML_H

#include <stdint.h>
#include <stdio.h>

#include "search/html/cited_value.h"

/* Any bytes as text, between tags or in an attribute's double quotes: what HTML reads as markup is escaped, and
 * control characters but for tab and newline, and what is not UTF-8, become U+FFFD. */
void html_text(FILE *out, const char *text);
/* Its first `size` bytes, which cut no character in two. */
void html_text_part(FILE *out, const char *text, size_t size);

/* The same where it is a name that somebody gave, and stands among words of ours. */
void html_name(FILE *out, const char *name);

/* Numbers as <data value="17 digits" data-from="where it stands">as people read it</data>; a dash for null. The
 * first one rounds to `decimals`. */
void html_number(FILE *out, const struct cited_value *datum, int decimals);
void html_integer(FILE *out, const struct cited_value *datum);
void html_perplexity(FILE *out, const struct cited_value *datum); /* four decimals, fewer of large ones */
void html_short(FILE *out, const struct cited_value *datum);      /* three decimals, fewer where the rest is zeros */
/* Of a member. */
void html_get_number(FILE *out, const struct cited_value *of, const char *key, int decimals);
void html_get_integer(FILE *out, const struct cited_value *of, const char *key);
void html_get_text(FILE *out, const struct cited_value *of, const char *key);
void html_get_name(FILE *out, const struct cited_value *of, const char *key);

/* Any text as one word of a shell's command line, quoted where it has to be. */
void html_shell_word(FILE *out, const char *word);

/* A number computed from others; the format makes the expression of jq that it is the value of, from data's paths
 * (none of which has quotes or markup in it). */
void html_computed(FILE *out, double value, int decimals, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A cell of a table with the number in it. */
void html_cell_number(FILE *out, const struct cited_value *of, const char *key, int decimals);
void html_cell_integer(FILE *out, const struct cited_value *of, const char *key);
void html_cell_perplexity(FILE *out, const struct cited_value *of, const char *key);

#endif
