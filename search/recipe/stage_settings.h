/* What a resume must find unchanged, as words: everything that the populations and scores of a stage depend
 * on, and what is wanted of it. Not the number of threads, the cache, or where files lie. */
#ifndef LONGROPE_SEARCH_STAGE_SETTINGS_H
#define LONGROPE_SEARCH_STAGE_SETTINGS_H

#include <stddef.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/config/config.h"
#include "search/recipe/stage_windows.h"
#include "search/store/store.h"

enum { STAGE_SETTINGS_MOST = 40 };

struct stage_settings {
    struct setting items[STAGE_SETTINGS_MOST]; /* keys and values are owned */
    size_t count;
};

/* Settings are as the configuration says them, not what follows from them: a changed target length alters
 * the attention factor, too, and the one to be named is what somebody changed. The caller frees *out with
 * stage_settings_free(), whatever is returned. */
int stage_settings_read(const struct stage_config *config, const struct model *model,
                        const struct stage_windows *windows, struct stage_settings *out, struct error *error);
void stage_settings_free(struct stage_settings *settings);

#endif
