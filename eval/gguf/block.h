/* Number types of GGUF tensors. A row consists of whole blocks: of one number each for plain types, or of 32 or more
 * numbers that share scales for quantised ones.
 *
 * The facts are ggml's: numbers of types in ggml.h, layouts in ggml-common.h, arithmetic in ggml-quants.c and, the same
 * to the last bit, in the Python package gguf (quants.py).
 */
#ifndef LONGROPE_EVAL_BLOCK_H
#define LONGROPE_EVAL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those that blocks_to_f32() reads, with the numbers that a file stores. */
enum block_type {
    BLOCK_F32 = 0,
    BLOCK_F16 = 1,
    BLOCK_Q4_0 = 2,
    BLOCK_Q4_1 = 3,
    BLOCK_Q5_0 = 6,
    BLOCK_Q5_1 = 7,
    BLOCK_Q8_0 = 8,
    BLOCK_Q2_K = 10,
    BLOCK_Q3_K = 11,
    BLOCK_Q4_K = 12,
    BLOCK_Q5_K = 13,
    BLOCK_Q6_K = 14,
    BLOCK_IQ4_NL = 20,
    BLOCK_BF16 = 30,
    BLOCK_TYPES = 43 /* above all types of ggml */
};

/* Whether ggml has a type of that number. What follows requires it. */
bool block_type_known(uint32_t type);

const char *block_type_name(enum block_type type); /* "q4_K" */
unsigned block_numbers(enum block_type type);      /* of a block */
unsigned block_bytes(enum block_type type);        /* of a block */

/* Whether blocks_to_f32() reads the type. */
bool block_type_readable(enum block_type type);
/* The names of all such types: "f32, ... and iq4_nl", cut to `size` bytes with the zero. */
void block_type_list(char *out, size_t size);

/* out[count] = the numbers of count / block_numbers(type) blocks. `in` needs no alignment. Plain types are exact;
 * quantised ones are multiplied, and then subtracted or added, in f32. The type is readable. */
void blocks_to_f32(float *out, const void *in, enum block_type type, int64_t count);

#endif
