/* The private state of a stage that runs, shared by stage.c, stage_baselines.c, stage_budget.c, stage_search.c,
 * held_out.c, old_window.c and serve.c. No other file includes it. */
#ifndef LONGROPE_SEARCH_STAGE_STATE_H
#define LONGROPE_SEARCH_STAGE_STATE_H

#include "search/base/progress.h"
#include "search/evolve/evolve.h"
#include "search/evolve/window_nats.h"
#include "search/ranks/rank_workers.h"
#include "search/recipe/score_keys.h"
#include "search/recipe/scorer.h"
#include "search/recipe/search_context.h"
#include "search/recipe/stage_base.h"
#include "search/recipe/stage_initial.h"
#include "search/recipe/stage_settings.h"
#include "search/recipe/stage_windows.h"

/* How long a stage searches: what may change when its run is continued. */
struct stage_budget {
    int64_t iterations, evaluations; /* evaluations 0: no limit */
};

/* The nats of an individual that others have to beat. */
struct rival {
    struct window_nats nats;
    int64_t id; /* EVOLVE_NO_PARENT before any is read */
};

struct stage {
    const struct search_context *context;
    const struct stage_config *config; /* its part of context->config */
    const char *folder;                /* of the model */
    struct stage_record record;
    bool stored;                       /* the store has a record of the stage already */
    struct stage_budget stored_budget; /* with which it was stored */
    struct model *model;
    struct stage_base base;
    struct stage_windows windows;
    struct scoring scoring;             /* on all windows but those that are held out */
    struct scoring all_scoring;         /* on these too */
    struct score_keys keys;             /* of the model and all windows */
    struct rank_workers *workers;       /* NULL for a search of one process */
    const struct workers *open_workers; /* NULL until they have loaded */
    const char *checkpoint_folder;      /* of windows; NULL: none */
    struct checkpoints *checkpoints;    /* there, for a search of one process */
    struct scorer *scorer;
    struct window_nats window_nats; /* of the table that is being scored */
    struct progress progress;
    double best_baseline; /* nats per token; infinite before any is scored */
    /* The search: */
    struct stage_initial initial;
    struct evolve *evolve;
    struct individual_record *known; /* [known_count] of the store when the search began, ordered by id */
    size_t known_count;
    size_t failed;                   /* individuals with whose tables the model's numbers overflow */
    size_t expected;                 /* requests ahead, the one under way included, that the scorer knows of */
    struct rival rival, later_rival; /* of the individual that is scored, and of one that will be */
};

/* What rank 0 says to the others of a stage that begins. */
struct stage_order {
    int64_t number; /* in messages: those of stages are their places in the configuration, that of the old window comes
                     * behind them */
    int64_t index;  /* in the configuration */
    int64_t old_window;          /* tokens: the tables of the stage are measured there; 0: the stage is searched */
    char model[STORE_PATH_SIZE]; /* with old_window: folder */
};

/* The other ranks, which load the stage at the same time, into stage->workers. Nothing happens without any. */
int stage_begin_elsewhere(struct stage *stage, const struct stage_order *order, struct error *error);

/* Makes the scorer of a loaded stage, with all ranks, in place of one that it has; `options` has what is the caller's
 * own: scoring, blocks, progress, hopeless and idle. */
int stage_make_scorer(struct stage *stage, struct scorer_options options, struct error *error);

/* Loads what a stage is scored with: windows, scoring, model, keys, and room for nats. The caller calls stage_close(),
 * also after an error. */
int stage_load(struct stage *stage, struct error *error);
/* The same on the rank that prints: a signal ends the process at once, and stderr says how to go on. */
int stage_load_or_end(struct stage *stage, struct error *error);
void stage_close(struct stage *stage);

/* The RoPE table of an individual of the stage. */
void stage_candidate_table(const struct stage *stage, const struct individual *individual, struct rope_table *out);

/* All windows that the stage scores tables on, from the first one on. */
struct window_range stage_all_windows(const struct stage *stage);

/* All windows of a loaded stage, held out ones too, as ranks compute them; their details are the blocks of windows.
 * Borrows the stage. */
struct window_task stage_task(struct stage *stage);

/* The name of scores in messages. */
const char *stage_score_name(const struct stage *stage);

/* Compares the budget of a stored stage, whose other settings are those of the store, with the configuration's. If they
 * differ, the stage is opened for the new one, and a stage that was done searches on. If more than the new one is done
 * already, a stage that is done stays as it is, which stderr says, and another one is STATUS_INPUT. */
int stage_open_budget(struct stage *stage, const struct stage_settings *settings, struct error *error);

/* Scores the closed forms that the store does not have yet, and keeps them there. */
int stage_score_baselines(struct stage *stage, struct error *error);

/* Whether racing would give up individual `id`, which the search is going to ask for, by what is known now: for struct
 * scorer_options. `stage` is a struct stage. */
int stage_is_hopeless(void *stage, int64_t id, const struct window_nats *known, bool *out, struct error *error);

/* Makes the search before the baselines are scored, if it does not depend on them: its first population is for ranks
 * that the baselines leave idle. */
int stage_search_early(struct stage *stage, struct error *error);

/* For struct scorer_options: tells the scorer of all individuals that the search is certain to ask for, if there is a
 * search already. `stage` is a struct stage. */
int stage_expect_ahead(void *stage, struct error *error);

/* Makes the search if it is not made, replays the individuals of the store, and scores what it proposes until it is
 * over. */
int stage_search(struct stage *stage, struct error *error);

#endif
