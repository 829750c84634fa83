/* Blocks of quantised numbers, computed by hand. tests/interop compares random blocks with the Python package gguf. */
#include "eval/gguf/block.h"
#include "tests/unit/scratch.h"

#include <math.h>
#include <string.h>

enum { MOST_BYTES = 256, MOST_NUMBERS = 256, MOST_SET = 8, MOST_CHECKED = 8 };

/* f16: 1 is 3c00, 2 is 4000, 0.5 is 3800, -1 is bc00. */
static const struct block_case {
    enum block_type type;
    struct {
        int at;
        unsigned char byte;
    } set[MOST_SET]; /* the other bytes are 0; the list ends with {0, 0} unless it is full */
    float other;     /* the numbers that are not listed */
    struct {
        int at;
        float number;
    } checked[MOST_CHECKED]; /* the list ends with {0, 0} */
} cases[] = {
    /* (15 - 8) / 2, (9 - 8) / 2 */
    {BLOCK_Q4_0, {{1, 0x38}, {2, 0x9f}, {17, 0x10}}, -4, {{0, 3.5F}, {16, 0.5F}, {31, -3.5F}}},
    /* 15 x 2 - 1, 9 x 2 - 1 */
    {BLOCK_Q4_1, {{1, 0x40}, {3, 0xbc}, {5, 0x9f}}, -1, {{1, 29}, {17, 17}}},
    /* bits 3 and 31 are fifth bits: 16 - 16 and 16 + 2 - 16 */
    {BLOCK_Q5_0, {{1, 0x3c}, {2, 0x08}, {5, 0x80}, {21, 0x20}}, -16, {{3, 0}, {31, 2}}},
    {BLOCK_Q5_1, {{1, 0x3c}, {3, 0x40}, {4, 0x01}, {7, 0x80}, {8, 0x01}, {23, 0x20}}, 2, {{0, 19}, {31, 20}}},
    {BLOCK_Q8_0, {{1, 0xbc}, {2, 0x80}, {33, 0x7f}}, 0, {{0, 128}, {31, -127}}},
    {BLOCK_IQ4_NL, {{1, 0x40}, {2, 0xf8}, {17, 0x7f}}, -254, {{0, 2}, {16, 226}, {15, 226}, {31, -20}}},
    /* Group 1 has scale 3 and minimum 2, group 15 scale 1 and minimum 0, the rest none; d is 1, dmin 0.5. */
    {BLOCK_Q2_K,
     {{1, 0x23}, {15, 0x01}, {16 + 16, 0x02}, {16 + 63, 0xc0}, {81, 0x3c}, {83, 0x38}},
     0,
     {{16, 5}, {17, -1}, {18, -1}, {255, 3}}},
    /* Scale 0 is 1 | 2 << 4 = 33 - 32, scale 5 is 15 | 3 << 4 = 63 - 32, scale 9 is 15 | 1 << 4 = 31 - 32; the rest
     * are -32 and d is 1. All numbers are 0 - 4 but 255, whose third bit and two bits are set: 7 - 4. */
    {BLOCK_Q3_K,
     {{31, 0x80}, {95, 0xc0}, {96, 0x01}, {97, 0xf0}, {101, 0x0f}, {104, 0x02}, {105, 0x1c}, {109, 0x3c}},
     128,
     {{0, -4}}},
    /* Scale 0 is 3 and minimum 0 is 2; scale 4 is 5 | 3 << 4 and minimum 4 is 6 | 1 << 4. d is 1, dmin 0.5. */
    {BLOCK_Q4_K,
     {{1, 0x3c}, {3, 0x38}, {4, 0xc3}, {8, 0x42}, {12, 0x65}, {16, 0x0f}, {80, 0x01}},
     0,
     {{0, 44}, {1, -1}, {128, 42}, {129, -11}}},
    /* As above, without the minima. Fifth bits of numbers 0 and 128. */
    {BLOCK_Q5_K, {{1, 0x3c}, {4, 0xc3}, {12, 0x65}, {16, 0x11}, {48, 0x0f}, {112, 0x01}}, 0, {{0, 93}, {128, 53 * 17}}},
    /* Scale 0 is 1, scale 15 is -2; d is 1: (15 | 3 << 4) - 32, and (2 | 1 << 4) - 32 for the last. */
    {BLOCK_Q6_K,
     {{0, 0x0f}, {128, 0x03}, {127, 0x20}, {191, 0x40}, {192, 0x01}, {207, 0xfe}, {209, 0x3c}},
     0,
     {{0, 31}, {255, 28}}},
};

