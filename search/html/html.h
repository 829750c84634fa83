/* Writing HTML from templates with named fields. A field is text, which is escaped, or a number of the run, which says
 * where `longrope show --json` prints it (search/html/cited_value.h). */
#ifndef LONGROPE_SEARCH_HTML_H
#define LONGROPE_SEARCH_HTML_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "search/html/cited_value.h"

/* ---- text ---- */

/* Writes any bytes as text, between tags or in an attribute's double quotes: markup is escaped, and control characters
 * except tab and newline, and bytes that are not UTF-8, become U+FFFD. All text from outside is written by this. */
void html_text(FILE *out, const char *text);

/* ---- fields ---- */

enum html_kind {
    HTML_TEXT,
    HTML_NAME,    /* <span class="name">: a name that a user chose */
    HTML_CODE,    /* <code> */
    HTML_WORD,    /* one word of a shell command, quoted where necessary */
    HTML_NUMBER,  /* <data value="17 digits" data-from="source">rounded</data> */
    HTML_INTEGER, /* likewise, with all digits */
    HTML_TIME     /* likewise, of seconds: "57.0 s" or "1:07 h", hours and minutes */
};

/* Two paths and the arithmetic between them. */
enum { HTML_SOURCE_SIZE = 2 * CITED_PATH_SIZE + 80 };

struct html_field {
    const char *name; /* in the template; a literal */
    enum html_kind kind;
    const char *text; /* of the four kinds of text; borrowed */
    bool known;       /* of a number; otherwise a dash is written */
    double number;
    int64_t integer;
    int decimals;     /* of HTML_NUMBER */
    const char *unit; /* written behind a number; NULL: none */
    bool several;     /* the unit is in the plural */
    char source[HTML_SOURCE_SIZE];
};

/* A text of `kind`. */
struct html_field html_field_text(const char *name, enum html_kind kind, const char *text);
/* Numbers of the run; a dash where the value is not a number. */
struct html_field html_field_number(const char *name, const struct cited_value *value, int decimals);
struct html_field html_field_perplexity(const char *name, const struct cited_value *value);
/* A number computed from others: the format makes the jq expression that has this value, from paths of cited values. */
struct html_field html_field_computed(const char *name, double value, int decimals, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A number with what it counts: "1 window", "2 windows". */
struct html_field html_counted(struct html_field number, const char *noun);
/* A number of seconds as HTML_TIME. */
struct html_field html_as_time(struct html_field seconds);

/* As above, for the member `key`, which is also the field's name. */
struct html_field html_get_text(const struct cited_value *of, enum html_kind kind, const char *key);
struct html_field html_get_number(const struct cited_value *of, const char *key, int decimals);
struct html_field html_get_integer(const struct cited_value *of, const char *key);
/* At most three decimals, without zeros at the end. */
struct html_field html_get_short(const struct cited_value *of, const char *key);
/* The member "perplexity": four decimals, fewer of large ones. */
struct html_field html_get_perplexity(const struct cited_value *of);

/* ---- templates ---- */

/* html_printf(out, "<p>{evaluations} of {planned} evaluations</p>", FIELD, FIELD...) writes the template, a literal of
 * HTML, with each "{name}" replaced by the field of that name. Each field must be used, and each name must be a
 * field's. */
#define html_printf(out, pattern, ...) html_print(out, pattern, HTML_FIELDS(__VA_ARGS__))
/* Writes each field as a cell of a table's row. */
#define html_cells(out, ...) html_print_cells(out, HTML_FIELDS(__VA_ARGS__))

#define HTML_FIELDS(...)                                                                                               \
    (const struct html_field[]){__VA_ARGS__},                                                                          \
        sizeof((const struct html_field[]){__VA_ARGS__}) / sizeof(struct html_field)

void html_print(FILE *out, const char *pattern, const struct html_field *fields, size_t count);
void html_print_cells(FILE *out, const struct html_field *fields, size_t count);

/* As html_print(), but reports a wrong template: false where a name is unknown or a field is unused. The
 * output holds both in braces. */
bool html_fill(FILE *out, const char *pattern, const struct html_field *fields, size_t count);

#endif
