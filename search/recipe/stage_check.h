/* What is wrong with a stage as far as its configuration, its factor files and its model's config.json tell. A search
 * checks all its stages before it scores anything, and a dry run checks the same: it accepts nothing that the search
 * refuses for such a reason. */
#ifndef LONGROPE_SEARCH_STAGE_CHECK_H
#define LONGROPE_SEARCH_STAGE_CHECK_H

#include <stddef.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/config/config.h"

/* `model` is that of stage `index`, or of the one that it will be fine-tuned from; NULL: it is not known yet, and only
 * tables are checked. STATUS_INPUT for a table in search.initial that cannot be read, is another model's, or is not for
 * this kind of stage; for a target within the model's window, where nothing can be gained; for a lattice or critical
 * pair that the model does not allow; for a name that is too long. The message says what to do. */
int stage_check(const struct config *config, size_t index, const struct model_config *model, struct error *error);

/* Says on stderr what is allowed and hardly meant: a short table whose attention factor is not that of the long one. */
void stage_warn(const struct config *config, size_t index);

#endif
