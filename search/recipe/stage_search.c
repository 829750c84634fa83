/* The search of a stage: asks the driver (search/evolve/evolve.h) for individuals, scores them and tells it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/recipe/stage_state.h"
#include "search/run/run_view.h"

/* ---- starting ---- */

/* A baseline as a table of this search: what it does to the model's frequencies is expressed by searched factors, which
 * multiply what the stage's tables rescale. */
static void known_table(const struct stage *stage, const struct baseline_record *baseline, struct known_table *out) {
    struct rope_table searched;
    rope_model_table(&searched, &stage->base.searched, stage->record.target_length);
    for (int64_t i = 0; i < searched.pairs; i++) {
        out->factors[i] = baseline->table.factors[i] * searched.frequencies[i] / baseline->table.frequencies[i];
    }
    out->attention_factor =
        baseline->table.attention_factor * baseline->table.own_attention_factor / searched.own_attention_factor;
}

/* The baselines with their nats: `nats` has room for [count][windows]. Those of a run without nats per window are left
 * out. */
static int read_known_tables(struct stage *stage, const struct baseline_record *baselines, size_t count,
                             struct known_table *tables, double *nats, size_t *known, struct error *error) {
    const size_t windows = stage->scoring.count;
    int status = STATUS_OK;
    *known = 0;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = store_baseline_nats(stage->context->store, stage->record.id, baselines[i].method, &stage->window_nats,
                                     error);
        if (status != STATUS_OK || !window_nats_complete(&stage->window_nats, stage_all_windows(stage))) continue;
        if (window_nats_failed(&stage->window_nats)) continue;
        known_table(stage, &baselines[i], &tables[*known]);
        tables[*known].window_nats = nats + *known * windows;
        memcpy(nats + *known * windows, stage->window_nats.nats, windows * sizeof *nats);
        (*known)++;
    }
    return status;
}

/* The Bayesian search may have nothing else to begin at. */
static int no_beginning(const struct stage *stage, struct error *error) {
    return error_set(
        error, STATUS_FAILED,
        "stage '%s': every baseline failed: the model's numbers overflow with all of them; check its weights "
        "for NaN and infinity, or give tables to begin with as search.initial",
        stage->record.name);
}

static int new_driver(struct stage *stage, const struct known_table *known, size_t known_count, struct error *error) {
    const size_t windows = stage->scoring.count;
    if (known_count + stage->initial.count == 0) return no_beginning(stage, error);
    int64_t *tokens = calloc(windows, sizeof *tokens);
    if (!tokens) return error_memory(error, (double)windows * sizeof *tokens, "the windows");
    for (size_t w = 0; w < windows; w++) tokens[w] = window_tokens(&stage->scoring.windows[w]);
    const struct evolve_problem problem = {.space = &stage->record.space,
                                           .windows = windows,
                                           .window_tokens = tokens,
                                           .initial = stage->initial.genomes,
                                           .initial_count = stage->initial.count,
                                           .known = known,
                                           .known_count = known_count,
                                           .attention_factor = stage->record.attention_factor};
    stage->evolve = evolve_new(&stage->config->search, &problem);
    free(tokens);
    if (stage->evolve) return STATUS_OK;
    return error_memory(error, (double)stage->record.planned * sizeof(struct individual), "the populations");
}

static int make_driver(struct stage *stage, struct error *error) {
    struct baseline_record *baselines = NULL;
    size_t count = 0, known = 0;
    int status = store_baselines(stage->context->store, stage->record.id, &baselines, &count, error);
    if (status != STATUS_OK) return status;
    struct known_table *tables = calloc(count + 1, sizeof *tables);
    double *nats = calloc(count * stage->scoring.count + 1, sizeof *nats);
    if (!tables || !nats) status = error_memory(error, (double)count * sizeof *tables, "the baselines");
    if (status == STATUS_OK) status = read_known_tables(stage, baselines, count, tables, nats, &known, error);
    if (status == STATUS_OK) status = new_driver(stage, tables, known, error);
    free(tables);
    free(nats);
    free(baselines);
    return status;
}

