/* LongRoPE tables in GGUF models, as llama.cpp reads them.
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
#ifndef LONGROPE_SEARCH_GGUF_TABLES_H
#define LONGROPE_SEARCH_GGUF_TABLES_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/rope.h"
#include "search/factors/gguf.h"

#define GGUF_LONG_TENSOR "rope_factors_long.weight"
#define GGUF_SHORT_TENSOR "rope_factors_short.weight"
#define GGUF_LLAMA3_TENSOR "rope_freqs.weight"

/* What a model says of its rotary embedding. */
struct gguf_rope {
    const struct gguf *file; /* borrowed */
    char architecture[64];
    char scaling[32]; /* type; "linear" where it does not say */
    double factor;    /* of the scaling; 1 where there is none */
    double theta;
    double temperature_scale; /* 0 where there is none */
    uint64_t width;           /* d; 0: it does not say */
    uint64_t context_length;  /* 0: it does not say */
    uint64_t original_length;
};

enum { GGUF_KEY_SIZE = 128 };
/* "llama.rope.freq_base" for name "rope.freq_base". */
void gguf_rope_key(const struct gguf_rope *d, const char *name, char key[GGUF_KEY_SIZE]);

/* STATUS_INPUT for a GGUF of an architecture that ignores the tables, by name; for one part of several; and for keys
 * of another type or a negative factor. */
int gguf_rope_read(const struct gguf *file, struct gguf_rope *out, struct error *error);

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
int gguf_tables_read(const char *path, struct gguf_tables *out, struct error *error);

#endif
