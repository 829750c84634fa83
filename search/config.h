/* The YAML configuration of a run. Every key is checked: an unknown one, a value of the wrong kind
 * or out of range is an error that names file and line, and suggests the key that was meant.
 * Paths in it are relative to the YAML file; those here are ready to open.
 */
#ifndef LONGROPE_SEARCH_CONFIG_H
#define LONGROPE_SEARCH_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "eval/error.h"
#include "eval/model.h"
#include "search/evolve.h"

enum attention_rule { ATTENTION_LONGROPE, ATTENTION_YARN, ATTENTION_NONE, ATTENTION_NUMBER };

struct string_list {
    size_t count;
    char **items;
};

/* One stage, with everything that it does not override taken from the top of the file. */
struct stage_config {
    char *name;
    int64_t target_length;     /* tokens */
    char *model;               /* folder */
    enum model_type type;      /* of its arithmetic */
    struct string_list text;   /* files, globs expanded and sorted; empty where tokens are given */
    char *tokenizer;           /* of text: "bytes" or a path; NULL: the model's own */
    struct string_list tokens; /* .npy files; empty where text is given */
    size_t samples;            /* windows scored; 0: one a document */
    struct evolve_settings search;
    int32_t lattice_unit; /* 1 / lambda_step */
    double lambda_max;    /* largest factor; 0: 1.25 times the stage's scale */
    size_t start_count;
    int64_t start_tokens[GENOME_MAX_STARTS];
    enum attention_rule attention_rule;
    double attention_factor; /* where the rule is ATTENTION_NUMBER */
};

struct config {
    char *name;
    size_t stage_count;
    struct stage_config *stages; /* [stage_count] */
};

/* Reads `path`, applies the overrides ("key.path=value", as of --set; list items by their index:
 * "stages.0.target_length=4096") and checks everything. The caller frees with config_free().
 *
 *     name: demo                        # [A-Za-z0-9._-]+; also the default run folder
 *     model: model
 *     dtype: auto                       # auto | f32 | bf16
 *     data: {text: [corpus/a*.txt], tokenizer: bytes, samples: 5}    # or tokens: [a.npy, ...]
 *     search: {population, mutations, crossovers, parents, iterations, mutation_probability,
 *              lambda_step, lambda_max, start_tokens, seed}          # all optional, published defaults
 *     attention_factor: longrope        # longrope | yarn | none | a number
 *     stages: [{name, target_length, and any of model, dtype, data, search, attention_factor}]
 *
 * `tokenizer` is bytes or a path of a tokenizer.model (eval/tokenizer.h); the default is the model's own.
 */
int config_read(const char *path, char *const *overrides, size_t override_count, struct config *out,
                struct error *error);
void config_free(struct config *config); /* a zeroed struct is allowed */

#endif
