/* What a stage's tables rescale, as the progressive recipe has it (LongRoPE, arXiv 2402.13753, section 3.3).
 *
 * The paper leaves open how the second search relates to the table that the model was fine-tuned with. The
 * authors' own tables tell: 2048k_la2_256k divided by ft_la2_256k lies on the 0.01 lattice and is monotone, so
 * what was searched is a factor of a product. Tables of short windows were searched outright.
 */
#ifndef LONGROPE_SEARCH_STAGE_BASE_H
#define LONGROPE_SEARCH_STAGE_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/config/config.h"
#include "search/factors/factors.h"

struct stage_base {
    struct rope_model own;      /* what the model does of itself, the table it was fine-tuned with included */
    struct rope_model searched; /* what searched tables multiply: `own`, or with STAGE_RECOVER nothing */
    int64_t window;             /* tokens: what the target length is compared with */
    int64_t pretrained_length;  /* tokens: the window before any extension */
};

/* The window before any extension, which config.json tells. */
int64_t stage_pretrained_length(const struct model_config *model);

/* What a stage of that kind compares its target length with. `base_length` is the length that the model was fine-tuned
 * for, where the stage has a base, and else 0. */
int64_t stage_window(enum stage_kind kind, const struct model_config *model, int64_t base_length);

/* `base` is the table that the model was fine-tuned with; NULL where the configuration names no base. A model whose
 * config.json has no scaling gets it; one that has must say the same. STATUS_INPUT where it says something else. */
int stage_base_resolve(const struct stage_config *config, const struct model_config *model,
                       const struct factor_entry *base, struct stage_base *out, struct error *error);

#endif
