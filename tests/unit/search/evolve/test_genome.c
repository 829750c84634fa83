/* Genomes: properties over many spaces and random streams, and what the operators' draws look like. */
#include "search/evolve/genome.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Below this a chi-square test fails; with fixed seeds it either always does or never. */
static const double chance_floor = 1e-6;

/* Spaces and parents -------------------------------------------------------------------------- */

static struct genome_space make_space(int64_t pairs, int32_t unit, int32_t largest, int32_t start_count) {
    static const int64_t published[] = {0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 64, 128, 256};
    struct genome_space space = {.pairs = pairs, .unit = unit, .largest = largest, .start_count = start_count};
    memcpy(space.start_tokens, published, sizeof published);
    return space;
}

enum { PAIR_COUNTS = 5, LARGEST_COUNTS = 29, START_COUNTS = 2, SPACES = PAIR_COUNTS * LARGEST_COUNTS * START_COUNTS };

/* Every combination of widths, of s from a single point over 1.0 to 512, and of one start or all. */
static struct genome_space test_space(int index) {
    static const int64_t pairs[PAIR_COUNTS] = {1, 2, 32, 64, 256};
    int size = index / PAIR_COUNTS % LARGEST_COUNTS;
    int32_t largest = size < 27 ? 100 + size : size == 27 ? 1000 : 64000;
    return make_space(pairs[index % PAIR_COUNTS], 100, largest, index / (PAIR_COUNTS * LARGEST_COUNTS) ? 14 : 1);
}

static gsl_rng *make_rng(unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    assert_non_null(rng);
    gsl_rng_set(rng, seed);
    return rng;
}

static struct genome constant_genome(const struct genome_space *space, int32_t gene, int32_t start) {
    struct genome genome = {.start = start};
    for (int64_t i = 0; i < space->pairs; i++) genome.genes[i] = gene;
    return genome;
}

