/* What one `longrope search` works with. The command fills it in once; recipes, stages and estimates borrow it. */
#ifndef LONGROPE_SEARCH_SEARCH_CONTEXT_H
#define LONGROPE_SEARCH_SEARCH_CONTEXT_H

#include <signal.h>

#include "search/config/config.h"
#include "search/ranks/ranks.h"
#include "search/store/score_cache.h"
#include "search/store/store.h"
#include "search/store/store_configuration.h"

/* All pointers are borrowed. An estimate reads config, run_dir and threads only. */
struct search_context {
    const struct config *config;
    const char *config_path; /* file that `config` was read from, for messages */
    const char *run_dir;     /* folder of the run; an estimate's need not exist */
    struct store *store;     /* run_dir/run.db */
    struct score_cache *cache;
    const struct configuration_record *configuration; /* what `config` was read from, for the store */
    struct ranks *ranks;                              /* NULL: the search is one process */
    int threads;                                      /* of a process; 0: as many as the machine offers it */
    const char *checkpoints;                          /* folder of checkpoints of windows; NULL: none */
    double checkpoint_interval;                       /* seconds between two of them, at least */
    const volatile sig_atomic_t *stop;                /* non-zero: save everything and end with STATUS_STOPPED */
};

#endif
