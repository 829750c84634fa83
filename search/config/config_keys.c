#include "search/config/config_keys.h"

#include <stdio.h>
#include <string.h>

#include "eval/base/name.h"

enum {
    CONFIG_MANY = 1000000,   /* largest count of anything */
    CONFIG_LONG = 1000000000 /* largest length in tokens */
};

#define AT(field) offsetof(struct stage_config, field)
#define KIND(name) (&config_kind_##name)
#define RANGE(from, to) .low = (from), .high = (to)
#define WORDS(list, count) .names = (list), .name_count = (count)

const struct config_key config_keys[CONFIG_KEYS] = {
    /* the name at the top is read as a stage's and then handed to the configuration */
    [KEY_NAME] = {"name", IN_TOP | IN_STAGE, .kind = KIND(name), .target = AT(name), .standard = "required",
                  .meaning = "name of the run, and so of its default folder results/NAME; name of a stage"},
    [KEY_CACHE] = {"cache", IN_TOP, .kind = KIND(path), .standard = "scores.db in the run's folder",
                   .meaning = "file of the score cache; runs on one machine may share it"},
    [KEY_STAGES] = {"stages", IN_TOP, .kind = KIND(stages), .standard = "required",
                    .meaning = "the stages, run in this order; at least one"},
    [KEY_KIND] = {"kind", IN_STAGE, .kind = KIND(stage_kind), .target = AT(kind), WORDS(stage_kind_names, STAGE_KINDS),
                  .meaning = "extend the window, or recover a short window of the extended model"},
    [KEY_TARGET_LENGTH] = {"target_length", IN_STAGE, .kind = KIND(target_length), .target = AT(target_length),
                           RANGE(2, CONFIG_LONG), .standard = "required", .meaning = "tokens of a scored window"},
    /* names of stages, which are looked up when everything else is read */
    [KEY_BASE] = {"base", IN_STAGE, .kind = KIND(stage_name), .standard = "none",
                  .meaning = "earlier stage with 'finetune', whose table the model was fine-tuned with"},
    [KEY_FINETUNE] = {"finetune", IN_STAGE, .opens = IN_FINETUNE, .kind = KIND(block), .standard = "none",
                      .meaning = "fine-tune the model with the stage's table when the stage is done; may be empty"},
    [KEY_FINETUNE_MODEL] = {"model", IN_FINETUNE, .kind = KIND(path), .target = AT(finetune.model),
                            .standard = "the stage's model",
                            .meaning = "folder of the model that the fine-tuning begins from"},
    [KEY_FINETUNE_BASE] = {"base", IN_FINETUNE, .kind = KIND(stage_name), .standard = "none",
                           .meaning = "earlier stage whose fine-tuned model it begins from, instead of 'model'"},
    [KEY_OUTPUT] = {"output", IN_FINETUNE, .kind = KIND(path), .target = AT(finetune.output),
                    .standard = "RUN_DIR/NAME-finetuned", .meaning = "folder of the fine-tuned model"},
    [KEY_COMMAND] = {"command", IN_FINETUNE, .kind = KIND(command), .target = AT(finetune.command), .standard = "none",
                     .meaning = "shell command that fine-tunes, run in the YAML file's folder"},
    [KEY_MODEL] = {"model", IN_TOP | IN_STAGE, .kind = KIND(path), .target = AT(model),
                   .standard = "required; with 'base' that model",
                   .meaning = "folder of the model in Hugging Face's format, or its GGUF file"},
    [KEY_TYPE] = {"dtype", IN_TOP | IN_STAGE, .kind = KIND(word), .target = AT(type),
                  WORDS(model_type_names, MODEL_TYPES), .meaning = "number type of the arithmetic"},
    [KEY_ATTENTION_FACTOR] = {"attention_factor", IN_TOP | IN_STAGE, .kind = KIND(attention), RANGE(0, 1000),
                              .above = true, WORDS(config_attention_names, ATTENTION_NUMBER),
                              .meaning = "factor of cosine and sine: a formula, 1, a searched gene, or a number"},
    [KEY_OBJECTIVE] = {"objective", IN_TOP | IN_STAGE, .kind = KIND(word), .target = AT(objective),
                       WORDS(objective_names, OBJECTIVES),
                       .meaning = "what candidates are scored by: all tokens of a text, or the answers of needles"},
    [KEY_NEEDLE] = {"needle", IN_TOP | IN_STAGE, .opens = IN_NEEDLE, .kind = KIND(block)},
    [KEY_DATA] = {"data", IN_TOP | IN_STAGE, .opens = IN_DATA, .kind = KIND(block)},
    [KEY_SEARCH] = {"search", IN_TOP | IN_STAGE, .opens = IN_SEARCH, .kind = KIND(block)},
    [KEY_TEXT] = {"text", IN_DATA, .kind = KIND(files), .target = AT(text), .standard = "required, or 'tokens'",
                  .meaning = "text files, one document each; patterns such as \"*.txt\" are expanded"},
    [KEY_TOKENS] = {"tokens", IN_DATA, .kind = KIND(files), .target = AT(tokens), .standard = "required, or 'text'",
                    .meaning = ".npy files, one document each: one-dimensional arrays of integers"},
    [KEY_TOKENIZER] =
        {"tokenizer", IN_DATA, .kind = KIND(tokenizer), .target = AT(tokenizer), .standard = "the model's own",
         .meaning =
             "tokenizer of text: bytes, a tokenizer.json, a tokenizer.model or a GGUF; beside 'tokens' only with "
             "'objective: needle'"},
    [KEY_SAMPLES] = {"samples", IN_DATA, .kind = KIND(size), .target = AT(samples), RANGE(0, CONFIG_MANY),
                     .meaning = "windows that each candidate is scored on; 0: one per document"},
    [KEY_HELD_OUT] = {"held_out", IN_DATA, .kind = KIND(size), .target = AT(held_out), RANGE(0, CONFIG_MANY),
                      .meaning =
                          "most windows of text that the stage is not searched on, and no more than its samples, "
                          "on which its table is evaluated when it ends; 0: none"},
    [KEY_ALGORITHM] = {"algorithm", IN_SEARCH, .kind = KIND(algorithm), .target = AT(search.algorithm),
                       WORDS(algorithm_names, ALGORITHMS), .meaning = "how candidates are made"},
    [KEY_CRITICAL_PAIR] = {"critical_pair", IN_SEARCH, .kind = KIND(critical_pair), RANGE(1, ROPE_MAX_PAIRS - 1),
                           WORDS(config_critical_names, CRITICAL_NUMBER),
                           .meaning = "LongRoPE2's space: NTK before this pair, and from it on factors from s to 2 s "
                                      "that increase strictly; not with 'kind: recover'"},
    [KEY_POPULATION] = {"population", IN_SEARCH, .kind = KIND(population), .target = AT(search.population),
                        RANGE(1, CONFIG_MANY),
                        .meaning = "tables of the first generation; with cma-es and bayesian of each iteration"},
    [KEY_PARENTS] = {"parents", IN_SEARCH, .kind = KIND(size), .target = AT(search.parents), RANGE(1, CONFIG_MANY),
                     .meaning = "best tables that children are made from; at most, and by default no more than, "
                                "'population'; not with bayesian"},
    [KEY_MUTATIONS] = {"mutations", IN_SEARCH, .kind = KIND(size), .target = AT(search.mutations),
                       RANGE(0, CONFIG_MANY),
                       .meaning = "children per iteration made by mutation; not with cma-es and bayesian"},
    [KEY_CROSSOVERS] = {"crossovers", IN_SEARCH, .kind = KIND(size), .target = AT(search.crossovers),
                        RANGE(0, CONFIG_MANY),
                        .meaning = "children per iteration made by crossover; not with cma-es and bayesian"},
    [KEY_ITERATIONS] = {"iterations", IN_SEARCH, .kind = KIND(size), .target = AT(search.iterations),
                        RANGE(0, CONFIG_MANY), .meaning = "generations after the first; not with bayesian"},
    [KEY_EVALUATIONS] = {"evaluations", IN_SEARCH, .kind = KIND(size), .target = AT(search.evaluations),
                         RANGE(0, CONFIG_MANY),
                         .meaning = "limit of the search's work, in scores of all windows; 0: none, not with bayesian"},
    [KEY_FIRST_WINDOWS] = {"first_windows", IN_SEARCH, .kind = KIND(all_or_size), .target = AT(search.first_windows),
                           RANGE(1, CONFIG_MANY),
                           .meaning = "windows that the first generations are scored on; the number doubles when the "
                                      "best tables come within noise of each other; not with bayesian"},
    [KEY_KNOTS] = {"knots", IN_SEARCH, .kind = KIND(all_or_size), .target = AT(search.knots), RANGE(2, ROPE_MAX_PAIRS),
                   .meaning = "pairs whose ln lambda is moved, the others following linearly; doubled when progress "
                              "stalls; all: every pair has a gene"},
    [KEY_MUTATION_PROBABILITY] = {"mutation_probability", IN_SEARCH, .kind = KIND(number),
                                  .target = AT(search.mutation_probability), RANGE(0, 1), .above = true,
                                  .meaning =
                                      "probability that a mutation changes a gene; not with cma-es and bayesian"},
    [KEY_LAMBDA_STEP] = {"lambda_step", IN_SEARCH, .kind = KIND(lambda_step), .target = AT(lattice_unit),
                         RANGE(1e-4, 1), .meaning = "step of the lattice of rescale factors"},
    /* the largest gene, 1e5 / 1e-4, fits 32 bits */
    [KEY_LAMBDA_MAX] = {"lambda_max", IN_SEARCH, .kind = KIND(lambda_max), .target = AT(lambda_max), RANGE(1, 1e5),
                        .meaning = "largest rescale factor; required, and not 0, with 'kind: recover'"},
    [KEY_START_TOKENS] = {"start_tokens", IN_SEARCH, .kind = KIND(start_tokens), RANGE(0, CONFIG_LONG),
                          .meaning = "values of n_hat, the number of first tokens that are not rescaled"},
    [KEY_SEED] = {"seed", IN_SEARCH, .kind = KIND(seed), .target = AT(search.seed), RANGE(0, UINT32_MAX),
                  .meaning = "seed of the random numbers of the search"},
    [KEY_INITIAL] = {"initial", IN_SEARCH, .kind = KIND(initial), WORDS(origin_names, ORIGIN_CRITICAL_NTK + 1),
                     .meaning = "tables that the first generation begins with; own: the model's own table for "
                                "target_length, of longrope its long one; critical-ntk: with 'critical_pair'"},
    [KEY_RACING] = {"racing", IN_SEARCH, .kind = KIND(word), .target = AT(racing), WORDS(racing_names, RACINGS),
                    .meaning = "when a candidate is given up before all its windows are scored"},
    [KEY_RACING_RISK] = {"racing_risk", IN_SEARCH, .kind = KIND(number), .target = AT(racing_risk), RANGE(0, 0.5),
                         .above = true, .below = true,
                         .meaning =
                             "with 'racing: statistical' or 'racing: blocks': probability, per test, of losing a good "
                             "candidate"},
    [KEY_PROMPT] = {"prompt", IN_NEEDLE, .kind = KIND(word), .target = AT(needle.prompt),
                    WORDS(needle_form_names, NEEDLE_FORMS), .meaning = "wording of the prompts of 'objective: needle'"},
    [KEY_DIGITS] = {"digits", IN_NEEDLE, .kind = KIND(integer), .target = AT(needle.digits),
                    RANGE(1, NEEDLE_MOST_DIGITS), .meaning = "digits of a key"},
    [KEY_NEEDLE_SEED] = {"seed", IN_NEEDLE, .kind = KIND(seed), .target = AT(needle.seed), RANGE(0, UINT32_MAX),
                         .meaning = "seed of keys and depths"},
};

