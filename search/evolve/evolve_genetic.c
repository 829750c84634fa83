/* ALGORITHM_PAPER, ALGORITHM_LONGROPE2 and ALGORITHM_MICROSOFT: genomes are mutations and crossovers of the best so
 * far. */
#include <assert.h>

#include "search/evolve/evolve_state.h"

/* Parents ------------------------------------------------------------------------------------- */

/* Uniform in 0..count-1. */
static size_t random_index(struct evolve *evolve, size_t count) {
    assert(count >= 1 && count - 1 <= gsl_rng_max(&evolve->rng) - gsl_rng_min(&evolve->rng)); /* GSL aborts outside */
    return gsl_rng_uniform_int(&evolve->rng, count);
}

/* One of the parents, each with equal probability; one of the initial genomes before anything is scored. */
static size_t random_parent(struct evolve *evolve) {
    if (evolve->parents.count == 0) return random_index(evolve, evolve->initial_count);
    return evolve->parents.items[random_index(evolve, evolve->parents.count)].id;
}

/* Mutation ------------------------------------------------------------------------------------ */

/* microsoft/LongRoPE mutates the last attempt again, so that each attempt moves further from the parent. The paper's
 * mutation starts at the parent each time. */
static void mutate_genes(struct evolve *evolve, const struct genome_space *space, const struct genome *parent,
                         struct genome *child) {
    double probability = evolve->settings.mutation_probability;
    if (evolve->settings.algorithm != ALGORITHM_MICROSOFT) {
        genome_mutate(space, parent, probability, &evolve->rng, child);
        return;
    }
    *child = *parent;
    genome_mutate_in_place(space, probability, &evolve->rng, child);
}

static void mutate(struct evolve *evolve, const struct genome *parent, bool again, struct genome *child) {
    const struct genome last = *child,
                        *from = again && evolve->settings.algorithm == ALGORITHM_MICROSOFT ? &last : parent;
    if (evolve->settings.knots == 0) {
        mutate_genes(evolve, &evolve->space, from, child);
        return;
    }
    struct genome knots, moved;
    coordinates_genes(&evolve->at, from, &knots);
    mutate_genes(evolve, &evolve->knot_space, &knots, &moved);
    coordinates_move(&evolve->at, &evolve->space, from, &moved, child);
}

/* Adds a new mutation of the parent, if one is found. All tries use the same parent: otherwise a parent whose mutations
 * often change nothing (PI, whose genes are all equal) would have fewer children than the others. */
static void add_mutation_of(struct evolve *evolve, size_t parent) {
    struct individual *child = evolve_next_individual(evolve);
    for (int tries = 0; tries < EVOLVE_MUTATION_TRIES; tries++) {
        mutate(evolve, &evolve->individuals[parent].genome, tries > 0, &child->genome);
        if (evolve_add_if_new(evolve, ORIGIN_MUTATION, (int64_t)parent, EVOLVE_NO_PARENT)) return;
    }
}

/* Crossover ----------------------------------------------------------------------------------- */

/* Two parents as the operators see them: whole genomes, or the genes of the knots. */
struct pair {
    const struct genome_space *space;
    const struct genome *whole; /* the better one; its table is moved to a child's knots */
    struct genome better, worse;
};

static struct pair pair_of(const struct evolve *evolve, size_t better, size_t worse) {
    const struct genome *a = &evolve->individuals[better].genome, *b = &evolve->individuals[worse].genome;
    struct pair pair = {.space = &evolve->space, .whole = a, .better = *a, .worse = *b};
    if (evolve->settings.knots == 0) return pair;
    pair.space = &evolve->knot_space;
    coordinates_genes(&evolve->at, a, &pair.better);
    coordinates_genes(&evolve->at, b, &pair.worse);
    return pair;
}

static bool add_child(struct evolve *evolve, const struct pair *pair, const struct genome *genes, size_t better,
                      size_t worse) {
    struct genome *child = &evolve_next_individual(evolve)->genome;
    if (evolve->settings.knots == 0) {
        *child = *genes;
    } else {
        coordinates_move(&evolve->at, &evolve->space, pair->whole, genes, child);
    }
    return evolve_add_if_new(evolve, ORIGIN_CROSSOVER, (int64_t)better, (int64_t)worse);
}

static bool add_crossover_as_published(struct evolve *evolve, size_t better, size_t worse) {
    const struct pair pair = pair_of(evolve, better, worse);
    struct genome child;
    for (int tries = 0; tries < EVOLVE_CROSSOVER_TRIES; tries++) {
        if (genome_crossover(pair.space, &pair.better, &pair.worse, &evolve->rng, &child) &&
            add_child(evolve, &pair, &child, better, worse))
            return true;
    }
    return false;
}

/* microsoft/LongRoPE's crossover: single genes of the worse parent are copied to the better until the result is new.
 * Each try continues with the copies of the last one. */
static bool add_crossover_gene_by_gene(struct evolve *evolve, size_t better, size_t worse) {
    static const double look = 0.3, copy = 0.5; /* probabilities, constants of its source */
    const struct pair pair = pair_of(evolve, better, worse);
    struct genome child = pair.better;
    for (int tries = 0; tries < EVOLVE_CROSSOVER_TRIES; tries++) {
        for (int64_t c = 0; c < genome_components(pair.space); c++) {
            if (gsl_rng_uniform(&evolve->rng) >= look) continue;
            if (gsl_rng_uniform(&evolve->rng) < copy) genome_copy_component(pair.space, c, &pair.worse, &child);
            if (genome_valid(pair.space, &child) && add_child(evolve, &pair, &child, better, worse)) return true;
        }
    }
    return false;
}

/* Adds a new crossover of the two, or else a mutation of the better. */
static void add_crossover_of(struct evolve *evolve, size_t better, size_t worse) {
    bool added = evolve->settings.algorithm == ALGORITHM_MICROSOFT ? add_crossover_gene_by_gene(evolve, better, worse)
                                                                   : add_crossover_as_published(evolve, better, worse);
    if (!added) add_mutation_of(evolve, better);
}

/* Adds a crossover of two random parents, or a mutation where there is only one. */
static void add_crossover(struct evolve *evolve) {
    if (evolve->parents.count < 2) {
        add_mutation_of(evolve, random_parent(evolve));
        return;
    }
    /* Two different ranks, every pair as likely as any other: the second draw skips the first. */
    size_t a = random_index(evolve, evolve->parents.count);
    size_t b = random_index(evolve, evolve->parents.count - 1);
    if (b >= a) b++;
    const struct ranked *parents = evolve->parents.items;
    add_crossover_of(evolve, parents[a < b ? a : b].id, parents[a < b ? b : a].id);
}

/* Generations --------------------------------------------------------------------------------- */

void evolve_genetic_population(struct evolve *evolve) {
    size_t population = evolve->settings.population;
    for (size_t i = evolve->count; i < population; i++) add_mutation_of(evolve, random_parent(evolve));
}

void evolve_genetic_children(struct evolve *evolve) {
    const struct evolve_settings *settings = &evolve->settings;
    if (settings->knots > 0 && evolve_is_stalled(evolve) && coordinates_refine(&evolve->at)) {
        evolve->knot_space = coordinates_space(&evolve->at, &evolve->space);
    }
    for (size_t i = 0; i < settings->mutations; i++) add_mutation_of(evolve, random_parent(evolve));
    for (size_t i = 0; i < settings->crossovers; i++) add_crossover(evolve);
}
