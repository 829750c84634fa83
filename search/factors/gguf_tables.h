/* LongRoPE tables in GGUF models, as llama.cpp reads them.
 *
 * How llama.cpp (as in llama-cpp-python 0.3.36) uses them; at position n the angle of pair i is n theta^(-2i/d):
 *
 * - tensors rope_factors_long.weight and rope_factors_short.weight, f32 [d/2], divide the angles of a model whose
 *   <arch>.rope.scaling.type is "longrope", and always those of phi3, phimoe and minicpm3. If the context is longer
 *   than <arch>.rope.scaling.original_context_length tokens, the long table is used for all positions, else the short
 *   one. The context is the one that the program was started with, rounded up to a multiple of 256, not the input.
 * - <arch>.rope.scaling.attn_factor multiplies cosine and sine, for both tables.
 * - <arch>.rope.scaling.factor (in older files <arch>.rope.scale_linear) also divides the angles, unless the type is
 *   "none".
 * - rope_freqs.weight (llama 3's scaling, f32 [d/2] divisors) excludes the tables: llama.cpp does not read it if the
 *   type is "longrope", and an unread tensor makes loading fail.
 * - most architectures do not support the tables; there, too, loading fails.
 * - start tokens are not supported: the tables must have been scored without.
 */
#ifndef LONGROPE_SEARCH_GGUF_TABLES_H
#define LONGROPE_SEARCH_GGUF_TABLES_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/gguf/gguf.h"
#include "eval/rope.h"

#define GGUF_LONG_TENSOR "rope_factors_long.weight"
#define GGUF_SHORT_TENSOR "rope_factors_short.weight"
#define GGUF_LLAMA3_TENSOR "rope_freqs.weight"

/* The rotary embedding that the keys of a GGUF describe. */
struct gguf_rope {
    const struct gguf *file; /* borrowed */
    char architecture[64];
    char scaling[32]; /* type; default "linear" */
    double factor;    /* of the scaling; default 1 */
    double theta;
    double temperature_scale; /* 0: none */
    uint64_t width;           /* d; 0: unknown */
    uint64_t context_length;  /* tokens; 0: unknown */
    uint64_t original_length;
};

enum { GGUF_KEY_SIZE = 128 };
/* The key of `name` for this architecture: "llama.rope.freq_base" for "rope.freq_base". */
void gguf_rope_key(const struct gguf_rope *rope, const char *name, char key[GGUF_KEY_SIZE]);

/* STATUS_INPUT for an architecture that does not support the tables, for one part of a split model, and for keys of a
 * wrong type or a negative factor. */
int gguf_rope_read(const struct gguf *file, struct gguf_rope *out, struct error *error);

/* The factor tables of a GGUF, as llama.cpp applies them. */
struct gguf_tables {
    char architecture[64];
    int64_t pairs;
    double long_factors[ROPE_MAX_PAIRS];  /* [pairs] for contexts longer than original_length; with the own scaling */
    double short_factors[ROPE_MAX_PAIRS]; /* [pairs] for other contexts */
    double attention_factor;              /* of both tables; default 1 */
    double theta;                         /* default 10000 */
    int64_t original_length;              /* default context_length */
    int64_t context_length;
};

/* The factors include rope.scaling.factor. STATUS_INPUT if a table is missing, if llama.cpp would not use the tables,
 * or if tables or keys are inconsistent. */
int gguf_tables_read(const char *path, struct gguf_tables *out, struct error *error);

#endif
