/* A stored run for reports: its name, its state and the contents of its stages. Stages are read one at a time, so a
 * report needs the memory of the largest stage only. A search may write at the same time: a stage is a snapshot. */
#ifndef LONGROPE_SEARCH_RUN_VIEW_H
#define LONGROPE_SEARCH_RUN_VIEW_H

#include "eval/base/error.h"
#include "search/factors/factors.h"
#include "search/store/store.h"
#include "search/store/store_configuration.h"
#include "search/store/store_held_out.h"
#include "search/store/store_machines.h"
#include "search/store/store_ranks.h"

struct run_view {
    struct store *store; /* borrowed */
    char name[STORE_NAME_SIZE];
    enum stage_state state;      /* of the run; done if all planned stages are done, stopped if no process searches */
    size_t count;                /* stages in the view */
    struct stage_record *stages; /* [count] */
};

/* The view has the stage of that name only; NULL: all stages that have begun. STATUS_INPUT for an unknown name. The
 * caller closes *out; after an error there is nothing to close. */
int run_view_open(struct store *store, const char *stage, struct run_view *out, struct error *error);
void run_view_close(struct run_view *run);

/* The number of windows of stage `index`: a complete score is the mean over all of them. */
int run_view_windows(const struct run_view *run, size_t index, size_t *out, struct error *error);

/* Sets the table's pairs, factors, start tokens and attention factor to those that `genome` stands for in the stage.
 * Frequencies and the model's own attention factor are not changed. */
void stage_record_table(const struct stage_record *stage, const struct genome *genome, struct rope_table *table);

struct stage_view {
    const struct stage_record *record;    /* borrowed from the run_view */
    size_t windows;                       /* as run_view_windows() counts them */
    struct window_record *window_records; /* [windows], in the order of scoring */
    size_t setting_count;
    struct setting_record *settings; /* [setting_count], by key */
    size_t baseline_count;
    struct baseline_record *baselines; /* [baseline_count], in the order they were scored */
    size_t individual_count;
    struct individual_record *individuals; /* [individual_count], by id */
    size_t rank_count;
    struct rank_record *ranks; /* [rank_count], by rank; none of a search that was one process */
    size_t machine_count;
    struct machine_record *machines; /* [machine_count], in the order in which they began */
    struct held_out held_out; /* of the best table: not known where a larger budget has found another one since */
};

/* Stage `index` of the run's view. The caller frees with stage_view_free(), also after an error. */
int stage_view_read(const struct run_view *run, size_t index, struct stage_view *out, struct error *error);
void stage_view_free(struct stage_view *stage);

/* The current generation: that of the newest individual; 0 before any. */
int64_t stage_view_generation(const struct stage_view *stage);
/* individual->work in evaluations on all windows; NaN for 0, which is unknown. */
double stage_view_work(const struct stage_view *stage, size_t work);
/* n_hat of an individual of the stage, in tokens. */
int64_t stage_view_start_tokens(const struct stage_view *stage, const struct individual *individual);
/* The complete table of an individual of the stage: the searched factors times those of the model's own table. */
void stage_view_entry(const struct stage_view *stage, const struct individual *individual, struct factor_entry *out);

/* The factors of a baseline, in the same terms as stage_view_entry(): theta^(-2i/d) is divided by them, and the model's
 * own scaling is included. factors[record->space.pairs]. */
void stage_view_baseline_factors(const struct stage_view *stage, const struct baseline_record *baseline,
                                 double *factors);
/* The first pair whose wavelength before any rescaling, 2 pi theta^(2i/d) tokens, is at least the window before any
 * extension: it makes no full turn in that window. The number of pairs if all wavelengths are shorter. */
int64_t stage_view_window_pair(const struct stage_view *stage);

/* The best individual of all, and of those without start tokens; NULL if there is none. Only individuals that are
 * scored on all windows count. They point into stage->individuals. */
struct stage_best {
    const struct individual *any, *exportable;
};
struct stage_best stage_view_best(const struct stage_view *stage);

/* The one of these that is measured on text that was not searched on: the exportable one, if there is one. */
const struct individual *stage_view_measured(const struct stage_view *stage);

/* The best table without start tokens of the stage called `name`. *found is false if there is no such stage, or it is
 * not done. */
int run_exportable_table(struct store *store, const char *name, struct factor_entry *out, bool *found,
                         struct error *error);

#endif
