/* The command line of `longrope bench`. */
#ifndef LONGROPE_SEARCH_BENCH_OPTIONS_H
#define LONGROPE_SEARCH_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/model/model.h"
#include "search/cli/options.h"

enum { BENCH_MOST_LENGTHS = 16 };

/* Strings are borrowed from argv and from the environment. */
struct bench_options {
    struct model_config shape;   /* complete: a llama model whose window is the greatest length */
    struct integer_list lengths; /* 1..BENCH_MOST_LENGTHS of them */
    int type;                    /* enum model_type; NAME_UNKNOWN: f32 and bf16 */
    bool f32, bf16;              /* types to measure, at least one */
    struct string_list kernels;  /* names, each available for one of the types; none: all */
    int64_t threads;             /* at least 1 */
    double seconds;
    bool json;
};

/* Reads the environment variable LONGROPE_KERNELS where the command line does not name kernels. */
extern const struct option_table bench_option_table;

#endif
