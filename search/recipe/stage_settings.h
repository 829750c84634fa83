/* The settings of a stage in words, which a resume must find unchanged: everything that its populations and scores
 * depend on, and its goal. Not the number of threads, the cache or the paths of files. The settings of the budget
 * (STORE_ITERATIONS, STORE_EVALUATIONS) decide only how long it searches: they may grow (stage_open_budget()). */
#ifndef LONGROPE_SEARCH_STAGE_SETTINGS_H
#define LONGROPE_SEARCH_STAGE_SETTINGS_H

#include <stddef.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "search/config/config.h"
#include "search/recipe/stage_initial.h"
#include "search/recipe/stage_windows.h"
#include "search/store/store.h"

enum { STAGE_SETTINGS_MOST = 40 };

struct stage_settings {
    struct setting items[STAGE_SETTINGS_MOST]; /* keys and values are owned */
    size_t count;
};

/* Settings are values of the configuration, not values derived from them: a changed target length also changes the
 * attention factor, and the error should name the former. The caller frees *out with stage_settings_free(), also after
 * an error. */
int stage_settings_read(const struct stage_config *config, const struct model *model,
                        const struct stage_windows *windows, const struct stage_initial *initial,
                        struct stage_settings *out, struct error *error);
void stage_settings_free(struct stage_settings *settings);

#endif
