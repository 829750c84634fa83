/* The metadata of a GGUF model -> struct model_config.
 *
 * Keys are those of the Python package gguf (constants.py); what they mean is what llama.cpp computes from them. Where
 * its formulas differ from those of transformers, the model is that of transformers: YaRN's ramp, for one.
 *
 * - tensor rope_freqs.weight: the divisors of frequencies. Those of Llama 3.1's formula are recognised; others are
 *   like a longrope scaling whose two tables are equal.
 * - tensors rope_factors_long.weight and rope_factors_short.weight: a longrope scaling, for architectures that always
 *   read them (phi3) or with rope.scaling.type "longrope".
 * - a file without output.weight has tied embeddings, and biases are there where their tensors are.
 * - gemma3: each sixth layer, or that of attention.sliding_window_pattern, has full attention and the scaling; the
 *   others see attention.sliding_window tokens and turn by rope.freq_base_swa (10000), without scaling. Norms are
 *   stored whole.
 * - llama with an expert_count other than 0 is Mixtral, and mistral3 with such an attention.temperature_scale Ministral
 *   3, else Mistral.
 * - phi3: attention.sliding_window is that of every layer, as in transformers; llama.cpp does not heed it. Others than
 *   phi3 and gemma3 may have none.
 * - smollm3: each fourth layer is not rotated; minicpm: the three scales are required, and logits are divided by
 *   theirs.
 * - qwen3moe and Mixtral: every layer has experts, and the weights of the chosen ones are divided by their sum.
 * - a file whose matrices are bf16, but for routers, which converters store as f32, is one of bf16.
 */
#ifndef LONGROPE_EVAL_GGUF_CONFIG_H
#define LONGROPE_EVAL_GGUF_CONFIG_H

#include "eval/base/error.h"
#include "eval/gguf/gguf_parts.h"
#include "eval/model/gguf_names.h"
#include "eval/model/model.h"

/* The architecture of a model. STATUS_INPUT for one that is not known, with the names of those that are. */
int gguf_config_architecture(const struct gguf *file, const struct gguf_architecture **out, struct error *error);

/* STATUS_INPUT for another architecture, keys that are missing, of a wrong type, not known or that contradict each
 * other, and for models that model_config_check() refuses. */
int gguf_config_read(const struct gguf_parts *parts, struct model_config *out, struct error *error);

#endif
