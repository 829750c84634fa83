/* The command line of `longrope eval`. */
#ifndef LONGROPE_SEARCH_EVAL_OPTIONS_H
#define LONGROPE_SEARCH_EVAL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/error.h"
#include "eval/model.h"
#include "eval/rope.h"
#include "search/options.h"

extern const char eval_usage[]; /* what --help prints, and what the options mean */

enum { EVAL_UNSET = -1 };

/* Texts are borrowed from argv, whose words are split in place. */
struct eval_options {
    char *model;
    struct words text, tokens, lengths, methods;
    char *tokenizer; /* NULL: as the usage says */
    char *factors;
    double scale, attention_factor;        /* EVAL_UNSET: as the usage says */
    int64_t original_length, start_tokens; /* EVAL_UNSET: as the usage says */
    int64_t samples, threads;              /* 0: as the usage says */
    int64_t stride;                        /* 0: windows do not slide */
    enum model_type type;
    enum rope_angles angles;
    char *nats;
    bool json, help;
};

/* Reads argv, which begins with the command's name. With --help nothing else is checked. The caller
 * frees *out with eval_options_free(), also after a failure. */
int eval_options_read(int argc, char **argv, struct eval_options *out, struct error *error);
void eval_options_free(struct eval_options *options); /* a zeroed struct is allowed */

#endif
