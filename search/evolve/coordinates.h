/* Coordinates of factor tables: few numbers instead of one gene per pair.
 *
 * A perplexity tells smooth changes of a table apart, not single genes. So a table is moved by deviations of ln lambda
 * at K knots, which are pairs; between knots the deviation is linear. The result is rounded to the lattice of the space
 * (search/evolve/genome.h), where every table that is scored, stored or exported lies.
 */
#ifndef LONGROPE_SEARCH_COORDINATES_H
#define LONGROPE_SEARCH_COORDINATES_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/rope.h"
#include "search/evolve/genome.h"

enum { COORDINATES_FEWEST = 2 /* knots: the first and the last pair; a space of one pair has one */ };

struct coordinates {
    int64_t pairs;
    int64_t count;                 /* K knots, 1..pairs */
    int64_t knots[ROPE_MAX_PAIRS]; /* [count] pairs, ascending: the first one, ..., the last one */
};

/* `count` knots, evenly spaced over the pairs as nearly as whole pairs allow; every pair if count is 0 or at least
 * `pairs`. */
void coordinates_spread(struct coordinates *coordinates, int64_t pairs, int64_t count);

/* Adds a knot in the middle of each gap, so that all tables that could be reached still can. False, and nothing
 * changes, where every pair is a knot. */
bool coordinates_refine(struct coordinates *coordinates);

/* deviations[pairs] of all pairs from knot_deviations[count]. */
void coordinates_interpolate(const struct coordinates *coordinates, const double *knot_deviations, double *deviations);

/* The genetic operators' view of a table: the genes of the knots alone, as a genome of a space with that many pairs.
 * For spaces without a critical pair. */
struct genome_space coordinates_space(const struct coordinates *coordinates, const struct genome_space *space);
void coordinates_genes(const struct coordinates *coordinates, const struct genome *genome, struct genome *knots);

/* Moves the table of `from` so that its knots have the genes of `knots`: *out is the nearest genome to it, with n_hat
 * and attention factor of `knots`. What `from` has between its knots stays. *out may not be *from. */
void coordinates_move(const struct coordinates *coordinates, const struct genome_space *space,
                      const struct genome *from, const struct genome *knots, struct genome *out);

#endif
