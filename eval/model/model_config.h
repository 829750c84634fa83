/* config.json -> struct model_config. */
#ifndef LONGROPE_EVAL_MODEL_CONFIG_H
#define LONGROPE_EVAL_MODEL_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/model/model_family.h"

/* Reads a config.json from its bytes. `path` is its name in messages. STATUS_INPUT for whatever is
 * missing, malformed or not supported. */
int model_config_parse(const char *path, const void *bytes, size_t size, struct model_config *out, struct error *error);

/* STATUS_INPUT unless a model can be made from the configuration, whether it was read from a file or not:
 * every number must be within bounds that let no product of sizes overflow. Messages begin with `where`. */
int model_config_check(const char *where, const struct model_config *config, struct error *error);

/* The part of it that is about sizes. */
int model_config_sizes_check(const char *where, const struct model_config *config, struct error *error);

enum { MODEL_WINDOW_MAX = 1 << 30 }; /* tokens */

/* ---- Internal to eval/model: what model_config.c, model_layers.c and model_rope.c share ---- */

/* A config.json that is being read. */
struct config_file {
    const char *path;
    const json_t *root; /* an object */
    const struct family *family;
};

/* The value of "key" in an object; NULL where it is absent or null. */
const json_t *config_value(const json_t *object, const char *key);

/* The names of kinds of layers in layer_types and rope_parameters. */
extern const char layer_type_full[], layer_type_sliding[];

/* Numbers are equal where their values are, 1 and 1.0; anything else where JSON's are. */
bool config_values_equal(const json_t *left, const json_t *right);

/* An integer that must be there. */
int config_read_size(const struct config_file *file, const char *key, int64_t *out, struct error *error);

/* The sliding window and the kind of each layer; the other sizes have been read. */
int model_layers_read(const struct config_file *file, struct model_config *config, struct error *error);

/* The rotary settings: theta, partial_rotary_factor, rope_scaling (transformers 4) and rope_parameters
 * (5), into config->rope; those of sliding layers, where the family has them apart, into config->window_rope. Those of
 * different places may repeat but not contradict each other. */
int model_rope_read(const struct config_file *file, struct model_config *config, struct error *error);
int model_rope_check(const char *where, const struct rope_model *rope, int64_t head_width, struct error *error);

#endif
