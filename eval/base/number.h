/* Number types of weights and of arithmetic.
 *
 * bf16 is the upper half of an f32: 8 bits of exponent, 8 of significand (7 stored). f16 is IEEE 754
 * binary16.
 */
#ifndef LONGROPE_EVAL_NUMBER_H
#define LONGROPE_EVAL_NUMBER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum number_type { NUMBER_F32, NUMBER_F16, NUMBER_BF16, NUMBER_TYPES };

extern const char *const number_type_names[NUMBER_TYPES]; /* "f32", "f16", "bf16" */
const char *number_type_name(enum number_type type);
/* Bytes of a number: 4 or 2. */
size_t number_bytes(enum number_type type);

/* out[count] = in[count] as f32, exactly. `in` is little-endian and needs no alignment. */
void numbers_to_f32(float *out, const void *in, enum number_type type, int64_t count);

static inline float number_of_bf16(uint16_t number) {
    uint32_t bits = (uint32_t)number << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest bf16, ties to even; NaN stays NaN. */
static inline uint16_t number_to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
