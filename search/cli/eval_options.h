/* The command line of `longrope eval`. */
#ifndef LONGROPE_SEARCH_EVAL_OPTIONS_H
#define LONGROPE_SEARCH_EVAL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "search/cli/checkpoint_options.h"
#include "search/cli/model_options.h"
#include "search/cli/options.h"

/* Strings are borrowed from argv. */
struct eval_options {
    struct model_options model;
    struct string_list text, tokens; /* files; one of the lists is empty */
    struct integer_list lengths;     /* at least one */
    int64_t samples;                 /* 0: the beginning of each document */
    int64_t stride;                  /* 0: windows do not slide */
    char *nats;                      /* file; NULL: not written */
    bool force;
    struct checkpoint_options checkpoint;
};

extern const struct option_table eval_option_table;

#endif
