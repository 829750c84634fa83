/* The largest of a few numbers, as a router of experts chooses them. */
#ifndef LONGROPE_EVAL_TOP_K_H
#define LONGROPE_EVAL_TOP_K_H

#include <stdint.h>

struct top_k_item {
    float value;
    int32_t index;
};

/* chosen[k]: the indices of the k largest of values[count], ascending; 1 <= k <= count. items[count] is scratch.
 *
 * Of equal values that compete for the last places, those are chosen that torch.topk chooses on a CPU. It has
 * std::partial_sort (from 64 k values on) or std::nth_element select them (PyTorch, aten/src/ATen/native/TopKImpl.h),
 * and which of equal values these keep follows from the library alone, so the same two are called here. NaN is the
 * largest value. */
void top_k(const float *values, int64_t count, int64_t k, struct top_k_item *items, int32_t *chosen);

#endif
