/* The genetic driver: what it proposes, in which order, and how it takes scores. */
#include "search/evolve/evolve_state.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Below this a chi-square test fails; with fixed seeds it either always does or never. */
static const double chance_floor = 1e-6;

static const struct evolve_settings published = {.population = 64,
                                                 .parents = 32,
                                                 .mutations = 16,
                                                 .crossovers = 16,
                                                 .iterations = 40,
                                                 .mutation_probability = 0.3,
                                                 .seed = 1};

static struct evolve_settings microsoft_settings(void) {
    struct evolve_settings settings = published;
    settings.algorithm = ALGORITHM_MICROSOFT;
    return settings;
}

static struct evolve_settings cma_settings(void) {
    return (struct evolve_settings){
        .algorithm = ALGORITHM_CMA_ES, .population = 12, .parents = 6, .iterations = 50, .seed = 1};
}

/* All individuals of a search, those that are not scored yet included. */
static size_t evolve_count(const struct evolve *evolve) { return evolve->count; }

static const struct individual *evolve_individual(const struct evolve *evolve, int64_t id) {
    assert_true(id >= 0 && (size_t)id < evolve->count);
    return &evolve->individuals[id];
}

/* The individual that evolve_rival() protects beside the parents. */
static const struct individual *evolve_best_exportable(const struct evolve *evolve) {
    return evolve->best_exportable == EVOLVE_NO_PARENT ? NULL : &evolve->individuals[evolve->best_exportable];
}

/* A search on two windows of one token each, whose nats are equal: their mean is the score, exactly. */
enum { WINDOWS = 2 };
static const int64_t predictions[WINDOWS] = {1, 1};

static struct evolve *search_new(const struct evolve_settings *settings, const struct genome_space *space,
                                 const struct initial_genome *initial, size_t initial_count) {
    const struct evolve_problem problem = {.space = space,
                                           .windows = WINDOWS,
                                           .window_tokens = predictions,
                                           .initial = initial,
                                           .initial_count = initial_count,
                                           .attention_factor = 1.0};
    return evolve_new(settings, &problem);
}

/* The individual of the next request, which is for all windows. */
static const struct individual *ask(struct evolve *evolve) {
    const struct evolve_request *request = evolve_ask(evolve);
    if (!request) return NULL;
    assert_true(request->count == WINDOWS && request->individual->first_window == 0);
    return request->individual;
}

/* Both windows of an individual. */
#define NATS(first, second) (&(const struct window_nats){.windows = WINDOWS, .nats = (double[WINDOWS]){first, second}})

static void tell(struct evolve *evolve, double score) { evolve_tell(evolve, NATS(score, score)); }

static void tell_stopped(struct evolve *evolve) { evolve_tell_stopped(evolve, NATS(1.0, NAN), 1); }

/* Spaces and seeds ---------------------------------------------------------------------------- */

static struct genome_space make_space(int64_t pairs, int32_t largest, int32_t start_count) {
    static const int64_t starts[] = {0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 64, 128, 256};
    struct genome_space space = {.pairs = pairs, .unit = 100, .largest = largest, .start_count = start_count};
    memcpy(space.start_tokens, starts, sizeof starts);
    return space;
}

enum { SEEDS = 3 };

/* The closed-form tables at ratio s for a base of 10000 and 4096 tokens, in the paper's order. */
static void make_seeds(const struct genome_space *space, double s, struct initial_genome seeds[SEEDS]) {
    double pi[ROPE_MAX_PAIRS], ntk[ROPE_MAX_PAIRS], yarn[ROPE_MAX_PAIRS];
    double width = 2.0 * (double)space->pairs;
    for (int64_t i = 0; i < space->pairs; i++) {
        double turns = 4096 * pow(10000, -2.0 * (double)i / width) / 6.283185307;
        double kept = fmin(1, fmax(0, (turns - 1) / 31));
        pi[i] = s;
        ntk[i] = space->pairs > 1 ? pow(s, 2.0 * (double)i / (width - 2)) : 1;
        yarn[i] = 1 / ((1 - kept) / s + kept);
    }
    const double *factors[SEEDS] = {pi, ntk, yarn};
    for (int i = 0; i < SEEDS; i++) {
        seeds[i].origin = (enum origin)(ORIGIN_PI + i);
        genome_from_factors(space, factors[i], 0, 1.0, &seeds[i].genome);
    }
}

static struct evolve *make_search(const struct evolve_settings *settings, const struct genome_space *space) {
    struct initial_genome seeds[SEEDS];
    make_seeds(space, space->largest / 125.0, seeds);
    struct evolve *evolve = search_new(settings, space, seeds, SEEDS);
    assert_non_null(evolve);
    return evolve;
}

/* Objectives ---------------------------------------------------------------------------------- */

typedef double objective(const struct genome_space *space, const struct individual *individual);

/* Squared distance, in logarithms, from a table that rises in an S between 1 and s; no lattice
 * point is it, and no closed form comes near. */
static double distance(const struct genome_space *space, const struct individual *individual) {
    double sum = 0, top = log(space->largest / 125.0);
    for (int64_t i = 0; i < space->pairs; i++) {
        double x = ((double)i + 0.5) / (double)space->pairs;
        sum += pow(log((double)individual->genome.genes[i] / space->unit) - top / (1 + exp(-12 * (x - 0.4))), 2);
    }
    return sum;
}

/* The same, where some start tokens help and none is not the best. */
static double distance_and_start(const struct genome_space *space, const struct individual *individual) {
    return distance(space, individual) + 0.05 * fabs(individual->genome.start - 3.0);
}

/* Few different values, so that there are many ties. */
static double coarse(const struct genome_space *space, const struct individual *individual) {
    return floor(distance(space, individual) / 2);
}

static double by_hash(const struct genome_space *space, const struct individual *individual) {
    (void)space;
    return (double)(genome_hash(&individual->genome) >> 11);
}

static double constant(const struct genome_space *space, const struct individual *individual) {
    (void)space, (void)individual;
    return 1;
}

static double undefined(const struct genome_space *space, const struct individual *individual) {
    (void)space, (void)individual;
    return NAN;
}

/* Scores as a broken evaluation might give them, some of each kind in every generation. */
static double broken(const struct genome_space *space, const struct individual *individual) {
    if (individual->id % 3 == 0) return NAN;
    if (individual->id % 5 == 0) return INFINITY;
    return distance(space, individual);
}

static void run(struct evolve *evolve, const struct genome_space *space, objective *score) {
    for (const struct individual *one; (one = ask(evolve));) tell(evolve, score(space, one));
}

/* What the header promises, said again -------------------------------------------------------- */

static bool ranks_before(const struct individual *a, const struct individual *b) {
    if (isnan(a->score) != isnan(b->score)) return isnan(b->score);
    if (!isnan(a->score) && a->score != b->score) return a->score < b->score;
    return a->id < b->id;
}

static int compare_ranks(const void *a, const void *b) {
    const struct individual *x = *(const struct individual *const *)a, *y = *(const struct individual *const *)b;
    return x == y ? 0 : ranks_before(x, y) ? -1 : 1;
}

static void assert_parent(const struct individual **ranked, size_t count, int64_t id) {
    bool found = false;
    for (size_t i = 0; i < count; i++) found = found || ranked[i]->id == id;
    assert_true(found);
}

static void assert_inherits(const struct genome_space *space, const struct individual *child,
                            const struct individual *a, const struct individual *b) {
    bool inherited = child->genome.start == a->genome.start || child->genome.start == b->genome.start;
    for (int64_t i = 0; i < space->pairs; i++) {
        int32_t gene = child->genome.genes[i];
        inherited = inherited && (gene == a->genome.genes[i] || gene == b->genome.genes[i]);
    }
    assert_true(inherited);
}

static void assert_child(const struct evolve *evolve, const struct genome_space *space, const struct individual *child,
                         const struct individual **ranked, size_t breeders) {
    assert_parent(ranked, breeders, child->parents[0]);
    if (child->origin == ORIGIN_MUTATION) {
        assert_true(child->parents[1] == EVOLVE_NO_PARENT);
        return;
    }
    assert_int_equal(child->origin, ORIGIN_CROSSOVER);
    assert_parent(ranked, breeders, child->parents[1]);
    assert_true(child->parents[0] != child->parents[1]);
    assert_inherits(space, child, evolve_individual(evolve, child->parents[0]),
                    evolve_individual(evolve, child->parents[1]));
}

