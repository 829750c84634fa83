/* A tensor of a file of weights, as Hugging Face names and orders it. */
#ifndef LONGROPE_EVAL_TENSOR_H
#define LONGROPE_EVAL_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/gguf/block.h"

enum { TENSOR_MAX_RANK = 4 };

/* `data` points into a mapped file: row-major, little-endian, of any alignment. It, `name` and `type_name` live as long
 * as what the tensor was found in. */
struct tensor {
    const char *name;
    const char *type_name;          /* as the file spells it: "BF16", "I64", "q4_K" */
    enum block_type type;           /* BLOCK_TYPES: none that can be read */
    int rank;                       /* may exceed TENSOR_MAX_RANK */
    int64_t shape[TENSOR_MAX_RANK]; /* the first dimensions */
    int64_t count;                  /* product of the whole shape */
    int64_t bytes;
    const void *data;
    /* Rows of a head whose rotary pairs are neighbours in the file, as in GGUF files of llama models: rows 2i and 2i+1
     * of the file are rows i and i + head_rows/2 of the tensor. 0: rows lie as Hugging Face orders them. */
    int64_t head_rows;
};

/* Whether tensor_rows_to_f32() can read it: a number type of block_type_readable(), and at most TENSOR_MAX_RANK
 * dimensions. */
bool tensor_is_readable(const struct tensor *tensor);

/* out[rows][numbers in a row] of a tensor that is readable: rows first..first+rows-1 of the tensor as f32, as
 * blocks_to_f32() makes them. Rows are along the first dimension, and consist of whole blocks; a tensor without
 * dimensions is one row of one number. Reading by rows never needs a whole tensor in f32. */
void tensor_rows_to_f32(const struct tensor *tensor, int64_t first, int64_t rows, float *out);

#endif
