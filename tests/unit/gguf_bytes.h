/* GGUF files made byte by byte, right or wrong. */
#ifndef LONGROPE_TESTS_UNIT_GGUF_BYTES_H
#define LONGROPE_TESTS_UNIT_GGUF_BYTES_H

#include "tests/unit/scratch.h"

#include "eval/gguf/gguf.h"

struct gguf_bytes {
    char *data; /* after gguf_bytes_end() */
    size_t size;
    FILE *stream;
};

static inline void put_bytes(struct gguf_bytes *b, const void *bytes, size_t count) {
    if (count > 0) assert_int_equal(fwrite(bytes, 1, count, b->stream), count);
}

static inline void put_u32(struct gguf_bytes *b, uint32_t number) { put_bytes(b, &number, sizeof number); }
static inline void put_u64(struct gguf_bytes *b, uint64_t number) { put_bytes(b, &number, sizeof number); }

static inline void put_string(struct gguf_bytes *b, const char *string) {
    put_u64(b, strlen(string));
    put_bytes(b, string, strlen(string));
}

static inline void gguf_bytes_begin(struct gguf_bytes *b) {
    b->stream = open_memstream(&b->data, &b->size);
    assert_non_null(b->stream);
}

static inline void put_prefix(struct gguf_bytes *b, uint32_t version, uint64_t tensors, uint64_t keys) {
    put_bytes(b, "GGUF", 4);
    put_u32(b, version);
    put_u64(b, tensors);
    put_u64(b, keys);
}

static inline void put_key(struct gguf_bytes *b, const char *name, enum gguf_type type) {
    put_string(b, name);
    put_u32(b, type);
}

static inline void put_key_u32(struct gguf_bytes *b, const char *name, uint32_t value) {
    put_key(b, name, GGUF_U32);
    put_u32(b, value);
}

static inline void put_key_f32(struct gguf_bytes *b, const char *name, float value) {
    put_key(b, name, GGUF_F32);
    put_bytes(b, &value, sizeof value);
}

static inline void put_key_string(struct gguf_bytes *b, const char *name, const char *value) {
    put_key(b, name, GGUF_STRING);
    put_string(b, value);
}

static inline void put_tensor(struct gguf_bytes *b, const char *name, uint32_t rank, const uint64_t *shape,
                              uint32_t type, uint64_t offset) {
    put_string(b, name);
    put_u32(b, rank);
    for (uint32_t i = 0; i < rank; i++) put_u64(b, shape[i]);
    put_u32(b, type);
    put_u64(b, offset);
}

static inline void put_vector(struct gguf_bytes *b, const char *name, uint64_t count, uint64_t offset) {
    put_tensor(b, name, 1, &count, BLOCK_F32, offset);
}

static inline void put_padding(struct gguf_bytes *b, size_t alignment) {
    fflush(b->stream);
    while (b->size % alignment != 0) {
        put_bytes(b, "", 1);
        fflush(b->stream);
    }
}

static inline void put_numbers(struct gguf_bytes *b, const float *numbers, size_t count) {
    put_bytes(b, numbers, count * sizeof *numbers);
}

/* The caller frees .data. */
static inline void gguf_bytes_end(struct gguf_bytes *b) { assert_int_equal(fclose(b->stream), 0); }

static inline void gguf_bytes_write(struct gguf_bytes *b, const char *path) {
    gguf_bytes_end(b);
    scratch_write(path, b->data, b->size);
    free(b->data);
}

/* All of a file; the caller frees it. */
static inline char *read_whole(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

#endif
