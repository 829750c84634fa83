/* A configuration for a model and a text that a user names: its lengths, a budget for the time that they have, and the
 * YAML file, with comments. */
#ifndef LONGROPE_SEARCH_PROPOSAL_H
#define LONGROPE_SEARCH_PROPOSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/text/documents.h"
#include "search/base/string_list.h"

/* Strings are borrowed, and UTF-8. */
struct proposal {
    const char *name;         /* of the run */
    const char *model;        /* folder, absolute */
    const char *tokenizer;    /* "bytes" or an absolute path; NULL: the model's own */
    bool tokens;              /* `files` are .npy files */
    struct string_list files; /* absolute paths */
    /* proposal_set_lengths(): */
    int64_t window;       /* of the model, its own scaling included */
    int64_t short_length; /* before any extension: the window that gets a table of its own */
    int64_t target;
    size_t long_windows, short_windows; /* that the text has of each length; at least 1 */
    /* Windows to score tables on, at most: five and 24 or, where the text is short, so few that some is left to hold
     * out. */
    size_t most_samples, most_short_samples;
    /* proposal_set_budget(): */
    size_t samples, evaluations;                 /* of the extension */
    size_t recover_samples, recover_evaluations; /* of the old window */
    double seconds, recover_seconds;             /* that all of it and the stage `recover` take */
};

/* Sets the lengths. `target` 0: four times the window, or as much of that as the longest document allows. STATUS_INPUT
 * if the text is too short for that, or the target is not beyond the window. */
int proposal_set_lengths(struct proposal *proposal, const struct model_config *model, const struct documents *documents,
                         int64_t target, struct error *error);

/* Chooses samples and evaluations for `seconds`, if a pass over a window takes long_pass and short_pass seconds: at
 * most five windows, fewer where they leave less than 20 evaluations, and at least six evaluations of one. So
 * proposal->seconds can be more than `seconds`. */
void proposal_set_budget(struct proposal *proposal, double seconds, double long_pass, double short_pass);

/* Writes the YAML file. False if memory is short. */
bool proposal_write(const struct proposal *proposal, FILE *out);

#endif
