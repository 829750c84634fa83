/* GGUF's names of architectures and tensors, and ours: the families of model_family.h and Hugging Face's names. Facts
 * of the Python package gguf (constants.py, tensor_mapping.py) and of llama.cpp's convert_hf_to_gguf.py. */
#ifndef LONGROPE_EVAL_GGUF_NAMES_H
#define LONGROPE_EVAL_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/model/model_family.h"

struct gguf_architecture {
    const char *name;   /* general.architecture */
    const char *family; /* whose computation it is */
    bool neighbours;    /* rotary pairs are neighbouring rows of queries and keys, not halves of a head */
    bool slides;        /* a key of it states a sliding window */
    const char *where;  /* after "NAME.": this row counts for files that have the key, with another number than 0; NULL:
                         * for those that no row before counts for */
};

/* Row number `row` of those with that name; NULL if there are not so many. */
const struct gguf_architecture *gguf_architecture_find(const char *name, size_t row);
/* The names of all: "llama, ... and phi3", cut to `size` bytes with the zero. */
void gguf_architecture_list(char *out, size_t size);

enum { GGUF_NAMES_SIZE = 96 };

/* Whether the tensor holds a matrix of each expert of a layer; then out is Hugging Face's name of that of expert 0, and
 * *number the place of the 0 within it. False for a name that no tensor of the family has, or that belongs to a layer
 * from `layers` on. */
bool gguf_name_to_experts(const char *name, const struct family *family, int64_t layers, char out[GGUF_NAMES_SIZE],
                          size_t *number);

/* Hugging Face's name of a tensor of the family; false for a name that no tensor of the family has, or that belongs to
 * a layer from `layers` on. */
bool gguf_name_to_family(const char *name, const struct family *family, int64_t layers, char out[GGUF_NAMES_SIZE]);
/* The reverse, for messages; a name that no tensor of the family has stays. */
void gguf_name_of_family(const char *name, const struct family *family, char out[GGUF_NAMES_SIZE]);

#endif
