/* Reading the command line: numbers, lists, and the words for what is wrong with them. */
#ifndef LONGROPE_SEARCH_OPTIONS_H
#define LONGROPE_SEARCH_OPTIONS_H

#include <getopt.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/base/string_list.h"

/* The value of option --NAME, a number that must lie in least..most. STATUS_INPUT otherwise. */
int option_integer(const char *name, const char *text, int64_t least, int64_t most, int64_t *out, struct error *error);
int option_number(const char *name, const char *text, double least, double most, double *out, struct error *error);

/* What getopt_long() answered '?' or ':' to, in our words: an unknown option with the nearest of
 * `known` suggested, or an option without its value. Always STATUS_INPUT. */
int option_unknown(char *const *argv, const struct option *known, int answer, struct error *error);

#endif
