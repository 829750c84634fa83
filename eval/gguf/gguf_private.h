/* The structures that gguf.c fills and search/factors/gguf_write.c copies. Internal to both, and to their tests. */
#ifndef LONGROPE_EVAL_GGUF_PRIVATE_H
#define LONGROPE_EVAL_GGUF_PRIVATE_H

#include "eval/gguf/gguf.h"

#define GGUF_ALIGNMENT_KEY "general.alignment"

/* A key, and its position in the file. */
struct gguf_key {
    char *name;
    enum gguf_type type;
    uint64_t begin;          /* offset of the length of the name */
    uint64_t value;          /* offset of the value, which follows the type */
    uint64_t end;            /* offset of the end of the value */
    unsigned char number[8]; /* the value of a number or bool */
};

struct gguf {
    char *path;
    int descriptor;
    uint64_t size;
    void *mapping; /* of gguf_map(); NULL: none */
    uint32_t version;
    uint64_t alignment; /* of the data, a power of two */
    struct gguf_key *keys;
    size_t key_count;
    struct gguf_tensor *tensors;
    size_t tensor_count;
};

/* Reads out[bytes] from a part of the file that gguf_open() has checked. */
int gguf_fetch(const struct gguf *file, uint64_t offset, void *out, size_t bytes, struct error *error);

/* `offset` rounded up to a multiple of the alignment, a power of two; wraps around on overflow. */
static inline uint64_t gguf_aligned(uint64_t offset, uint64_t alignment) {
    return (offset + alignment - 1) & ~(alignment - 1);
}

#endif
