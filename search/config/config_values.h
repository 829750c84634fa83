/* Values of a configuration: what a key accepts, where its value is stored, and how it is printed. */
#ifndef LONGROPE_SEARCH_CONFIG_VALUES_H
#define LONGROPE_SEARCH_CONFIG_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/config/yaml.h"

struct config_value {
    const struct config_key *key;
    const struct yaml_tree *node; /* what was written */
    const char *folder;           /* that paths are relative to; ends in a slash or is empty */
    struct stage_config *stage;   /* receives defaults that depend on the value */
};

/* A kind of value, with the functions that all keys of that kind share. */
struct config_kind {
    const char *type; /* "integer", "list of words" */
    const char *must; /* "an integer": begins the description of what a value must be; "" where the range says it */
    /* Writes the range, as messages and listings print it: "from 1 to 1000000". NULL: any value of the type. */
    void (*range)(const struct config_key *key, char *out, size_t size);
    /* Checks the value, and stores it in *target. Strings and lists in *target are freed first. STATUS_INPUT, naming
     * file and line, for a value of the wrong kind or out of range. */
    int (*read)(const struct config_value *value, void *target, struct error *error);
    /* The value in *target as JSON: the value that read() would store again; the caller releases it. NULL for
     * lack of memory. */
    json_t *(*show)(const struct config_key *key, const void *target);
};

/* One key of a configuration. config_keys.c has the list. */
struct config_key {
    const char *name;
    unsigned in;                    /* blocks that it may stand in, bits of enum config_block */
    unsigned opens;                 /* the block that its own keys stand in; 0: none */
    const struct config_kind *kind; /* NULL: a map of keys */
    size_t target;                  /* offset of its value in struct stage_config */
    double low, high;               /* range of a number */
    bool above, below;              /* the range excludes low, high */
    const char *const *names;       /* words that it accepts */
    size_t name_count;
    const char *standard; /* its default in words; NULL: its value in config_defaults */
    const char *meaning;  /* one line */
};

enum { CONFIG_TEXT_SIZE = 300 /* of a range, or of a default in words */ };

/* The published settings (arXiv 2402.13753, appendix A): values of keys that are not given. */
extern const struct stage_config config_defaults;

extern const char *const config_attention_names[ATTENTION_NUMBER]; /* "longrope", "yarn", "none", "search" */
extern const char *const config_critical_names[CRITICAL_NUMBER];   /* "none", "theoretical", "searched" */

/* Sets the settings and initial tables that belong to the algorithm. The stage's kind and target_length are set. */
void config_choose_algorithm(struct stage_config *stage, enum algorithm algorithm);

extern const struct config_kind config_kind_name, config_kind_path, config_kind_command, config_kind_files,
    config_kind_tokenizer, config_kind_word, config_kind_stage_kind, config_kind_algorithm, config_kind_integer,
    config_kind_target_length, config_kind_size, config_kind_population, config_kind_seed, config_kind_number,
    config_kind_lambda_step, config_kind_lambda_max, config_kind_start_tokens, config_kind_initial,
    config_kind_attention, config_kind_critical_pair, config_kind_all_or_size;

/* Kinds of values that config.c reads, because other parts of the file say what they mean. */
extern const struct config_kind config_kind_stage_name, config_kind_stages, config_kind_block;

#endif