/* Every child of every generation comes from the best `parents` of all generations before. */
static void assert_lineage(const struct evolve *evolve, const struct genome_space *space,
                           const struct evolve_settings *settings) {
    size_t count = evolve_count(evolve), first = 0;
    const struct individual **ranked = malloc(count * sizeof *ranked);
    assert_non_null(ranked);
    while (first < count && evolve_individual(evolve, (int64_t)first)->generation == 0) first++;
    for (size_t before = first; before < count; before = first) {
        for (size_t i = 0; i < before; i++) ranked[i] = evolve_individual(evolve, (int64_t)i);
        qsort(ranked, before, sizeof *ranked, compare_ranks);
        int64_t generation = evolve_individual(evolve, (int64_t)first)->generation;
        size_t breeders = before < settings->parents ? before : settings->parents;
        for (; first < count && evolve_individual(evolve, (int64_t)first)->generation == generation; first++)
            assert_child(evolve, space, evolve_individual(evolve, (int64_t)first), ranked, breeders);
    }
    free(ranked);
}

static void assert_all_new(const struct evolve *evolve, const struct genome_space *space) {
    for (size_t i = 0; i < evolve_count(evolve); i++) {
        const struct genome *genome = &evolve_individual(evolve, (int64_t)i)->genome;
        assert_true(genome_valid(space, genome));
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen = seen || genome_equal(genome, &evolve_individual(evolve, (int64_t)j)->genome);
        assert_false(seen);
    }
}

static void assert_best(const struct evolve *evolve, const struct genome_space *space) {
    const struct individual *best = NULL, *exportable = NULL;
    for (size_t i = 0; i < evolve_count(evolve); i++) {
        const struct individual *one = evolve_individual(evolve, (int64_t)i);
        if (!one->scored || isnan(one->score)) continue;
        if (!best || ranks_before(one, best)) best = one;
        bool engines_can = space->start_tokens[one->genome.start] == 0;
        if (engines_can && (!exportable || ranks_before(one, exportable))) exportable = one;
    }
    assert_ptr_equal(evolve_best(evolve), best);
    assert_ptr_equal(evolve_best_exportable(evolve), exportable);
}

static bool same_individual(const struct individual *a, const struct individual *b) {
    return a->id == b->id && a->generation == b->generation && a->origin == b->origin &&
           a->parents[0] == b->parents[0] && a->parents[1] == b->parents[1] && genome_equal(&a->genome, &b->genome);
}

/* How likely counts as uneven as these are if all cells are equally likely. */
static double uniform_chance(const int64_t *counts, size_t cells) {
    double total = 0, chi = 0;
    for (size_t i = 0; i < cells; i++) total += (double)counts[i];
    double expected = total / (double)cells;
    for (size_t i = 0; i < cells; i++) chi += pow((double)counts[i] - expected, 2) / expected;
    return gsl_cdf_chisq_Q(chi, (double)cells - 1);
}

/* Origins and plans --------------------------------------------------------------------------- */

static void origins_have_names(void **state) {
    (void)state;
    const char *const names[ORIGIN_COUNT] = {
        "pi",  "ntk",          "yarn", "yarn-lambda", "dynamic-ntk", "ntk-pi", "resonance-yarn", "none",
        "own", "critical-ntk", "file", "mutation",    "crossover",   "sample", "model"};
    for (int i = 0; i < ORIGIN_COUNT; i++) {
        enum origin origin = ORIGIN_COUNT;
        assert_string_equal(origin_name((enum origin)i), names[i]);
        assert_true(origin_parse(names[i], &origin));
        assert_int_equal(origin, i);
    }
    enum origin untouched = ORIGIN_YARN;
    const char *const strangers[] = {"", "PI", "pi ", "mutatio", "nothing"};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_false(origin_parse(strangers[i], &untouched));
    assert_int_equal(untouched, ORIGIN_YARN);
}

static void plans_too_large_are_refused(void **state) {
    (void)state;
    struct genome_space space = make_space(2, 1000, 1);
    struct initial_genome seeds[SEEDS];
    make_seeds(&space, 8, seeds);
    assert_true(evolve_planned(&published, SEEDS) == 64 + 40 * 32);
    struct evolve_settings large[4] = {published, published, published, published};
    large[0].iterations = SIZE_MAX;
    large[1].mutations = SIZE_MAX;
    large[2].population = SIZE_MAX - 10;
    large[3].population = SIZE_MAX / 64;
    for (int i = 0; i < 3; i++) assert_true(evolve_planned(&large[i], SEEDS) == SIZE_MAX);
    for (int i = 0; i < 4; i++) assert_null(search_new(&large[i], &space, seeds, SEEDS));
    struct evolve_settings samples = cma_settings();
    assert_true(evolve_planned(&samples, SEEDS) == SEEDS + 50 * 12);
    samples.population = SIZE_MAX / 50;
    assert_true(evolve_planned(&samples, SEEDS) == SIZE_MAX - SIZE_MAX % 50 + SEEDS);
    assert_null(search_new(&samples, &space, seeds, SEEDS));
    samples.population++;
    assert_true(evolve_planned(&samples, SEEDS) == SIZE_MAX);
    assert_null(search_new(&samples, &space, seeds, SEEDS));
    evolve_free(NULL);
}

/* The budget ---------------------------------------------------------------------------------- */

/* A search that may score `evaluations` scores the first of those that `whole`, which has no limit, scores. */
static void assert_budget(const struct evolve *whole, const struct genome_space *space, size_t evaluations) {
    struct evolve_settings settings = whole->settings;
    settings.evaluations = evaluations;
    size_t planned = evaluations < evolve_scored(whole) ? evaluations : evolve_scored(whole);
    assert_int_equal(evolve_planned(&settings, SEEDS), planned);
    struct evolve *search = make_search(&settings, space);
    run(search, space, distance_and_start);
    assert_null(ask(search));
    assert_int_equal(evolve_scored(search), planned);
    for (int64_t id = 0; id < (int64_t)planned; id++) {
        const struct individual *one = evolve_individual(search, id), *other = evolve_individual(whole, id);
        assert_true(same_individual(one, other) && one->scored && one->score == other->score);
    }
    assert_int_equal(evolve_generation(search), evolve_individual(whole, (int64_t)planned - 1)->generation);
    evolve_free(search);
}

static void a_smaller_budget_scores_the_first_of_a_larger(void **state) {
    (void)state;
    struct genome_space space = make_space(8, 1000, 14);
    const struct evolve_settings settings[] = {published, microsoft_settings(), cma_settings()};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct evolve *whole = make_search(&settings[i], &space);
        run(whole, &space, distance_and_start);
        size_t all = evolve_scored(whole);
        assert_int_equal(all, evolve_planned(&settings[i], SEEDS));
        const size_t budgets[] = {1, 2, SEEDS, 15, 64, 65, 100, all - 1, all, all + 1, SIZE_MAX};
        for (size_t k = 0; k < sizeof budgets / sizeof *budgets; k++) assert_budget(whole, &space, budgets[k]);
        evolve_free(whole);
    }
}

/* The memory is that of the budget, however many iterations there may be. */
static void a_budget_makes_a_plan_small(void **state) {
    (void)state;
    struct genome_space space = make_space(8, 1000, 1);
    struct evolve_settings settings[] = {published, cma_settings()};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        settings[i].iterations = SIZE_MAX;
        settings[i].evaluations = 70;
        assert_int_equal(evolve_planned(&settings[i], SEEDS), 70);
        struct evolve *evolve = make_search(&settings[i], &space);
        assert_true(evolve->capacity < 300);
        run(evolve, &space, distance);
        assert_int_equal(evolve_scored(evolve), 70);
        evolve_free(evolve);
    }
}

/* The first population ------------------------------------------------------------------------ */

