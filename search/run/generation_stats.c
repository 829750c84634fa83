#include "search/run/generation_stats.h"

#include <math.h>
#include <stdlib.h>

bool generation_stats_next(const struct stage_view *stage, size_t *next, struct generation_stats *row) {
    if (*next == stage->individual_count) return false;
    row->number = stage->individuals[*next].individual.generation;
    row->individuals = row->stopped = 0;
    row->best = NULL;
    row->first = *next;
    for (; *next < stage->individual_count; ++*next) {
        const struct individual_record *one = &stage->individuals[*next];
        if (one->individual.generation != row->number) break;
        row->individuals++;
        row->evaluations++;
        row->stopped += one->individual.stopped;
        row->windows += one->scored.windows;
        if (one->individual.work > row->work) row->work = one->individual.work;
        if (individual_better(&one->individual, row->best)) row->best = &one->individual;
    }
    if (individual_better(row->best, row->best_so_far)) row->best_so_far = row->best;
    return true;
}

static int by_score(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

bool generation_stats_quartiles(const struct stage_view *stage, const struct generation_stats *row,
                                double out[QUARTILES]) {
    double *scores = calloc(row->individuals, sizeof *scores);
    size_t count = 0;
    if (!scores) return false;
    for (size_t i = 0; i < row->individuals; i++) {
        const struct individual *one = &stage->individuals[row->first + i].individual;
        if (one->stopped || !isnan(one->score)) scores[count++] = one->score;
    }
    qsort(scores, count, sizeof *scores, by_score);
    for (size_t quarter = 1; quarter <= QUARTILES; quarter++) {
        size_t rank = (quarter * count + QUARTILES) / 4; /* counted from 1, rounded up */
        out[quarter - 1] = count ? exp(scores[rank - 1]) : NAN;
    }
    free(scores);
    return true;
}
