/* Writes LongRoPE tables into GGUF models, for llama.cpp; search/factors/gguf_tables.h describes how it uses them. */
#ifndef LONGROPE_SEARCH_EXPORT_GGUF_H
#define LONGROPE_SEARCH_EXPORT_GGUF_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "search/factors/gguf_write.h"

struct export_gguf {
    const char *input;  /* a GGUF of the model, with any number types; not one part of a split model */
    const char *output; /* path of the copy */
    int64_t pairs;      /* d/2, at most ROPE_MAX_PAIRS */

    /* The divisors of the angles n theta^(-2i/d), the model's own scaling INCLUDED: own_factors[i] of
     * rope_model_table() times the searched lambda[i]. Finite and > 0. */
    const double *long_factors;  /* [pairs] for contexts longer than original_length tokens */
    const double *short_factors; /* [pairs] for other contexts */

    /* [pairs] the model's own part of long_factors; NULL: all are 1. It is not written, but compared with the scaling
     * of the GGUF, which the tables replace. */
    const double *own_factors;

    double attention_factor; /* of both tables, the model's own included */
    double theta;            /* base of the frequencies; 0: unknown, and not compared */
    int64_t original_length; /* tokens up to which the short table is used */
    int64_t context_length;  /* tokens, the extended window, >= original_length */
    struct gguf_control control;
};

/* Writes a copy of the input with gguf_write(): with both tables and <arch>.rope.scaling.type,
 * .original_context_length, .attn_factor and <arch>.context_length; without rope_freqs.weight, <arch>.rope.scale_linear
 * and all other keys <arch>.rope.scaling.*, except .finetuned, which enables the rotary embedding of granite models.
 * Tables of the input are replaced.
 *
 * STATUS_INPUT, with nothing written, for the errors of gguf_open(), gguf_rope_read() and gguf_write(), and for
 * - members of `what` that are out of range, also after rounding to f32;
 * - tables of another width than <arch>.rope.dimension_count (by default attention.key_length, or
 *   embedding_length / attention.head_count);
 * - another theta than <arch>.rope.freq_base (by default 10000);
 * - rope_freqs.weight, or a linear or YaRN scaling, that differs from own_factors: the tables are of another model, or
 *   lack its own scaling;
 * - mistral3 with attention.temperature_scale and another original_context_length, which llama.cpp also uses there. */
int export_gguf(const struct export_gguf *what, struct error *error);

#endif