/* The numbers of groups that the list does not describe. */
static float expected_other(const struct block_case *c, int i) {
    static const float of_q3_k[] = {[0] = -4, [5] = -124, [9] = 4};
    int group = i / 16;
    if (c->type == BLOCK_Q3_K && (group == 0 || group == 5 || group == 9)) return of_q3_k[group];
    if (c->type == BLOCK_Q3_K && i == 255) return -96;
    if (c->type == BLOCK_Q2_K && group == 1) return -1;
    if (c->type == BLOCK_Q4_K && i < 32) return -1;
    if (c->type == BLOCK_Q4_K && i >= 128 && i < 160) return -11;
    if (c->type == BLOCK_Q6_K && group == 0) return -32;
    if (c->type == BLOCK_Q6_K && group == 15) return 64;
    return c->other;
}

static void check_case(const struct block_case *c, const unsigned char *bytes) {
    float out[MOST_NUMBERS + 1];
    int numbers = (int)block_numbers(c->type);
    out[numbers] = 7;
    blocks_to_f32(out, bytes, c->type, numbers);
    for (int i = 0; i < numbers; i++) {
        float wanted = expected_other(c, i);
        for (int k = 0; k < MOST_CHECKED; k++) {
            if (c->checked[k].number != 0 || c->checked[k].at != 0) {
                if (c->checked[k].at == i) wanted = c->checked[k].number;
            }
        }
        if (out[i] != wanted) {
            fail_msg("%s: number %d is %g, not %g", block_type_name(c->type), i, (double)out[i], (double)wanted);
        }
    }
    assert_true(out[numbers] == 7);
}

static void test_blocks_are_those_computed_by_hand(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        unsigned char bytes[MOST_BYTES] = {0};
        for (int k = 0; k < MOST_SET; k++) bytes[cases[n].set[k].at] |= cases[n].set[k].byte;
        check_case(&cases[n], bytes);
    }
}

static void test_blocks_follow_each_other(void **state) {
    (void)state;
    unsigned char bytes[1 + 2 * 34] = {0};
    float out[64];
    bytes[1 + 1] = 0x3c, bytes[1 + 34 + 1] = 0x40; /* scales 1 and 2, and no alignment */
    bytes[1 + 2] = 5, bytes[1 + 34 + 33] = 7;
    blocks_to_f32(out, bytes + 1, BLOCK_Q8_0, 64);
    assert_true(out[0] == 5 && out[1] == 0 && out[63] == 14);
}

static void test_scales_need_not_be_normal(void **state) {
    (void)state;
    unsigned char bytes[34] = {0x01, 0x00, 3}; /* 2^-24 */
    float out[32];
    blocks_to_f32(out, bytes, BLOCK_Q8_0, 32);
    assert_true(out[0] == 3 * 0x1p-24F);
    bytes[0] = 0x00, bytes[1] = 0xfc; /* -infinity */
    blocks_to_f32(out, bytes, BLOCK_Q8_0, 32);
    assert_true(out[0] == -INFINITY && isnan(out[1])); /* -inf x 3, -inf x 0 */
}

static void test_plain_types_are_exact(void **state) {
    (void)state;
    const float numbers[2] = {1.0F / 3.0F, -0.0F};
    float out[2];
    blocks_to_f32(out, numbers, BLOCK_F32, 2);
    assert_memory_equal(out, numbers, sizeof out);
    blocks_to_f32(out, "\x00\x3c\x00\xc0", BLOCK_F16, 2);
    assert_true(out[0] == 1 && out[1] == -2);
    blocks_to_f32(out, "\x80\x3f\x00\xc0", BLOCK_BF16, 2);
    assert_true(out[0] == 1 && out[1] == -2);
}

static void test_types_are_named(void **state) {
    (void)state;
    char list[256];
    block_type_list(list, sizeof list);
    assert_string_equal(list, "f32, f16, q4_0, q4_1, q5_0, q5_1, q8_0, q2_K, q3_K, q4_K, q5_K, q6_K, iq4_nl and bf16");
    assert_false(block_type_known(4)); /* removed from ggml */
    assert_false(block_type_known(UINT32_MAX));
    assert_true(block_type_known(23) && !block_type_readable((enum block_type)23));
    assert_string_equal(block_type_name((enum block_type)23), "iq4_xs");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_those_computed_by_hand),
        cmocka_unit_test(test_blocks_follow_each_other),
        cmocka_unit_test(test_scales_need_not_be_normal),
        cmocka_unit_test(test_plain_types_are_exact),
        cmocka_unit_test(test_types_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
