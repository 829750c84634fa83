/* The keys of a configuration: one list, which config_read(), `longrope search --print-config` and messages share. */
#ifndef LONGROPE_SEARCH_CONFIG_KEYS_H
#define LONGROPE_SEARCH_CONFIG_KEYS_H

#include "search/config/config_values.h"
#include "search/config/yaml.h"

/* Blocks that keys stand in, as bits: some keys stand in two. */
enum config_block { IN_TOP = 1, IN_STAGE = 2, IN_DATA = 4, IN_SEARCH = 8, IN_FINETUNE = 16, IN_NEEDLE = 32 };

/* The order in which values are read: a key stands after those that its default depends on. */
enum config_key_id {
    KEY_NAME,
    KEY_CACHE,
    KEY_STAGES,
    KEY_KIND,
    KEY_TARGET_LENGTH,
    KEY_BASE,
    KEY_FINETUNE,
    KEY_FINETUNE_MODEL,
    KEY_FINETUNE_BASE,
    KEY_OUTPUT,
    KEY_COMMAND,
    KEY_MODEL,
    KEY_TYPE,
    KEY_ATTENTION_FACTOR,
    KEY_OBJECTIVE,
    KEY_NEEDLE,
    KEY_DATA,
    KEY_SEARCH,
    KEY_TEXT,
    KEY_TOKENS,
    KEY_TOKENIZER,
    KEY_SAMPLES,
    KEY_HELD_OUT,
    KEY_ALGORITHM,
    KEY_CRITICAL_PAIR,
    KEY_POPULATION,
    KEY_PARENTS,
    KEY_MUTATIONS,
    KEY_CROSSOVERS,
    KEY_ITERATIONS,
    KEY_EVALUATIONS,
    KEY_FIRST_WINDOWS,
    KEY_KNOTS,
    KEY_MUTATION_PROBABILITY,
    KEY_LAMBDA_STEP,
    KEY_LAMBDA_MAX,
    KEY_START_TOKENS,
    KEY_SEED,
    KEY_INITIAL,
    KEY_RACING,
    KEY_RACING_RISK,
    KEY_PROMPT, /* last: a 'seed' in the wrong place is more likely the search's */
    KEY_DIGITS,
    KEY_NEEDLE_SEED,
    CONFIG_KEYS
};

extern const struct config_key config_keys[CONFIG_KEYS];

/* The key of that name in one of the blocks; NULL: there is none. */
const struct config_key *config_key_find(const char *name, unsigned blocks);

/* STATUS_INPUT for a key that `block` does not have; names the key that was probably meant. */
int config_key_unknown(const struct yaml_entry *entry, unsigned block, struct error *error);

/* Whether the key stands only in stages, or in blocks of stages. */
bool config_key_only_in_stages(const struct config_key *key);

enum { CONFIG_PATH_SIZE = 64 };
/* The key with its block: "search.population". */
void config_key_path(const struct config_key *key, char out[CONFIG_PATH_SIZE]);

#endif
