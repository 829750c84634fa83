/* LongRoPE tables in GGUF models: what llama.cpp reads of them, written and read back.
 *
 * What llama.cpp (as in llama-cpp-python 0.3.36) does with them, pair i turning by n theta^(-2i/d) at position n:
 *
 * - tensors rope_factors_long.weight and rope_factors_short.weight, f32 [d/2], divide the angles of a model whose
 *   <arch>.rope.scaling.type is "longrope" (of phi3, phimoe and minicpm3 always). A context of more than
 *   <arch>.rope.scaling.original_context_length tokens takes the long one for all positions, any other the short
 *   one: the context that the program was started with counts (rounded up to a multiple of 256), not the input.
 * - <arch>.rope.scaling.attn_factor multiplies cosine and sine, with either table.
 * - <arch>.rope.scaling.factor (or, older, <arch>.rope.scale_linear) divides the angles of every type but "none", on
 *   top of the tables.
 * - rope_freqs.weight (llama 3's scaling, f32 [d/2] divisors) and the tables exclude each other: with "longrope" it
 *   is not asked for, and a tensor that nobody asks for makes loading fail.
 * - so it does in architectures that know no tables: most.
 * - there are no start tokens: give it tables that were scored without.
 */
#ifndef LONGROPE_SEARCH_EXPORT_GGUF_H
#define LONGROPE_SEARCH_EXPORT_GGUF_H

#include <stdint.h>

#include "eval/error.h"
#include "eval/rope.h"
#include "search/gguf.h"

struct gguf_export {
    const char *input;  /* a GGUF of the model, of any number types; not one part of several */
    const char *output; /* where the copy goes; nothing may be there */
    int64_t pairs;      /* d/2, at most ROPE_MAX_PAIRS */

    /* What the angles n theta^(-2i/d) are divided by, the model's own scaling INCLUDED: with `base` of rope_base()
     * and the searched lambda, base.own_factors[i] x lambda[i]. Finite and > 0. */
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

/* The tables of a GGUF, as llama.cpp applies them. */
struct gguf_tables {
    char architecture[64];
    int64_t pairs;
    double long_factors[ROPE_MAX_PAIRS];  /* for contexts beyond original_length; the model's own scaling included */
    double short_factors[ROPE_MAX_PAIRS]; /* for those up to it */
    double attention_factor;              /* of both; 1 where the file does not say */
    double theta;                         /* 10000 where the file does not say */
    int64_t original_length;              /* context_length where the file does not say */
    int64_t context_length;
};

/* STATUS_INPUT for a GGUF without both tables, of an architecture that ignores them, or with tables or keys that
 * make no sense. A rope.scaling.factor is multiplied in. */
int export_gguf_read(const char *path, struct gguf_tables *out, struct error *error);

#endif
