#include "search/run/improvements.h"

#include <math.h>
#include <stdlib.h>

static int by_work(const void *a, const void *b) {
    const struct individual *x = *(const struct individual *const *)a, *y = *(const struct individual *const *)b;
    if (x->work != y->work) return x->work < y->work ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

bool improvements_read(const struct stage_view *stage, struct improvements *out) {
    size_t known = 0;
    *out = (struct improvements){.items = calloc(stage->individual_count + 1, sizeof *out->items)};
    if (!out->items) return false;
    for (size_t i = 0; i < stage->individual_count; i++) {
        const struct individual *one = &stage->individuals[i].individual;
        if (!isnan(one->score)) out->items[known++] = one;
    }
    qsort(out->items, known, sizeof *out->items, by_work);
    for (size_t i = 0; i < known; i++) {
        const struct individual *best = out->count ? out->items[out->count - 1] : NULL;
        if (individual_better(out->items[i], best)) out->items[out->count++] = out->items[i];
    }
    return true;
}

void improvements_free(struct improvements *improvements) { free(improvements->items); }
