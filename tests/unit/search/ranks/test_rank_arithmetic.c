/* Ranks whose processors differ: what is refused, and which kernels are recommended. */
#include "search/ranks/rank_arithmetic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eval/kernels/kernels.h"

static const struct rank_arithmetic old = {
    .f32 = "avx2", .bf16 = "avx2", .f32_sets = "reference baseline avx2", .bf16_sets = "reference baseline avx2"};
static const struct rank_arithmetic middle = {.f32 = "avx512",
                                              .bf16 = "avx512",
                                              .f32_sets = "reference baseline avx2 avx512",
                                              .bf16_sets = "reference baseline avx2 avx512"};
static const struct rank_arithmetic young = {.f32 = "avx512",
                                             .bf16 = "avx512bf16",
                                             .f32_sets = "reference baseline avx2 avx512",
                                             .bf16_sets = "reference baseline avx2 avx512 avx512bf16",
                                             .bf16_is_fast = true};

/* `recommended` NULL: the two are alike. */
static void assert_compared(enum model_type type, const struct rank_arithmetic *own,
                            const struct rank_arithmetic *other, const char *recommended) {
    const struct rank_arithmetic all[] = {*own, *own, *other};
    struct error error = {""};
    int status = rank_arithmetic_compare(type, own, other, "rank 2 on host n7", all, 3, &error);
    assert_int_equal(status, recommended ? STATUS_INPUT : STATUS_OK);
    if (!recommended) return;
    assert_ptr_equal(strstr(error.message, "rank 2 on host n7 would compute"), error.message);
    const char *named = strstr(error.message, "set LONGROPE_KERNELS=");
    assert_non_null(named);
    named += strlen("set LONGROPE_KERNELS=");
    assert_true(strncmp(named, recommended, strlen(recommended)) == 0 && named[strlen(recommended)] == ' ');
}

static void only_kernels_that_are_used_have_to_agree(void **state) {
    (void)state;
    for (int type = 0; type < MODEL_TYPES; type++) {
        assert_compared((enum model_type)type, &old, &old, NULL);
        assert_compared((enum model_type)type, &young, &young, NULL);
        assert_compared((enum model_type)type, &old, &middle, "avx2");
        assert_compared((enum model_type)type, &young, &old, "avx2");
    }
    assert_compared(MODEL_F32, &middle, &young, NULL);
    assert_compared(MODEL_BF16, &middle, &young, "avx512");
    assert_compared(MODEL_AUTO, &young, &middle, "avx512"); /* one would use bf16, the other not */
}

static void a_choice_by_hand_is_compared_as_well(void **state) {
    (void)state;
    struct rank_arithmetic chosen = young;
    strcpy(chosen.f32, "avx2");
    strcpy(chosen.bf16, "avx2");
    chosen.bf16_is_fast = false;
    assert_compared(MODEL_F32, &young, &chosen, "avx512");
    assert_compared(MODEL_AUTO, &chosen, &young, "avx512");
    assert_compared(MODEL_AUTO, &chosen, &old, NULL);
}

/* This process's own, whatever the processor. */
static void own_kernels_are_listed(void **state) {
    (void)state;
    unsetenv("LONGROPE_KERNELS");
    const struct rank_arithmetic own = rank_arithmetic_own();
    const struct kernels *best = NULL;
    struct error error;
    assert_int_equal(kernels_choose(NUMBER_F32, &best, &error), STATUS_OK);
    assert_string_equal(own.f32, best->name);
    assert_ptr_equal(strstr(own.f32_sets, "reference baseline"), own.f32_sets);
    assert_string_equal(own.f32_sets + strlen(own.f32_sets) - strlen(own.f32), own.f32);
    assert_string_equal(own.bf16_sets + strlen(own.bf16_sets) - strlen(own.bf16), own.bf16);
    setenv("LONGROPE_KERNELS", "reference", 1);
    assert_string_equal(rank_arithmetic_own().f32, "reference");
    setenv("LONGROPE_KERNELS", "none of them", 1);
    assert_string_equal(rank_arithmetic_own().bf16, "");
    unsetenv("LONGROPE_KERNELS");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_kernels_that_are_used_have_to_agree),
        cmocka_unit_test(a_choice_by_hand_is_compared_as_well),
        cmocka_unit_test(own_kernels_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