static void first_population_is_seeds_then_their_mutations(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct initial_genome seeds[SEEDS];
    make_seeds(&space, 8, seeds);
    struct evolve_settings settings = published;
    settings.population = 3000;
    settings.iterations = 0;
    struct evolve *evolve = make_search(&settings, &space);
    assert_int_equal(evolve_count(evolve), 3000);
    int64_t chosen[SEEDS] = {0};
    for (int64_t id = 0; id < 3000; id++) {
        const struct individual *one = evolve_individual(evolve, id);
        assert_true(one->id == id && one->generation == 0 && !one->scored);
        assert_true(one->parents[1] == EVOLVE_NO_PARENT);
        assert_int_equal(one->origin, id < SEEDS ? seeds[id].origin : ORIGIN_MUTATION);
        if (id < SEEDS) {
            assert_true(one->parents[0] == EVOLVE_NO_PARENT);
            assert_true(genome_equal(&one->genome, &seeds[id].genome));
        } else {
            assert_true(one->parents[0] >= 0 && one->parents[0] < SEEDS);
            chosen[one->parents[0]]++;
        }
    }
    assert_true(uniform_chance(chosen, SEEDS) > chance_floor);
    run(evolve, &space, distance);
    assert_int_equal(evolve_count(evolve), 3000);
    evolve_free(evolve);
}

static void equal_seeds_enter_once(void **state) {
    (void)state;
    struct genome_space space = make_space(8, 1000, 1);
    struct initial_genome seeds[SEEDS];
    make_seeds(&space, 8, seeds);
    seeds[1].genome = seeds[0].genome;
    struct evolve_settings settings = published;
    settings.population = settings.parents = 10;
    struct evolve *evolve = search_new(&settings, &space, seeds, SEEDS);
    assert_non_null(evolve);
    assert_int_equal(evolve_count(evolve), 10);
    assert_int_equal(evolve_individual(evolve, 0)->origin, ORIGIN_PI);
    assert_int_equal(evolve_individual(evolve, 1)->origin, ORIGIN_YARN);
    for (int64_t id = 2; id < 10; id++) {
        assert_int_equal(evolve_individual(evolve, id)->origin, ORIGIN_MUTATION);
        assert_true(evolve_individual(evolve, id)->parents[0] < 2);
    }
    evolve_free(evolve);
}

static void a_small_population_takes_the_first_seeds(void **state) {
    (void)state;
    struct genome_space space = make_space(8, 1000, 1);
    struct evolve_settings settings = published;
    settings.population = settings.parents = 2;
    struct evolve *evolve = make_search(&settings, &space);
    assert_int_equal(evolve_count(evolve), 2);
    assert_int_equal(evolve_individual(evolve, 1)->origin, ORIGIN_NTK);
    evolve_free(evolve);
}

/* Ask and tell -------------------------------------------------------------------------------- */

static void ask_repeats_until_told(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve *evolve = make_search(&published, &space);
    assert_null(evolve_best(evolve));
    assert_null(evolve_best_exportable(evolve));
    for (int64_t id = 0; id < 200; id++) {
        const struct individual *one = ask(evolve);
        assert_true(one->id == id && !one->scored && one == ask(evolve));
        assert_true(one->generation == evolve_generation(evolve));
        tell(evolve, 7.0 - (double)id);
        const struct individual *told = evolve_individual(evolve, id);
        assert_true(told->scored && told->score == 7.0 - (double)id);
        assert_ptr_equal(evolve_best(evolve), told);
    }
    evolve_free(evolve);
}

static void generations_have_the_children_set(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve *evolve = make_search(&published, &space);
    run(evolve, &space, distance_and_start);
    assert_int_equal(evolve_count(evolve), evolve_planned(&published, SEEDS));
    assert_true(evolve_generation(evolve) == 40);
    assert_null(ask(evolve));
    assert_null(ask(evolve));
    assert_int_equal(evolve_count(evolve), evolve_planned(&published, SEEDS));
    int64_t crossovers = 0;
    for (int64_t id = 0; id < (int64_t)evolve_count(evolve); id++) {
        const struct individual *one = evolve_individual(evolve, id);
        assert_true(one->id == id && one->scored);
        assert_true(one->generation == (id < 64 ? 0 : (id - 64) / 32 + 1));
        if (id >= 64 && (id - 64) % 32 < 16) assert_int_equal(one->origin, ORIGIN_MUTATION);
        crossovers += one->origin == ORIGIN_CROSSOVER;
    }
    assert_true(crossovers > 0);
    evolve_free(evolve);
}

static void children_come_from_the_best_so_far(void **state) {
    (void)state;
    objective *const scores[] = {distance, distance_and_start, coarse, by_hash, constant, undefined, broken};
    for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
        struct evolve_settings settings = published;
        settings.iterations = 12;
        settings.parents = s % 2 ? 32 : 5;
        settings.seed = s;
        struct genome_space space = make_space(s % 3 ? 32 : 6, 1000, s % 2 ? 14 : 1);
        struct evolve *evolve = make_search(&settings, &space);
        run(evolve, &space, scores[s]);
        assert_lineage(evolve, &space, &settings);
        assert_all_new(evolve, &space);
        assert_best(evolve, &space);
        evolve_free(evolve);
    }
}

/* Which parents are drawn --------------------------------------------------------------------- */

enum { BREEDERS = 4 };

/* A search with four seeds whose gene i lies between 1000 (i + 1) and 1000 (i + 1) + 3, so that
 * every crossover of them is valid and, in the paper's way, hardly ever made twice. */
static struct evolve *make_banded_search(enum algorithm algorithm, const struct genome_space *space, size_t mutations,
                                         size_t crossovers, unsigned long seed) {
    struct initial_genome seeds[BREEDERS];
    memset(seeds, 0, sizeof seeds);
    for (int s = 0; s < BREEDERS; s++) {
        for (int64_t i = 0; i < space->pairs; i++) seeds[s].genome.genes[i] = 1000 * (int32_t)(i + 1) + s;
    }
    const struct evolve_settings settings = {.algorithm = algorithm,
                                             .population = BREEDERS,
                                             .parents = BREEDERS,
                                             .mutations = mutations,
                                             .crossovers = crossovers,
                                             .iterations = 1,
                                             .mutation_probability = 0.3,
                                             .seed = seed};
    struct evolve *evolve = search_new(&settings, space, seeds, BREEDERS);
    assert_non_null(evolve);
    return evolve;
}

static void every_parent_mutates_as_often(void **state) {
    (void)state;
    struct genome_space space = make_space(64, 65000, 1);
    struct evolve *evolve = make_banded_search(ALGORITHM_PAPER, &space, 4000, 0, 3);
    run(evolve, &space, distance);
    assert_int_equal(evolve_count(evolve), BREEDERS + 4000);
    int64_t chosen[BREEDERS] = {0};
    for (int64_t id = BREEDERS; id < BREEDERS + 4000; id++) chosen[evolve_individual(evolve, id)->parents[0]]++;
    assert_true(uniform_chance(chosen, BREEDERS) > chance_floor);
    evolve_free(evolve);
}

static void every_pair_crosses_as_often(void **state) {
    (void)state;
    enum { PAIRS = BREEDERS * (BREEDERS - 1) / 2 };
    static const int cell[BREEDERS][BREEDERS] = {{0, 0, 1, 2}, {0, 0, 3, 4}, {1, 3, 0, 5}, {2, 4, 5, 0}};
    struct genome_space space = make_space(64, 65000, 1);
    struct evolve *evolve = make_banded_search(ALGORITHM_PAPER, &space, 0, 4000, 3);
    run(evolve, &space, distance);
    assert_int_equal(evolve_count(evolve), BREEDERS + 4000);
    int64_t chosen[PAIRS] = {0};
    for (int64_t id = BREEDERS; id < BREEDERS + 4000; id++) {
        const struct individual *one = evolve_individual(evolve, id);
        assert_int_equal(one->origin, ORIGIN_CROSSOVER);
        chosen[cell[one->parents[0]][one->parents[1]]]++;
    }
    assert_true(uniform_chance(chosen, PAIRS) > chance_floor);
    evolve_free(evolve);
}

/* With one gene and one start every crossover is one of its parents, so none is ever new. */
static void a_failed_crossover_is_a_mutation_of_the_better(void **state) {
    (void)state;
    struct genome_space space = make_space(1, 64000, 1);
    struct evolve_settings settings = published;
    settings.parents = 2;
    settings.mutations = 0;
    struct evolve *evolve = make_search(&settings, &space);
    int64_t best = 0;
    for (const struct individual *one; (one = ask(evolve));) {
        /* At the start of a generation everything made before is scored. */
        if (one->generation > 0 && (one->id - 64) % 16 == 0) best = evolve_best(evolve)->id;
        if (one->generation > 0) {
            assert_int_equal(one->origin, ORIGIN_MUTATION);
            assert_true(one->parents[0] == best && one->parents[1] == EVOLVE_NO_PARENT);
        }
        tell(evolve, by_hash(&space, one));
    }
    assert_int_equal(evolve_count(evolve), 64 + 40 * 16);
    evolve_free(evolve);
}

