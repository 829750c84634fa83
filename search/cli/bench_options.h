/* The command line of `longrope bench`. */
#ifndef LONGROPE_SEARCH_BENCH_OPTIONS_H
#define LONGROPE_SEARCH_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/cli/options.h"

extern const char bench_usage[]; /* what --help prints, and what the options mean */

enum { BENCH_MOST_LENGTHS = 16 };

/* Texts are borrowed from argv, whose words are split in place, and from the environment. */
struct bench_options {
    struct model_config shape; /* complete: a llama model with a window of the longest length */
    int64_t lengths[BENCH_MOST_LENGTHS];
    int64_t length_count;
    bool f32, bf16;             /* types to measure, at least one */
    struct string_list kernels; /* tables to measure, known for one of these types; none: as the usage says */
    int64_t threads;            /* at least 1 */
    double seconds;
    bool json, help;
};

/* Reads argv, which begins with the command's name, and, where it does not name kernels, the
 * environment variable LONGROPE_KERNELS. With --help nothing else is checked. STATUS_INPUT for what is
 * wrong. The caller frees *out with bench_options_free(), also after a failure. */
int bench_options_read(int argc, char **argv, struct bench_options *out, struct error *error);
void bench_options_free(struct bench_options *options); /* a zeroed struct is allowed */

#endif
