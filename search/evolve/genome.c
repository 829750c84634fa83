/* Genomes on the lattice: validity, equality, conversion, mutation and crossover. */
#include "search/evolve/genome.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Equality compares bytes, so a genome must have no padding. */
_Static_assert(sizeof(struct genome) == (ROPE_MAX_PAIRS + 3) * sizeof(int32_t), "struct genome has padding");

static void assert_space(const struct genome_space *space) {
    assert(space->pairs >= 1 && space->pairs <= ROPE_MAX_PAIRS);
    assert(space->unit >= 1 && space->largest >= space->unit);
    assert(space->start_count >= 1 && space->start_count <= GENOME_MAX_STARTS);
    assert(space->critical_low >= 0 && space->critical_low <= space->critical_high);
    assert((space->critical_low == 0) == (space->critical_high == 0) && space->critical_high < space->pairs);
    assert(space->critical_low == 0 || space->smallest >= space->unit);
    assert(space->critical_low == 0 || space->largest - space->smallest >= space->pairs - 1 - space->critical_low);
    (void)space;
}

/* The smallest gene. */
static int32_t smallest(const struct genome_space *space) {
    return space->critical_high > 0 ? space->smallest : space->unit;
}

/* By how much a gene is at least above its left neighbour. */
static int32_t rise(const struct genome_space *space) { return space->critical_high > 0; }

static bool critical_is_searched(const struct genome_space *space) {
    return space->critical_low < space->critical_high;
}

/* Comparing and hashing ---------------------------------------------------------------------- */

static bool genes_valid(const struct genome_space *space, const struct genome *genome) {
    int32_t low = smallest(space);
    for (int64_t i = genome->critical; i < space->pairs; i++) {
        if (genome->genes[i] < low || genome->genes[i] > space->largest) return false;
        low = genome->genes[i] + rise(space);
    }
    /* Anything but 0 in the rest would make equal tables unequal genomes. */
    for (int64_t i = 0; i < ROPE_MAX_PAIRS; i++) {
        if ((i < genome->critical || i >= space->pairs) && genome->genes[i] != 0) return false;
    }
    return true;
}

bool genome_valid(const struct genome_space *space, const struct genome *genome) {
    assert_space(space);
    if (genome->critical < space->critical_low || genome->critical > space->critical_high) return false;
    if (genome->attention < space->attention_low || genome->attention > space->attention_high) return false;
    return genome->start >= 0 && genome->start < space->start_count && genes_valid(space, genome);
}

bool genome_equal(const struct genome *a, const struct genome *b) { return memcmp(a, b, sizeof *a) == 0; }