static void a_lone_parent_mutates_instead_of_crossing(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = published;
    settings.parents = 1;
    settings.iterations = 5;
    struct evolve *evolve = make_search(&settings, &space);
    run(evolve, &space, distance);
    assert_int_equal(evolve_count(evolve), 64 + 5 * 32);
    for (int64_t id = 64; id < 64 + 5 * 32; id++)
        assert_int_equal(evolve_individual(evolve, id)->origin, ORIGIN_MUTATION);
    assert_lineage(evolve, &space, &settings);
    evolve_free(evolve);
}

/* Nothing twice, and ends ---------------------------------------------------------------------- */

static void no_genome_is_proposed_twice(void **state) {
    (void)state;
    for (unsigned long seed = 0; seed < 24; seed++) {
        static const int64_t pairs[] = {1, 2, 3, 32, 64, 256};
        static const int32_t largest[] = {101, 105, 126, 1000, 64000};
        struct genome_space space = make_space(pairs[seed % 6], largest[seed % 5], seed % 2 ? 14 : 1);
        struct evolve_settings settings = published;
        settings.population = settings.parents = 32;
        settings.mutations = settings.crossovers = 8;
        settings.iterations = 10;
        settings.seed = seed;
        struct evolve *evolve = make_search(&settings, &space);
        run(evolve, &space, seed % 4 ? distance_and_start : by_hash);
        assert_true(evolve_count(evolve) <= evolve_planned(&settings, SEEDS));
        assert_all_new(evolve, &space);
        evolve_free(evolve);
    }
}

static void assert_exhausted(const struct genome_space *space, size_t genomes, unsigned long seed) {
    struct evolve_settings settings = published;
    settings.population = settings.parents = 32;
    settings.mutations = settings.crossovers = 8;
    settings.iterations = 1000;
    settings.seed = seed;
    struct evolve *evolve = make_search(&settings, space);
    run(evolve, space, by_hash);
    assert_int_equal(evolve_count(evolve), genomes);
    assert_all_new(evolve, space);
    /* Every generation but an empty one counts. */
    assert_true(evolve_generation(evolve) == evolve_individual(evolve, (int64_t)genomes - 1)->generation);
    assert_null(ask(evolve));
    evolve_free(evolve);
}

static void small_spaces_are_exhausted(void **state) {
    (void)state;
    const struct {
        struct genome_space space;
        size_t genomes;
    } small[] = {
        {make_space(1, 100, 1), 1},  {make_space(256, 100, 1), 1},  {make_space(256, 100, 14), 14},
        {make_space(1, 126, 1), 27}, {make_space(1, 126, 14), 378}, {make_space(2, 110, 1), 66},
        {make_space(3, 103, 2), 40}, {make_space(4, 101, 1), 5},
    };
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        for (unsigned long seed = 1; seed <= 2; seed++) assert_exhausted(&small[i].space, small[i].genomes, seed);
    }
}

static void without_children_the_search_ends(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = published;
    settings.mutations = settings.crossovers = 0;
    struct evolve *evolve = make_search(&settings, &space);
    run(evolve, &space, distance);
    assert_int_equal(evolve_count(evolve), 64);
    assert_true(evolve_generation(evolve) == 0);
    evolve_free(evolve);

    /* Mutations that change nothing leave only the seeds and their crossovers. */
    settings = published;
    settings.mutation_probability = 0;
    evolve = make_search(&settings, &space);
    assert_int_equal(evolve_count(evolve), SEEDS);
    run(evolve, &space, distance);
    for (int64_t id = SEEDS; id < (int64_t)evolve_count(evolve); id++)
        assert_int_equal(evolve_individual(evolve, id)->origin, ORIGIN_CROSSOVER);
    evolve_free(evolve);
}

/* Determinism --------------------------------------------------------------------------------- */

/* How many of the two searches' individuals agree, from the first on. */
static size_t common_beginning(const struct evolve *a, const struct evolve *b) {
    size_t count = evolve_count(a) < evolve_count(b) ? evolve_count(a) : evolve_count(b);
    for (size_t i = 0; i < count; i++) {
        if (!same_individual(evolve_individual(a, (int64_t)i), evolve_individual(b, (int64_t)i))) return i;
    }
    return count;
}

static size_t common_beginning_of_seeds(unsigned long first, unsigned long second) {
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = published;
    settings.seed = first;
    struct evolve *a = make_search(&settings, &space);
    settings.seed = second;
    struct evolve *b = make_search(&settings, &space);
    run(a, &space, distance_and_start);
    run(b, &space, distance_and_start);
    size_t common = common_beginning(a, b);
    evolve_free(a);
    evolve_free(b);
    return common;
}

static void the_seed_decides(void **state) {
    (void)state;
    assert_int_equal(common_beginning_of_seeds(5, 5), evolve_planned(&published, SEEDS));
    assert_int_equal(common_beginning_of_seeds(5, 6), SEEDS);
    assert_int_equal(common_beginning_of_seeds(1, 2), SEEDS);
    /* GSL takes 0 for its default. */
    assert_int_equal(common_beginning_of_seeds(0, 4357), evolve_planned(&published, SEEDS));
}

/* A search that stopped anywhere, within a generation or between two, goes on as if it had not. */
static void told_the_same_scores_it_proposes_the_same(void **state) {
    (void)state;
    objective *const scores[] = {distance_and_start, coarse, broken};
    struct genome_space space = make_space(32, 1000, 14);
    for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
        struct evolve_settings settings = published;
        settings.iterations = 10;
        settings.seed = s;
        struct evolve *whole = make_search(&settings, &space);
        run(whole, &space, scores[s]);
        const size_t stops[] = {0, 1, 63, 64, 65, 100, 128, 383, 384};
        for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
            struct evolve *resumed = make_search(&settings, &space);
            for (size_t id = 0; id < stops[i]; id++) {
                assert_non_null(ask(resumed));
                tell(resumed, evolve_individual(whole, (int64_t)id)->score);
            }
            run(resumed, &space, scores[s]);
            assert_int_equal(evolve_count(resumed), evolve_count(whole));
            assert_int_equal(common_beginning(resumed, whole), evolve_count(whole));
            evolve_free(resumed);
        }
        evolve_free(whole);
    }
}

/* Knots --------------------------------------------------------------------------------------- */

static const enum algorithm bred[] = {ALGORITHM_PAPER, ALGORITHM_MICROSOFT};

static struct evolve_settings knot_settings(enum algorithm algorithm, size_t knots) {
    struct evolve_settings settings = algorithm == ALGORITHM_CMA_ES ? cma_settings() : published;
    settings.algorithm = algorithm;
    settings.knots = knots;
    return settings;
}

/* A child is its better parent's table, moved at the knots and linearly between them. Where that falls it is raised, so
 * some children are not what their knots say. */
static void children_are_tables_moved_at_knots(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    for (size_t a = 0; a < sizeof bred / sizeof *bred; a++) {
        struct evolve_settings settings = knot_settings(bred[a], 5);
        settings.iterations = 3; /* the knots are not doubled before */
        struct evolve *evolve = make_search(&settings, &space);
        run(evolve, &space, distance_and_start);
        assert_all_new(evolve, &space);
        size_t moved = 0, children = 0;
        for (int64_t id = SEEDS; id < (int64_t)evolve_count(evolve); id++) {
            const struct individual *child = evolve_individual(evolve, id);
            struct genome knots, again;
            coordinates_genes(&evolve->at, &child->genome, &knots);
            coordinates_move(&evolve->at, &space, &evolve_individual(evolve, child->parents[0])->genome, &knots,
                             &again);
            children++;
            moved += genome_equal(&again, &child->genome);
        }
        assert_int_equal(evolve->at.count, 5);
        assert_true(children == 64 - SEEDS + 3 * 32 && 10 * moved >= 7 * children);
        evolve_free(evolve);
    }
}

/* Lower with every individual: no generation stalls. */
static double falling(const struct genome_space *space, const struct individual *individual) {
    (void)space;
    return 7.0 - 0.001 * (double)individual->id;
}

