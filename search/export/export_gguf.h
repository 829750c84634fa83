/* LongRoPE tables written into GGUF models, for llama.cpp; search/factors/gguf_tables.h says what it does with them. */
#ifndef LONGROPE_SEARCH_EXPORT_GGUF_H
#define LONGROPE_SEARCH_EXPORT_GGUF_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "search/factors/gguf.h"

struct gguf_export {
    const char *input;  /* a GGUF of the model, of any number types; not one part of several */
    const char *output; /* where the copy goes; nothing may be there */
    int64_t pairs;      /* d/2, at most ROPE_MAX_PAIRS */

    /* What the angles n theta^(-2i/d) are divided by, the model's own scaling INCLUDED: with `base` of
     * rope_model_table() and the searched lambda, base.own_factors[i] x lambda[i]. Finite and > 0. */
    const double *long_factors;  /* [pairs] for contexts beyond original_length tokens */
    const double *short_factors; /* [pairs] for those up to it */

    /* [pairs] the model's own part of long_factors, base.own_factors; NULL: none, all are 1. Written nowhere; it is
     * compared with the scaling that the GGUF has of itself, which the tables replace. */
    const double *own_factors;

    double attention_factor; /* of both tables, the model's own included */
    double theta;            /* base of the frequencies; 0: not known, and not compared */
    int64_t original_length; /* tokens: where the tables change */
    int64_t context_length;  /* tokens that the model may be used with from now on, >= original_length */
    struct gguf_control control;
};

/* Writes a copy of the input, as gguf_write() does, with both tables, the type, original_context_length, attn_factor
 * and context_length; without rope_freqs.weight, rope.scale_linear and what else is called <arch>.rope.scaling.*
 * (but for .finetuned, with which granite models say that they turn at all). Tables that were there are replaced.
 *
 * STATUS_INPUT, with nothing written:
 * - numbers of `what` that are out of range, also after rounding to f32;
 * - an input that is no GGUF model, or is one part of several (merge them first);
 * - an architecture that ignores the tables, by name;
 * - tables of another width than <arch>.rope.dimension_count (without it attention.key_length, or
 *   embedding_length / attention.head_count);
 * - another theta than <arch>.rope.freq_base (10000 where there is none);
 * - rope_freqs.weight, or a linear or YaRN scaling, that differs from own_factors: the tables then are of another
 *   model, or lack its own scaling;
 * - mistral3 with attention.temperature_scale and another original_context_length: llama.cpp scales by that, too;
 * and what gguf_open() and gguf_write() say. */
int export_gguf(const struct gguf_export *what, struct error *error);

#endif
