/* The command line: one table of options per command.
 *
 * The rows of a table are what options_read() accepts and what options_print_help() explains, so that the two cannot
 * differ. Groups of rows are arrays that several commands may share.
 *
 * Accepted are --name VALUE, --name=VALUE, -x VALUE, -xVALUE, several flags in one word (-xy), a long name abbreviated
 * as far as it is unique, options after operands, and "--", after which every word is an operand. The word after an
 * option that takes a value is its value, even if it begins with "-", unless it is "--" and the whole name of an
 * option. If an option with a single value is given more than once, the last value counts; lists grow, or are replaced
 * if the row says so.
 */
#ifndef LONGROPE_SEARCH_OPTIONS_H
#define LONGROPE_SEARCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/base/string_list.h"

struct integer_list {
    size_t count;
    int64_t *items; /* [count] */
};

struct number_list {
    size_t count;
    double *items; /* [count] */
};

/* An option with or without a value. */
struct option_mark {
    bool given;
    int64_t value; /* unchanged if the option has no value */
};

/* What an option takes, and the type of its member of the command's struct. Strings are borrowed from argv. */
enum option_kind {
    OPTION_FLAG,     /* nothing; bool */
    OPTION_TEXT,     /* text that is not empty; char * or const char * */
    OPTION_TEXTS,    /* text; one more item of a struct string_list */
    OPTION_FILES,    /* all words up to the next option; struct string_list */
    OPTION_WORDS,    /* words separated by commas; struct string_list; splits the argument in place */
    OPTION_NAME,     /* one of `names`; int, its index */
    OPTION_NAMES,    /* some of `names`, separated by commas; struct string_list; splits the argument in place */
    OPTION_INTEGER,  /* low..high; int64_t */
    OPTION_INTEGERS, /* integers low..high, separated by commas; struct integer_list */
    OPTION_NUMBER,   /* least..most; double */
    OPTION_NUMBERS,  /* numbers least..most, separated by commas; struct number_list */
    OPTION_MARK      /* nothing or an integer low..high; struct option_mark */
};

struct option_row {
    const char *name; /* without dashes; NULL: an operand, of kind OPTION_TEXT or, for any number, OPTION_TEXTS */
    char letter;      /* short form; 0: none */
    enum option_kind kind;
    const char *word;    /* how help and errors call the value, "N[,N...]"; NULL for a flag */
    size_t offset;       /* of the option's member in the group's struct */
    const char *help;    /* what it means; for names, after their list. '\n' begins a new line */
    const char *initial; /* the value without the option, as the user would write it; NULL: none */
    int64_t low, high;
    double least, most;
    const char *const *names;
    size_t name_count;
    const char *what;  /* how an error calls a name: "method" */
    unsigned sets;     /* bits; options that share one exclude each other */
    bool required;     /* this one, or one that shares a set with it */
    const char *needs; /* name of an option that this one requires; NULL: none */
};

/* Rows under one heading of the help. */
struct option_group {
    const char *heading; /* NULL: the rows continue the group before */
    const struct option_row *rows;
    size_t count;
    size_t offset; /* of the group's struct in the command's struct */
};

#define OPTION_GROUP(title, array, start)                                                                              \
    { .heading = (title), .rows = (array), .count = sizeof(array) / sizeof *(array), .offset = (start) }

enum { OPTIONS_MOST = 40 }; /* rows of a command */

struct option_table {
    const char *command;
    const char *summary;      /* one line: what the command does */
    const char *const *usage; /* what follows "longrope COMMAND" in each form of it; NULL at the end */
    const char *text;         /* more, in paragraphs separated by '\n'; NULL: nothing */
    const struct option_group *groups;
    size_t group_count;
    const char *const *examples; /* whole lines; NULL at the end */
    const char *stopped;         /* what exit status 75 means; NULL: the command does not end with it */
    size_t size;                 /* bytes of the command's struct */
    const void *initial;         /* [size], before any option is read; NULL: zeroes */
    /* What rows cannot state: relations between values, defaults that depend on others. May be NULL. */
    int (*check)(const struct option_table *table, void *options, struct error *error);
};

/* Fills *options, table->size bytes, from argv, which begins with the command's name. Stops at --help, sets *help and
 * checks nothing more. STATUS_INPUT if the command line is wrong. The caller frees *options with options_free(), also
 * after an error. */
int options_read(const struct option_table *table, int argc, char **argv, void *options, bool *help,
                 struct error *error);
void options_free(const struct option_table *table, void *options); /* zeroed options are allowed */

/* STATUS_INPUT with the message and where to read more: "...; see longrope COMMAND --help". */
int options_wrong(const struct option_table *table, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What --help prints: summary, usage, text, options by group, examples, exit status; at most 100 columns. help2man
 * reads it. */
void options_print_help(const struct option_table *table, FILE *out);

/* Writes the command's name and the options that were given or have a default, but for the one called `except`. Two
 * processes that write the same were given the same. */
void options_write(const struct option_table *table, const void *options, const char *except, FILE *out);

extern const struct option_row option_help_row; /* -h, --help, which every command has */

#endif