static void knots_are_doubled_where_progress_stalls(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    const enum algorithm all[] = {ALGORITHM_PAPER, ALGORITHM_MICROSOFT, ALGORITHM_CMA_ES};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        const struct evolve_settings settings = knot_settings(all[a], 5);
        struct evolve *stalled = make_search(&settings, &space), *steady = make_search(&settings, &space);
        run(stalled, &space, constant);
        run(steady, &space, falling);
        assert_int_equal(stalled->at.count, 32);
        assert_int_equal(steady->at.count, 5);
        assert_all_new(stalled, &space);
        assert_all_new(steady, &space);
        evolve_free(stalled);
        evolve_free(steady);
    }
}

static void a_search_on_knots_is_resumed_by_telling_it_the_scores(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    const enum algorithm all[] = {ALGORITHM_PAPER, ALGORITHM_MICROSOFT, ALGORITHM_CMA_ES};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        const struct evolve_settings settings = knot_settings(all[a], 4);
        struct evolve *whole = make_search(&settings, &space);
        run(whole, &space, coarse); /* equal scores stall it, so its knots are doubled on the way */
        assert_true(whole->at.count > 4);
        for (size_t stop = 0; stop < evolve_count(whole); stop += 97) {
            struct evolve *resumed = make_search(&settings, &space);
            for (size_t id = 0; id < stop; id++) {
                assert_non_null(ask(resumed));
                tell(resumed, evolve_individual(whole, (int64_t)id)->score);
            }
            run(resumed, &space, coarse);
            assert_int_equal(common_beginning(resumed, whole), evolve_count(whole));
            evolve_free(resumed);
        }
        evolve_free(whole);
    }
}

/* The distribution of tables is the same before and after: what one knot more can say was learned with one less. */
static void a_refinement_keeps_what_cma_es_learned(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 1);
    const struct evolve_settings knots = knot_settings(ALGORITHM_CMA_ES, 5), genes = knot_settings(ALGORITHM_CMA_ES, 0);
    struct evolve *coarse_first = make_search(&knots, &space), *fine = make_search(&genes, &space);
    run(coarse_first, &space, distance);
    run(fine, &space, distance);
    assert_true(evolve_best(coarse_first)->score < evolve_best(fine)->score * 1.5);
    evolve_free(coarse_first);
    evolve_free(fine);
}

/* Scores of generation 3 change generation 4, not what is left of 3. */
static void a_generation_does_not_see_its_own_scores(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve *a = make_search(&published, &space), *b = make_search(&published, &space);
    run(a, &space, distance);
    for (const struct individual *one; (one = ask(b));)
        tell(b, one->generation < 3 ? distance(&space, one) : -by_hash(&space, one));
    assert_int_equal(evolve_count(a), evolve_count(b));
    size_t common = common_beginning(a, b);
    assert_true(common >= 64 + 3 * 32 && common < 64 + 4 * 32);
    evolve_free(a);
    evolve_free(b);
}

/* Scores -------------------------------------------------------------------------------------- */

static void tell_next(struct evolve *evolve, double score) {
    assert_non_null(ask(evolve));
    tell(evolve, score);
}

static void not_a_number_and_infinity_have_their_places(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 1);
    struct evolve *evolve = make_search(&published, &space);
    const struct {
        double score;
        int64_t best;
    } steps[] = {{NAN, -1}, {NAN, -1}, {INFINITY, 2}, {NAN, 2},        {INFINITY, 2},   {5, 5},   {NAN, 5},
                 {5, 5},    {6, 5},    {4, 9},        {-INFINITY, 10}, {-INFINITY, 10}, {-9, 10}, {NAN, 10}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        tell_next(evolve, steps[i].score);
        const struct individual *best = evolve_best(evolve);
        assert_int_equal(best ? best->id : -1, steps[i].best);
        if (best) assert_best(evolve, &space);
    }
    evolve_free(evolve);
}

/* Tables that fail count as worse than all others: they are never the best nor a rival, the search goes on with every
 * algorithm, also if all fail, and asks the same when it is told the same. */
static void failed_tables_are_the_worst(void **state) {
    (void)state;
    const struct evolve_settings all[] = {published, microsoft_settings(), cma_settings()};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        for (int of = 1; of <= 3; of++) { /* every one, every second, every third */
            struct genome_space space = make_space(32, 1000, 14);
            struct evolve *evolve = make_search(&all[a], &space), *again = make_search(&all[a], &space);
            size_t failed = 0;
            for (const struct individual *one; (one = ask(evolve));) {
                const struct individual *same = ask(again);
                assert_true(same && genome_equal(&same->genome, &one->genome));
                const struct individual *rival = evolve_rival(evolve, evolve_ask(evolve));
                assert_true(!rival || (!rival->failed && !isnan(rival->score)));
                double score = distance(&space, one);
                if (one->id % of == 0) {
                    evolve_tell_failed(evolve, NATS(score, INFINITY), WINDOWS);
                    evolve_tell_failed(again, NATS(score, INFINITY), WINDOWS);
                    assert_true(one->failed && one->stopped && one->scored && isnan(one->score) && one->work == 0);
                    failed++;
                } else {
                    tell(evolve, score);
                    tell(again, score);
                }
            }
            assert_true(failed >= 100);
            assert_true(of == 1 ? !evolve_best(evolve) : !evolve_best(evolve)->failed);
            assert_int_equal(evolve_window_scores(evolve), evolve_count(evolve) * WINDOWS);
            evolve_free(evolve), evolve_free(again);
        }
    }
}

static void the_best_for_engines_has_no_start_tokens(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    objective *const scores[] = {distance_and_start, coarse, constant, broken, undefined};
    for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
        struct evolve *evolve = make_search(&published, &space);
        for (const struct individual *one; (one = ask(evolve));) {
            tell(evolve, scores[s](&space, one));
            if (one->id % 50 == 0) assert_best(evolve, &space);
        }
        assert_best(evolve, &space);
        evolve_free(evolve);
    }
}

/* n_hat = 0 is a value, not an index: here it comes last, or not at all. */
static void no_start_tokens_may_be_anywhere_in_the_list(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 3);
    space.start_tokens[0] = 8;
    space.start_tokens[2] = 0;
    struct evolve *evolve = make_search(&published, &space);
    tell_next(evolve, 1);
    assert_null(evolve_best_exportable(evolve));
    run(evolve, &space, distance);
    assert_best(evolve, &space);
    assert_int_equal(evolve_best_exportable(evolve)->genome.start, 2);
    evolve_free(evolve);

    space.start_count = 2;
    evolve = make_search(&published, &space);
    run(evolve, &space, distance);
    assert_non_null(evolve_best(evolve));
    assert_null(evolve_best_exportable(evolve));
    evolve_free(evolve);
}

/* Searching ----------------------------------------------------------------------------------- */

