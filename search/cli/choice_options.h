/* The command line of `longrope choice`. */
#ifndef LONGROPE_SEARCH_CHOICE_OPTIONS_H
#define LONGROPE_SEARCH_CHOICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "search/cli/model_options.h"
#include "search/cli/options.h"

/* Strings are borrowed from argv. */
struct choice_options {
    struct model_options model;
    struct string_list tasks;    /* files, at least one */
    struct integer_list lengths; /* none: the model's window */
    bool answers;                /* with JSON: what was answered to each item */
};

extern const struct option_table choice_option_table;

#endif
