#include "eval/kernels/kernels.h"

#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "eval/base/name.h"

extern const struct kernels kernels_baseline_f32, kernels_baseline_bf16;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2_f32, kernels_avx2_bf16;
extern const struct kernels kernels_avx512_f32, kernels_avx512_bf16;
extern const struct kernels kernels_avx512bf16_bf16, kernels_amx_bf16;
#endif

void *kernels_allocate(size_t bytes) {
    return aligned_alloc(KERNELS_ALIGNMENT, (bytes / KERNELS_ALIGNMENT + 1) * KERNELS_ALIGNMENT);
}

enum { MOST_SETS = 6 };

/* What a processor supports; each level includes the levels before it. */
enum level { LEVEL_BASELINE, LEVEL_AVX2, LEVEL_AVX512, LEVEL_AVX512BF16, LEVEL_AMX, LEVELS };

#if defined(__x86_64__)
/* The processor has tiles, and Linux lets this process use them (arch_prctl(2), x86/xstate.rst). */
static bool has_amx(void) {
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned a, b, c, d = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (!(d & AMX_BF16) || !(d & AMX_TILE)) return false;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#endif

static enum level processor_level(void) {
#if defined(__x86_64__)
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) {
        return LEVEL_BASELINE;
    }
    if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512vl"))) {
        return LEVEL_AVX2;
    }
    if (!__builtin_cpu_supports("avx512bf16")) return LEVEL_AVX512;
    return has_amx() ? LEVEL_AMX : LEVEL_AVX512BF16;
#else
    return LEVEL_BASELINE;
#endif
}

const struct kernels *const *kernels_available(enum number_type type) {
    static const struct kernels *const f32[LEVELS][MOST_SETS + 1] = {
        {&kernels_reference_f32, &kernels_baseline_f32},
#if defined(__x86_64__)
        {&kernels_reference_f32, &kernels_baseline_f32, &kernels_avx2_f32},
        {&kernels_reference_f32, &kernels_baseline_f32, &kernels_avx2_f32, &kernels_avx512_f32},
        {&kernels_reference_f32, &kernels_baseline_f32, &kernels_avx2_f32, &kernels_avx512_f32},
        {&kernels_reference_f32, &kernels_baseline_f32, &kernels_avx2_f32, &kernels_avx512_f32},
#endif
    };
    static const struct kernels *const bf16[LEVELS][MOST_SETS + 1] = {
        {&kernels_reference_bf16, &kernels_baseline_bf16},
#if defined(__x86_64__)
        {&kernels_reference_bf16, &kernels_baseline_bf16, &kernels_avx2_bf16},
        {&kernels_reference_bf16, &kernels_baseline_bf16, &kernels_avx2_bf16, &kernels_avx512_bf16},
        {&kernels_reference_bf16, &kernels_baseline_bf16, &kernels_avx2_bf16, &kernels_avx512_bf16,
         &kernels_avx512bf16_bf16},
        {&kernels_reference_bf16, &kernels_baseline_bf16, &kernels_avx2_bf16, &kernels_avx512_bf16,
         &kernels_avx512bf16_bf16, &kernels_amx_bf16},
#endif
    };
    return type == NUMBER_BF16 ? bf16[processor_level()] : f32[processor_level()];
}

int kernels_choose(enum number_type type, const struct kernels **out, struct error *error) {
    const char *const choice = getenv("LONGROPE_KERNELS"); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
    const struct kernels *const *sets = kernels_available(type);
    const char *names[MOST_SETS];
    char list[128];
    size_t count = 0;
    for (; sets[count]; count++) names[count] = sets[count]->name;
    int chosen = choice && *choice ? name_find(names, count, choice) : (int)count - 1;
    if (chosen != NAME_UNKNOWN) {
        *out = sets[chosen];
        return STATUS_OK;
    }
    name_list(names, count, "or", list, sizeof list);
    return error_set(error, STATUS_INPUT,
                     "LONGROPE_KERNELS: kernels '%.60s' are not available for %s on this processor; choose %s", choice,
                     number_type_name(type), list);
}

bool kernels_bf16_is_fast(void) {
#if defined(__x86_64__)
    const struct kernels *chosen = NULL;
    struct error error;
    if (kernels_choose(NUMBER_BF16, &chosen, &error) != STATUS_OK) return false;
    return chosen == &kernels_avx512bf16_bf16 || chosen == &kernels_amx_bf16;
#else
    return false;
#endif
}
