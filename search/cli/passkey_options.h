/* The command line of `longrope passkey`. */
#ifndef LONGROPE_SEARCH_PASSKEY_OPTIONS_H
#define LONGROPE_SEARCH_PASSKEY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/text/needle_prompt.h"
#include "search/cli/model_options.h"
#include "search/cli/options.h"

/* Strings are borrowed from argv. */
struct passkey_options {
    struct model_options model;
    struct integer_list lengths; /* at least one */
    struct number_list depths;   /* 0..1 */
    int64_t trials, digits, seed;
    int prompt;        /* enum needle_form */
    char *save_tokens; /* file; NULL: not written */
    bool prompts, force;
};

extern const struct option_table passkey_option_table;

#endif
