/* A tensor that the configuration requires: checks that the file of weights has it. */
#ifndef LONGROPE_EVAL_REQUIRED_TENSOR_H
#define LONGROPE_EVAL_REQUIRED_TENSOR_H

#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/tensor.h"
#include "eval/model/weights.h"

struct required_tensor {
    const char *name; /* Hugging Face's */
    int rank;         /* 1 or 2 */
    int64_t shape[2];
};

/* STATUS_INPUT unless `tensor`, which was found in `weights` under the required name, has that shape and numbers that
 * can be read; NULL: none was found. Its size is then bounded by that of its file. */
int required_tensor_check(const struct weights *weights, const struct required_tensor *required,
                          const struct tensor *tensor, struct error *error);

#endif
