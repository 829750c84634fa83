#include "search/ranks/launcher.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Slurm sets SLURM_NTASKS also in a batch script, which is one process; SLURM_STEP_NUM_TASKS only in what srun starts.
 */
static const char *const counts[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID", "PMIX_RANK"};
static const char *const own[] = {"OMPI_", "PMI_", "PMIX_"};

/* The value of the first variable that is a number of at least `least`; else `none`. */
static int64_t first_number(const char *const *names, size_t count, int64_t least, int64_t none) {
    for (size_t i = 0; i < count; i++) {
        const char *text = getenv(names[i]); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
        char *end = NULL;
        intmax_t value = text ? strtoimax(text, &end, 10) : 0;
        if (text && end != text && !*end && value >= least && value <= INT32_MAX) return value;
    }
    return none;
}

struct launcher launcher_find(void) {
    const char *only = getenv("PMIX_RANK"); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
    int64_t count = first_number(counts, sizeof counts / sizeof *counts, 1, 0);
    bool several = count > 1 || (count == 0 && only);
    return (struct launcher){
        .several = several,
        .count = count,
        .rank = several ? first_number(ranks, sizeof ranks / sizeof *ranks, 0, -1) : -1,
    };
}

bool launcher_sets(const char *variable) {
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strncmp(variable, own[i], strlen(own[i])) == 0) return true;
    }
    return false;
}
