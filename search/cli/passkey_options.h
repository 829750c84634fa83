/* The command line of `longrope passkey`. */
#ifndef LONGROPE_SEARCH_PASSKEY_OPTIONS_H
#define LONGROPE_SEARCH_PASSKEY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/needle_prompt.h"
#include "search/cli/model_options.h"

extern const char passkey_usage[]; /* what --help prints, and what the options mean */

/* Texts are borrowed from argv, whose words are split in place. */
struct passkey_options {
    struct model_options model;
    size_t length_count, depth_count;
    int64_t *lengths; /* [length_count] */
    double *depths;   /* [depth_count], 0..1 */
    int64_t trials, digits, seed;
    enum needle_form prompt;
    char *save_tokens; /* NULL: not asked for */
    bool prompts, json, help;
};

/* Reads argv, which begins with the command's name. With --help nothing else is checked. The caller
 * frees *out with passkey_options_free(), also after a failure. */
int passkey_options_read(int argc, char **argv, struct passkey_options *out, struct error *error);
void passkey_options_free(struct passkey_options *options); /* a zeroed struct is allowed */

#endif
