/* What `longrope choice` prints: one row per table, length and task and a last line, or JSON. */
#ifndef LONGROPE_SEARCH_CHOICE_PRINT_H
#define LONGROPE_SEARCH_CHOICE_PRINT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/kernels/kernels.h"
#include "search/cli/choice_options.h"
#include "search/measure/choice.h"
#include "search/measure/table_source.h"

/* The answers to one task with one RoPE table. */
struct choice_result {
    const struct choice_options *options;
    const struct kernels *kernels;
    const struct chosen_table *table;
    const struct choice_sheet *sheet;
    int64_t length;
    double seconds;
};

/* Prints the arithmetic in one line, and the heading of the rows; names of tasks are `width` columns wide. */
void choice_print_heading(FILE *out, const struct choice_options *options, const struct kernels *kernels, int width);
void choice_print_row(FILE *out, const struct choice_result *result, int width);
/* Prints how many of the input tokens of all rows were computed. */
void choice_print_sum(FILE *out, int64_t tokens, int64_t computed);

/* The columns that the names of all tasks need. */
int choice_name_width(const struct choice_tasks *tasks);

/* The result as a JSON object; search/report/README.md lists its keys; the caller releases it. NULL if memory is
 * short. */
json_t *choice_json(const struct choice_result *result);

#endif