static int compare_genes(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static struct genome random_genome(const struct genome_space *space, gsl_rng *rng) {
    struct genome genome = {.start = (int32_t)gsl_rng_uniform_int(rng, (unsigned long)space->start_count)};
    for (int64_t i = 0; i < space->pairs; i++)
        genome.genes[i] =
            space->unit + (int32_t)gsl_rng_uniform_int(rng, (unsigned long)(space->largest - space->unit) + 1);
    qsort(genome.genes, (size_t)space->pairs, sizeof genome.genes[0], compare_genes);
    return genome;
}

enum { PARENTS = 5 };

/* All at the lower bound, all at the upper, one half at each, and two random ones. */
static void make_parents(const struct genome_space *space, gsl_rng *rng, struct genome parents[PARENTS]) {
    parents[0] = constant_genome(space, space->unit, 0);
    parents[1] = constant_genome(space, space->largest, space->start_count - 1);
    parents[2] = parents[0];
    for (int64_t i = space->pairs / 2; i < space->pairs; i++) parents[2].genes[i] = space->largest;
    parents[3] = random_genome(space, rng);
    parents[4] = random_genome(space, rng);
}

/* The definition again, so that the operators are not judged by genome_valid() alone. */
static void assert_on_lattice(const struct genome_space *space, const struct genome *genome) {
    bool inside = true;
    for (int64_t i = 0; i < space->pairs; i++) {
        inside = inside && genome->genes[i] >= space->unit && genome->genes[i] <= space->largest;
        inside = inside && (i == 0 || genome->genes[i - 1] <= genome->genes[i]);
    }
    for (int64_t i = space->pairs; i < ROPE_MAX_PAIRS; i++) inside = inside && genome->genes[i] == 0;
    assert_true(inside);
    assert_true(genome->start >= 0 && genome->start < space->start_count);
    assert_true(genome_valid(space, genome));
}

/* How likely counts as uneven as these are if all cells are equally likely. */
static double uniform_chance(const int64_t *counts, size_t cells) {
    double total = 0, chi = 0;
    for (size_t i = 0; i < cells; i++) total += (double)counts[i];
    double expected = total / (double)cells;
    for (size_t i = 0; i < cells; i++) chi += pow((double)counts[i] - expected, 2) / expected;
    return gsl_cdf_chisq_Q(chi, (double)cells - 1);
}

/* Validity, equality, hash -------------------------------------------------------------------- */

static void valid_refuses_what_is_off_the_lattice(void **state) {
    (void)state;
    struct genome_space space = make_space(4, 100, 200, 2);
    const struct genome good = {.genes = {100, 150, 150, 200}, .start = 1};
    assert_true(genome_valid(&space, &good));
    const struct genome bad[] = {{.genes = {99, 150, 150, 200}, .start = 1},
                                 {.genes = {100, 150, 150, 201}, .start = 1},
                                 {.genes = {100, 150, 149, 200}, .start = 1},
                                 {.genes = {100, 150, 150, 200, 200}, .start = 1},
                                 {.genes = {100, 150, 150, 200}, .start = 2},
                                 {.genes = {100, 150, 150, 200}, .start = -1},
                                 {.genes = {100, 150, 150, 200}, .start = 1, .critical = 1},
                                 {.genes = {0}, .start = 0},
                                 {.genes = {INT32_MIN, 150, 150, 200}, .start = 0},
                                 {.genes = {100, 150, 150, INT32_MAX}, .start = 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(genome_valid(&space, &bad[i]));
}

static void equal_genomes_hash_alike(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(1);
    for (int i = 0; i < SPACES; i++) {
        struct genome_space space = test_space(i);
        struct genome a = random_genome(&space, rng);
        struct genome b = {.start = a.start};
        for (int64_t j = 0; j < space.pairs; j++) b.genes[j] = a.genes[j];
        assert_true(genome_equal(&a, &b));
        assert_true(genome_hash(&a) == genome_hash(&b));
        b.genes[gsl_rng_uniform_int(rng, (unsigned long)space.pairs)]++;
        assert_false(genome_equal(&a, &b));
        assert_false(genome_hash(&a) == genome_hash(&b));
        b = a;
        b.start++;
        assert_false(genome_equal(&a, &b));
        assert_false(genome_hash(&a) == genome_hash(&b));
        b = a;
        b.critical++;
        assert_false(genome_equal(&a, &b));
        assert_false(genome_hash(&a) == genome_hash(&b));
    }
    gsl_rng_free(rng);
}

static int compare_hashes(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Near relatives, which is what a search produces: they must differ, also in the low bits that
 * a hash table looks at. */
static void hash_spreads_near_relatives(void **state) {
    (void)state;
    enum { SIDE = 200, BUCKETS = 256 };
    struct genome_space space = make_space(64, 100, 1000, 14);
    struct genome genome = constant_genome(&space, 500, 3);
    uint64_t *hashes = malloc(SIDE * SIDE * sizeof *hashes);
    assert_non_null(hashes);
    int64_t buckets[BUCKETS] = {0};
    for (int a = 0; a < SIDE; a++) {
        for (int b = 0; b < SIDE; b++) {
            genome.genes[0] = 100 + a;
            genome.genes[63] = 600 + b;
            hashes[a * SIDE + b] = genome_hash(&genome);
            buckets[hashes[a * SIDE + b] % BUCKETS]++;
        }
    }
    qsort(hashes, SIDE * SIDE, sizeof *hashes, compare_hashes);
    for (int i = 1; i < SIDE * SIDE; i++) assert_true(hashes[i - 1] != hashes[i]);
    assert_true(uniform_chance(buckets, BUCKETS) > chance_floor);
    free(hashes);
}

/* Conversion ---------------------------------------------------------------------------------- */

static void factors_round_clamp_and_rise(void **state) {
    (void)state;
    struct genome_space space = make_space(9, 100, 1000, 14);
    const double factors[9] = {0.2, -3, 1.004, 1.006, 2.499, 2.3, 2.494, 1e300, 5};
    const int32_t genes[9] = {100, 100, 100, 101, 250, 250, 250, 1000, 1000};
    struct genome genome;
    memset(&genome, 0xff, sizeof genome);
    genome_from_factors(&space, factors, 13, 1.0, &genome);
    assert_on_lattice(&space, &genome);
    assert_memory_equal(genome.genes, genes, sizeof genes);
    assert_int_equal(genome.start, 13);
}

static void odd_factors_stay_on_the_lattice(void **state) {
    (void)state;
    struct genome_space space = make_space(4, 100, INT32_MAX, 1);
    const double factors[4] = {NAN, -INFINITY, INT32_MAX / 100.0 - 1, INFINITY};
    struct genome genome;
    genome_from_factors(&space, factors, 0, 1.0, &genome);
    assert_on_lattice(&space, &genome);
    assert_int_equal(genome.genes[0], 100);
    assert_int_equal(genome.genes[1], 100);
    assert_int_equal(genome.genes[2], INT32_MAX - 100);
    assert_int_equal(genome.genes[3], INT32_MAX);
}

/* Each gene is the largest of the nearest lattice points of its own factor and those before it. */
static void factors_agree_with_the_definition(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(2);
    for (int s = 0; s < SPACES; s++) {
        struct genome_space space = test_space(s);
        double top = (double)space.largest / space.unit, factors[ROPE_MAX_PAIRS];
        for (int64_t i = 0; i < space.pairs; i++) factors[i] = gsl_ran_flat(rng, 0.5, 1.2 * top);
        struct genome genome;
        genome_from_factors(&space, factors, 0, 1.0, &genome);
        assert_on_lattice(&space, &genome);
        double highest = 1;
        for (int64_t i = 0; i < space.pairs; i++) {
            highest = fmax(highest, fmin(factors[i], top));
            assert_true(fabs((double)genome.genes[i] / space.unit - highest) <= 0.5 / space.unit + 1e-9);
        }
    }
    gsl_rng_free(rng);
}

/* What apply writes, from_factors reads back, for every point of a fine lattice and a coarse one. */
static void apply_and_from_factors_are_inverse(void **state) {
    (void)state;
    const int32_t units[] = {1, 3, 100, 200, 1000};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        struct genome_space space = make_space(256, units[u], units[u] * 640, 14);
        for (int32_t first = units[u]; first + 255 <= space.largest; first += 256) {
            struct genome genome = {.start = 7}, back;
            for (int i = 0; i < 256; i++) genome.genes[i] = first + i;
            struct rope_table table = {.pairs = 256};
            genome_apply(&space, &genome, &table);
            genome_from_factors(&space, table.factors, 7, 1.0, &back);
            assert_true(genome_equal(&genome, &back));
        }
    }
}

static void apply_leaves_the_rest_of_the_table(void **state) {
    (void)state;
    struct genome_space space = make_space(2, 100, 1000, 14);
    const struct genome genome = {.genes = {100, 725}, .start = 11};
    struct rope_table table = {.pairs = 2, .frequencies = {1, 0.01}, .factors = {9, 9, 9}, .attention_factor = 1.2};
    genome_apply(&space, &genome, &table);
    const struct rope_table expected = {
        .pairs = 2, .frequencies = {1, 0.01}, .factors = {1, 7.25, 9}, .start_tokens = 64, .attention_factor = 1.2};
    assert_memory_equal(&table, &expected, sizeof table);
}

/* Mutation ------------------------------------------------------------------------------------ */

static void mutants_stay_on_the_lattice(void **state) {
    (void)state;
    const double probabilities[] = {0, 0.02, 0.3, 1};
    for (int s = 0; s < SPACES; s++) {
        struct genome_space space = test_space(s);
        gsl_rng *rng = make_rng((unsigned long)s);
        struct genome parents[PARENTS], child;
        make_parents(&space, rng, parents);
        for (int trial = 0; trial < 20 * PARENTS; trial++) {
            /* The child of one trial is the parent of a later one. */
            struct genome *parent = &parents[trial % PARENTS];
            const struct genome before = *parent;
            double probability = probabilities[gsl_rng_uniform_int(rng, 4)];
            genome_mutate(&space, parent, probability, rng, &child);
            assert_on_lattice(&space, &child);
            assert_true(genome_equal(parent, &before));
            if (probability == 0) assert_true(genome_equal(parent, &child));
            *parent = child;
        }
        gsl_rng_free(rng);
    }
}

/* Resampling can draw the old value, so what is expected to change is p (1 - 1/n). */
static void genes_are_resampled_as_often_as_asked(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    struct genome_space space = make_space(1, 100, 119, 14);
    const struct genome parent = constant_genome(&space, 107, 5);
    const double probabilities[] = {0, 0.1, 0.3, 0.9, 1};
    gsl_rng *rng = make_rng(3);
    for (size_t i = 0; i < sizeof probabilities / sizeof *probabilities; i++) {
        double p = probabilities[i], gene_changes = 0, start_changes = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            struct genome child;
            genome_mutate(&space, &parent, p, rng, &child);
            gene_changes += child.genes[0] != parent.genes[0];
            start_changes += child.start != parent.start;
        }
        assert_true(fabs(gene_changes / TRIALS - p * (1 - 1.0 / 20)) < 0.02);
        assert_true(fabs(start_changes / TRIALS - p * (1 - 1.0 / 14)) < 0.02);
    }
    gsl_rng_free(rng);
}

/* A gene without neighbours, and n_hat, when every gene is resampled. */
static void resampled_genes_are_uniform(void **state) {
    (void)state;
    enum { CELLS = 26, TRIALS = 26000 };
    struct genome_space space = make_space(1, 100, 100 + CELLS - 1, 14);
    const struct genome parent = constant_genome(&space, 100, 0);
    int64_t genes[CELLS] = {0}, starts[14] = {0};
    gsl_rng *rng = make_rng(4);
    for (int trial = 0; trial < TRIALS; trial++) {
        struct genome child;
        genome_mutate(&space, &parent, 1, rng, &child);
        genes[child.genes[0] - 100]++;
        starts[child.start]++;
    }
    assert_true(uniform_chance(genes, CELLS) > chance_floor);
    assert_true(uniform_chance(starts, 14) > chance_floor);
    gsl_rng_free(rng);
}

/* A gene with neighbours on both sides: uniform from the left one as it stands after its own turn
 * up to the right one as the parent has it, both ends included. */
static void resampled_genes_fill_the_room_between_neighbours(void **state) {
    (void)state;
    enum { TRIALS = 60000, LEFT = 5, RIGHT = 20 };
    struct genome_space space = make_space(3, 100, 130, 1);
    const struct genome parent = {.genes = {100 + LEFT, 110, 100 + RIGHT}};
    int64_t counts[11][RIGHT + 1] = {{0}};
    gsl_rng *rng = make_rng(5);
    for (int trial = 0; trial < TRIALS; trial++) {
        struct genome child;
        genome_mutate(&space, &parent, 1, rng, &child);
        int left = child.genes[0] - 100, middle = child.genes[1] - 100;
        assert_true(left <= 10 && middle >= left && middle <= RIGHT);
        counts[left][middle]++;
    }
    for (int left = 0; left <= 10; left++)
        assert_true(uniform_chance(&counts[left][left], (size_t)(RIGHT - left + 1)) > chance_floor);
    gsl_rng_free(rng);
}

/* All 2 * C(6, 3) = 40 genomes of a small space come up in a walk, wherever it begins. */
static void mutation_reaches_the_whole_lattice(void **state) {
    (void)state;
    struct genome_space space = make_space(3, 100, 103, 2);
    for (int begin = 0; begin < PARENTS; begin++) {
        gsl_rng *rng = make_rng(6 + (unsigned long)begin);
        struct genome parents[PARENTS], child;
        make_parents(&space, rng, parents);
        struct genome here = parents[begin];
        bool seen[128] = {false};
        int reached = 0;
        for (int step = 0; step < 20000; step++) {
            genome_mutate(&space, &here, 0.3, rng, &child);
            here = child;
            int index = (here.genes[0] - 100) * 32 + (here.genes[1] - 100) * 8 + (here.genes[2] - 100) * 2 + here.start;
            reached += !seen[index];
            seen[index] = true;
        }
        assert_int_equal(reached, 40);
        gsl_rng_free(rng);
    }
}

static void one_stream_makes_one_mutant(void **state) {
    (void)state;
    struct genome_space space = make_space(64, 100, 1000, 14);
    gsl_rng *first = make_rng(7), *second = make_rng(7);
    struct genome parent = random_genome(&space, first), again = random_genome(&space, second), a, b;
    assert_true(genome_equal(&parent, &again));
    for (int trial = 0; trial < 50; trial++) {
        genome_mutate(&space, &parent, 0.3, first, &a);
        genome_mutate(&space, &parent, 0.3, second, &b);
        assert_true(genome_equal(&a, &b));
    }
    gsl_rng_free(first);
    gsl_rng_free(second);
}

/* The attention factor ------------------------------------------------------------------------ */

static struct genome_space attention_space(int32_t low, int32_t high) {
    struct genome_space space = make_space(4, 100, 200, 2);
    space.attention_unit = 1000;
    space.attention_low = low;
    space.attention_high = high;
    return space;
}

static void the_attention_factor_is_part_of_a_genome(void **state) {
    (void)state;
    struct genome_space space = attention_space(800, 1200);
    const double factors[4] = {1, 1.2, 1.5, 2};
    struct genome a, b;
    genome_from_factors(&space, factors, 0, 1.0234, &a);
    assert_int_equal(a.attention, 1023);
    assert_true(genome_valid(&space, &a));
    genome_from_factors(&space, factors, 0, 7, &b);
    assert_int_equal(b.attention, 1200);
    assert_false(genome_equal(&a, &b));
    assert_false(genome_hash(&a) == genome_hash(&b));
    b.attention = 1201;
    assert_false(genome_valid(&space, &b));
    b.attention = 0;
    assert_false(genome_valid(&space, &b));

    struct rope_table table = {.pairs = 4, .attention_factor = 9};
    genome_apply(&space, &a, &table);
    assert_true(table.attention_factor == 1.023);

    space = make_space(4, 100, 200, 2);
    assert_false(genome_valid(&space, &a)); /* where it is not searched there is none */
}

/* Uniform over what lies within an eighth of its range, cut off at the bounds. */
static void assert_attention_spread(const struct genome_space *space, int32_t from, int32_t low, int32_t high,
                                    gsl_rng *rng) {
    enum { TRIALS = 40000 };
    int64_t counts[401] = {0};
    struct genome parent = constant_genome(space, 150, 0), child;
    parent.attention = from;
    for (int trial = 0; trial < 2 * TRIALS; trial++) {
        if (trial % 2) {
            genome_mutate(space, &parent, 1, rng, &child);
        } else {
            child = parent;
            genome_mutate_in_place(space, 1, rng, &child);
        }
        assert_true(child.attention >= low && child.attention <= high);
        counts[child.attention - low]++;
    }
    assert_true(uniform_chance(counts, (size_t)(high - low) + 1) > chance_floor);
}

static void attention_mutates_within_reach(void **state) {
    (void)state;
    struct genome_space space = attention_space(800, 1200);
    gsl_rng *rng = make_rng(20);
    assert_attention_spread(&space, 1000, 950, 1050, rng);
    assert_attention_spread(&space, 810, 800, 860, rng);
    assert_attention_spread(&space, 1200, 1150, 1200, rng);
    space = attention_space(1, 3); /* an eighth of it is less than a step */
    assert_attention_spread(&space, 1, 1, 2, rng);
    space = attention_space(1, 1);
    assert_attention_spread(&space, 1, 1, 1, rng);
    gsl_rng_free(rng);
}

static void attention_comes_from_either_parent(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    struct genome_space space = attention_space(800, 1200);
    struct genome a = constant_genome(&space, 150, 0), b = a, child;
    a.attention = 900;
    b.attention = 1100;
    double from_a = 0;
    gsl_rng *rng = make_rng(21);
    for (int trial = 0; trial < TRIALS; trial++) {
        assert_true(genome_crossover(&space, &a, &b, rng, &child));
        assert_true(child.attention == 900 || child.attention == 1100);
        from_a += child.attention == 900;
    }
    assert_true(fabs(from_a / TRIALS - 0.5) < 0.02);
    gsl_rng_free(rng);
}

/* Otherwise the same seed would make other searches than it did before the gene was there. */
static void nothing_is_drawn_for_an_attention_factor_not_searched(void **state) {
    (void)state;
    struct genome_space space = make_space(3, 100, 1000, 14);
    gsl_rng *rng = make_rng(22), *expected = make_rng(22);
    const struct genome a = {.genes = {100, 200, 300}}, b = {.genes = {100, 200, 300}, .start = 1};
    struct genome child;
    genome_mutate(&space, &a, 0, rng, &child);
    for (int i = 0; i < 4; i++) (void)gsl_rng_uniform(expected);
    assert_true(gsl_rng_get(rng) == gsl_rng_get(expected));
    assert_true(genome_crossover(&space, &a, &b, rng, &child));
    for (int i = 0; i < 4; i++) (void)gsl_rng_uniform(expected);
    assert_true(gsl_rng_get(rng) == gsl_rng_get(expected));
    gsl_rng_free(rng);
    gsl_rng_free(expected);
}

/* As microsoft/LongRoPE has it ---------------------------------------------------------------- */

static void places_are_what_can_differ(void **state) {
    (void)state;
    struct genome_space space = make_space(3, 100, 1000, 1);
    assert_int_equal(genome_components(&space), 3);
    space.start_count = 14;
    assert_int_equal(genome_components(&space), 4);
    const struct genome from = {.genes = {101, 202, 303}, .start = 5, .attention = 900};
    struct genome to = {.genes = {100, 100, 100}};
    genome_copy_component(&space, 1, &from, &to);
    genome_copy_component(&space, 3, &from, &to);
    const struct genome both = {.genes = {100, 202, 100}, .start = 5};
    assert_true(genome_equal(&to, &both));

    space.attention_unit = 1000, space.attention_low = 800, space.attention_high = 1200;
    assert_int_equal(genome_components(&space), 5);
    genome_copy_component(&space, 4, &from, &to);
    assert_true(to.attention == 900 && to.start == 5);
    space.start_count = 1;
    to = both;
    assert_int_equal(genome_components(&space), 4);
    genome_copy_component(&space, 3, &from, &to);
    assert_int_equal(to.attention, 900);
}

static void walks_stay_on_the_lattice(void **state) {
    (void)state;
    for (int s = 0; s < SPACES; s++) {
        struct genome_space space = test_space(s);
        gsl_rng *rng = make_rng((unsigned long)s);
        struct genome parents[PARENTS];
        make_parents(&space, rng, parents);
        for (int step = 0; step < 20 * PARENTS; step++) {
            genome_mutate_in_place(&space, step % 2 ? 0.3 : 1, rng, &parents[step % PARENTS]);
            assert_on_lattice(&space, &parents[step % PARENTS]);
        }
        gsl_rng_free(rng);
    }
}

/* As published but for the first gene, which stays below its right neighbour. */
static void the_first_gene_stays_below_the_second(void **state) {
    (void)state;
    enum { TRIALS = 60000, SECOND = 10, LAST = 20 };
    struct genome_space space = make_space(3, 100, 100 + LAST, 1);
    int64_t first[SECOND] = {0}, last[LAST + 1] = {0};
    gsl_rng *rng = make_rng(23);
    for (int trial = 0; trial < TRIALS; trial++) {
        struct genome genome = {.genes = {105, 100 + SECOND, 115}};
        genome_mutate_in_place(&space, 1, rng, &genome);
        assert_true(genome.genes[0] < 100 + SECOND && genome.genes[1] <= 115);
        first[genome.genes[0] - 100]++;
        if (genome.genes[1] == 110) last[genome.genes[2] - 100]++;
    }
    assert_true(uniform_chance(first, SECOND) > chance_floor);
    assert_true(uniform_chance(last + SECOND, LAST - SECOND + 1) > chance_floor);

    /* No room: left alone, while the rest moves. */
    bool moved = false;
    for (int trial = 0; trial < 100; trial++) {
        struct genome genome = {.genes = {100, 100, 115}};
        genome_mutate_in_place(&space, 1, rng, &genome);
        assert_int_equal(genome.genes[0], 100);
        moved = moved || genome.genes[1] != 100;
    }
    assert_true(moved);
    gsl_rng_free(rng);
}

static void places_are_walked_as_often_as_asked(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    struct genome_space space = make_space(1, 100, 119, 14);
    gsl_rng *rng = make_rng(24);
    for (int i = 0; i <= 4; i++) {
        double p = i / 4.0, genes = 0, starts = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            struct genome genome = constant_genome(&space, 107, 5);
            genome_mutate_in_place(&space, p, rng, &genome);
            genes += genome.genes[0] != 107;
            starts += genome.start != 5;
        }
        assert_true(fabs(genes / TRIALS - p * (1 - 1.0 / 20)) < 0.02);
        assert_true(fabs(starts / TRIALS - p * (1 - 1.0 / 14)) < 0.02);
    }
    gsl_rng_free(rng);
}

/* Crossover ----------------------------------------------------------------------------------- */

static void crossovers_stay_on_the_lattice(void **state) {
    (void)state;
    for (int s = 0; s < SPACES; s++) {
        struct genome_space space = test_space(s);
        gsl_rng *rng = make_rng((unsigned long)s + 1000);
        struct genome parents[PARENTS], child;
        make_parents(&space, rng, parents);
        for (int trial = 0; trial < 20 * PARENTS * PARENTS; trial++) {
            const struct genome *a = &parents[trial % PARENTS], *b = &parents[trial / PARENTS % PARENTS];
            if (!genome_crossover(&space, a, b, rng, &child)) continue;
            assert_on_lattice(&space, &child);
            bool inherited = child.start == a->start || child.start == b->start;
            for (int64_t i = 0; i < space.pairs; i++)
                inherited = inherited && (child.genes[i] == a->genes[i] || child.genes[i] == b->genes[i]);
            assert_true(inherited);
        }
        gsl_rng_free(rng);
    }
}

/* Of two pairs and a start there are eight children, and the two that fall are refused. */
static void crossover_tosses_a_fair_coin_for_each_gene(void **state) {
    (void)state;
    enum { TRIALS = 40000 };
    struct genome_space space = make_space(2, 100, 300, 2);
    const struct genome a = constant_genome(&space, 100, 0), b = constant_genome(&space, 200, 1);
    int64_t counts[6] = {0};
    double refused = 0;
    gsl_rng *rng = make_rng(8);
    for (int trial = 0; trial < TRIALS; trial++) {
        struct genome child;
        if (!genome_crossover(&space, &a, &b, rng, &child)) {
            refused++;
            continue;
        }
        counts[(child.genes[0] / 200 + child.genes[1] / 200) * 2 + child.start]++;
    }
    assert_true(uniform_chance(counts, 6) > chance_floor);
    assert_true(fabs(refused / TRIALS - 0.25) < 0.02);
    gsl_rng_free(rng);
}

static void crossover_of_equals_is_a_copy(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(9);
    for (int s = 0; s < SPACES; s++) {
        struct genome_space space = test_space(s);
        struct genome a = random_genome(&space, rng), child;
        assert_true(genome_crossover(&space, &a, &a, rng, &child));
        assert_true(genome_equal(&a, &child));
    }
    gsl_rng_free(rng);
}

/* LongRoPE2's space --------------------------------------------------------------------------- */

enum { CRITICAL_SPACES = 8 };

/* Wide and narrow ones, the tightest lattice that holds all genes, a single gene, a fixed and a searched pair. */
static struct genome_space critical_space(int index) {
    static const struct genome_space spaces[CRITICAL_SPACES] = {
        {.pairs = 64, .unit = 100, .smallest = 1600, .largest = 3200, .critical_low = 27, .critical_high = 35},
        {.pairs = 64, .unit = 100, .smallest = 1600, .largest = 3200, .critical_low = 33, .critical_high = 33},
        {.pairs = 32, .unit = 100, .smallest = 800, .largest = 1600, .critical_low = 5, .critical_high = 13},
        {.pairs = 32, .unit = 10, .smallest = 20, .largest = 50, .critical_low = 1, .critical_high = 13},
        {.pairs = 32, .unit = 1, .smallest = 2, .largest = 28, .critical_low = 5, .critical_high = 13},
        {.pairs = 2, .unit = 100, .smallest = 100, .largest = 100, .critical_low = 1, .critical_high = 1},
        {.pairs = 3, .unit = 100, .smallest = 100, .largest = 101, .critical_low = 1, .critical_high = 2},
        {.pairs = 256, .unit = 1000, .smallest = 64000, .largest = 128000, .critical_low = 90, .critical_high = 98},
    };
    struct genome_space space = spaces[index];
    space.start_count = index % 2 ? 1 : 14;
    if (index % 3 == 0) space.attention_unit = 1000, space.attention_low = 800, space.attention_high = 1200;
    for (int i = 0; i < space.start_count; i++) space.start_tokens[i] = i;
    return space;
}

static struct genome random_critical_genome(const struct genome_space *space, gsl_rng *rng) {
    double factors[ROPE_MAX_PAIRS], low = (double)space->smallest / space->unit;
    struct genome genome;
    for (int64_t i = 0; i < space->pairs; i++) factors[i] = gsl_ran_flat(rng, 0.5 * low, 2.5 * low);
    int32_t start = (int32_t)gsl_rng_uniform_int(rng, (unsigned long)space->start_count);
    genome_from_factors(space, factors, start, 1.0, &genome);
    return genome;
}

/* The definition again: no genes before the critical pair, and strictly increasing ones from it on. */
static void assert_critical(const struct genome_space *space, const struct genome *genome) {
    int32_t cd = genome->critical;
    bool good = cd >= space->critical_low && cd <= space->critical_high && cd >= 1 && cd < space->pairs;
    for (int64_t i = 0; i < ROPE_MAX_PAIRS; i++) {
        bool gene = i >= cd && i < space->pairs;
        good = good && (gene || genome->genes[i] == 0);
        good = good && (!gene || (genome->genes[i] >= space->smallest && genome->genes[i] <= space->largest));
        good = good && (!gene || i == cd || genome->genes[i] > genome->genes[i - 1]);
    }
    assert_true(good);
    assert_true(genome_valid(space, genome));
}

static void critical_genomes_have_no_genes_before_it(void **state) {
    (void)state;
    struct genome_space space = {.pairs = 4,
                                 .unit = 100,
                                 .smallest = 200,
                                 .largest = 400,
                                 .critical_low = 1,
                                 .critical_high = 2,
                                 .start_count = 1};
    const struct genome good[] = {{.genes = {0, 200, 201, 400}, .critical = 1},
                                  {.genes = {0, 0, 399, 400}, .critical = 2}};
    const struct genome bad[] = {
        {.genes = {0, 200, 200, 400}, .critical = 1},     {.genes = {0, 199, 201, 400}, .critical = 1},
        {.genes = {0, 200, 201, 401}, .critical = 1},     {.genes = {100, 200, 201, 400}, .critical = 1},
        {.genes = {0, 200, 201, 400}, .critical = 2},     {.genes = {0, 0, 0, 400}, .critical = 3},
        {.genes = {200, 201, 202, 400}, .critical = 0},   {.genes = {0, 0, 201, 400}, .critical = 1},
        {.genes = {0, 200, 201, 400, 401}, .critical = 1}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(genome_valid(&space, &good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(genome_valid(&space, &bad[i]));
}

static void pairs_before_the_critical_one_follow_ntk(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(41);
    for (int s = 0; s < CRITICAL_SPACES; s++) {
        struct genome_space space = critical_space(s);
        struct genome genome = random_critical_genome(&space, rng);
        struct rope_table table = {.pairs = space.pairs};
        genome_apply(&space, &genome, &table);
        double at_critical = (double)genome.genes[genome.critical] / space.unit;
        for (int64_t i = 0; i < space.pairs; i++) {
            double lambda = i < genome.critical ? pow(at_critical, (double)i / genome.critical)
                                                : (double)genome.genes[i] / space.unit;
            assert_true(table.factors[i] == lambda);
        }
        assert_true(table.factors[0] == 1.0);
    }
    gsl_rng_free(rng);
}

/* Factors of a member give a member with the same table: the same critical pair, unless two give one table. */
static void a_member_is_its_own_nearest_genome(void **state) {
    (void)state;
    gsl_rng *rng = make_rng(42);
    for (int s = 0; s < CRITICAL_SPACES; s++) {
        struct genome_space space = critical_space(s);
        bool seen[ROPE_MAX_PAIRS] = {false};
        for (int trial = 0; trial < 300; trial++) {
            double factors[ROPE_MAX_PAIRS], again[ROPE_MAX_PAIRS];
            struct genome genome = random_critical_genome(&space, rng), child, back;
            genome_mutate(&space, &genome, 1, rng, &child);
            seen[child.critical] = true;
            genome_factors(&space, &child, factors);
            double attention = space.attention_unit ? (double)child.attention / space.attention_unit : 0;
            genome_from_factors(&space, factors, child.start, attention, &back);
            genome_factors(&space, &back, again);
            assert_memory_equal(factors, again, (size_t)space.pairs * sizeof *factors);
            assert_true(genome_equal(&child, &back) || back.critical > child.critical);
        }
        for (int32_t c = space.critical_low; c <= space.critical_high; c++) assert_true(seen[c]);
    }
    gsl_rng_free(rng);
}

/* PI is flat and NTK below s almost everywhere: both become the smallest rising steps from s on, with the critical pair
 * whose prefix is nearest. */
static void flat_factors_rise_by_single_steps(void **state) {
    (void)state;
    struct genome_space space = critical_space(2);
    double pi[ROPE_MAX_PAIRS], ntk[ROPE_MAX_PAIRS], high[ROPE_MAX_PAIRS], odd[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < 32; i++) {
        pi[i] = 8.0, ntk[i] = pow(8.0, (double)i / 31), high[i] = 1e300, odd[i] = NAN;
    }
    struct genome genome;
    genome_from_factors(&space, pi, 3, 1.0, &genome);
    assert_critical(&space, &genome);
    assert_int_equal(genome.critical, 5);
    for (int32_t i = 5; i < 32; i++) assert_int_equal(genome.genes[i], 800 + i - 5);
    genome_from_factors(&space, ntk, 3, 1.0, &genome);
    assert_critical(&space, &genome);
    assert_int_equal(genome.critical, 13);
    for (int32_t i = 13; i < 32; i++) assert_int_equal(genome.genes[i], 800 + i - 13);
    genome_from_factors(&space, high, 3, 1.0, &genome);
    assert_critical(&space, &genome);
    assert_int_equal(genome.genes[31], 1600);
    assert_int_equal(genome.genes[30], 1599);
    genome_from_factors(&space, odd, 3, 1.0, &genome);
    assert_critical(&space, &genome);
    assert_int_equal(genome.critical, 13); /* all as near as each other: the highest */
}

/* Numbers of a table as a file has them, with ten significant digits. */
static void assert_survives(const struct genome_space *space, const double *factors, int32_t critical) {
    struct genome genome;
    struct rope_table table = {.pairs = space->pairs};
    genome_from_factors(space, factors, 0, 1.0, &genome);
    assert_critical(space, &genome);
    assert_int_equal(genome.critical, critical);
    genome_apply(space, &genome, &table);
    for (int64_t i = 0; i < space->pairs; i++) {
        char given[40], kept[40];
        snprintf(given, sizeof given, "%.10g", factors[i]);
        snprintf(kept, sizeof kept, "%.10g", table.factors[i]);
        assert_string_equal(given, kept);
    }
}

static void printed_tables_survive(void **state) {
    (void)state;
    /* from pair 10 on; those before are 11^(i/10) */
    const double genes[22] = {11,   11.01, 11.52, 11.53, 11.9, 12,   12.01, 12.02, 12.03, 12.04, 12.05,
                              12.3, 12.31, 12.5,  12.9,  13,   13.1, 13.2,  13.3,  13.4,  13.5,  15.99};
    double rounded[32];
    struct genome_space space = critical_space(2);
    for (int64_t i = 0; i < 32; i++) {
        char text[40];
        snprintf(text, sizeof text, "%.10g", i < 10 ? pow(11, (double)i / 10) : genes[i - 10]);
        rounded[i] = strtod(text, NULL);
    }
    assert_survives(&space, rounded, 10);
    space.critical_low = space.critical_high = 10;
    assert_survives(&space, rounded, 10);
}

/* The table of LongRoPE2's authors for LLaMA3-8B at 128k: s = 16, critical pair 33. */
static void the_published_table_survives(void **state) {
    (void)state;
    const char *source = getenv("SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/../shared/longrope_tables/longrope2_llama3-8b_128k.csv", source ? source : ".");
    FILE *file = fopen(path, "r");
    if (!file) {
        print_message("skipped: there is no %s\n", path);
        skip();
    }
    double factors[64];
    for (int i = 0; i < 64; i++) assert_int_equal(fscanf(file, i ? ",%lf" : "%lf", &factors[i]), 1);
    fclose(file);
    struct genome_space space = critical_space(0);
    assert_survives(&space, factors, 33);
    space = critical_space(1);
    assert_survives(&space, factors, 33);
}

static void operators_stay_in_the_critical_space(void **state) {
    (void)state;
    const double probabilities[] = {0, 0.02, 0.3, 1};
    for (int s = 0; s < CRITICAL_SPACES; s++) {
        struct genome_space space = critical_space(s);
        gsl_rng *rng = make_rng((unsigned long)s + 50);
        struct genome pool[PARENTS], child;
        int64_t crossed = 0;
        for (int i = 0; i < PARENTS; i++) pool[i] = random_critical_genome(&space, rng);
        for (int trial = 0; trial < 2000; trial++) {
            struct genome *a = &pool[trial % PARENTS], *b = &pool[trial / PARENTS % PARENTS];
            assert_critical(&space, a);
            genome_mutate(&space, a, probabilities[trial % 4], rng, &child);
            assert_critical(&space, &child);
            if (trial % 4 == 0) assert_true(genome_equal(a, &child));
            *a = child;
            if (genome_crossover(&space, a, b, rng, &child)) {
                crossed++;
                assert_critical(&space, &child);
                assert_true(child.critical == a->critical || child.critical == b->critical);
            }
            child = *b;
            genome_mutate_in_place(&space, probabilities[trial % 4], rng, &child);
            assert_critical(&space, &child);
            *b = child;
        }
        assert_true(crossed > 0);
        gsl_rng_free(rng);
    }
}

/* A mutation leaves the critical pair alone as often as it leaves n_hat alone, and reaches each value alike. */
static void the_critical_pair_mutates_uniformly(void **state) {
    (void)state;
    enum { TRIALS = 18000, VALUES = 9 };
    struct genome_space space = critical_space(0);
    gsl_rng *rng = make_rng(61);
    int64_t counts[VALUES] = {0}, kept = 0;
    const struct genome parent = random_critical_genome(&space, rng);
    for (int trial = 0; trial < TRIALS; trial++) {
        struct genome child;
        genome_mutate(&space, &parent, 1, rng, &child);
        counts[child.critical - space.critical_low]++;
        genome_mutate(&space, &parent, 0.3, rng, &child);
        kept += child.critical == parent.critical;
    }
    assert_true(uniform_chance(counts, VALUES) > chance_floor);
    assert_true(fabs((double)kept / TRIALS - (0.7 + 0.3 / VALUES)) < 0.02);
    gsl_rng_free(rng);
}

/* Moved to another critical pair, a table changes as little as the space allows. */
static void a_moved_critical_pair_keeps_the_table(void **state) {
    (void)state;
    struct genome_space space = {.pairs = 6,
                                 .unit = 100,
                                 .smallest = 400,
                                 .largest = 800,
                                 .critical_low = 2,
                                 .critical_high = 4,
                                 .start_count = 1};
    const struct genome from[] = {{.genes = {0, 0, 500, 600, 700, 800}, .critical = 2},
                                  {.genes = {0, 0, 0, 600, 700, 800}, .critical = 3},
                                  {.genes = {0, 0, 0, 0, 401, 402}, .critical = 4}};
    struct genome to = from[0];
    assert_int_equal(genome_components(&space), 7);
    genome_copy_component(&space, 6, &from[1], &to);
    assert_true(genome_equal(&to, &from[1])); /* pair 2 loses its gene */
    genome_copy_component(&space, 6, &from[0], &to);
    /* NTK gave pair 2 6^(2/3) = 3.30, below the smallest factor */
    const struct genome lowered = {.genes = {0, 0, 400, 600, 700, 800}, .critical = 2};
    assert_true(genome_equal(&to, &lowered));
    to = from[2];
    genome_copy_component(&space, 6, &from[0], &to);
    const struct genome raised = {.genes = {0, 0, 400, 401, 402, 403}, .critical = 2}; /* no room below 4.01 */
    assert_true(genome_equal(&to, &raised));
    genome_copy_component(&space, 3, &from[2], &to);
    assert_true(genome_equal(&to, &raised)); /* pair 3 has no gene there */
    genome_copy_component(&space, 5, &from[1], &to);
    assert_int_equal(to.genes[5], 800);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_refuses_what_is_off_the_lattice),
        cmocka_unit_test(equal_genomes_hash_alike),
        cmocka_unit_test(hash_spreads_near_relatives),
        cmocka_unit_test(factors_round_clamp_and_rise),
        cmocka_unit_test(odd_factors_stay_on_the_lattice),
        cmocka_unit_test(factors_agree_with_the_definition),
        cmocka_unit_test(apply_and_from_factors_are_inverse),
        cmocka_unit_test(apply_leaves_the_rest_of_the_table),
        cmocka_unit_test(mutants_stay_on_the_lattice),
        cmocka_unit_test(genes_are_resampled_as_often_as_asked),
        cmocka_unit_test(resampled_genes_are_uniform),
        cmocka_unit_test(resampled_genes_fill_the_room_between_neighbours),
        cmocka_unit_test(mutation_reaches_the_whole_lattice),
        cmocka_unit_test(one_stream_makes_one_mutant),
        cmocka_unit_test(the_attention_factor_is_part_of_a_genome),
        cmocka_unit_test(attention_mutates_within_reach),
        cmocka_unit_test(attention_comes_from_either_parent),
        cmocka_unit_test(nothing_is_drawn_for_an_attention_factor_not_searched),
        cmocka_unit_test(places_are_what_can_differ),
        cmocka_unit_test(walks_stay_on_the_lattice),
        cmocka_unit_test(the_first_gene_stays_below_the_second),
        cmocka_unit_test(places_are_walked_as_often_as_asked),
        cmocka_unit_test(crossovers_stay_on_the_lattice),
        cmocka_unit_test(crossover_tosses_a_fair_coin_for_each_gene),
        cmocka_unit_test(crossover_of_equals_is_a_copy),
        cmocka_unit_test(critical_genomes_have_no_genes_before_it),
        cmocka_unit_test(pairs_before_the_critical_one_follow_ntk),
        cmocka_unit_test(a_member_is_its_own_nearest_genome),
        cmocka_unit_test(flat_factors_rise_by_single_steps),
        cmocka_unit_test(printed_tables_survive),
        cmocka_unit_test(the_published_table_survives),
        cmocka_unit_test(operators_stay_in_the_critical_space),
        cmocka_unit_test(the_critical_pair_mutates_uniformly),
        cmocka_unit_test(a_moved_critical_pair_keeps_the_table),
    };
    return cmocka_run_group_tests_name("genome", tests, NULL, NULL);
}
