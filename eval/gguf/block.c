#include "eval/gguf/block.h"

#include <assert.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/base/number.h"

/* ---- Quantised blocks ---- */

enum { MOST_NUMBERS = 256, MOST_GROUPS = 16 };

/* A block, unpacked: number i is scales[g] quants[i] - minima[g], where g is its group. Groups have equal lengths. */
struct unpacked {
    int8_t quants[MOST_NUMBERS];
    float scales[MOST_GROUPS];
    float minima[MOST_GROUPS]; /* 0 where the type has none: x - 0 is x for every x */
    int groups;
};

static float half_at(const unsigned char *in) {
    float x;
    numbers_to_f32(&x, in, NUMBER_F16, 1);
    return x;
}

/* 32 numbers of four bits: byte j has number j in its low half and number j + 16 in its high half. */
static void unpack_nibbles(const unsigned char *in, int8_t *out) {
    for (int j = 0; j < 16; j++) out[j] = in[j] & 15, out[j + 16] = (int8_t)(in[j] >> 4);
}

/* Adds bit i of four bytes, the lowest of a byte first, to number i as its fifth bit. */
static void add_fifth_bits(const unsigned char *in, int8_t *out) {
    for (int i = 0; i < 32; i++) out[i] = (int8_t)(out[i] | (in[i / 8] >> i % 8 & 1) << 4);
}

static void subtract(int8_t *out, int8_t offset) {
    for (int i = 0; i < 32; i++) out[i] = (int8_t)(out[i] - offset);
}

/* f16 scale; 16 bytes. Quants are 0..15 less 8. */
static void unpack_q4_0(const unsigned char *in, struct unpacked *out) {
    out->scales[0] = half_at(in);
    unpack_nibbles(in + 2, out->quants);
    subtract(out->quants, 8);
}

/* f16 scale, f16 offset, which is added; 16 bytes. */
static void unpack_q4_1(const unsigned char *in, struct unpacked *out) {
    out->scales[0] = half_at(in);
    out->minima[0] = -half_at(in + 2);
    unpack_nibbles(in + 4, out->quants);
}

/* f16 scale; 4 bytes of fifth bits; 16 bytes. Quants are 0..31 less 16. */
static void unpack_q5_0(const unsigned char *in, struct unpacked *out) {
    out->scales[0] = half_at(in);
    unpack_nibbles(in + 6, out->quants);
    add_fifth_bits(in + 2, out->quants);
    subtract(out->quants, 16);
}

static void unpack_q5_1(const unsigned char *in, struct unpacked *out) {
    out->scales[0] = half_at(in);
    out->minima[0] = -half_at(in + 2);
    unpack_nibbles(in + 8, out->quants);
    add_fifth_bits(in + 4, out->quants);
}

/* f16 scale; 32 signed bytes. */
static void unpack_q8_0(const unsigned char *in, struct unpacked *out) {
    out->scales[0] = half_at(in);
    memcpy(out->quants, in + 2, 32);
}

/* f16 scale; 16 bytes. Quants are indices of a table. */
static void unpack_iq4_nl(const unsigned char *in, struct unpacked *out) {
    static const int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    out->scales[0] = half_at(in);
    unpack_nibbles(in + 2, out->quants);
    for (int i = 0; i < 32; i++) out->quants[i] = values[out->quants[i]];
}

