#include "search/ranks/cpu_share.h"

#include <stdlib.h>

cpu_set_t cpu_share_allowed(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_ZERO(&set);
    return set;
}

/* Processors in their order; each goes to the process that has the fewest. */
int cpu_share(const cpu_set_t *allowed, size_t count, size_t index) {
    int *shares = calloc(count, sizeof *shares);
    if (!shares) return 1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        size_t fewest = count;
        for (size_t p = 0; p < count; p++) {
            if (!CPU_ISSET(cpu, &allowed[p])) continue;
            if (fewest == count || shares[p] < shares[fewest]) fewest = p;
        }
        if (fewest < count) shares[fewest]++;
    }
    int share = shares[index];
    free(shares);
    return share > 0 ? share : 1;
}
