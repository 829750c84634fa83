/* The genetic search. Genomes are made a generation at a time, when everything before has been
 * scored, so a generation's genomes can depend only on the scores of earlier ones. */
#include "search/evolve.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct evolve {
    struct evolve_settings settings;
    struct genome_space space;
    gsl_rng rng;                    /* its state is ours, see allocate() */
    struct individual *individuals; /* [capacity], the first `count` made, the first `told` scored */
    size_t capacity;                /* evolve_planned(): more are never made, so nothing grows */
    size_t count;
    size_t told;
    size_t seed_count; /* distinct seeds, which are the first individuals */
    int64_t generation;
    bool asked;              /* individual `told` was handed out */
    bool over;               /* ask answers NULL from now on */
    size_t *ranked;          /* [settings.parents] ids of the best scored, best first */
    size_t ranked_count;     /* how many there are yet */
    int64_t best_exportable; /* id, EVOLVE_NO_PARENT for none yet */
    size_t *slots;           /* [slot_mask + 1] open addressing over genomes: id + 1, 0 where free */
    size_t slot_mask;        /* a power of two less one; at most half of the slots are ever used */
};

/* Origins ------------------------------------------------------------------------------------- */

static const char *const origin_names[ORIGIN_COUNT] = {
    [ORIGIN_PI] = "pi",
    [ORIGIN_NTK] = "ntk",
    [ORIGIN_YARN] = "yarn",
    [ORIGIN_MUTATION] = "mutation",
    [ORIGIN_CROSSOVER] = "crossover",
};

const char *origin_name(enum origin origin) {
    assert((unsigned)origin < ORIGIN_COUNT);
    return origin_names[origin];
}

bool origin_parse(const char *name, enum origin *out) {
    for (int i = 0; i < ORIGIN_COUNT; i++) {
        if (strcmp(name, origin_names[i]) != 0) continue;
        *out = (enum origin)i;
        return true;
    }
    return false;
}

/* Seen genomes -------------------------------------------------------------------------------- */

/* The slot that holds the genome, or the free one where it belongs. */
static size_t *find_slot(struct evolve *evolve, const struct genome *genome) {
    size_t i = (size_t)genome_hash(genome) & evolve->slot_mask;
    while (evolve->slots[i] != 0 && !genome_equal(&evolve->individuals[evolve->slots[i] - 1].genome, genome)) {
        i = (i + 1) & evolve->slot_mask;
    }
    return &evolve->slots[i];
}

/* Making individuals -------------------------------------------------------------------------- */

/* The place of the next individual. Its genome is written there and tried; it is one of the
 * individuals only once add_if_new() has taken it. */
static struct individual *next_place(struct evolve *evolve) {
    assert(evolve->count < evolve->capacity);
    return &evolve->individuals[evolve->count];
}

/* Takes the genome in next_place() as an individual of the generation under way; false, and
 * nothing changes, where it was seen before. */
static bool add_if_new(struct evolve *evolve, enum origin origin, int64_t first_parent, int64_t second_parent) {
    struct individual *child = next_place(evolve);
    size_t *slot = find_slot(evolve, &child->genome);
    if (*slot != 0) return false;
    child->id = (int64_t)evolve->count;
    child->generation = evolve->generation;
    child->origin = origin;
    child->parents[0] = first_parent;
    child->parents[1] = second_parent;
    child->scored = false;
    child->score = NAN;
    evolve->count++;
    *slot = evolve->count;
    return true;
}

/* Uniform in 0..count-1. */
static size_t random_index(struct evolve *evolve, size_t count) {
    assert(count >= 1 && count - 1 <= gsl_rng_max(&evolve->rng) - gsl_rng_min(&evolve->rng)); /* GSL aborts outside */
    return gsl_rng_uniform_int(&evolve->rng, count);
}

/* One of those that breed, each as likely: the best so far, or the seeds while nothing is scored. */
static size_t random_parent(struct evolve *evolve) {
    if (evolve->ranked_count == 0) return random_index(evolve, evolve->seed_count);
    return evolve->ranked[random_index(evolve, evolve->ranked_count)];
}

/* An unseen mutation of the parent, if it can be found. The parent is kept for all the tries: with
 * a new one for each, a parent whose mutations often change nothing (PI, where every gene is held
 * by equal neighbours) would have fewer children than the rest. */
