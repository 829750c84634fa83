/* A model's config.json with a pair of tables for its rotary scaling. */
#ifndef LONGROPE_SEARCH_EXPORT_CONFIG_H
#define LONGROPE_SEARCH_EXPORT_CONFIG_H

#include "eval/base/error.h"
#include "search/export/export_notes.h"
#include "search/export/export_pair.h"

/* The text of DIR/config.json, which model_read_config() takes, with
 *
 *     max_position_embeddings = pair->long_table.max_length
 *     original_max_position_embeddings = pair->switch_length, rope_theta, partial_rotary_factor below 1
 *     rope_scaling = {rope_type: "longrope", long_factor, short_factor, original_max_position_embeddings, factor,
 *                     attention_factor}
 *     rope_parameters = the same, with rope_theta and partial_rotary_factor
 *
 * and every other key as it was, in its place. transformers 4 reads rope_scaling and the keys at top level,
 * transformers 5 either block, rope_scaling first. attention_factor is that of `long_table`, for both tables. Where it
 * is not the formula's, vLLM and SGLang, which go by that, are told it as short_mscale and long_mscale. phi3's
 * rope_scaling is {type, long_factor, short_factor} where the formula gives the attention factor: transformers 4 takes
 * no other from that family. What engines will not do is noted.
 *
 * The text was read back and gives the same numbers. The caller frees *out. */
int export_config_text(const char *dir, const struct export_pair *pair, char **out, struct export_notes *notes,
                       struct error *error);

#endif
