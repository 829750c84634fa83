#include "search/recipe/rank_estimate.h"

#include <math.h>
#include <stdlib.h>

#include "search/recipe/rank_simulation.h"

double rank_estimate_efficiency(const struct rank_estimate *estimate) { return 1.0 - estimate->idle - estimate->vain; }

/* Of `search`, if it is not NULL, in all stages; otherwise each has its own, but `population`, if that is not 0. */
static int estimate_search(const struct estimate *estimate, const struct evolve_settings *search, size_t population,
                           size_t ranks, struct rank_estimate *out, struct error *error) {
    double busy = 0.0, useful = 0.0;
    *out = (struct rank_estimate){.ranks = ranks};
    for (size_t i = 0; i < estimate->stage_count; i++) {
        const struct estimate_stage *planned = &estimate->stages[i];
        struct stage_config config = *planned->config;
        struct simulated_time time;
        if (search) config.search = *search;
        if (population) config.search.population = population;
        if (config.initial_count == 0 && config.search.algorithm != ALGORITHM_BAYESIAN)
            config.initial_count = 3; /* pi, ntk, yarn */
        const struct simulated_stage stage = {.config = &config,
                                              .model = &planned->architecture,
                                              .window = planned->window,
                                              .scale = planned->scale,
                                              .baselines = planned->baselines,
                                              .windows = planned->windows_per_table,
                                              .window_seconds =
                                                  planned->operations / planned->windows / estimate->rate};
        int status = rank_simulation_run(&stage, ranks, &time, error);
        if (status != STATUS_OK) return status;
        out->seconds += time.seconds;
        out->windows += time.windows;
        busy += time.busy;
        useful += time.windows * stage.window_seconds;
    }
    double all = (double)ranks * out->seconds;
    out->idle = fmax(0.0, 1.0 - busy / all);
    out->vain = fmax(0.0, (busy - useful) / all);
    return STATUS_OK;
}

int rank_estimate_make(const struct estimate *estimate, size_t ranks, struct rank_estimate *out, struct error *error) {
    return estimate_search(estimate, NULL, 0, ranks, out, error);
}

static int find_worth(const struct estimate *estimate, struct rank_estimate *out, struct error *error) {
    struct rank_estimate tried;
    int status = rank_estimate_make(estimate, 1, out, error);
    /* 2, 3, 4, 6, 8, 12, ...: efficiency need not fall steadily, but does on the whole */
    for (size_t ranks = 2, worse = 0; status == STATUS_OK && worse < 2 && ranks <= 1 << 16;) {
        status = rank_estimate_make(estimate, ranks, &tried, error);
        bool worth = 100.0 * rank_estimate_efficiency(&tried) >= RANKS_WORTH_PERCENT;
        if (status == STATUS_OK && worth) *out = tried;
        worse = worth ? 0 : worse + 1;
        ranks += ranks & (ranks - 1) ? ranks / 3 : ranks == 2 ? 1 : ranks / 2;
    }
    return status;
}

/* ---- advice ---- */

static size_t fewest_windows(const struct estimate *estimate) {
    size_t fewest = estimate->stages[0].windows_per_table;
    for (size_t i = 1; i < estimate->stage_count; i++) {
        if (estimate->stages[i].windows_per_table < fewest) fewest = estimate->stages[i].windows_per_table;
    }
    return fewest;
}

/* Windows that each table of a round is scored on, at first. */
static size_t windows_of_round(const struct estimate *estimate, const struct evolve_settings *search) {
    size_t windows = fewest_windows(estimate);
    return search->first_windows && search->first_windows < windows ? search->first_windows : windows;
}

/* Settings of which each round has `times` as many windows as there are ranks, or a little more. False: fewer, since
 * the population would be too large. */
static bool fill_rounds(const struct estimate *estimate, size_t ranks, size_t times, struct evolve_settings *search) {
    size_t windows = windows_of_round(estimate, search), tables = (times * ranks + windows - 1) / windows;
    bool small = tables <= RANKS_POPULATION_MOST;
    if (!small) tables = RANKS_POPULATION_MOST;
    search->evaluations = 0;
    search->population = tables;
    if (search->algorithm == ALGORITHM_CMA_ES) {
        search->parents = tables > 1 ? tables / 2 : 1;
        return small;
    }
    search->mutations = (tables + 1) / 2;
    search->crossovers = tables - search->mutations;
    if (search->parents > search->population) search->parents = search->population;
    return small;
}

static int advise(const struct estimate *estimate, size_t ranks, struct evolve_settings *search,
                  struct rank_estimate *out, struct error *error) {
    /* Ten generations: it ends within the time of the search that it takes the place of. */
    const struct evolve_settings larger = {.algorithm = ALGORITHM_CMA_ES, .knots = 8, .iterations = 10};
    *search = estimate->stages[0].config->search;
    if (search->algorithm == ALGORITHM_BAYESIAN) *search = larger;
    int status = STATUS_OK;
    bool small = true;
    for (size_t times = 2; times <= 16 && small; times *= 2) {
        small = fill_rounds(estimate, ranks, times, search);
        status = estimate_search(estimate, search, 0, ranks, out, error);
        if (status != STATUS_OK || 100.0 * rank_estimate_efficiency(out) >= RANKS_AIM_PERCENT) break;
    }
    return status;
}

/* Whether all stages are of the algorithm that proposes few tables at a time. */
static bool proposes_few(const struct estimate *estimate) {
    for (size_t i = 0; i < estimate->stage_count; i++) {
        if (estimate->stages[i].config->search.algorithm != ALGORITHM_BAYESIAN) return false;
    }
    return true;
}

static int plan_row(const struct estimate *estimate, size_t ranks, struct rank_plan_row *row, struct error *error) {
    size_t population = ranks < RANKS_BAYESIAN_MOST ? ranks : RANKS_BAYESIAN_MOST;
    int status = rank_estimate_make(estimate, ranks, &row->planned, error);
    if (status != STATUS_OK || 100.0 * rank_estimate_efficiency(&row->planned) >= RANKS_AIM_PERCENT) return status;
    if (proposes_few(estimate)) {
        status = estimate_search(estimate, NULL, population, ranks, &row->sooner, error);
        if (row->sooner.seconds < row->planned.seconds) row->sooner_population = population;
    }
    row->has_advice = true;
    if (status == STATUS_OK) status = advise(estimate, ranks, &row->search, &row->advised, error);
    return status;
}

int rank_plan_make(const struct estimate *estimate, const int64_t *ranks, size_t count, struct rank_plan *out,
                   struct error *error) {
    *out = (struct rank_plan){.count = count, .rows = calloc(count + 1, sizeof *out->rows)};
    if (!out->rows) return error_memory(error, (double)count * sizeof *out->rows, "the numbers of ranks");
    int status = find_worth(estimate, &out->worth, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = plan_row(estimate, (size_t)ranks[i], &out->rows[i], error);
    }
    return status;
}

void rank_plan_free(struct rank_plan *plan) {
    free(plan->rows);
    *plan = (struct rank_plan){.count = 0};
}