static void add_mutation_of(struct evolve *evolve, size_t parent) {
    struct individual *child = next_place(evolve);
    for (int tries = 0; tries < EVOLVE_MUTATION_TRIES; tries++) {
        genome_mutate(&evolve->space, &evolve->individuals[parent].genome, evolve->settings.mutation_probability,
                      &evolve->rng, &child->genome);
        if (add_if_new(evolve, ORIGIN_MUTATION, (int64_t)parent, EVOLVE_NO_PARENT)) return;
    }
}

/* An unseen crossover of the two, or else a mutation of the better. */
static void add_crossover_of(struct evolve *evolve, size_t better, size_t worse) {
    struct individual *child = next_place(evolve);
    for (int tries = 0; tries < EVOLVE_CROSSOVER_TRIES; tries++) {
        if (genome_crossover(&evolve->space, &evolve->individuals[better].genome, &evolve->individuals[worse].genome,
                             &evolve->rng, &child->genome) &&
            add_if_new(evolve, ORIGIN_CROSSOVER, (int64_t)better, (int64_t)worse))
            return;
    }
    add_mutation_of(evolve, better);
}

/* The same of any two of those that breed; a mutation where there is but one. */
static void add_crossover(struct evolve *evolve) {
    if (evolve->ranked_count < 2) {
        add_mutation_of(evolve, random_parent(evolve));
        return;
    }
    /* Two different ranks, every pair as likely as any other: the second draw skips the first. */
    size_t a = random_index(evolve, evolve->ranked_count);
    size_t b = random_index(evolve, evolve->ranked_count - 1);
    if (b >= a) b++;
    add_crossover_of(evolve, evolve->ranked[a < b ? a : b], evolve->ranked[a < b ? b : a]);
}

/* Generations --------------------------------------------------------------------------------- */

static void make_first_population(struct evolve *evolve, const struct seed_genome *seeds, size_t seed_count) {
    size_t population = evolve->settings.population;
    for (size_t i = 0; i < seed_count && evolve->count < population; i++) {
        assert(genome_valid(&evolve->space, &seeds[i].genome));
        next_place(evolve)->genome = seeds[i].genome;
        add_if_new(evolve, seeds[i].origin, EVOLVE_NO_PARENT, EVOLVE_NO_PARENT);
    }
    evolve->seed_count = evolve->count;
    for (size_t place = evolve->count; place < population; place++) add_mutation_of(evolve, random_parent(evolve));
}

/* Makes the next generation, or ends the search. */
static void next_generation(struct evolve *evolve) {
    const struct evolve_settings *settings = &evolve->settings;
    size_t before = evolve->count;
    if ((size_t)evolve->generation < settings->iterations) {
        evolve->generation++;
        for (size_t i = 0; i < settings->mutations; i++) add_mutation_of(evolve, random_parent(evolve));
        for (size_t i = 0; i < settings->crossovers; i++) add_crossover(evolve);
        if (evolve->count == before) evolve->generation--;
    }
    evolve->over = evolve->count == before;
}

/* Creating and freeing ------------------------------------------------------------------------ */

/* Saturates, so that a plan too large to count is also too large to allocate. */
size_t evolve_planned(const struct evolve_settings *settings) {
    size_t children = 0, planned = 0;
    if (__builtin_add_overflow(settings->mutations, settings->crossovers, &children) ||
        __builtin_mul_overflow(settings->iterations, children, &planned) ||
        __builtin_add_overflow(settings->population, planned, &planned))
        return SIZE_MAX;
    return planned;
}

/* Everything the search will ever need, so that asking and telling cannot fail. The state of the
 * random stream is allocated here because gsl_rng_alloc() ends the program when memory is short. */
static bool allocate(struct evolve *evolve) {
    if (evolve->capacity > PTRDIFF_MAX / sizeof *evolve->individuals) return false;
    size_t slot_count = 2;
    while (slot_count < 2 * evolve->capacity) slot_count *= 2;
    evolve->slot_mask = slot_count - 1;
    evolve->slots = calloc(slot_count, sizeof *evolve->slots);
    evolve->individuals = calloc(evolve->capacity, sizeof *evolve->individuals);
    evolve->ranked = calloc(evolve->settings.parents, sizeof *evolve->ranked);
    evolve->rng.type = gsl_rng_mt19937;
    evolve->rng.state = calloc(1, gsl_rng_mt19937->size);
    return evolve->slots && evolve->individuals && evolve->ranked && evolve->rng.state;
}

