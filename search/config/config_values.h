/* Values of a configuration: what each key takes, where it goes, and what stands there where nothing is said. */
#ifndef LONGROPE_SEARCH_CONFIG_VALUES_H
#define LONGROPE_SEARCH_CONFIG_VALUES_H

#include <stdint.h>

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/config/yaml.h"

struct config_value {
    const char *name;             /* of its key */
    const struct yaml_tree *node; /* what was written */
    const char *folder;           /* that paths are relative to; ends in a slash or is empty */
    int64_t low, high;            /* the range of an integer */
};

/* What holds where nothing is said: the published settings (arXiv 2402.13753, appendix A). */
extern const struct stage_config config_defaults;

/* Each checks a value and stores it: in *target, which is the member that the key is for, or the whole stage where
 * more than one depends on it (struct stage_config: kind, target_length, attention, start_tokens, algorithm,
 * population, initial). Kind, target length, algorithm and population also set the defaults that depend on them.
 * Strings and lists in *target are freed first. STATUS_INPUT, naming file and line, for a value of the wrong kind or
 * out of range. */
int config_value_name(const struct config_value *value, void *target, struct error *error);
int config_value_kind(const struct config_value *value, void *target, struct error *error);
int config_value_target_length(const struct config_value *value, void *target, struct error *error);
int config_value_command(const struct config_value *value, void *target, struct error *error);
int config_value_path(const struct config_value *value, void *target, struct error *error);
int config_value_files(const struct config_value *value, void *target, struct error *error);
int config_value_tokenizer(const struct config_value *value, void *target, struct error *error);
int config_value_type(const struct config_value *value, void *target, struct error *error);
int config_value_attention(const struct config_value *value, void *target, struct error *error);
int config_value_objective(const struct config_value *value, void *target, struct error *error);
int config_value_prompt(const struct config_value *value, void *target, struct error *error);
int config_value_integer(const struct config_value *value, void *target, struct error *error);
int config_value_size(const struct config_value *value, void *target, struct error *error);
int config_value_population(const struct config_value *value, void *target, struct error *error);
int config_value_seed(const struct config_value *value, void *target, struct error *error);
int config_value_probability(const struct config_value *value, void *target, struct error *error);
int config_value_lambda_step(const struct config_value *value, void *target, struct error *error);
int config_value_lambda_max(const struct config_value *value, void *target, struct error *error);
int config_value_start_tokens(const struct config_value *value, void *target, struct error *error);
int config_value_algorithm(const struct config_value *value, void *target, struct error *error);
int config_value_initial(const struct config_value *value, void *target, struct error *error);
int config_value_racing(const struct config_value *value, void *target, struct error *error);
int config_value_risk(const struct config_value *value, void *target, struct error *error);

#endif
