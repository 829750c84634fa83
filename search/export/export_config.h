/* Writes a pair of tables into a model's config.json, as its rotary scaling. */
#ifndef LONGROPE_SEARCH_EXPORT_CONFIG_H
#define LONGROPE_SEARCH_EXPORT_CONFIG_H

#include "eval/base/error.h"
#include "search/export/export_pair.h"

/* The text of DIR/config.json, which model_read_config() can read, with
 *
 *     max_position_embeddings = pair->long_table.max_length
 *     original_max_position_embeddings = pair->switch_length, rope_theta, partial_rotary_factor below 1
 *     rope_scaling = {rope_type: "longrope", long_factor, short_factor, original_max_position_embeddings, factor,
 *                     attention_factor}
 *     rope_parameters = rope_scaling, with rope_theta and partial_rotary_factor; of a model with rotary settings per
 * kind of layer, as full_attention, beside those of the other kind
 *
 * and every other key unchanged, in its position. transformers 4 reads rope_scaling and the keys at top level,
 * transformers 5 reads either block, rope_scaling first. attention_factor is that of the long table, for both tables.
 * vLLM and SGLang use the formula instead; if the attention factor differs from it, short_mscale and long_mscale tell
 * them. transformers 4 supports no other attention factor than the formula's for phi3; if it equals the formula, phi3's
 * rope_scaling is {type, long_factor, short_factor}. A Mixtral gets a head_dim if it has none. Differences between
 * engines are added to *notes.
 *
 * The text has been read back and compared with the pair. The caller frees *out. */
int export_config_text(const char *dir, const struct export_pair *pair, char **out, struct export_notes *notes,
                       struct error *error);

#endif
