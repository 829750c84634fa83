/* Continuing a stage with another budget. What the search proposes does not depend on the budget (search/evolve/
 * evolve.h), so a stage that goes on ends as one that had the larger budget from the start. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search/recipe/recipe_paths.h"
#include "search/recipe/stage.h"
#include "search/recipe/stage_space.h"
#include "search/recipe/stage_state.h"
#include "search/store/store_measurements.h"

enum { BUDGET_TEXT = 80 };

/* As the configuration has it: 0 iterations are the first generation, but with an algorithm that knows none. Without
 * the configuration (NULL) they are left out. */
static void budget_text(const struct stage_config *config, const struct stage_budget *budget, char out[BUDGET_TEXT]) {
    size_t used = 0;
    bool known = config && config->search.algorithm != ALGORITHM_BAYESIAN;
    *out = '\0';
    if (known || budget->iterations || !budget->evaluations) {
        used = (size_t)snprintf(out, BUDGET_TEXT, "iterations: %" PRId64, budget->iterations);
    }
    if (budget->evaluations) {
        snprintf(out + used, BUDGET_TEXT - used, "%sevaluations: %" PRId64, used ? ", " : "", budget->evaluations);
    }
}

/* ---- what is done ---- */

static struct stage_budget budget_of(const struct stage_config *config) {
    return (struct stage_budget){(int64_t)config->search.iterations, (int64_t)config->search.evaluations};
}

static bool same(const struct stage_budget *a, const struct stage_budget *b) {
    return a->iterations == b->iterations && a->evaluations == b->evaluations;
}

/* The work of a stored search. */
struct done {
    int64_t iterations, evaluations;
    int64_t required; /* evaluations: of those and what a search with the budget that is asked for keeps for its end */
};

/* Window scores that a budget must have for these individuals. One that racing stopped used fewer windows than the
 * budget had to have for it. */
static size_t windows_due(const struct individual_record *known, size_t count, size_t windows) {
    size_t used = 0, due = 0;
    for (size_t i = 0; i < count; i++) {
        size_t scored = known[i].scored.windows, asked = known[i].individual.stopped ? windows : scored;
        if (used + asked > due) due = used + asked;
        used += scored;
    }
    return due;
}

static int64_t evaluations_of(size_t scores, size_t windows) {
    return scores ? (int64_t)((scores - 1) / windows + 1) : 0;
}

/* The smallest budget with which a search gets as far as the stored one. */
static int read_done(struct store *store, const struct stage_config *config, const struct stage_record *stage,
                     struct done *out, struct error *error) {
    struct window_record *windows = NULL;
    struct individual_record *known = NULL;
    size_t window_count = 0, count = 0;
    int status = store_windows(store, stage->id, &windows, &window_count, error);
    if (status == STATUS_OK) status = store_individuals(store, stage, &known, &count, error);
    if (status == STATUS_OK) {
        size_t due = window_count ? windows_due(known, count, window_count) : 0;
        size_t kept = due ? evolve_kept(&config->search, window_count) : 0;
        *out = (struct done){.iterations = count ? known[count - 1].individual.generation : 0,
                             .evaluations = evaluations_of(due, window_count),
                             .required = evaluations_of(due + kept, window_count)};
    }
    free(windows);
    free(known);
    return status;
}

static bool fewer_evaluations(int64_t a, int64_t b) { return a && (!b || a < b); }

/* Whether a search with the budget gets as far as the stored one, which had the budget `then`. */
static bool allows(const struct stage_budget *budget, const struct stage_budget *then, const struct done *done) {
    return (budget->iterations >= then->iterations || budget->iterations >= done->iterations) &&
           (!fewer_evaluations(budget->evaluations, then->evaluations) || budget->evaluations >= done->required);
}

/* More is done than `budget` allows. */
static int keep(struct stage *stage, const struct stage_budget *budget, const struct done *done, struct error *error) {
    char now[BUDGET_TEXT], then[BUDGET_TEXT], kept[BUDGET_TEXT] = "";
    if (done->required > done->evaluations) {
        snprintf(kept, sizeof kept, " (%" PRId64 " with what is kept for the end)", done->required);
    }
    budget_text(stage->config, budget, now);
    budget_text(stage->config, &stage->stored_budget, then);
    if (stage->record.state != STAGE_DONE) {
        return error_set(
            error, STATUS_INPUT,
            "stage '%s': the work of %" PRId64 " evaluations%s in %" PRId64 " iterations is done, more "
            "than the budget now allows (search: {%s}); finish it with the budget that it has (search: {%s}) or a "
            "larger one",
            stage->record.name, done->evaluations, kept, done->iterations, now, then);
    }
    fprintf(stderr,
            "%s: is done with the work of %" PRId64 " evaluations%s in %" PRId64
            " iterations, more than the budget now allows "
            "(search: {%s}); it stays as it is (search: {%s})\n",
            stage->record.name, done->evaluations, kept, done->iterations, now, then);
    stage->record.iterations = stage->stored_budget.iterations;
    stage->record.evaluations = stage->stored_budget.evaluations;
    return STATUS_OK;
}

/* ---- what rests on the stage's table ---- */

static int rests(const struct stage_record *stage, const char *what, const char *remedy, struct error *error) {
    char then[BUDGET_TEXT];
    budget_text(NULL, &(struct stage_budget){stage->iterations, stage->evaluations}, then);
    return error_set(error, STATUS_INPUT,
                     "stage '%s': it is done, and a larger budget may change its table, but %.4000s with the one that "
                     "it has; %sgive this stage the budget that it had (search: {%s}), or start a new run with -o, and "
                     "with this run's score cache (--cache), so that nothing is scored twice",
                     stage->name, what, remedy, then);
}

