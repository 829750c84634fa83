/* Whether a launcher of MPI programs started this process as one of several: mpirun, or srun of Slurm. They say so in
 * environment variables. */
#ifndef LONGROPE_SEARCH_LAUNCHER_H
#define LONGROPE_SEARCH_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

struct launcher {
    bool several;  /* as one of several, or it does not say of how many */
    int64_t count; /* 0: it does not say */
    int64_t rank;  /* -1: it does not say */
};

struct launcher launcher_find(void);

/* Whether an environment variable ("NAME=value") is a launcher's: a program that this one starts is not one of its
 * processes. */
bool launcher_sets(const char *variable);

#endif