static void assert_settings(const struct evolve_settings *settings) {
    assert(settings->population >= 1);
    assert(settings->parents >= 1 && settings->parents <= settings->population);
    assert(settings->mutation_probability >= 0 && settings->mutation_probability <= 1);
    (void)settings;
}

struct evolve *evolve_new(const struct evolve_settings *settings, const struct genome_space *space,
                          const struct seed_genome *seeds, size_t seed_count) {
    assert_settings(settings);
    assert(seed_count >= 1);
    struct evolve *evolve = calloc(1, sizeof *evolve);
    if (!evolve) return NULL;
    evolve->settings = *settings;
    evolve->space = *space;
    evolve->capacity = evolve_planned(settings);
    evolve->best_exportable = EVOLVE_NO_PARENT;
    if (!allocate(evolve)) {
        evolve_free(evolve);
        return NULL;
    }
    /* To GSL a seed of 0 means the generator's default: the stream of 0 is that of 4357. Otherwise
     * it takes the lower 32 bits. */
    gsl_rng_set(&evolve->rng, settings->seed);
    make_first_population(evolve, seeds, seed_count);
    return evolve;
}

void evolve_free(struct evolve *evolve) {
    if (!evolve) return;
    free(evolve->individuals);
    free(evolve->ranked);
    free(evolve->slots);
    free(evolve->rng.state);
    free(evolve);
}

/* Ask and tell -------------------------------------------------------------------------------- */

const struct individual *evolve_ask(struct evolve *evolve) {
    if (evolve->told == evolve->count && !evolve->over) next_generation(evolve);
    if (evolve->over) return NULL;
    evolve->asked = true;
    return &evolve->individuals[evolve->told];
}

/* NaN is worse than everything and equal to itself. */
static bool is_better(double a, double b) { return a < b || (isnan(b) && !isnan(a)); }

/* Scores come in the order of ids, so one that moves up only past worse ones stays behind its
 * older equals. */
static void rank(struct evolve *evolve, size_t id) {
    double score = evolve->individuals[id].score;
    size_t at = evolve->ranked_count;
    while (at > 0 && is_better(score, evolve->individuals[evolve->ranked[at - 1]].score)) at--;
    if (at == evolve->settings.parents) return;
    if (evolve->ranked_count < evolve->settings.parents) evolve->ranked_count++;
    memmove(&evolve->ranked[at + 1], &evolve->ranked[at], (evolve->ranked_count - at - 1) * sizeof *evolve->ranked);
    evolve->ranked[at] = id;
}

static void note_exportable(struct evolve *evolve, const struct individual *individual) {
    if (evolve->space.start_tokens[individual->genome.start] != 0) return;
    if (evolve->best_exportable == EVOLVE_NO_PARENT ||
        is_better(individual->score, evolve->individuals[evolve->best_exportable].score))
        evolve->best_exportable = individual->id;
}

void evolve_tell(struct evolve *evolve, double score) {
    assert(evolve->asked && evolve->told < evolve->count);
    struct individual *individual = &evolve->individuals[evolve->told];
    individual->scored = true;
    individual->score = score;
    rank(evolve, evolve->told);
    note_exportable(evolve, individual);
    evolve->asked = false;
    evolve->told++;
}

/* Looking ------------------------------------------------------------------------------------- */

int64_t evolve_generation(const struct evolve *evolve) { return evolve->generation; }

size_t evolve_count(const struct evolve *evolve) { return evolve->count; }

size_t evolve_scored(const struct evolve *evolve) { return evolve->told; }

const struct individual *evolve_individual(const struct evolve *evolve, int64_t id) {
    assert(id >= 0 && (size_t)id < evolve->count);
    return &evolve->individuals[id];
}

const struct individual *evolve_best(const struct evolve *evolve) {
    return evolve->ranked_count > 0 ? &evolve->individuals[evolve->ranked[0]] : NULL;
}

const struct individual *evolve_best_exportable(const struct evolve *evolve) {
    return evolve->best_exportable != EVOLVE_NO_PARENT ? &evolve->individuals[evolve->best_exportable] : NULL;
}
