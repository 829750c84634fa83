/* What gguf.c reads and gguf_write.c copies; nobody else looks inside. */
#ifndef LONGROPE_SEARCH_GGUF_PRIVATE_H
#define LONGROPE_SEARCH_GGUF_PRIVATE_H

#include "search/factors/gguf.h"

#define GGUF_ALIGNMENT_KEY "general.alignment"

/* A key and where it lies, counted from the beginning of the file. */
struct gguf_key {
    char *name;
    enum gguf_type type;
    uint64_t begin;          /* of its name's length */
    uint64_t value;          /* of its value, which follows the type */
    uint64_t end;            /* of its value */
    unsigned char number[8]; /* its value, where it is a number or a bool */
};

struct gguf {
    char *path;
    int descriptor;
    uint64_t size;
    uint32_t version;
    uint64_t alignment; /* of the data, a power of two */
    struct gguf_key *keys;
    size_t key_count;
    struct gguf_tensor *tensors;
    size_t tensor_count;
};

/* Fetches out[bytes], which gguf_open() found to lie within the file. */
int gguf_fetch(const struct gguf *file, uint64_t offset, void *out, size_t bytes, struct error *error);

/* The least multiple of the alignment, a power of two, that is not below `offset`; wraps where that overflows. */
static inline uint64_t gguf_aligned(uint64_t offset, uint64_t alignment) {
    return (offset + alignment - 1) & ~(alignment - 1);
}

#endif