/* Folds a value into a hash: multiplication carries upwards only, the shift brings it down again. */
static uint64_t mix(uint64_t hash, int32_t value) {
    hash = (hash ^ (uint32_t)value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

uint64_t genome_hash(const struct genome *genome) {
    uint64_t hash = mix(mix(mix(0, genome->start), genome->attention), genome->critical);
    for (int64_t i = 0; i < ROPE_MAX_PAIRS; i++) hash = mix(hash, genome->genes[i]);
    return hash;
}

/* Conversion ---------------------------------------------------------------------------------- */

/* Bounds are compared in double, so that no factor, however large, overflows the conversion; the
 * negated comparison sends NaN to the lower bound. */
static int32_t nearest_step(double value, int32_t unit, int32_t low, int32_t high) {
    double steps = round(value * unit);
    if (!(steps > low)) return low;
    if (steps > high) return high;
    return (int32_t)steps;
}

/* The nearest genes to the factors with that critical pair. */
static void set_genes(const struct genome_space *space, const double *factors, int32_t critical, struct genome *out) {
    int32_t low = smallest(space);
    memset(out->genes, 0, sizeof out->genes);
    out->critical = critical;
    for (int64_t i = critical; i < space->pairs; i++) {
        int32_t high = space->largest - rise(space) * (int32_t)(space->pairs - 1 - i);
        int32_t gene = nearest_step(factors[i], space->unit, smallest(space), high);
        out->genes[i] = gene < low ? low : gene;
        low = out->genes[i] + rise(space);
    }
}

void genome_factors(const struct genome_space *space, const struct genome *genome, double *factors) {
    for (int64_t i = genome->critical; i < space->pairs; i++) factors[i] = (double)genome->genes[i] / space->unit;
    for (int64_t i = 0; i < genome->critical; i++) {
        factors[i] = pow(factors[genome->critical], (double)i / genome->critical);
    }
}

/* The sum of the squared differences between the genome's log lambda and logs[pairs]; pairs without a finite one do not
 * count. */
static double distance(const struct genome_space *space, const struct genome *genome, const double *logs) {
    double factors[ROPE_MAX_PAIRS], sum = 0;
    genome_factors(space, genome, factors);
    for (int64_t i = 0; i < space->pairs; i++) {
        double difference = log(factors[i]) - logs[i];
        if (isfinite(difference)) sum += difference * difference;
    }
    return sum;
}

void genome_from_factors(const struct genome_space *space, const double *factors, int32_t start,
                         double attention_factor, struct genome *out) {
    assert_space(space);
    assert(start >= 0 && start < space->start_count);
    memset(out, 0, sizeof *out);
    out->start = start;
    out->attention = nearest_step(attention_factor, space->attention_unit, space->attention_low, space->attention_high);
    set_genes(space, factors, space->critical_high, out);
    if (!critical_is_searched(space)) return;
    double logs[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < space->pairs; i++) logs[i] = log(factors[i]);
    double nearest = distance(space, out, logs);
    for (int32_t critical = space->critical_high - 1; critical >= space->critical_low; critical--) {
        struct genome other = *out;
        set_genes(space, factors, critical, &other);
        double away = distance(space, &other, logs);
        if (away < nearest) nearest = away, *out = other;
    }
}

int64_t genome_start_tokens(const struct genome_space *space, const struct genome *genome) {
    return space->start_tokens[genome->start];
}

void genome_apply(const struct genome_space *space, const struct genome *genome, struct rope_table *table) {
    assert(genome_valid(space, genome));
    assert(table->pairs == space->pairs);
    genome_factors(space, genome, table->factors);
    table->start_tokens = genome_start_tokens(space, genome);
    if (space->attention_unit > 0) table->attention_factor = (double)genome->attention / space->attention_unit;
}

/* Variation ----------------------------------------------------------------------------------- */

/* Uniform in low..high. */
static int32_t random_between(gsl_rng *rng, int32_t low, int32_t high) {
    assert(low <= high); /* GSL aborts on an empty range */
    return low + (int32_t)gsl_rng_uniform_int(rng, (unsigned long)(high - low) + 1);
}

/* gsl_rng_uniform() is in [0, 1): a probability of 0 never happens and one of 1 always does. */
static bool happens(gsl_rng *rng, double probability) { return gsl_rng_uniform(rng) < probability; }

/* The attention factor stays near where it is: unlike a gene it has no neighbours that hold it. */
static int32_t resampled_attention(const struct genome_space *space, int32_t attention, gsl_rng *rng) {
    int32_t reach = (space->attention_high - space->attention_low) / GENOME_ATTENTION_REACH;
    if (reach < 1) reach = 1;
    int32_t low = attention - space->attention_low > reach ? attention - reach : space->attention_low;
    int32_t high = space->attention_high - attention > reach ? attention + reach : space->attention_high;
    return random_between(rng, low, high);
}

/* Gives the genome another critical pair and keeps its table as nearly as the space allows. */
static void move_critical(const struct genome_space *space, int32_t critical, struct genome *genome) {
    double factors[ROPE_MAX_PAIRS];
    if (critical == genome->critical) return;
    genome_factors(space, genome, factors);
    set_genes(space, factors, critical, genome);
}

static void resample_critical(const struct genome_space *space, gsl_rng *rng, struct genome *genome) {
    move_critical(space, random_between(rng, space->critical_low, space->critical_high), genome);
}

void genome_mutate(const struct genome_space *space, const struct genome *parent, double probability, gsl_rng *rng,
                   struct genome *child) {
    assert(child != parent && genome_valid(space, parent));
    assert(probability >= 0 && probability <= 1);
    *child = *parent;
    for (int64_t i = parent->critical; i < space->pairs; i++) {
        if (!happens(rng, probability)) continue;
        /* Never empty: the left gene was drawn from what this one left it, and this one leaves room to the right. */
        int32_t low = i > parent->critical ? child->genes[i - 1] + rise(space) : smallest(space);
        int32_t high = i + 1 < space->pairs ? child->genes[i + 1] - rise(space) : space->largest;
        child->genes[i] = random_between(rng, low, high);
    }
    if (happens(rng, probability)) child->start = random_between(rng, 0, space->start_count - 1);
    /* Only where it is searched is anything drawn for it: other searches keep their random streams. */
    if (space->attention_unit > 0 && happens(rng, probability)) {
        child->attention = resampled_attention(space, child->attention, rng);
    }
    if (critical_is_searched(space) && happens(rng, probability)) resample_critical(space, rng, child);
    assert(genome_valid(space, child));
}

bool genome_crossover(const struct genome_space *space, const struct genome *a, const struct genome *b, gsl_rng *rng,
                      struct genome *child) {
    assert(child != a && child != b && genome_valid(space, a) && genome_valid(space, b));
    struct genome other = *b; /* with the child's critical pair */
    *child = *a;
    if (critical_is_searched(space)) {
        int32_t critical = happens(rng, 0.5) ? b->critical : a->critical;
        move_critical(space, critical, child);
        move_critical(space, critical, &other);
    }
    for (int64_t i = child->critical; i < space->pairs; i++) {
        if (happens(rng, 0.5)) child->genes[i] = other.genes[i];
    }
    if (happens(rng, 0.5)) child->start = b->start;
    if (space->attention_unit > 0 && happens(rng, 0.5)) child->attention = b->attention;
    return genome_valid(space, child);
}

/* Component by component ------------------------------------------------------------------------------ */

int64_t genome_components(const struct genome_space *space) {
    return space->pairs + (space->start_count > 1) + (space->attention_unit > 0) + critical_is_searched(space);
}

/* After the pairs comes n_hat, if there is a choice, then the attention factor, then the critical pair. */
static bool is_start(const struct genome_space *space, int64_t component) {
    return component == space->pairs && space->start_count > 1;
}

static bool is_critical(const struct genome_space *space, int64_t component) {
    return critical_is_searched(space) && component == genome_components(space) - 1;
}

void genome_copy_component(const struct genome_space *space, int64_t component, const struct genome *from,
                           struct genome *to) {
    assert(component >= 0 && component < genome_components(space));
    if (component < space->pairs) {
        bool in_both = component >= from->critical && component >= to->critical;
        if (in_both) to->genes[component] = from->genes[component];
    } else if (is_critical(space, component)) {
        move_critical(space, from->critical, to);
    } else if (is_start(space, component)) {
        to->start = from->start;
    } else {
        to->attention = from->attention;
    }
}

/* A single pair counts as the last one, not the first. */
static void resample_gene(const struct genome_space *space, int64_t i, gsl_rng *rng, struct genome *genome) {
    if (i < genome->critical) return; /* no gene */
    bool last = i + 1 == space->pairs, first = i == genome->critical;
    int32_t low = first ? smallest(space) : genome->genes[i - 1] + rise(space);
    int32_t high = last ? space->largest : genome->genes[i + 1] - (first ? 1 : rise(space));
    if (low <= high) genome->genes[i] = random_between(rng, low, high);
}

void genome_mutate_in_place(const struct genome_space *space, double probability, gsl_rng *rng, struct genome *genome) {
    assert(genome_valid(space, genome));
    assert(probability >= 0 && probability <= 1);
    for (int64_t component = 0; component < genome_components(space); component++) {
        if (!happens(rng, probability)) continue;
        if (component < space->pairs) {
            resample_gene(space, component, rng, genome);
        } else if (is_critical(space, component)) {
            resample_critical(space, rng, genome);
        } else if (is_start(space, component)) {
            genome->start = random_between(rng, 0, space->start_count - 1);
        } else {
            genome->attention = resampled_attention(space, genome->attention, rng);
        }
    }
    assert(genome_valid(space, genome));
}