/* ---- resuming by replay ---- */

static int other_search(const struct stage *stage, int64_t id, struct error *error) {
    return error_set(error, STATUS_FAILED,
                     "stage '%s': individual %" PRId64 " in the database is not the one that this search "
                     "proposes; another version of longrope made the run: resume it with that version, or "
                     "start a new run with -o",
                     stage->record.name, id);
}

/* The store's record of an individual; NULL if it is new. */
static const struct individual_record *known_individual(const struct stage *stage, int64_t id) {
    return (size_t)id < stage->known_count ? &stage->known[id] : NULL;
}

/* Whether the store has the individual, from before this search or from one of its earlier requests. */
static bool is_stored(const struct stage *stage, const struct individual *individual) {
    return known_individual(stage, individual->id) || individual->windows > 0;
}

/* Whether the store answers the request: it has all windows that it is for, or says that racing stopped it. */
static bool is_answered(const struct individual_record *known, const struct evolve_request *request) {
    if (!known) return false;
    return known->scored.windows >= request->count || known->individual.stopped || !isnan(known->individual.score);
}

/* Answers the request from the store, if it can. Windows that a later request added are not told: the driver asks for
 * them again. */
static int answer_from_store(struct stage *stage, const struct evolve_request *request, bool *answered,
                             struct error *error) {
    const struct individual *asked = request->individual;
    const struct individual_record *known = known_individual(stage, asked->id);
    *answered = false;
    if (!known) return STATUS_OK;
    const struct individual *stored = &known->individual;
    if (stored->id != asked->id || !genome_equal(&stored->genome, &asked->genome) ||
        known->scored.first != asked->first_window) {
        return other_search(stage, asked->id, error);
    }
    bool all = known->scored.windows >= request->count;
    *answered = is_answered(known, request);
    if (!*answered) return STATUS_OK;
    if (!stored->stopped && known->scored.windows == 0) { /* a run of schema 1 */
        evolve_tell_score(stage->evolve, stored->score);
        return STATUS_OK;
    }
    int status = store_window_nats(stage->context->store, stage->record.id, asked->id, &stage->window_nats, error);
    if (status != STATUS_OK) return status;
    bool failed = stored->failed && known->scored.windows <= request->count;
    if (failed) {
        stage->failed++;
        evolve_tell_failed(stage->evolve, &stage->window_nats, known->scored.windows);
    } else if (all) {
        evolve_tell(stage->evolve, &stage->window_nats);
    } else if (evolve_rival(stage->evolve, request)) {
        evolve_tell_stopped(stage->evolve, &stage->window_nats, known->scored.windows);
    } else {
        return other_search(stage, asked->id, error);
    }
    return STATUS_OK;
}

/* Tells the driver what the store has, up to the first request that it cannot answer. */
static int replay(struct stage *stage, struct error *error) {
    int status = store_individuals(stage->context->store, &stage->record, &stage->known, &stage->known_count, error);
    bool answered = true;
    while (status == STATUS_OK && answered) {
        const struct evolve_request *request = evolve_ask(stage->evolve);
        if (!request) break;
        status = answer_from_store(stage, request, &answered, error);
    }
    return status;
}

/* ---- racing ---- */

static int check_rival_nats(const struct stage *stage, const struct window_nats *nats, int64_t rival,
                            const struct scoring *on, struct error *error) {
    if (!window_nats_complete(nats, (struct window_range){0, on->count})) {
        return error_set(error, STATUS_FAILED,
                         "stage '%s': individual %" PRId64 " in the database lacks the nats of some of its %zu "
                         "windows; restore a copy of the run, or start a new one with -o",
                         stage->record.name, rival, on->count);
    }
    for (size_t w = 0; w < on->count && stage->config->racing == RACING_BLOCKS; w++) {
        if (window_nats_has_blocks(nats, w)) continue;
        return error_set(error, STATUS_FAILED,
                         "stage '%s': individual %" PRId64 " in the database lacks the sums per block of window %zu, "
                         "which 'racing: blocks' requires: an older version of longrope scored it; start a new run "
                         "with -o, or another one with 'racing: bound'",
                         stage->record.name, rival, w);
    }
    return STATUS_OK;
}

