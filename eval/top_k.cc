extern "C" {
#include "eval/top_k.h"
}

#include <algorithm>
#include <cmath>

namespace {

bool comes_first(const top_k_item &a, const top_k_item &b) {
    return (std::isnan(a.value) && !std::isnan(b.value)) || a.value > b.value;
}

} // namespace

void top_k(const float *values, int64_t count, int64_t k, struct top_k_item *items, int32_t *chosen) {
    for (int64_t i = 0; i < count; i++) items[i] = {values[i], static_cast<int32_t>(i)};
    if (k * 64 <= count) {
        std::partial_sort(items, items + k, items + count, comes_first);
    } else {
        std::nth_element(items, items + k - 1, items + count, comes_first);
    }
    for (int64_t i = 0; i < k; i++) chosen[i] = items[i].index;
    std::sort(chosen, chosen + k);
}
