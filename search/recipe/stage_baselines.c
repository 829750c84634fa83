/* The closed-form tables that a stage scores before it searches. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search/recipe/stage.h"
#include "search/recipe/stage_space.h"
#include "search/recipe/stage_state.h"

/* none, pi, ntk, dynamic-ntk and yarn. A baseline costs an evaluation on all windows of every stage, and a search that
 * knows baselines depends on them: with others, a run that was begun before could not be resumed. */
enum { EXTEND_BASELINES = ROPE_YARN + 1 };

/* At a short window the closed forms change nothing: the search has to improve on the model as it is. */
int stage_baselines(enum stage_kind kind) { return kind == STAGE_RECOVER ? ROPE_NONE + 1 : EXTEND_BASELINES; }

static void baseline_table(const struct stage *stage, enum rope_method method, struct rope_table *out) {
    const struct rope_setting setting = stage_space_setting(&stage->record, &stage->base.own);
    rope_closed_form(out, method, &setting);
}

static int expect_baseline(struct stage *stage, enum rope_method method, struct error *error) {
    struct rope_table table;
    baseline_table(stage, method, &table);
    return scorer_expect(stage->scorer, &table, stage_all_windows(stage), 0, SCORER_NO_TAG, error);
}

static void print_baseline(const struct stage *stage, const struct baseline_record *baseline) {
    const char *stage_name = stage->record.name, *method = rope_method_name(baseline->method);
    if (isinf(baseline->nats_per_token)) {
        fprintf(stderr, "%s: baseline %s failed: the model's numbers overflow with its table\n", stage_name, method);
    } else {
        fprintf(stderr, "%s: baseline %s: %s %.4f\n", stage_name, method, stage_score_name(stage),
                exp(baseline->nats_per_token));
    }
}

static int score_baseline(struct stage *stage, enum rope_method method, struct error *error) {
    struct baseline_record baseline = {.method = method};
    baseline_table(stage, method, &baseline.table);
    window_nats_clear(&stage->window_nats);
    int status = scorer_score(stage->scorer, &baseline.table, NULL, stage_all_windows(stage), &stage->window_nats,
                              &baseline.scored, error);
    if (status != STATUS_OK) return status;
    bool failed = window_nats_failed(&stage->window_nats);
    baseline.nats_per_token = failed ? INFINITY : perplexity_mean_nats(&stage->scoring, stage->window_nats.nats);
    status = store_add_baseline(stage->context->store, stage->record.id, &baseline, &stage->window_nats, error);
    if (status != STATUS_OK) return status;
    stage->best_baseline = fmin(stage->best_baseline, baseline.nats_per_token);
    progress_clear(&stage->progress);
    print_baseline(stage, &baseline);
    progress_step(&stage->progress, stage->progress.done + 1, "", false);
    return STATUS_OK;
}

int stage_score_baselines(struct stage *stage, struct error *error) {
    struct baseline_record *known = NULL;
    size_t count = 0;
    int status = store_baselines(stage->context->store, stage->record.id, &known, &count, error);
    if (status != STATUS_OK) return status;
    bool scored[ROPE_METHODS] = {false};
    int methods = stage_baselines(stage->config->kind);
    progress_begin(&stage->progress, stage->record.name, "baselines", count, (size_t)methods);
    for (size_t i = 0; i < count; i++) {
        scored[known[i].method] = true;
        stage->best_baseline = fmin(stage->best_baseline, known[i].nats_per_token);
    }
    free(known);
    for (int m = 0; m < methods && status == STATUS_OK; m++) {
        if (!scored[m]) status = expect_baseline(stage, (enum rope_method)m, error);
    }
    for (int m = 0; m < methods && status == STATUS_OK; m++) {
        if (!scored[m]) status = score_baseline(stage, (enum rope_method)m, error);
    }
    progress_clear(&stage->progress);
    return status;
}
