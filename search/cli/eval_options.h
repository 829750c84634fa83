/* The command line of `longrope eval`. */
#ifndef LONGROPE_SEARCH_EVAL_OPTIONS_H
#define LONGROPE_SEARCH_EVAL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/cli/model_options.h"
#include "search/cli/options.h"

extern const char eval_usage[]; /* what --help prints, and what the options mean */

/* Texts are borrowed from argv, whose words are split in place. */
struct eval_options {
    struct model_options model;
    struct string_list text, tokens, lengths;
    int64_t samples; /* 0: as the usage says */
    int64_t stride;  /* 0: windows do not slide */
    char *nats;
    bool json, help;
};

/* Reads argv, which begins with the command's name. With --help nothing else is checked. The caller
 * frees *out with eval_options_free(), also after a failure. */
int eval_options_read(int argc, char **argv, struct eval_options *out, struct error *error);
void eval_options_free(struct eval_options *options); /* a zeroed struct is allowed */

#endif
