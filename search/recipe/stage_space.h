/* What a stage searches: the lattice of genomes, the attention factor, and the record of the stage in the store
 * (LongRoPE, arXiv 2402.13753, table 1 and section 3.2; LongRoPE2, arXiv 2502.20082, section 3). */
#ifndef LONGROPE_SEARCH_STAGE_SPACE_H
#define LONGROPE_SEARCH_STAGE_SPACE_H

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/rope.h"
#include "search/evolve/evolve.h"
#include "search/recipe/search_context.h"
#include "search/recipe/stage_base.h"

/* A searched critical pair lies in theoretical - STAGE_CRITICAL_REACH..theoretical, without pair 0. LongRoPE2 found it
 * 5 and 6 pairs below the theoretical one (LLaMA3-8B: 30 of 35, Phi3-mini: 25 of 31). */
enum { STAGE_CRITICAL_REACH = 8 };

/* Resolves what the stage's tables rescale (stage_base_resolve()); the table of the stage's base is read from
 * context->store. STATUS_INPUT if the base is not done, or is not the table of the model. */
int stage_space_base(const struct search_context *context, const struct stage_config *config,
                     const struct model_config *model, struct stage_base *out, struct error *error);

/* The longest extending stage before `stage` in the configuration; NULL: none. */
const struct stage_config *stage_space_longest(const struct config *config, const struct stage_config *stage);

/* The stage that the attention factor of `stage` comes from: of a short window, the longest extending one before it, as
 * engines have one factor for both tables. NULL: `stage` has a factor of its own. */
const struct stage_config *stage_space_attention_from(const struct config *config, const struct stage_config *stage);

/* The lattice of a stage's genomes; of *record reads scale, attention_factor, pretrained_length and rope_theta. Errors
 * are those of stage_space_record(). */
int stage_space_lattice(const struct stage_config *config, int64_t pairs, const struct stage_record *record,
                        struct genome_space *out, struct error *error);

/* Fills in *record, except its id and state. `folder` is the folder of the model. A short window is searched with the
 * attention factor of the longest stage before it, since engines use one for both tables; STATUS_INPUT if that stage
 * is not done, if the lattice has too many steps or, with a critical pair, too few, if the critical pair is not one of
 * the model's, and if the name is too long. */
int stage_space_record(const struct search_context *context, const struct stage_config *config, const char *folder,
                       const struct model_config *model, const struct stage_base *base, struct stage_record *record,
                       struct error *error);

/* Whether the stage has a space, as far as can be known before its base is done: `base_length` is its base's target
 * length, 0 without a base. STATUS_INPUT as stage_space_record(). */
int stage_space_check(const struct stage_config *config, const struct model_config *model, int64_t base_length,
                      struct error *error);

/* The closed forms at the stage's target length, on top of `model`, which is borrowed. */
struct rope_setting stage_space_setting(const struct stage_record *record, const struct rope_model *model);

#endif