static int compare_genes(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The best of as many genomes drawn blindly: sorted uniform genes. */
static double random_search(const struct genome_space *space, size_t evaluations, unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(rng);
    gsl_rng_set(rng, seed);
    double best = INFINITY;
    for (size_t i = 0; i < evaluations; i++) {
        struct individual one = {.id = 0};
        for (int64_t j = 0; j < space->pairs; j++)
            one.genome.genes[j] = 100 + (int32_t)gsl_rng_uniform_int(rng, (unsigned long)space->largest - 99);
        qsort(one.genome.genes, (size_t)space->pairs, sizeof one.genome.genes[0], compare_genes);
        best = fmin(best, distance(space, &one));
    }
    gsl_rng_free(rng);
    return best;
}

/* The best of as many mutations of the seeds, which is the search without selection. */
static double seed_mutations(const struct genome_space *space, size_t evaluations, unsigned long seed) {
    struct evolve_settings settings = published;
    settings.population = evaluations;
    settings.iterations = 0;
    settings.seed = seed;
    struct evolve *evolve = make_search(&settings, space);
    run(evolve, space, distance);
    double best = evolve_best(evolve)->score;
    evolve_free(evolve);
    return best;
}

static void the_search_finds_much_better_tables(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    for (unsigned long seed = 1; seed <= 5; seed++) {
        struct evolve_settings settings = published;
        settings.seed = seed;
        struct evolve *evolve = make_search(&settings, &space);
        run(evolve, &space, distance);
        double found = evolve_best(evolve)->score, seeds = INFINITY;
        for (int64_t id = 0; id < SEEDS; id++) seeds = fmin(seeds, evolve_individual(evolve, id)->score);
        double blind = random_search(&space, evolve_count(evolve), seed);
        double unselected = seed_mutations(&space, evolve_count(evolve), seed);
        assert_true(found < seeds / 15);
        assert_true(found < blind / 4);
        assert_true(found < unselected / 10);
        evolve_free(evolve);
    }
}

/* As microsoft/LongRoPE has it ---------------------------------------------------------------- */

static int64_t different_places(const struct genome_space *space, const struct genome *a, const struct genome *b) {
    int64_t count = (a->start != b->start) + (a->attention != b->attention);
    for (int64_t i = 0; i < space->pairs; i++) count += a->genes[i] != b->genes[i];
    return count;
}

/* Generations, parents and novelty are the paper's; and a crossover holds genes of its two parents alone,
 * mostly the better one's. */
static void microsofts_children_are_their_better_parents_but_for_a_few_genes(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = microsoft_settings();
    struct evolve *evolve = make_search(&settings, &space);
    run(evolve, &space, distance_and_start);
    assert_int_equal(evolve_count(evolve), evolve_planned(&settings, SEEDS));
    assert_lineage(evolve, &space, &settings);
    assert_all_new(evolve, &space);
    assert_best(evolve, &space);
    double crossovers = 0, changed = 0;
    for (int64_t id = 64; id < (int64_t)evolve_count(evolve); id++) {
        const struct individual *one = evolve_individual(evolve, id);
        if (one->origin != ORIGIN_CROSSOVER) continue;
        const struct individual *better = evolve_individual(evolve, one->parents[0]);
        assert_true(!ranks_before(evolve_individual(evolve, one->parents[1]), better));
        assert_false(genome_equal(&one->genome, &better->genome));
        crossovers++;
        changed += (double)different_places(&space, &one->genome, &better->genome);
    }
    assert_true(crossovers > 400);
    assert_true(changed / crossovers < 3); /* the paper's differ in half of what their parents differ in */
    evolve_free(evolve);
}

/* Each pair is looked at with probability 0.3 and then copied with 0.5, so the first one that is copied,
 * which makes the child new, comes after 1 / 0.15 - 1 others on average. */
static void microsofts_crossover_copies_early_genes(void **state) {
    (void)state;
    enum { SEARCHES = 400 };
    struct genome_space space = make_space(64, 65000, 1);
    double before = 0;
    for (unsigned long seed = 0; seed < SEARCHES; seed++) {
        struct evolve *evolve = make_banded_search(ALGORITHM_MICROSOFT, &space, 0, 1, seed);
        run(evolve, &space, by_hash);
        const struct individual *child = evolve_individual(evolve, BREEDERS);
        const struct genome *better = &evolve_individual(evolve, child->parents[0])->genome;
        assert_int_equal(child->origin, ORIGIN_CROSSOVER);
        assert_int_equal(different_places(&space, &child->genome, better), 1);
        for (int64_t i = 0; child->genome.genes[i] == better->genes[i]; i++) before++;
        evolve_free(evolve);
    }
    assert_true(fabs(before / SEARCHES - (1 / 0.15 - 1)) < 1);
}

/* PI's genes hold each other; a pass moves the last one alone, and it is the passes after it that
 * move more. The paper's mutation, which begins again, leaves the rest where it was. */
static void microsofts_mutations_walk_on(void **state) {
    (void)state;
    struct genome_space space = make_space(4, 101, 1); /* five genomes, in a row */
    struct initial_genome seed = {.origin = ORIGIN_PI, .genome = {.genes = {101, 101, 101, 101}}};
    for (int algorithm = ALGORITHM_PAPER; algorithm <= ALGORITHM_MICROSOFT; algorithm++) {
        struct evolve_settings settings = published;
        settings.algorithm = (enum algorithm)algorithm;
        settings.population = 5;
        settings.parents = 1;
        settings.iterations = 0;
        settings.mutation_probability = 0.05; /* two genes in one pass are rare, four hardly ever happen */
        struct evolve *evolve = search_new(&settings, &space, &seed, 1);
        assert_non_null(evolve);
        if (algorithm == ALGORITHM_MICROSOFT) assert_int_equal(evolve_count(evolve), 5);
        assert_all_new(evolve, &space);
        evolve_free(evolve);
    }
}

static void microsofts_search_finds_much_better_tables(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    for (unsigned long seed = 1; seed <= 3; seed++) {
        struct evolve_settings settings = microsoft_settings();
        settings.seed = seed;
        struct evolve *evolve = make_search(&settings, &space);
        run(evolve, &space, distance);
        double seeds = INFINITY;
        for (int64_t id = 0; id < SEEDS; id++) seeds = fmin(seeds, evolve_individual(evolve, id)->score);
        assert_true(evolve_best(evolve)->score < seeds / 10);
        evolve_free(evolve);
    }
}

/* CMA-ES -------------------------------------------------------------------------------------- */

static void samples_come_in_generations_after_the_seeds(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = cma_settings();
    settings.population = 2; /* fewer than seeds: they are scored all the same */
    settings.parents = 1;
    settings.iterations = 9;
    assert_int_equal(evolve_planned(&settings, SEEDS), SEEDS + 9 * 2);
    struct evolve *evolve = make_search(&settings, &space);
    assert_int_equal(evolve_count(evolve), SEEDS);
    run(evolve, &space, distance_and_start);
    assert_int_equal(evolve_count(evolve), SEEDS + 9 * 2);
    for (int64_t id = SEEDS; id < SEEDS + 9 * 2; id++) {
        const struct individual *one = evolve_individual(evolve, id);
        assert_int_equal(one->origin, ORIGIN_SAMPLE);
        assert_true(one->generation == (id - SEEDS) / 2 + 1);
        assert_true(one->parents[0] == EVOLVE_NO_PARENT && one->parents[1] == EVOLVE_NO_PARENT);
    }
    assert_all_new(evolve, &space);
    assert_best(evolve, &space);
    evolve_free(evolve);
}

/* The first samples lie around the seed that scored best, whichever it is. */
static void samples_begin_around_the_best_seed(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 1);
    struct evolve_settings settings = cma_settings();
    settings.population = 200;
    settings.parents = 100;
    settings.iterations = 1;
    for (int64_t chosen = 0; chosen < SEEDS; chosen++) {
        struct evolve *evolve = make_search(&settings, &space);
        for (const struct individual *one; (one = ask(evolve));) tell(evolve, one->id == chosen ? 0 : 1);
        for (int64_t i = 0; i < space.pairs; i++) {
            double seed = log(evolve_individual(evolve, chosen)->genome.genes[i] / 100.0), mean = 0, most = 0;
            for (int64_t id = SEEDS; id < (int64_t)evolve_count(evolve); id++) {
                double gene = log(evolve_individual(evolve, id)->genome.genes[i] / 100.0);
                mean += gene / 200;
                most = fmax(most, fabs(gene - seed));
            }
            assert_true(fabs(mean - seed) < 0.15);
            assert_true(most < 0.8);
            if (i == 0 && chosen > 0) assert_true(most < 0.05); /* fast pairs bear little; PI's hold each other */
            if (i == 20) assert_true(most > 0.1);
        }
        evolve_free(evolve);
    }
}

/* As on the demo model: fast pairs matter most. */
static double weighted_distance(const struct genome_space *space, const struct individual *individual) {
    double sum = 0, top = log(space->largest / 125.0);
    for (int64_t i = 0; i < space->pairs; i++) {
        double x = ((double)i + 0.5) / (double)space->pairs, weight = 0.6 * exp(-13 * x) + 0.2 * exp(-2.7 * x);
        double target = top / (1 + exp(-12 * (x - 0.4)));
        sum += weight * pow(log((double)individual->genome.genes[i] / space->unit) - target, 2);
    }
    return sum + 0.002 * individual->genome.start;
}

/* In a few hundred evaluations what takes the genetic search more than a thousand. */
static void cma_es_needs_fewer_evaluations(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    for (unsigned long seed = 1; seed <= 5; seed++) {
        struct evolve_settings genetic = published, cma = cma_settings();
        genetic.seed = cma.seed = seed;
        struct evolve *slow = make_search(&genetic, &space), *fast = make_search(&cma, &space);
        run(slow, &space, weighted_distance);
        run(fast, &space, weighted_distance);
        assert_true(2 * evolve_count(fast) < evolve_count(slow));
        assert_true(evolve_best(fast)->score < evolve_best(slow)->score);
        evolve_free(slow);
        evolve_free(fast);
    }
}

