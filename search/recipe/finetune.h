/* Fine-tuning between two stages: somebody else's program, which is told what to do by its environment.
 *
 *     LONGROPE_MODEL     folder of the model to begin from
 *     LONGROPE_FACTORS   factor file with the one table to train with (search/factors/factors.h), without start tokens
 *     LONGROPE_LENGTH    tokens of a training window
 *     LONGROPE_OUTPUT    folder to write; what an attempt that was interrupted left is still in it
 *     LONGROPE_STAGE     name of the stage
 *     LONGROPE_THREADS   as of --threads; 0: as many as the machine offers
 *
 * Paths are absolute. The folder is OUTPUT.part until the command ends with status 0 and is then renamed, so that
 * OUTPUT is there or not, whatever was killed. Status 75 says that the command was stopped and goes on when it is
 * run again. configs/finetune/finetune.py is such a program.
 */
#ifndef LONGROPE_SEARCH_FINETUNE_H
#define LONGROPE_SEARCH_FINETUNE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"

struct finetune {
    const char *stage;                 /* its name */
    const char *model, *factors;       /* a folder and a file that are there */
    const char *output;                /* a folder that is not */
    const char *command;               /* for the shell */
    const char *folder;                /* that the command runs in */
    const char *lock;                  /* file that tells that a command runs, also one whose longrope was killed */
    int64_t length;                    /* tokens */
    int threads;                       /* 0: as many as the machine offers */
    const volatile sig_atomic_t *stop; /* non-zero: the command gets SIGTERM and is waited for */
};

/* Whether a folder holds a config.json and weights. */
bool finetune_is_model(const char *folder);

/* Runs the command; its standard output goes to stderr. A command of an earlier longrope that is still at work is
 * waited for first. STATUS_STOPPED where the stop flag rose or the command says so, STATUS_FAILED where it failed
 * or left no model. */
int finetune_run(const struct finetune *job, struct error *error);

#endif
