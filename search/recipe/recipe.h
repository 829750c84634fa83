/* The progressive recipe (LongRoPE, arXiv 2402.13753, section 3.3): a configuration's stages in order, with the
 * fine-tuning that some of them need between. What cannot run for want of a fine-tuned model is passed over. */
#ifndef LONGROPE_SEARCH_RECIPE_H
#define LONGROPE_SEARCH_RECIPE_H

#include <signal.h>

#include "eval/base/error.h"
#include "search/config/config.h"
#include "search/store/score_cache.h"
#include "search/store/store.h"
#include "search/store/store_configuration.h"

struct recipe_options {
    const char *config;                               /* path of the configuration's file, for messages */
    const char *run_dir;                              /* of the store */
    struct score_cache *cache;                        /* of the nats of windows */
    const struct configuration_record *configuration; /* what the configuration was read from, for the store */
    int threads;                                      /* 0: as many as the machine offers */
    const volatile sig_atomic_t *stop;                /* becomes non-zero when all is to be saved and to stop */
};

/* Runs all that can run. Writes run_dir/factors.json after each stage, and run_dir/NAME-factors.json for the
 * fine-tuning with stage NAME's table. STATUS_STOPPED where the stop flag rose, and where somebody has to fine-tune a
 * model before it can go on: stderr then says with which command. Other errors are those of stage_run() and
 * finetune_run(). */
int recipe_run(struct store *store, const struct config *config, const struct recipe_options *options,
               struct error *error);

#endif