static double best_start(const struct genome_space *space, const struct individual *individual) {
    return distance(space, individual) + 3 * fabs(individual->genome.start - 3.0);
}

static double best_attention(const struct genome_space *space, const struct individual *individual) {
    (void)space;
    return fabs(individual->genome.attention - 1111.0);
}

/* n_hat's probabilities go to the value that scores best, and the others are still drawn. */
static void start_tokens_are_learnt(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = cma_settings();
    struct evolve *evolve = make_search(&settings, &space);
    run(evolve, &space, best_start);
    int64_t right = 0, wrong = 0, late = (int64_t)evolve_count(evolve) - 20 * 12;
    for (int64_t id = late; id < (int64_t)evolve_count(evolve); id++) {
        right += evolve_individual(evolve, id)->genome.start == 3;
        wrong += evolve_individual(evolve, id)->genome.start != 3;
    }
    assert_true(right > 200 && wrong > 0);
    evolve_free(evolve);
}

static struct genome_space attention_space(void) {
    struct genome_space space = make_space(32, 1000, 1);
    space.attention_unit = 1000;
    space.attention_low = 800;
    space.attention_high = 1200;
    return space;
}

static void the_attention_factor_is_searched(void **state) {
    (void)state;
    struct genome_space space = attention_space();
    const struct evolve_settings all[] = {published, microsoft_settings(), cma_settings()};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        struct evolve *evolve = make_search(&all[a], &space);
        assert_int_equal(evolve_individual(evolve, 0)->genome.attention, 1000);
        run(evolve, &space, best_attention);
        assert_true(evolve_best(evolve)->score <= 2);
        assert_all_new(evolve, &space);
        evolve_free(evolve);
    }
}

static void cma_es_ends_where_nothing_is_new(void **state) {
    (void)state;
    const struct genome_space spaces[] = {make_space(1, 100, 1), make_space(1, 103, 1), make_space(2, 102, 2)};
    const size_t genomes[] = {1, 4, 12};
    for (size_t i = 0; i < 3; i++) {
        struct evolve_settings settings = cma_settings();
        settings.iterations = 1000;
        struct evolve *evolve = make_search(&settings, &spaces[i]);
        run(evolve, &spaces[i], by_hash);
        assert_true(evolve_count(evolve) >= 1 && evolve_count(evolve) <= genomes[i]);
        assert_all_new(evolve, &spaces[i]);
        assert_null(ask(evolve));
        evolve_free(evolve);
    }
}

/* Scores that are no numbers must not end in genomes that are none. */
static void cma_es_survives_bad_scores(void **state) {
    (void)state;
    objective *const scores[] = {undefined, broken, constant, coarse};
    struct genome_space space = attention_space();
    for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
        struct evolve_settings settings = cma_settings();
        struct evolve *evolve = make_search(&settings, &space);
        run(evolve, &space, scores[s]);
        assert_int_equal(evolve_count(evolve), evolve_planned(&settings, SEEDS));
        assert_all_new(evolve, &space);
        assert_best(evolve, &space);
        evolve_free(evolve);
    }
}

static void cma_es_is_resumed_by_telling_it_the_scores(void **state) {
    (void)state;
    struct genome_space space = attention_space();
    struct evolve_settings settings = cma_settings();
    struct evolve *whole = make_search(&settings, &space);
    run(whole, &space, distance);
    const size_t stops[] = {0, 2, 3, 4, 15, 100, 602, 603};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        struct evolve *resumed = make_search(&settings, &space);
        for (size_t id = 0; id < stops[i]; id++) {
            assert_non_null(ask(resumed));
            tell(resumed, evolve_individual(whole, (int64_t)id)->score);
        }
        run(resumed, &space, distance);
        assert_int_equal(evolve_count(resumed), evolve_count(whole));
        assert_int_equal(common_beginning(resumed, whole), evolve_count(whole));
        evolve_free(resumed);
    }
    evolve_free(whole);
}

/* LongRoPE2's space --------------------------------------------------------------------------- */

static struct genome_space critical_space(void) {
    struct genome_space space = make_space(64, 3200, 1);
    space.smallest = 1600, space.critical_low = 27, space.critical_high = 35;
    return space;
}

/* Squared distance, in logarithms, from NTK to pair 31 and a curve from 20 to 28 behind it. */
static double critical_distance(const struct genome_space *space, const struct individual *individual) {
    double factors[ROPE_MAX_PAIRS], sum = 0;
    genome_factors(space, &individual->genome, factors);
    for (int64_t i = 0; i < space->pairs; i++) {
        double target = i < 31 ? pow(20, (double)i / 31) : 20 + 8 * pow((double)(i - 31) / 32, 2);
        sum += pow(log(factors[i] / target), 2);
    }
    return sum;
}

static struct evolve *make_critical_search(const struct evolve_settings *settings, const struct genome_space *space) {
    struct initial_genome begin = {.origin = ORIGIN_CRITICAL_NTK};
    double factors[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < space->pairs; i++) {
        factors[i] = i < 35 ? pow(16, (double)i / 35) : 16 + 8 * (double)(i - 35) / 28;
    }
    genome_from_factors(space, factors, 0, 1.0, &begin.genome);
    struct evolve *evolve = search_new(settings, space, &begin, 1);
    assert_non_null(evolve);
    return evolve;
}

/* Every algorithm stays in the space, moves the critical pair and the genes nearer to a table off its beginning, and
 * does the same again. */
static void all_algorithms_search_the_critical_space(void **state) {
    (void)state;
    struct genome_space space = critical_space();
    struct evolve_settings all[] = {published, microsoft_settings(), cma_settings(), published};
    all[3].algorithm = ALGORITHM_LONGROPE2, all[3].population = 128;
    for (size_t s = 0; s < sizeof all / sizeof *all; s++) {
        struct evolve *one = make_critical_search(&all[s], &space), *two = make_critical_search(&all[s], &space);
        run(one, &space, critical_distance), run(two, &space, critical_distance);
        assert_int_equal(evolve_count(one), evolve_planned(&all[s], 1));
        assert_all_new(one, &space);
        assert_int_equal(common_beginning(one, two), evolve_count(one));
        bool seen[ROPE_MAX_PAIRS] = {false};
        int values = 0;
        for (size_t i = 0; i < evolve_count(one); i++) {
            int32_t critical = evolve_individual(one, (int64_t)i)->genome.critical;
            values += !seen[critical];
            seen[critical] = true;
        }
        assert_true(values > 1);
        assert_true(evolve_best(one)->score < 0.5 * evolve_individual(one, 0)->score);
        evolve_free(one), evolve_free(two);
    }
}

/* Without the critical pair the two are one. */
static void longrope2_has_the_papers_operators(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 14);
    struct evolve_settings settings = published;
    struct evolve *paper = make_search(&settings, &space);
    settings.algorithm = ALGORITHM_LONGROPE2;
    struct evolve *longrope2 = make_search(&settings, &space);
    run(paper, &space, distance), run(longrope2, &space, distance);
    assert_int_equal(common_beginning(paper, longrope2), evolve_planned(&settings, SEEDS));
    evolve_free(paper), evolve_free(longrope2);
}

/* Giving up ----------------------------------------------------------------------------------- */

static const struct individual *rival_of(const struct evolve *evolve) { return evolve_rival(evolve, &evolve->request); }

/* Gives up every individual that may be given up; how many. */
static size_t run_stopping(struct evolve *evolve, const struct genome_space *space, objective *f) {
    size_t stopped = 0;
    for (const struct individual *one; (one = ask(evolve));) {
        double score = f(space, one);
        const struct individual *rival = rival_of(evolve);
        bool lower = rival && (score < rival->score || (isnan(rival->score) && !isnan(score)));
        if (rival && !lower) {
            tell_stopped(evolve);
            stopped++;
            assert_true(one->stopped && one->scored && isnan(one->score) && one->work == 0);
        } else {
            tell(evolve, score);
            assert_true(!one->stopped && one->work == evolve_window_scores(evolve));
        }
    }
    return stopped;
}

static int64_t id_or_none(const struct individual *one) { return one ? one->id : EVOLVE_NO_PARENT; }

