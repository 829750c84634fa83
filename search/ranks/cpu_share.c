#include "search/ranks/cpu_share.h"

#include <stdlib.h>

struct cpu_share_set cpu_share_allowed(void) {
    struct cpu_share_set set = {0};
    if (sched_getaffinity(0, sizeof set, set.parts) != 0) return (struct cpu_share_set){0};
    return set;
}

/* Processors in their order; each goes to the process that has the fewest. */
int cpu_share(const struct cpu_share_set *allowed, size_t count, size_t index) {
    int *shares = calloc(count, sizeof *shares);
    if (!shares) return 1;
    for (int cpu = 0; cpu < CPU_SHARE_MOST; cpu++) {
        size_t fewest = count;
        for (size_t p = 0; p < count; p++) {
            if (!CPU_ISSET_S(cpu, sizeof allowed[p], allowed[p].parts)) continue;
            if (fewest == count || shares[p] < shares[fewest]) fewest = p;
        }
        if (fewest < count) shares[fewest]++;
    }
    int share = shares[index];
    free(shares);
    return share > 0 ? share : 1;
}