#undef AT
#undef KIND
#undef RANGE
#undef WORDS

static const char *block_name(unsigned blocks) {
    return blocks & IN_DATA       ? "data"
           : blocks & IN_SEARCH   ? "search"
           : blocks & IN_FINETUNE ? "finetune"
           : blocks & IN_NEEDLE   ? "needle"
                                  : NULL;
}

void config_key_path(const struct config_key *key, char out[CONFIG_PATH_SIZE]) {
    const char *block = block_name(key->in);
    snprintf(out, CONFIG_PATH_SIZE, "%s%s%s", block ? block : "", block ? "." : "", key->name);
}

bool config_key_only_in_stages(const struct config_key *key) {
    return key->in & (IN_STAGE | IN_FINETUNE) && !(key->in & IN_TOP);
}

const struct config_key *config_key_find(const char *name, unsigned blocks) {
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (config_keys[i].in & blocks && strcmp(config_keys[i].name, name) == 0) return &config_keys[i];
    }
    return NULL;
}

/* The key of a block that is spelled most like `name`; NULL where none is close. */
static const char *closest_key(const char *name, unsigned block) {
    const char *names[CONFIG_KEYS];
    size_t count = 0;
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (config_keys[i].in & block) names[count++] = config_keys[i].name;
    }
    return name_nearest(names, count, name);
}

