/* What a stage's tables rescale in the progressive recipe (LongRoPE, arXiv 2402.13753, section 3.3).
 *
 * The paper leaves open how the second search relates to the table that the model was fine-tuned with. The authors' own
 * tables show it: 2048k_la2_256k divided by ft_la2_256k lies on the 0.01 lattice and is monotone, so the searched table
 * multiplies the fine-tuned one. Tables for short windows were searched outright.
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
    struct rope_model own;      /* the model's own scaling, with the table it was fine-tuned with */
    struct rope_model searched; /* what searched tables multiply: `own`, or with STAGE_RECOVER nothing */
    int64_t window;             /* tokens: what the target length is compared with */
    int64_t pretrained_length;  /* tokens: the window before any extension */
};

/* The window before any extension, from config.json. */
int64_t stage_pretrained_length(const struct model_config *model);

/* The window that a stage of that kind compares its target length with. `base_length` is the length that the model was
 * fine-tuned for; 0 for a stage without a base. */
int64_t stage_window(enum stage_kind kind, const struct model_config *model, int64_t base_length);

/* `base` is the table that the model was fine-tuned with; NULL if the configuration names no base. A model whose
 * config.json has no scaling gets this table; a scaling in config.json must equal it, else STATUS_INPUT. */
int stage_base_resolve(const struct stage_config *config, const struct model_config *model,
                       const struct factor_entry *base, struct stage_base *out, struct error *error);

/* The model's own table. A scaling that varies with the length has one for inputs of the target length. Of longrope's
 * two tables it is the long one, also for a short target: a search there begins with what the model was extended with.
 */
void stage_base_own_table(const struct stage_base *base, int64_t target_length, struct rope_table *out);

#endif