/* Whether `other`, if it has begun, was searched with the table of the stage `config`, or its attention factor. */
static bool depends(const struct search_context *context, const struct stage_config *config,
                    const struct stage_config *other, const struct stage_record *record) {
    if (strcmp(record->base, config->name) == 0) return true;
    /* a formula gives the attention factor again; only a searched one may change */
    return config->attention_rule == ATTENTION_SEARCH && stage_space_attention_from(context->config, other) == config;
}

static int check_stages(const struct search_context *context, size_t index, const struct stage_record *stage,
                        struct error *error) {
    for (size_t i = index + 1; i < context->config->stage_count; i++) {
        const struct stage_config *other = &context->config->stages[i];
        struct stage_record record;
        bool begun = false;
        int status = store_find_stage(context->store, other->name, &record, &begun, error);
        if (status != STATUS_OK) return status;
        if (!begun || !depends(context, &context->config->stages[index], other, &record)) continue;
        char what[STORE_NAME_SIZE + 40];
        snprintf(what, sizeof what, "stage '%s' was searched", other->name);
        return rests(stage, what, "", error);
    }
    return STATUS_OK;
}

/* `suffix` is that of a fine-tuning under way (search/recipe/finetune.h), or "". */
static int check_model(const struct stage_record *stage, const char *output, const char *suffix, struct error *error) {
    char *what = NULL;
    if (asprintf(&what, "%s%s", output, suffix) < 0) return error_memory(error, 0, "a path");
    bool there = access(what, F_OK) == 0;
    free(what);
    if (!there) return STATUS_OK;
    if (asprintf(&what, "the model in %s%s is fine-tuned", output, suffix) < 0) return error_memory(error, 0, "a path");
    int status = rests(stage, what, "remove that folder to have it fine-tuned again, ", error);
    free(what);
    return status;
}

static int check_finetuning(const struct search_context *context, size_t index, const struct stage_record *stage,
                            struct error *error) {
    if (!context->config->stages[index].finetune.given) return STATUS_OK;
    char *output = recipe_output(context, index);
    if (!output) return error_memory(error, 0, "a path");
    int status = check_model(stage, output, "", error);
    if (status == STATUS_OK) status = check_model(stage, output, ".part", error);
    free(output);
    return status;
}

int stage_check_budget(const struct search_context *context, size_t index, struct error *error) {
    const struct stage_config *config = &context->config->stages[index];
    const struct stage_budget budget = budget_of(config);
    struct stage_record stage;
    struct done done;
    bool found = false;
    int status = store_find_stage(context->store, config->name, &stage, &found, error);
    if (status != STATUS_OK || !found || stage.state != STAGE_DONE) return status;
    const struct stage_budget then = {stage.iterations, stage.evaluations};
    if (same(&budget, &then)) return STATUS_OK;
    status = read_done(context->store, config, &stage, &done, error);
    if (status != STATUS_OK || !allows(&budget, &then, &done)) return status;
    status = check_stages(context, index, &stage, error);
    return status == STATUS_OK ? check_finetuning(context, index, &stage, error) : status;
}

/* ---- continuing ---- */

/* Without those that a search makes itself, again at its end. */
static size_t count_of_people(const struct length_record *lengths, size_t count) {
    size_t own = 0;
    for (size_t i = 0; i < count; i++) own += store_is_own_label(lengths[i].measurement.label);
    return count - own;
}

/* Measurements hold their tables and stay true of them; only the reader may take them for those of the new table. */
static int tell_of_measurements(const struct stage *stage, struct error *error) {
    struct store *store = stage->context->store;
    struct length_record *lengths = NULL;
    struct passkey_record *pass_keys = NULL;
    struct choice_record *choices = NULL;
    size_t length_count = 0, pass_key_count = 0, choice_count = 0;
    int status = store_lengths(store, &lengths, &length_count, error);
    if (status == STATUS_OK) status = store_passkeys(store, &pass_keys, &pass_key_count, error);
    if (status == STATUS_OK) status = store_choices(store, &choices, &choice_count, error);
    length_count = count_of_people(lengths, length_count);
    free(lengths), free(pass_keys), free(choices);
    if (status == STATUS_OK && length_count + pass_key_count + choice_count > 0) {
        fprintf(stderr,
                "%s: what eval, passkey and choice measured into this run is of the tables that it had; measure again "
                "when the search is done\n",
                stage->record.name);
    }
    return status;
}

int stage_open_budget(struct stage *stage, const struct stage_settings *settings, struct error *error) {
    const struct stage_budget budget = budget_of(stage->config);
    struct done done;
    if (same(&budget, &stage->stored_budget)) return STATUS_OK;
    int status = read_done(stage->context->store, stage->config, &stage->record, &done, error);
    if (status != STATUS_OK) return status;
    if (!allows(&budget, &stage->stored_budget, &done)) return keep(stage, &budget, &done, error);
    char then[BUDGET_TEXT], now[BUDGET_TEXT];
    budget_text(stage->config, &stage->stored_budget, then);
    budget_text(stage->config, &budget, now);
    fprintf(stderr, "%s: continues with another budget: %s instead of %s\n", stage->record.name, now, then);
    status = tell_of_measurements(stage, error);
    if (status != STATUS_OK) return status;
    stage->record.state = STAGE_RUNNING;
    return store_set_budget(stage->context->store, &stage->record, settings->items, settings->count,
                            stage->context->configuration, error);
}