/* What is given up as soon as its score is known to be no lower than its rival's changes nothing. */
static void giving_up_changes_nothing(void **state) {
    (void)state;
    objective *const scores[] = {distance_and_start, distance, coarse, broken, by_hash, constant};
    const struct evolve_settings all[] = {published, microsoft_settings(), cma_settings()};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        for (size_t s = 0; s < sizeof scores / sizeof *scores; s++) {
            struct evolve_settings settings = all[a];
            if (s % 2) settings.parents = s;
            settings.seed = s;
            struct genome_space space = make_space(32, 1000, s % 3 ? 14 : 1);
            struct evolve *whole = make_search(&settings, &space), *raced = make_search(&settings, &space);
            run(whole, &space, scores[s]);
            size_t stopped = run_stopping(raced, &space, scores[s]);
            assert_true(stopped >= 100);
            assert_int_equal(evolve_count(raced), evolve_count(whole));
            assert_int_equal(common_beginning(raced, whole), evolve_count(whole));
            assert_true(id_or_none(evolve_best(raced)) == id_or_none(evolve_best(whole)));
            assert_true(id_or_none(evolve_best_exportable(raced)) == id_or_none(evolve_best_exportable(whole)));
            evolve_free(whole);
            evolve_free(raced);
        }
    }
}

/* With CMA-ES a generation's first individuals have nobody to beat, whatever was scored before. */
static void rivals_are_of_the_generation_under_way(void **state) {
    (void)state;
    struct genome_space space = make_space(32, 1000, 1);
    struct evolve_settings settings = cma_settings();
    struct evolve *evolve = make_search(&settings, &space);
    double scores[12];
    for (const struct individual *one; (one = ask(evolve)) && one->generation < 20;) {
        size_t place = one->generation == 0 ? (size_t)one->id : (size_t)(one->id - SEEDS) % 12;
        const struct individual *rival = rival_of(evolve);
        if (place < 6) {
            assert_null(rival);
        } else {
            /* the worse of the sixth of them and the best of all, which has n_hat = 0 as all have */
            double sixth = scores[5], best = evolve_best(evolve)->score;
            assert_true(rival->score == fmax(sixth, best));
        }
        double score = distance(&space, one);
        size_t at = place;
        for (; at > 0 && scores[at - 1] > score; at--) scores[at] = scores[at - 1];
        scores[at] = score;
        tell(evolve, score);
    }
    evolve_free(evolve);
}

/* Requests ahead ------------------------------------------------------------------------------ */

/* What was ahead at some request, and the scores of the rivals as far as they were known then. */
struct foreseen {
    size_t count;
    int64_t ids[200];
    double rivals[200]; /* infinite: none */
};

static double score_or_infinity(const struct individual *one) {
    return one && !isnan(one->score) ? one->score : INFINITY;
}

static void foresee(const struct evolve *evolve, struct foreseen *out) {
    out->count = evolve_ahead(evolve);
    assert_true(out->count >= 1 && out->count <= 200);
    for (size_t i = 0; i < out->count; i++) {
        const struct evolve_request request = evolve_ahead_at(evolve, i);
        assert_int_equal(request.count, WINDOWS);
        out->ids[i] = request.individual->id;
        out->rivals[i] = score_or_infinity(evolve_rival(evolve, &request));
    }
}

/* What was foreseen comes, and rivals do not become worse. */
static void assert_foreseen(const struct foreseen *before, const struct foreseen *now) {
    for (size_t i = 1; i < before->count; i++) {
        assert_true(i - 1 < now->count);
        assert_int_equal(before->ids[i], now->ids[i - 1]);
        assert_true(now->rivals[i - 1] <= before->rivals[i]);
    }
}

/* Gives up every second individual that may be given up; the rest of the generation is ahead of each, as far as the
 * budget is certain to reach. */
static void assert_ahead(struct evolve *evolve, const struct genome_space *space) {
    struct foreseen before = {.count = 0}, now;
    size_t evaluations = evolve->settings.evaluations, most = evaluations ? evaluations * WINDOWS : SIZE_MAX;
    assert_int_equal(evolve_ahead(evolve), 0);
    for (const struct individual *one; (one = ask(evolve)); before = now) {
        foresee(evolve, &now);
        assert_int_equal(now.ids[0], one->id);
        assert_foreseen(&before, &now);
        size_t left = (most - evolve_window_scores(evolve)) / WINDOWS;
        size_t rest = evolve_count(evolve) - (size_t)one->id;
        assert_int_equal(now.count, left < rest ? left : rest);
        double score = distance_and_start(space, one);
        bool lost = rival_of(evolve) && score > rival_of(evolve)->score;
        if (lost && one->id % 2) {
            tell_stopped(evolve);
        } else {
            tell(evolve, score);
        }
        assert_int_equal(evolve_ahead(evolve), 0);
    }
    assert_int_equal(evolve_ahead(evolve), 0);
}

static void what_is_ahead_comes(void **state) {
    (void)state;
    struct genome_space space = make_space(16, 1000, 14);
    const struct evolve_settings all[] = {published, microsoft_settings(), cma_settings()};
    const size_t budgets[] = {0, 1, 30, 100, 257};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
            struct evolve_settings settings = all[a];
            settings.evaluations = budgets[b];
            settings.iterations = 12;
            struct evolve *evolve = make_search(&settings, &space);
            assert_ahead(evolve, &space);
            evolve_free(evolve);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_have_names),
        cmocka_unit_test(plans_too_large_are_refused),
        cmocka_unit_test(a_smaller_budget_scores_the_first_of_a_larger),
        cmocka_unit_test(a_budget_makes_a_plan_small),
        cmocka_unit_test(first_population_is_seeds_then_their_mutations),
        cmocka_unit_test(equal_seeds_enter_once),
        cmocka_unit_test(a_small_population_takes_the_first_seeds),
        cmocka_unit_test(ask_repeats_until_told),
        cmocka_unit_test(generations_have_the_children_set),
        cmocka_unit_test(children_come_from_the_best_so_far),
        cmocka_unit_test(every_parent_mutates_as_often),
        cmocka_unit_test(every_pair_crosses_as_often),
        cmocka_unit_test(a_failed_crossover_is_a_mutation_of_the_better),
        cmocka_unit_test(a_lone_parent_mutates_instead_of_crossing),
        cmocka_unit_test(no_genome_is_proposed_twice),
        cmocka_unit_test(small_spaces_are_exhausted),
        cmocka_unit_test(without_children_the_search_ends),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(told_the_same_scores_it_proposes_the_same),
        cmocka_unit_test(children_are_tables_moved_at_knots),
        cmocka_unit_test(knots_are_doubled_where_progress_stalls),
        cmocka_unit_test(a_search_on_knots_is_resumed_by_telling_it_the_scores),
        cmocka_unit_test(a_refinement_keeps_what_cma_es_learned),
        cmocka_unit_test(a_generation_does_not_see_its_own_scores),
        cmocka_unit_test(not_a_number_and_infinity_have_their_places),
        cmocka_unit_test(failed_tables_are_the_worst),
        cmocka_unit_test(the_best_for_engines_has_no_start_tokens),
        cmocka_unit_test(no_start_tokens_may_be_anywhere_in_the_list),
        cmocka_unit_test(the_search_finds_much_better_tables),
        cmocka_unit_test(microsofts_children_are_their_better_parents_but_for_a_few_genes),
        cmocka_unit_test(microsofts_crossover_copies_early_genes),
        cmocka_unit_test(microsofts_mutations_walk_on),
        cmocka_unit_test(microsofts_search_finds_much_better_tables),
        cmocka_unit_test(samples_come_in_generations_after_the_seeds),
        cmocka_unit_test(samples_begin_around_the_best_seed),
        cmocka_unit_test(cma_es_needs_fewer_evaluations),
        cmocka_unit_test(start_tokens_are_learnt),
        cmocka_unit_test(the_attention_factor_is_searched),
        cmocka_unit_test(cma_es_ends_where_nothing_is_new),
        cmocka_unit_test(cma_es_survives_bad_scores),
        cmocka_unit_test(cma_es_is_resumed_by_telling_it_the_scores),
        cmocka_unit_test(all_algorithms_search_the_critical_space),
        cmocka_unit_test(longrope2_has_the_papers_operators),
        cmocka_unit_test(giving_up_changes_nothing),
        cmocka_unit_test(rivals_are_of_the_generation_under_way),
        cmocka_unit_test(what_is_ahead_comes),
    };
    return cmocka_run_group_tests_name("evolve", tests, NULL, NULL);
}
