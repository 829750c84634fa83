#include "eval/kernels/kernels.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kernels kernels_baseline;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

#ifdef LONGROPE_OPENBLAS
#include <cblas.h>
#endif

enum { MOST_TABLES = 4 };

/* Slowest first, so that the last one is the choice. */
const struct kernels *const *kernels_available(void) {
    static const struct kernels *const levels[][MOST_TABLES + 1] = {
        {&kernels_reference, &kernels_baseline, NULL},
#if defined(__x86_64__)
        {&kernels_reference, &kernels_baseline, &kernels_avx2, NULL},
        {&kernels_reference, &kernels_baseline, &kernels_avx2, &kernels_avx512, NULL},
#endif
    };
    int level = 0;
#ifdef LONGROPE_OPENBLAS
    /* Here, because whoever uses these tables asks for them first. Threads are ours: a product belongs
     * to one row block, and its bits may not depend on how many threads share it. */
    openblas_set_num_threads(1);
#endif
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) level = 1;
    if (level == 1 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        level = 2;
#endif
    return levels[level];
}

int kernels_choose(const struct kernels **out, struct error *error) {
    const char *wanted = getenv("LONGROPE_KERNELS");
    char names[128] = "";
    for (const struct kernels *const *table = kernels_available(); *table; table++) {
        *out = *table;
        if (wanted && strcmp(wanted, (*table)->name) == 0) return STATUS_OK;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", (*table)->name);
    }
    if (!wanted || !*wanted) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "LONGROPE_KERNELS=%s: not to be had on this processor, which runs %s", wanted,
                     names);
}
