/* Genomes: candidate factor tables as integers on a lattice.
 *
 * LongRoPE's search space (arXiv 2402.13753, table 1 and section 3.2): each rescale factor lambda_i
 * is one of {1.00, 1.01, ..., 1.25 s}, non-decreasing in i, and n_hat is one of a short list. Genes
 * count lattice steps and n_hat is kept as its index, so that equality, hashing and storage are exact.
 *
 * LongRoPE2's search space (arXiv 2502.20082, section 3) has a critical pair, cd >= 1. Pairs before it follow NTK,
 * lambda_i = lambda_cd^(i/cd), and have no genes. The genes of cd and the pairs after it are strictly increasing
 * between s and 2 s. cd is fixed, or one more number that is searched.
 */
#ifndef LONGROPE_SEARCH_GENOME_H
#define LONGROPE_SEARCH_GENOME_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/rope.h"

enum {
    GENOME_MAX_STARTS = 32,
    GENOME_ATTENTION_REACH = 8 /* a mutation moves the attention factor by up to 1/8 of its range */
};

struct genome_space {
    int64_t pairs;                       /* genes; 1..ROPE_MAX_PAIRS */
    int32_t unit;                        /* lattice steps in 1.0: lambda = gene / unit; also the smallest gene */
    int32_t largest;                     /* largest gene, >= unit */
    int32_t critical_low, critical_high; /* bounds of the critical pair, 1 <= low <= high < pairs; 0: there is none */
    int32_t smallest; /* with a critical pair the smallest gene, unit..largest - (pairs - critical_low - 1); else 0 */
    int32_t start_count;                     /* 1..GENOME_MAX_STARTS */
    int64_t start_tokens[GENOME_MAX_STARTS]; /* the values n_hat may take */
    int32_t attention_unit;                  /* steps in 1.0 of the attention factor; 0: it is not searched */
    int32_t attention_low, attention_high;   /* its bounds in steps, 1 <= low <= high; 0 where not searched */
};

struct genome {
    int32_t genes[ROPE_MAX_PAIRS]; /* [space.pairs], unit..largest, non-decreasing; with a critical pair from that on,
                                      smallest..largest, strictly increasing; the rest is 0 */
    int32_t start;                 /* index into start_tokens */
    int32_t attention;             /* attention factor in steps of 1 / attention_unit; 0 where not searched */
    int32_t critical;              /* critical pair; 0 where the space has none */
};

/* In the space: on the lattice, within the bounds, and increasing as the space requires. */
bool genome_valid(const struct genome_space *space, const struct genome *genome);
bool genome_equal(const struct genome *a, const struct genome *b);
uint64_t genome_hash(const struct genome *genome);

/* The nearest genome to factors[space->pairs]: each rounded to the lattice and clamped to its
 * bounds, then raised to its left neighbour where it is lower; with a critical pair, to the step above the neighbour,
 * and clamped to leave a step for each pair to its right. The critical pair, if it is searched, is the one whose table
 * is nearest to the factors, by the sum of squared differences of log lambda; the highest of equals. The attention
 * factor is rounded and clamped where it is searched; it is ignored elsewhere. */
void genome_from_factors(const struct genome_space *space, const double *factors, int32_t start,
                         double attention_factor, struct genome *out);

/* n_hat, in tokens. */
int64_t genome_start_tokens(const struct genome_space *space, const struct genome *genome);

/* lambda_i of all pairs, factors[space->pairs], those before the critical pair included. */
void genome_factors(const struct genome_space *space, const struct genome *genome, double *factors);

/* Sets table's factors, start tokens and, where it is searched, attention factor; the rest of it is left
 * as it is. */
void genome_apply(const struct genome_space *space, const struct genome *genome, struct rope_table *table);

/* Mutation as published: each gene in turn, from the first pair on, is resampled with probability
 * `probability`, uniformly from the lattice points between its neighbours (the left one as it
 * stands after its own turn); then n_hat likewise from its list; then, where it is searched, the
 * attention factor from what lies within GENOME_ATTENTION_REACH; then, where it is searched, the critical pair,
 * uniformly. A new critical pair keeps the table as nearly as the space allows: genes that it adds are those nearest to
 * what NTK gave these pairs. The child is always valid, and may equal the parent. `child` may not be `parent`. */
void genome_mutate(const struct genome_space *space, const struct genome *parent, double probability, gsl_rng *rng,
                   struct genome *child);

/* Crossover as published: each gene, n_hat and the attention factor from one of two parents by a fair
 * coin. A searched critical pair comes first, and both parents are moved to it as a mutation moves them. False, with
 * child unspecified, where the child breaks the constraint: try again. */
bool genome_crossover(const struct genome_space *space, const struct genome *a, const struct genome *b, gsl_rng *rng,
                      struct genome *child);

/* One pass of microsoft/LongRoPE's mutation (evolution/algorithms/dim_mono.py) over the genome itself: as
 * genome_mutate(), but the first gene stays below its right neighbour, and is kept if there is no such value. n_hat,
 * the attention factor and the critical pair, which that program does not search, are skipped if they have only one
 * value.
 */
void genome_mutate_in_place(const struct genome_space *space, double probability, gsl_rng *rng, struct genome *genome);

/* The number of components in which genomes can differ: the pairs, then n_hat if there is a choice, then the attention
 * factor and then the critical pair if they are searched. */
int64_t genome_components(const struct genome_space *space);
/* Copies one component, 0 <= component < genome_components(); the result may break the constraint. A pair that has no
 * gene in one of the two is left as it is; a new critical pair moves `to` as a mutation does. */
void genome_copy_component(const struct genome_space *space, int64_t component, const struct genome *from,
                           struct genome *to);

#endif
