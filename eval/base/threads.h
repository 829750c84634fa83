/* Whether threads can be started: OpenMP ends the program where they cannot. */
#ifndef LONGROPE_EVAL_THREADS_H
#define LONGROPE_EVAL_THREADS_H

#include "eval/base/error.h"

/* STATUS_FAILED unless `count` threads can run at once. Not for threads that call it at the same time. */
int threads_check(int count, struct error *error);

#endif
