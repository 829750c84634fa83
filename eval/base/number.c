#include "eval/base/number.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they lie in the file");

const char *const number_type_names[NUMBER_TYPES] = {
    [NUMBER_F32] = "f32", [NUMBER_F16] = "f16", [NUMBER_BF16] = "bf16"};

const char *number_type_name(enum number_type type) { return number_type_names[type]; }

size_t number_bytes(enum number_type type) { return type == NUMBER_F32 ? 4 : 2; }

/* F16 is 1 sign, 5 exponent (bias 15) and 10 fraction bits; f32 is 1, 8 (bias 127) and 23. */
static float number_of_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    uint32_t bits = sign;
    if (exponent == 0x1f) {
        bits |= 0x7f800000u | fraction << 13; /* infinite, not a number */
    } else if (exponent != 0 || fraction != 0) {
        if (exponent == 0) {
            /* Subnormal: fraction x 2^-24. f32 holds it as a normal number, with the leading bit implied. */
            exponent = 1;
            while (!(fraction & 0x400u)) {
                fraction <<= 1;
                exponent--;
            }
            fraction &= 0x3ffu;
        }
        bits |= (exponent + (127 - 15)) << 23 | fraction << 13;
    }
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void numbers_to_f32(float *out, const void *in, enum number_type type, int64_t count) {
    if (count == 0) return; /* `in` may then be NULL, which memcpy() may not be given */
    if (type == NUMBER_F32) {
        memcpy(out, in, (size_t)count * sizeof *out);
        return;
    }
    const unsigned char *bytes = in;
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        out[i] = type == NUMBER_F16 ? number_of_f16(half) : number_of_bf16(half);
    }
}