/* With the windows of `on`; it may have been read when the store had fewer. */
static int read_rival(struct stage *stage, int64_t id, const struct scoring *on, struct rival *out,
                      struct error *error) {
    if (out->id == id && window_nats_complete(&out->nats, (struct window_range){0, on->count})) return STATUS_OK;
    out->id = EVOLVE_NO_PARENT;
    int status = store_window_nats(stage->context->store, stage->record.id, id, &out->nats, error);
    if (status == STATUS_OK) status = check_rival_nats(stage, &out->nats, id, on, error);
    if (status == STATUS_OK) out->id = id;
    return status;
}

/* The race of the individual of a request, whose rival's nats are read into *rival; out->racing is RACING_NONE where
 * its whole score is required. */
static int enter_race(struct stage *stage, const struct evolve_request *request, struct rival *rival, struct race *out,
                      struct error *error) {
    const struct individual *beaten = evolve_rival(stage->evolve, request);
    *out = (struct race){.racing = RACING_NONE};
    if (!beaten || stage->config->racing == RACING_NONE) return STATUS_OK;
    *out = (struct race){.racing = stage->config->racing,
                         .risk = stage->config->racing_risk,
                         .candidate = request->individual->id,
                         .rival = beaten->id,
                         .rival_score = beaten->mean,
                         .rival_nats = &rival->nats};
    const struct scoring on = racing_windows(&stage->scoring, evolve_request_range(request));
    return racing_risks(out->racing) ? read_rival(stage, beaten->id, &on, rival, error) : STATUS_OK;
}

static bool find_ahead(const struct evolve *evolve, int64_t id, struct evolve_request *out) {
    size_t ahead = evolve_ahead(evolve);
    for (size_t i = 0; i < ahead; i++) {
        *out = evolve_ahead_at(evolve, i);
        if (out->individual->id == id) return true;
    }
    return false;
}

int stage_is_hopeless(void *state, int64_t id, const struct window_nats *known, bool *out, struct error *error) {
    struct stage *stage = state;
    struct evolve_request request;
    struct race race;
    *out = false;
    if (!find_ahead(stage->evolve, id, &request)) return STATUS_OK;
    int status = enter_race(stage, &request, &stage->later_rival, &race, error);
    race.quiet = true;
    const struct scoring on = racing_windows(&stage->scoring, evolve_request_range(&request));
    if (status == STATUS_OK) *out = racing_lost(&race, &on, known);
    return status;
}

/* Rules that may lose a good candidate say so where they are used. */
static void warn_of_risk(const struct stage *stage) {
    enum racing racing = stage->config->racing;
    if (!racing_risks(racing)) return;
    fprintf(stderr,
            "%s: racing: %s gives up a candidate, after any window from the %s on, if the probability "
            "that it beats the last parent is less than %g; racing: bound never loses one\n",
            stage->record.name, racing_name(racing), racing == RACING_BLOCKS ? "first" : "second",
            stage->config->racing_risk);
}

/* ---- scoring ---- */

void stage_candidate_table(const struct stage *stage, const struct individual *individual, struct rope_table *out) {
    rope_model_table(out, &stage->base.searched, stage->record.target_length);
    stage_record_table(&stage->record, &individual->genome, out);
}

