/* Which kernels ranks compute with. The last bits of nats depend on them, so all have to use the same.
 */
#ifndef LONGROPE_SEARCH_RANK_ARITHMETIC_H
#define LONGROPE_SEARCH_RANK_ARITHMETIC_H

#include <stdbool.h>

#include "eval/base/error.h"
#include "eval/model/model.h"

/* Of one rank. Names of kernel sets; lists are separated by blanks, the fastest last. */
struct rank_arithmetic {
    char f32[32], bf16[32]; /* that it chooses; "" where LONGROPE_KERNELS names one that the type does not have */
    char f32_sets[160], bf16_sets[160]; /* that it has */
    bool bf16_is_fast;
};

/* This process's. */
struct rank_arithmetic rank_arithmetic_own(void);

/* STATUS_INPUT unless both compute models of that type with the same kernels. The message names `name`, the rank that
 * `other` is of. all[count] are those of all ranks, for the LONGROPE_KERNELS that it recommends. */
int rank_arithmetic_compare(enum model_type type, const struct rank_arithmetic *own,
                            const struct rank_arithmetic *other, const char *name, const struct rank_arithmetic *all,
                            size_t count, struct error *error);

#endif
