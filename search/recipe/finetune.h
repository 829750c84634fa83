/* Fine-tuning between two stages by another program, which gets its task in environment variables.
 *
 *     LONGROPE_MODEL     folder of the model to begin from
 *     LONGROPE_FACTORS   factor file with the one table to train with (search/factors/factors.h), without start tokens
 *     LONGROPE_LENGTH    tokens of a training window
 *     LONGROPE_OUTPUT    folder to write; an interrupted attempt's files are still in it
 *     LONGROPE_STAGE     name of the stage
 *     LONGROPE_THREADS   as of --threads; 0: as many as the machine offers
 *
 * What a launcher of MPI programs set for this process is not in its environment: it may start MPI programs.
 *
 * Paths are absolute. The folder is OUTPUT.part until the command ends with status 0 and is then renamed, if its
 * weights have the size that they state, so that OUTPUT is complete or does not exist, whatever was killed or found no
 * space. Status 75 says that the command was stopped and continues when it is run again. configs/finetune/finetune.py
 * is such a program.
 */
#ifndef LONGROPE_SEARCH_FINETUNE_H
#define LONGROPE_SEARCH_FINETUNE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/ranks/ranks.h"

struct finetune {
    const char *stage;                 /* its name */
    const char *model, *factors;       /* an existing folder and an existing file */
    const char *output;                /* a folder that does not exist */
    const char *command;               /* for the shell */
    const char *folder;                /* that the command runs in */
    const char *lock;                  /* file that the command holds locked, also after its longrope was killed */
    int64_t length;                    /* tokens */
    int threads;                       /* 0: as many as the machine offers */
    struct ranks *ranks;               /* of the search; NULL: it is one process */
    const volatile sig_atomic_t *stop; /* non-zero: the command's process group gets SIGTERM */
    double patience;                   /* seconds until a group that was told to stop gets SIGKILL */
};

/* Whether a folder holds a config.json and weights. */
bool finetune_is_model(const char *folder);

/* STATUS_INPUT if the fine-tuned model of that stage cannot become OUTPUT: what stands there is not a model, or the
 * file system has no name for OUTPUT.part. */
int finetune_check_output(const char *stage, const char *output, struct error *error);

/* Runs the command; its standard output goes to stderr. It first waits for a command of an earlier longrope that still
 * runs. STATUS_STOPPED where the stop flag rose or the command says so: then nothing of the command runs any more,
 * unless it left its process group. STATUS_FAILED where it failed or left no model. */
int finetune_run(const struct finetune *job, struct error *error);

#endif
