/* One stage of a run: loads its model and text, scores the closed-form baselines and then what the
 * genetic driver asks for, and keeps every score in the store. A stage that was interrupted goes on
 * by telling the driver what the store holds. */
#ifndef LONGROPE_SEARCH_STAGE_H
#define LONGROPE_SEARCH_STAGE_H

#include <signal.h>

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/store/score_cache.h"
#include "search/store/store.h"
#include "search/store/store_configuration.h"

struct stage_options {
    const char *model;         /* folder; the configuration's, or what its base was fine-tuned to */
    struct score_cache *cache; /* of the nats of windows */
    /* What `config` was read from: the store keeps it as a stage begins. */
    const struct configuration_record *configuration;
    int threads;                       /* 0: as many as the machine offers */
    const volatile sig_atomic_t *stop; /* becomes non-zero when the search should save and stop */
};

/* Runs stage `index` of the configuration to its end. STATUS_STOPPED where the stop flag rose:
 * everything scored is saved. A stage with a base needs that one done. STATUS_INPUT for a wrong model, text or setting,
 * or one that changed since the stage began; STATUS_FAILED for what the machine could not do. */
int stage_run(struct store *store, const struct config *config, size_t index, const struct stage_options *options,
              struct error *error);

/* How many closed-form methods a stage of that kind scores before it searches: the first so many. */
int stage_baselines(enum stage_kind kind);

#endif
