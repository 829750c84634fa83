/* The YAML configuration of a run. Every key is checked: an unknown one, a value of the wrong kind
 * or out of range is an error that names file and line, and suggests the key that was meant.
 * Paths in it are relative to the YAML file; those here are ready to open.
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

/* "longrope", "yarn", "none", "search"; not of ATTENTION_NUMBER. */
const char *attention_rule_name(enum attention_rule rule);

enum {
    CONFIG_MAX_INITIAL = 7,
    CONFIG_HALVED_BEYOND = 512 * 1024 /* tokens; published (appendix A): longer targets have half the budget */
};

enum { CONFIG_NO_STAGE = -1 };

/* How a model is fine-tuned with a stage's table once the stage is done. */
struct finetune_config {
    bool wanted;   /* the stage has the block; the rest is unset where it has not */
    char *model;   /* folder to begin from; NULL: base's, or else the stage's own model */
    int base;      /* stage whose fine-tuned model it begins from; CONFIG_NO_STAGE: none */
    char *output;  /* folder of the fine-tuned model; NULL: RUN_DIR/NAME-finetuned */
    char *command; /* for the shell; NULL: somebody runs it by hand */
};

/* The documents of OBJECTIVE_NEEDLE (search/recipe/stage_windows.h). */
struct needle_config {
    enum needle_form prompt;
    int64_t digits;     /* of a key */
    unsigned long seed; /* of keys and depths */
};

/* One stage, with everything that it does not override taken from the top of the file. */
struct stage_config {
    char *name;
    enum stage_kind kind;
    int64_t target_length; /* tokens */
    int base;              /* earlier stage whose table the model was fine-tuned with; CONFIG_NO_STAGE: none */
    char *model;           /* folder; NULL: what `base` was fine-tuned to */
    struct finetune_config finetune;
    enum model_type type;      /* of its arithmetic */
    struct string_list text;   /* files, globs expanded and sorted; empty where tokens are given */
    char *tokenizer;           /* of text, and of needles: "bytes" or a path; NULL: the model's own */
    struct string_list tokens; /* .npy files; empty where text is given */
    size_t samples;            /* windows scored; 0: one a document */
    enum objective objective;
    struct needle_config needle; /* with OBJECTIVE_NEEDLE */
    struct evolve_settings search;
    size_t initial_count;                    /* closed forms that the first population begins with */
    enum origin initial[CONFIG_MAX_INITIAL]; /* ORIGIN_PI to ORIGIN_OWN, each once */
    enum racing racing;
    double racing_risk;   /* with RACING_STATISTICAL: of giving up, at one look, a candidate that is no worse */
    int32_t lattice_unit; /* 1 / lambda_step */
    double lambda_max;    /* largest factor; 0: 1.25 times the stage's scale; never 0 of STAGE_RECOVER */
    size_t start_count;
    int64_t start_tokens[GENOME_MAX_STARTS];
    enum attention_rule attention_rule;
    double attention_factor; /* where the rule is ATTENTION_NUMBER */
};

struct config {
    char *name;
    char *folder; /* of the file: commands run there; "." where the path has none */
    char *cache;  /* file of the score cache; NULL: scores.db in the run's folder */
    size_t stage_count;
    struct stage_config *stages; /* [stage_count] */
};

/* clang-format off */
/* Reads `path`, applies the overrides ("key.path=value", as of --set; list items by their index:
 * "stages.0.target_length=4096") and checks everything. The caller frees with config_free(). A formatter that fills
 * lines would spoil this listing:
 *
 *     name: demo                      # [A-Za-z0-9._-]+; also the default run folder
 *     model: model
 *     cache: scores.db                # score cache, shared by runs; default: scores.db in the run's folder
 *     dtype: auto                     # auto | f32 | bf16
 *     data: {text: [corpus/a*.txt], tokenizer: bytes, samples: 5}    # or tokens: [a.npy, ...]
 *     objective: perplexity           # perplexity | needle
 *     needle:                         # for objective: needle; all optional
 *       prompt: published             # published | demo: how it is worded (eval/text/needle_prompt.h)
 *       digits: 5                     # of its key
 *       seed: 1                       # that keys and depths are drawn by
 *     search:                         # all optional, with the published defaults
 *       algorithm: paper              # paper | microsoft | cma-es
 *       (population, mutations, crossovers, parents, iterations, mutation_probability,
 *        lambda_step, lambda_max, start_tokens, seed: numbers)
 *       initial: [pi, ntk, yarn]      # of these and yarn-lambda, dynamic-ntk, none, own, each once; own is the
 *                                     # model's own longrope table; with kind: recover [none, own, ntk, yarn]
 *       racing: bound                 # none | bound | statistical
 *       racing_risk: 0.05             # for racing: statistical; above 0, below 0.5
 *     attention_factor: longrope      # longrope | yarn | none | search | a number
 *     stages:
 *       - name: extend-2k
 *         target_length: 2048
 *         (any of model, dtype, data, objective, needle, search, attention_factor: for this stage alone)
 *         kind: extend                # extend | recover, which wants search.lambda_max
 *         base: NAME                  # an earlier stage with `finetune`; gives the model where it is not given
 *         finetune:                   # all optional
 *           model: DIR                # begins from this, or
 *           base: NAME                # from what that earlier stage was fine-tuned to; default: the stage's model
 *           output: DIR               # default: RUN_DIR/NAME-finetuned
 *           command: sh finetune.sh   # run in the file's folder; search/recipe/finetune.h says with what environment
 *
 * Defaults of population, mutations and crossovers are halved and that of samples is 3 for targets beyond
 * CONFIG_HALVED_BEYOND tokens.
 *
 * With algorithm: cma-es, `population` and `parents` mean the samples of an iteration and those of them
 * that it learns from; their defaults are 12 and 6, that of `iterations` is 50. Mutations, crossovers and
 * mutation_probability are refused, also where a stage would take them from the top, and are 0 in `search`.
 *
 * `tokenizer` is bytes or a path of a tokenizer.model (eval/text/tokenizer.h); the default is the model's own. Beside
 * `tokens` it has a use with objective: needle alone, whose words have to become tokens of the same kind.
 */
/* clang-format on */
int config_read(const char *path, char *const *overrides, size_t override_count, struct config *out,
                struct error *error);
void config_free(struct config *config); /* a zeroed struct is allowed */

#endif
