/* The genomes that a stage's first population begins with: the tables of search.initial, mapped into the space of the
 * stage (genome_from_factors()).
 *
 * A table is a closed form on top of what the stage's tables rescale, or comes from a factor file:
 *
 * - critical-ntk, with a critical pair cd: NTK to cd, lambda_i = s^(i/cd), then rising evenly to 1.5 s at the last
 * pair. cd is the theoretical or given one. PI, NTK and YaRN are flat or below s there, and mutations find no room
 * between flat neighbours. LongRoPE2's published code begins with such tables of its own: NTK to cd, then steps of 0.1.
 * - a factor file holds searched factors, which multiply the model's own scaling where it has one (stage_base.h). A
 *   table that contains that scaling already (`whole` in search/factors/factors.h) is divided by it, as the table of a
 *   search on a fine-tuned model is. Of several tables the one for the target length counts, as `longrope eval
 *   --factors` chooses. Its n_hat and attention factor count where the space allows.
 *
 * A file's table, the model's own (`own`) and resonance-yarn, which has factors below 1, are kept where they are
 * members of the space. Each change is one line on stderr: pair, value, new value and reason. Other closed forms are
 * rounded to the lattice without a word. The baseline `none` of a stage that recovers is the model's own table exactly.
 */
#ifndef LONGROPE_SEARCH_STAGE_INITIAL_H
#define LONGROPE_SEARCH_STAGE_INITIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/evolve/evolve.h"
#include "search/recipe/stage_base.h"
#include "search/store/store.h"

struct stage_initial {
    size_t count; /* of search.initial */
    struct initial_genome genomes[CONFIG_MAX_INITIAL];
    uint64_t fingerprints[CONFIG_MAX_INITIAL]; /* of files' tables: factors, n_hat, attention factor; 0: no file */
};

/* STATUS_INPUT if search.initial names a table that a stage of this kind cannot start with, or a file that cannot be
 * read or is not for such a model; NULL: the model is not known. */
int stage_initial_check(const struct stage_config *config, const struct rope_model *model, struct error *error);

/* `base` and `record` are the stage's (stage_space.h). Prints the changes of such tables if `verbose`. STATUS_INPUT,
 * naming the line of the configuration, for a file that cannot be read or was made for another model. */
int stage_initial_make(const struct stage_config *config, const struct stage_base *base,
                       const struct stage_record *record, bool verbose, struct stage_initial *out, struct error *error);

#endif
