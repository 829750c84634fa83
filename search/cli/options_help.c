/* --help: printed from the rows that options_read() accepts. */
#include "search/cli/options.h"

#include <string.h>

#include "eval/base/name.h"

enum { WIDTH = 100, HELP_COLUMN = 26 };

/* Breaks `text` into lines of at most WIDTH columns. The first begins at `column`, the others are indented. */
static void put_wrapped(FILE *out, const char *text, size_t column, size_t indent) {
    bool begins = true; /* no word stands in this line yet */
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (!begins && column + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            begins = true;
        }
        fprintf(out, "%s%.*s", begins ? "" : " ", (int)length, text);
        column += length + !begins;
        begins = false;
        text += length;
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            begins = true;
        }
        if (*text) text++;
    }
    fputc('\n', out);
}

/* "  -o, --output RUN_DIR"; the number of columns. */
static size_t put_term(const struct option_row *row, FILE *out) {
    char letter[] = "-x, ";
    letter[1] = row->letter;
    bool optional = row->kind == OPTION_MARK;
    return (size_t)fprintf(out, "  %s%s%s%s%s%s%s", row->letter ? letter : "", row->name ? "--" : "",
                           row->name ? row->name : "", row->name && row->word ? " " : "", optional ? "[" : "",
                           row->word ? row->word : "", optional ? "]" : "");
}

static void put_row(const struct option_row *row, FILE *out) {
    char text[2048], list[512] = "";
    size_t column = put_term(row, out);
    if (column + 2 > HELP_COLUMN) fputc('\n', out), column = 0;
    fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
    if (row->names) name_list(row->names, row->name_count, "or", list, sizeof list);
    snprintf(text, sizeof text, "%s%s%s%s%s%s", list, *list ? ": " : "", row->help, row->initial ? " (default: " : "",
             row->initial ? row->initial : "", row->initial ? ")" : "");
    put_wrapped(out, text, HELP_COLUMN, HELP_COLUMN);
}

static void put_groups(const struct option_table *table, FILE *out) {
    for (size_t g = 0; g < table->group_count; g++) {
        const struct option_group *group = &table->groups[g];
        if (group->heading) fprintf(out, "\n%s:\n", group->heading);
        for (size_t i = 0; i < group->count; i++) put_row(&group->rows[i], out);
    }
    put_row(&option_help_row, out);
}

static void put_usage(const struct option_table *table, FILE *out) {
    for (size_t i = 0; table->usage[i]; i++) {
        fprintf(out, "%s longrope %s %s\n", i ? "      " : "Usage:", table->command, table->usage[i]);
    }
}

/* A paragraph, and the line between it and the next. */
static void put_text(const char *text, FILE *out) {
    fputc('\n', out);
    while (*text) {
        size_t length = strcspn(text, "\n");
        char paragraph[2048];
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)length, text);
        put_wrapped(out, paragraph, 0, 0);
        text += length;
        if (*text) fputc('\n', out), text++;
    }
}

void options_print_help(const struct option_table *table, FILE *out) {
    fprintf(out, "longrope %s: %s\n\n", table->command, table->summary);
    put_usage(table, out);
    if (table->text) put_text(table->text, out);
    put_groups(table, out);
    fputs("\nExamples:\n", out);
    for (size_t i = 0; table->examples[i]; i++) fprintf(out, "  %s\n", table->examples[i]);
    fputs("\nExit status:\n"
          "  0   done\n"
          "  1   failed: memory, disk, a number that is not finite\n"
          "  2   the command line or a file it names is wrong\n",
          out);
    if (table->stopped) fputs("  75  ", out), put_wrapped(out, table->stopped, 6, 6);
}
