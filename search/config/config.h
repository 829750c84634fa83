/* The YAML configuration of a run. Every key is checked: an unknown key, a value of the wrong kind and a value out of
 * range are errors that name file and line and suggest the word that was probably meant. Paths in the file are relative
 * to its folder; paths in these structs can be opened as they are.
 */
#ifndef LONGROPE_SEARCH_CONFIG_H
#define LONGROPE_SEARCH_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/text/needle_prompt.h"
#include "search/base/string_list.h"
#include "search/config/stage_terms.h"
#include "search/evolve/evolve.h"
#include "search/evolve/racing.h"

enum attention_rule { ATTENTION_LONGROPE, ATTENTION_YARN, ATTENTION_NONE, ATTENTION_SEARCH, ATTENTION_NUMBER };

/* "longrope", "yarn", "none", "search"; not for ATTENTION_NUMBER. */
const char *attention_rule_name(enum attention_rule rule);

/* LongRoPE2's critical pair (arXiv 2502.20082), see search/evolve/genome.h. */
enum critical_rule {
    CRITICAL_NONE,        /* LongRoPE's space: every pair has a gene */
    CRITICAL_THEORETICAL, /* the first pair that makes no full turn within the window before any extension */
    CRITICAL_SEARCHED,    /* a component of genomes (search/recipe/stage_space.h) */
    CRITICAL_NUMBER
};

/* "none", "theoretical", "searched"; not for CRITICAL_NUMBER. */
const char *critical_rule_name(enum critical_rule rule);

enum {
    CONFIG_MAX_INITIAL = 16,
    CONFIG_HALVED_BEYOND = 512 * 1024 /* tokens; published (appendix A): longer targets have half the budget */
};

enum { CONFIG_NO_STAGE = -1 };

/* How a model is fine-tuned with a stage's table when the stage is done. */
struct finetune_config {
    bool given;    /* the stage has the block; without it the rest is unset */
    char *model;   /* folder to begin from; NULL: base's, or else the stage's own model */
    int base;      /* stage whose fine-tuned model it begins from; CONFIG_NO_STAGE: none */
    char *output;  /* folder of the fine-tuned model; NULL: RUN_DIR/NAME-finetuned */
    char *command; /* for the shell; NULL: the user runs it */
};

/* The documents of OBJECTIVE_NEEDLE (search/recipe/stage_windows.h). */
struct needle_config {
    enum needle_form prompt;
    int64_t digits;     /* of a key */
    unsigned long seed; /* of keys and depths */
};

/* A factor file that the first population begins with. */
struct initial_file {
    char *source; /* path or inline numbers, as factors_read() takes them; NULL: no file */
    char *where;  /* "FILE:LINE" or "--set KEY=VALUE" that names it, for messages */
};

/* One stage, with the keys that it does not give itself taken from the top of the file. */
struct stage_config {
    char *name;
    enum stage_kind kind;
    int64_t target_length; /* tokens */
    int base;              /* earlier stage whose table the model was fine-tuned with; CONFIG_NO_STAGE: none */
    char *model;           /* folder; NULL: the fine-tuned model of `base` */
    struct finetune_config finetune;
    enum model_type type;      /* of its arithmetic */
    struct string_list text;   /* files, patterns expanded and sorted; empty if tokens are given */
    char *tokenizer;           /* of text, and of needles: "bytes" or a path; NULL: the model's own */
    struct string_list tokens; /* .npy files; empty if text is given */
    bool reads_tokens;         /* 'tokens' is given, also where none of its files exists */
    char *missing;             /* what config_read() would say of a pattern of these that no file matches; NULL: none */
    size_t samples;            /* windows scored; 0: one per document */
    size_t held_out;           /* most windows of other text that the result is measured on; 0: none */
    enum objective objective;
    struct needle_config needle; /* with OBJECTIVE_NEEDLE */
    struct evolve_settings search;
    size_t initial_count;                    /* tables that the first population begins with */
    enum origin initial[CONFIG_MAX_INITIAL]; /* ORIGIN_PI to ORIGIN_CRITICAL_NTK, each once, and ORIGIN_FILE */
    struct initial_file initial_files[CONFIG_MAX_INITIAL]; /* of those with ORIGIN_FILE */
    enum racing racing;
    double racing_risk; /* if racing_risks(racing): probability, per test, of giving up a candidate that is not worse */
    int32_t lattice_unit; /* 1 / lambda_step */
    double lambda_max;    /* largest factor; 0: 1.25 times the stage's scale, with a critical pair 2 times; never 0 with
                             STAGE_RECOVER */
    enum critical_rule critical_rule; /* CRITICAL_NONE with STAGE_RECOVER */
    int64_t critical_pair;            /* where the rule is CRITICAL_NUMBER */
    size_t start_count;
    int64_t start_tokens[GENOME_MAX_STARTS];
    enum attention_rule attention_rule;
    double attention_factor; /* where the rule is ATTENTION_NUMBER */
};

struct config {
    char *name;
    char *folder; /* of the file: commands run there; "." if the path has none */
    char *cache;  /* file of the score cache; NULL: scores.db in the run's folder */
    size_t stage_count;
    struct stage_config *stages; /* [stage_count] */
};

/* Reads `path`, applies the overrides ("key.path=value", as in --set; list items by their index:
 * "stages.0.target_length=4096") and checks everything. config_keys.h lists the keys; configs/README.md documents them.
 *
 * Some defaults depend on other keys:
 * - target_length beyond CONFIG_HALVED_BEYOND tokens: population, mutations and crossovers are halved, samples is 3;
 * - algorithm cma-es: population 12, parents 6, iterations 50; here `population` is the number of samples per iteration
 *   and `parents` the number of these that the distribution learns from. mutations, crossovers and
 *   mutation_probability are errors, and 0 in `search`;
 * - algorithm longrope2: population 128, twice the paper's, start_tokens [0], and critical_pair is searched unless kind
 * is recover;
 * - kind recover: initial is [none, own, ntk, yarn];
 * - critical_pair: initial is [critical-ntk, ntk, yarn];
 * - population: parents is at most as many.
 *
 * STATUS_INPUT for what is wrong, naming file and line or --set. The caller frees *out with config_free(). */
int config_read(const char *path, char *const *overrides, size_t override_count, struct config *out,
                struct error *error);

/* The same, but the files of 'data' need not exist: stages[].missing says which pattern no file matches. */
int config_read_without_data(const char *path, char *const *overrides, size_t override_count, struct config *out,
                             struct error *error);
/* The same of what a run has stored: the text that the file at `path` held then. */
int config_read_stored(const char *text, const char *path, char *const *overrides, size_t override_count,
                       struct config *out, struct error *error);
void config_free(struct config *config); /* a zeroed struct is allowed */

/* Whether the search looks at the sums per block of windows, and not at their nats alone. */
bool stage_config_needs_blocks(const struct stage_config *stage);

#endif