/* The scorer hears of all requests that are certain to come, so that its workers, if it has any, begin. */
int stage_expect_ahead(void *state, struct error *error) {
    struct stage *stage = state;
    for (size_t ahead = stage->evolve ? evolve_ahead(stage->evolve) : 0; stage->expected < ahead; stage->expected++) {
        const struct evolve_request request = evolve_ahead_at(stage->evolve, stage->expected);
        const struct individual *one = request.individual;
        const struct individual_record *known = known_individual(stage, one->id);
        struct rope_table table;
        if (is_answered(known, &request)) continue;
        size_t have = known && known->scored.windows > one->windows ? known->scored.windows : one->windows;
        stage_candidate_table(stage, one, &table);
        int status = scorer_expect(stage->scorer, &table, evolve_request_range(&request), have, one->id, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* The windows of the request that the store does not have yet, into stage->window_nats. */
static int score_windows(struct stage *stage, const struct evolve_request *request, struct scored *scored,
                         struct error *error) {
    const struct individual *asked = request->individual;
    struct rope_table table;
    struct race race;
    stage_candidate_table(stage, asked, &table);
    int status = enter_race(stage, request, &stage->rival, &race, error);
    if (status != STATUS_OK) return status;
    window_nats_clear(&stage->window_nats);
    if (is_stored(stage, asked)) {
        status = store_window_nats(stage->context->store, stage->record.id, asked->id, &stage->window_nats, error);
        if (status != STATUS_OK) return status;
    }
    return scorer_score(stage->scorer, &table, &race, evolve_request_range(request), &stage->window_nats, scored,
                        error);
}

/* Lines for the first ones; the end of the search counts them all. */
static void note_failure(struct stage *stage, const struct individual *individual, size_t windows) {
    enum { LINES = 3 };
    if (stage->failed++ >= LINES) return;
    progress_clear(&stage->progress);
    size_t window = (individual->first_window + windows - 1) % stage->scoring.count;
    fprintf(stderr,
            "%s: individual %" PRId64
            " (%s) failed: the model's numbers overflow with its table on window %zu; it counts "
            "as worse than all others\n",
            stage->record.name, individual->id, origin_name(individual->origin), window);
}

static int answer_by_scoring(struct stage *stage, const struct evolve_request *request, struct error *error) {
    const struct individual *individual = request->individual;
    const bool stored = is_stored(stage, individual);
    struct scored scored;
    int status = score_windows(stage, request, &scored, error);
    if (status != STATUS_OK) return status;
    if (window_nats_failed(&stage->window_nats)) {
        note_failure(stage, individual, individual->windows + scored.windows);
        evolve_tell_failed(stage->evolve, &stage->window_nats, individual->windows + scored.windows);
    } else if (window_nats_complete(&stage->window_nats, evolve_request_range(request))) {
        evolve_tell(stage->evolve, &stage->window_nats);
    } else {
        evolve_tell_stopped(stage->evolve, &stage->window_nats, individual->windows + scored.windows);
    }
    return (stored ? store_extend_individual : store_add_individual)(stage->context->store, &stage->record, individual,
                                                                     &scored, &stage->window_nats, error);
}

/* ---- progress ---- */

/* Where a candidate is scored on few windows, and only the most promising ones on all. */
static bool scores_on_few(const struct stage *stage) {
    return stage->config->search.algorithm == ALGORITHM_BAYESIAN || stage->config->search.first_windows > 0;
}

/* Where candidates do not cost all windows each. A budget of evaluations is one of windows: what racing saves makes
 * room for more candidates. */
static bool counts_windows(const struct stage *stage) {
    bool races = stage->config->racing != RACING_NONE && stage->config->search.evaluations > 0;
    return scores_on_few(stage) || races;
}

static size_t steps_done(const struct stage *stage) {
    return counts_windows(stage) ? evolve_window_scores(stage->evolve) : evolve_scored(stage->evolve);
}

static void report_progress(struct stage *stage, bool milestone) {
    store_keep_readable(stage->context->store);
    const struct individual *best = evolve_best(stage->evolve);
    char text[160], iterations[40] = "", found[40] = "none yet", baselines[40] = "all failed";
    if (stage->record.iterations > 0) snprintf(iterations, sizeof iterations, "/%" PRId64, stage->record.iterations);
    if (best) snprintf(found, sizeof found, "%.4f", exp(best->score));
    if (isfinite(stage->best_baseline)) snprintf(baselines, sizeof baselines, "%.4f", exp(stage->best_baseline));
    snprintf(text, sizeof text, "iteration %" PRId64 "%s, best %s %s (baselines %s)", evolve_generation(stage->evolve),
             iterations, stage_score_name(stage), found, baselines);
    progress_step(&stage->progress, steps_done(stage), text, milestone);
}

/* ---- searching ---- */

static int answer(struct stage *stage, const struct evolve_request *request, struct error *error) {
    bool answered = false;
    int status = answer_from_store(stage, request, &answered, error);
    return status != STATUS_OK || answered ? status : answer_by_scoring(stage, request, error);
}

static int score_proposals(struct stage *stage, struct error *error) {
    int64_t generation = evolve_generation(stage->evolve);
    for (const struct evolve_request *request; (request = evolve_ask(stage->evolve)) != NULL;) {
        bool milestone = request->individual->generation > generation && !scores_on_few(stage);
        if (milestone) report_progress(stage, true);
        generation = evolve_generation(stage->evolve);
        int status = stage_expect_ahead(stage, error);
        if (status == STATUS_OK) status = answer(stage, request, error);
        if (status != STATUS_OK) return status;
        stage->expected--;
        report_progress(stage, false);
    }
    report_progress(stage, true);
    return STATUS_OK;
}

/* All of them: an error. */
static int report_failures(const struct stage *stage, struct error *error) {
    size_t scored = evolve_scored(stage->evolve);
    if (stage->failed == 0) return STATUS_OK;
    if (!evolve_best(stage->evolve) && stage->failed < scored) {
        return error_set(error, STATUS_FAILED,
                         "stage '%s': no candidate has a score on all windows: with the tables of %zu of %zu the "
                         "model's numbers overflow, and the budget ends before others are scored; resume with a larger "
                         "search.evaluations",
                         stage->record.name, stage->failed, scored);
    }
    if (!evolve_best(stage->evolve)) {
        return error_set(error, STATUS_FAILED,
                         "stage '%s': no candidate has a score: with the tables of %zu of %zu the model's numbers "
                         "overflow; check its weights for NaN and infinity, and attention_factor",
                         stage->record.name, stage->failed, scored);
    }
    fprintf(stderr,
            "%s: %zu of %zu candidates failed: the model's numbers overflow with their tables; longrope show "
            "--scores has them\n",
            stage->record.name, stage->failed, scored);
    return STATUS_OK;
}

static int begin(struct stage *stage, struct error *error) {
    int status = make_driver(stage, error);
    return status == STATUS_OK ? replay(stage, error) : status;
}

/* The Bayesian search begins at the best baseline; others do not look at them. */
int stage_search_early(struct stage *stage, struct error *error) {
    bool depends = stage->config->search.algorithm == ALGORITHM_BAYESIAN || stage->initial.count == 0;
    return stage->workers && !depends ? begin(stage, error) : STATUS_OK;
}

int stage_search(struct stage *stage, struct error *error) {
    int status = stage->evolve ? STATUS_OK : begin(stage, error);
    if (status != STATUS_OK) return status;
    warn_of_risk(stage);
    size_t planned = (size_t)stage->record.planned * (counts_windows(stage) ? stage->scoring.count : 1);
    progress_begin(&stage->progress, stage->record.name, counts_windows(stage) ? "windows" : "evaluations",
                   steps_done(stage), planned);
    status = score_proposals(stage, error);
    progress_end(&stage->progress);
    return status == STATUS_OK ? report_failures(stage, error) : status;
}
