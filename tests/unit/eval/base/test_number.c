/* eval/base/number: conversions, each number of each small type. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "eval/base/number.h"

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Every number of a type of two bytes, converted; the caller frees it. */
static float *convert_all(enum number_type type) {
    uint16_t *in = malloc(65536 * sizeof *in);
    float *out = malloc(65536 * sizeof *out);
    assert_true(in && out);
    for (uint32_t i = 0; i < 65536; i++) in[i] = (uint16_t)i;
    numbers_to_f32(out, in, type, 65536);
    free(in);
    return out;
}

static void test_names_and_sizes(void **state) {
    (void)state;
    assert_string_equal(number_type_name(NUMBER_F32), "f32");
    assert_string_equal(number_type_name(NUMBER_F16), "f16");
    assert_string_equal(number_type_name(NUMBER_BF16), "bf16");
    assert_int_equal(number_bytes(NUMBER_F32), 4);
    assert_int_equal(number_bytes(NUMBER_F16), 2);
    assert_int_equal(number_bytes(NUMBER_BF16), 2);
}

/* By IEEE 754's formula. */
static double f16_value(uint32_t half) {
    double sign = half >> 15 ? -1 : 1;
    int exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) return fraction ? (double)NAN : sign * HUGE_VAL;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static void test_f16_is_exact(void **state) {
    (void)state;
    float *out = convert_all(NUMBER_F16);
    for (uint32_t i = 0; i < 65536; i++) {
        double wanted = f16_value(i);
        assert_int_equal(bits_of(out[i]) >> 31, i >> 15);
        if (isnan(wanted)) {
            assert_true(isnan(out[i]));
            assert_int_equal(bits_of(out[i]) >> 13 & 1023, i & 1023); /* what it says is kept */
        } else {
            assert_true((double)out[i] == wanted);
        }
    }
    free(out);
}

static void test_bf16_is_exact(void **state) {
    (void)state;
    float *out = convert_all(NUMBER_BF16);
    for (uint32_t i = 0; i < 65536; i++) assert_int_equal(bits_of(out[i]), i << 16);
    free(out);
}

static void test_reads_at_every_alignment(void **state) {
    (void)state;
    const float number = 1.25f;
    unsigned char bytes[16];
    for (size_t at = 0; at < 8; at++) {
        float out = 0;
        memcpy(bytes + at, &number, sizeof number);
        numbers_to_f32(&out, bytes + at, NUMBER_F32, 1);
        assert_true(out == number);
        numbers_to_f32(&out, bytes + at + 2, NUMBER_BF16, 1); /* its upper half */
        assert_true(out == number);
    }
    float untouched = 7;
    numbers_to_f32(&untouched, NULL, NUMBER_F16, 0);
    assert_true(untouched == 7);
}

/* Numbers of bf16 stay what they are; between two neighbours the nearer wins, half way the even one. */
static void test_rounds_to_bf16(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        float x = of_bits(i << 16);
        if (isnan(x)) {
            assert_true(isnan(number_of_bf16(number_to_bf16(x))));
            continue;
        }
        assert_int_equal(number_to_bf16(x), i);
        if (isinf(x)) continue;
        assert_int_equal(number_to_bf16(of_bits(i << 16 | 0x7fff)), i);
        assert_int_equal(number_to_bf16(of_bits(i << 16 | 0x8000)), i + (i & 1)); /* beyond the largest: infinite */
        assert_int_equal(number_to_bf16(of_bits(i << 16 | 0x8001)), i + 1);
    }
    assert_true(isnan(number_of_bf16(number_to_bf16(of_bits(0x7f800001))))); /* whose upper half is infinity's */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_sizes), cmocka_unit_test(test_f16_is_exact),
        cmocka_unit_test(test_bf16_is_exact),   cmocka_unit_test(test_reads_at_every_alignment),
        cmocka_unit_test(test_rounds_to_bf16),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