int config_key_unknown(const struct yaml_entry *entry, unsigned block, struct error *error) {
    const struct config_key *elsewhere =
        config_key_find(entry->key, ~block & (IN_DATA | IN_SEARCH | IN_FINETUNE | IN_NEEDLE));
    if (elsewhere) {
        char path[CONFIG_PATH_SIZE];
        config_key_path(elsewhere, path);
        return yaml_tree_error(&entry->where, error, "unknown key '%s' here (did you mean '%s'?)", entry->key, path);
    }
    if (strstr(entry->key, "\xc2\xa0")) {
        return yaml_tree_error(&entry->where, error,
                               "unknown key '%.80s': it holds a no-break space, which looks like a blank; type the "
                               "line's blanks again",
                               entry->key);
    }
    if (*entry->key && entry->key[strspn(entry->key, "0123456789")] == '\0') {
        return yaml_tree_error(&entry->where, error, "unknown key '%.80s'; write decimals with a point, as in 0.3",
                               entry->key);
    }
    const char *closest = closest_key(entry->key, block);
    if (!closest) return yaml_tree_error(&entry->where, error, "unknown key '%.80s'", entry->key);
    return yaml_tree_error(&entry->where, error, "unknown key '%.80s' (did you mean '%s'?)", entry->key, closest);
}