/* The two bits of number i in 64 bytes: numbers i, i + 32, i + 64 and i + 96 of each half share a byte. */
static unsigned pair_of_256(const unsigned char *in, int i) {
    return in[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
}

/* The four bits of number i in 128 bytes: numbers i and i + 32 of each 64 share a byte. */
static unsigned nibble_of_256(const unsigned char *in, int i) {
    return in[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

/* 16 bytes of a scale and a minimum each; 64 bytes; f16 scale of the scales; f16 scale of the minima. */
static void unpack_q2_k(const unsigned char *in, struct unpacked *out) {
    float scale = half_at(in + 80), minimum = half_at(in + 82);
    for (int g = 0; g < 16; g++) {
        out->scales[g] = scale * (float)(in[g] & 15);
        out->minima[g] = minimum * (float)(in[g] >> 4);
    }
    for (int i = 0; i < 256; i++) out->quants[i] = (int8_t)pair_of_256(in + 16, i);
}

/* 32 bytes of third bits; 64 bytes; 12 bytes of scales: 8 with the low four bits of scales g and g + 8, then 4 with the
 * high two bits of scales g, g + 4, g + 8 and g + 12, less 32; f16 scale of the scales. Quants are 0..7 less 4. */
static void unpack_q3_k(const unsigned char *in, struct unpacked *out) {
    const unsigned char *low = in + 96, *high = in + 104;
    float scale = half_at(in + 108);
    for (int g = 0; g < 16; g++) {
        unsigned six = (low[g % 8] >> (g / 8 * 4) & 15) | (high[g % 4] >> (g / 4 * 2) & 3) << 4;
        out->scales[g] = scale * (float)((int)six - 32);
    }
    for (int i = 0; i < 256; i++) {
        unsigned third = in[i % 32] >> (i / 32) & 1;
        out->quants[i] = (int8_t)((int)(pair_of_256(in + 32, i) | third << 2) - 4);
    }
}

/* f16 scale of the scales; f16 scale of the minima; 12 bytes of eight scales and eight minima of six bits: bytes g and
 * g + 4 begin with those of groups 0 to 3; byte g + 4 has the low four bits of both for groups 4 to 7, whose high two
 * bits end bytes g - 4 and g. */
static void unpack_scales_of_8(const unsigned char *in, struct unpacked *out) {
    float scale = half_at(in), minimum = half_at(in + 2);
    const unsigned char *six = in + 4;
    for (int g = 0; g < 8; g++) {
        unsigned s = g < 4 ? six[g] & 63 : (six[g + 4] & 15) | six[g - 4] >> 6 << 4;
        unsigned m = g < 4 ? six[g + 4] & 63 : six[g + 4] >> 4 | six[g] >> 6 << 4;
        out->scales[g] = scale * (float)s;
        out->minima[g] = minimum * (float)m;
    }
}

/* 16 bytes of scales; 128 bytes. */
static void unpack_q4_k(const unsigned char *in, struct unpacked *out) {
    unpack_scales_of_8(in, out);
    for (int i = 0; i < 256; i++) out->quants[i] = (int8_t)nibble_of_256(in + 16, i);
}

/* 16 bytes of scales; 32 bytes of fifth bits; 128 bytes. */
static void unpack_q5_k(const unsigned char *in, struct unpacked *out) {
    unpack_scales_of_8(in, out);
    for (int i = 0; i < 256; i++) {
        unsigned fifth = in[16 + i % 32] >> (i / 32) & 1;
        out->quants[i] = (int8_t)(nibble_of_256(in + 48, i) | fifth << 4);
    }
}

/* 128 bytes of low four bits: numbers i and i + 64 of each half share a byte; 64 bytes of high two bits; 16 signed
 * scales; f16 scale of the scales. Quants are 0..63 less 32. */
static void unpack_q6_k(const unsigned char *in, struct unpacked *out) {
    float scale = half_at(in + 208);
    for (int g = 0; g < 16; g++) out->scales[g] = scale * (float)(int8_t)in[192 + g];
    for (int i = 0; i < 256; i++) {
        unsigned low = in[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
        out->quants[i] = (int8_t)((int)(low | pair_of_256(in + 128, i) << 4) - 32);
    }
}

/* ---- Types ---- */

/* ggml has removed the types that are missing. */
static const struct type {
    const char *name;
    uint16_t numbers, bytes; /* of a block */
    uint8_t groups;
    void (*unpack)(const unsigned char *in, struct unpacked *out); /* NULL: not quantised, or not read */
} types[BLOCK_TYPES] = {
    [BLOCK_F32] = {"f32", 1, 4, 0, NULL},
    [BLOCK_F16] = {"f16", 1, 2, 0, NULL},
    [BLOCK_Q4_0] = {"q4_0", 32, 18, 1, unpack_q4_0},
    [BLOCK_Q4_1] = {"q4_1", 32, 20, 1, unpack_q4_1},
    [BLOCK_Q5_0] = {"q5_0", 32, 22, 1, unpack_q5_0},
    [BLOCK_Q5_1] = {"q5_1", 32, 24, 1, unpack_q5_1},
    [BLOCK_Q8_0] = {"q8_0", 32, 34, 1, unpack_q8_0},
    [9] = {"q8_1", 32, 36, 0, NULL},
    [BLOCK_Q2_K] = {"q2_K", 256, 84, 16, unpack_q2_k},
    [BLOCK_Q3_K] = {"q3_K", 256, 110, 16, unpack_q3_k},
    [BLOCK_Q4_K] = {"q4_K", 256, 144, 8, unpack_q4_k},
    [BLOCK_Q5_K] = {"q5_K", 256, 176, 8, unpack_q5_k},
    [BLOCK_Q6_K] = {"q6_K", 256, 210, 16, unpack_q6_k},
    [15] = {"q8_K", 256, 292, 0, NULL},
    [16] = {"iq2_xxs", 256, 66, 0, NULL},
    [17] = {"iq2_xs", 256, 74, 0, NULL},
    [18] = {"iq3_xxs", 256, 98, 0, NULL},
    [19] = {"iq1_s", 256, 50, 0, NULL},
    [BLOCK_IQ4_NL] = {"iq4_nl", 32, 18, 1, unpack_iq4_nl},
    [21] = {"iq3_s", 256, 110, 0, NULL},
    [22] = {"iq2_s", 256, 82, 0, NULL},
    [23] = {"iq4_xs", 256, 136, 0, NULL},
    [24] = {"i8", 1, 1, 0, NULL},
    [25] = {"i16", 1, 2, 0, NULL},
    [26] = {"i32", 1, 4, 0, NULL},
    [27] = {"i64", 1, 8, 0, NULL},
    [28] = {"f64", 1, 8, 0, NULL},
    [29] = {"iq1_m", 256, 56, 0, NULL},
    [BLOCK_BF16] = {"bf16", 1, 2, 0, NULL},
    [34] = {"tq1_0", 256, 54, 0, NULL},
    [35] = {"tq2_0", 256, 66, 0, NULL},
    [39] = {"mxfp4", 32, 17, 0, NULL},
    [40] = {"nvfp4", 64, 36, 0, NULL},
    [41] = {"q1_0", 128, 18, 0, NULL},
    [42] = {"q2_0", 64, 18, 0, NULL},
};

bool block_type_known(uint32_t type) { return type < BLOCK_TYPES && types[type].name; }
const char *block_type_name(enum block_type type) { return types[type].name; }
unsigned block_numbers(enum block_type type) { return types[type].numbers; }
unsigned block_bytes(enum block_type type) { return types[type].bytes; }

bool block_type_readable(enum block_type type) {
    return types[type].unpack || type == BLOCK_F32 || type == BLOCK_F16 || type == BLOCK_BF16;
}

void block_type_list(char *out, size_t size) {
    const char *names[BLOCK_TYPES];
    size_t count = 0;
    for (uint32_t t = 0; t < BLOCK_TYPES; t++) {
        if (block_type_known(t) && block_type_readable((enum block_type)t)) names[count++] = types[t].name;
    }
    name_list(names, count, "and", out, size);
}

/* ---- Numbers ---- */

/* The product is rounded before the subtraction, also where the compiler could fuse both. */
static void multiply(const struct unpacked *block, int numbers, float *out) {
    int each = numbers / block->groups;
    for (int g = 0; g < block->groups; g++) {
        for (int i = g * each; i < (g + 1) * each; i++) {
            float product = block->scales[g] * (float)block->quants[i];
            out[i] = product - block->minima[g];
        }
    }
}

void blocks_to_f32(float *out, const void *in, enum block_type type, int64_t count) {
    const struct type *t = &types[type];
    assert(block_type_readable(type) && count % t->numbers == 0);
    if (!t->unpack) {
        numbers_to_f32(out, in, type == BLOCK_F32 ? NUMBER_F32 : type == BLOCK_F16 ? NUMBER_F16 : NUMBER_BF16, count);
        return;
    }
    struct unpacked block = {.groups = t->groups};
    const unsigned char *next = in;
    for (int64_t i = 0; i < count; i += t->numbers, next += t->bytes) {
        t->unpack(next, &block);
        multiply(&block, t->numbers, out + i);
    }
}
