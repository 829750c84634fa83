/* The search of a stage: asks the driver (search/evolve/evolve.h) for individuals, scores them and tells it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "search/recipe/stage_state.h"
#include "search/run/run_view.h"

/* ---- starting, and resuming by replay ---- */

static int make_driver(struct stage *stage, struct error *error) {
    const struct stage_config *config = stage->config;
    stage->evolve = evolve_new(&config->search, &stage->record.space, stage->initial.genomes, stage->initial.count);
    if (stage->evolve) return STATUS_OK;
    return error_memory(error, (double)stage->record.planned * sizeof(struct individual), "the populations");
}

/* False where the driver does not propose this individual: then the store is of another search. */
static bool tell_known(struct evolve *evolve, const struct individual *known) {
    const struct individual *asked = evolve_ask(evolve);
    if (!asked || asked->id != known->id || !genome_equal(&asked->genome, &known->genome)) return false;
    if (!known->stopped) {
        evolve_tell(evolve, known->score);
    } else if (evolve_rival(evolve)) {
        evolve_tell_stopped(evolve);
    } else {
        return false;
    }
    return true;
}

/* Tells the driver every score of the store. */
static int replay(struct stage *stage, struct error *error) {
    struct individual_record *known = NULL;
    size_t count = 0;
    int status = store_individuals(stage->context->store, &stage->record, &known, &count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (tell_known(stage->evolve, &known[i].individual)) continue;
        status = error_set(error, STATUS_FAILED,
                           "stage '%s': individual %" PRId64 " in the database is not the one that this search "
                           "proposes; another version of longrope made the run: resume it with that version, or "
                           "start a new run with -o",
                           stage->record.name, known[i].individual.id);
    }
    free(known);
    return status;
}

/* ---- racing ---- */

static int read_rival_nats(struct stage *stage, int64_t rival, struct error *error) {
    if (stage->rival == rival) return STATUS_OK;
    int status = store_window_nats(stage->context->store, stage->record.id, rival, &stage->rival_nats, error);
    if (status != STATUS_OK) return status;
    if (!window_nats_complete(&stage->rival_nats, stage_all_windows(stage))) {
        return error_set(error, STATUS_FAILED,
                         "stage '%s': individual %" PRId64 " in the database lacks the nats of some of its %zu "
                         "windows; restore a copy of the run, or start a new one with -o",
                         stage->record.name, rival, stage->scoring.count);
    }
    for (size_t w = 0; w < stage->scoring.count && stage->config->racing == RACING_BLOCKS; w++) {
        if (window_nats_has_blocks(&stage->rival_nats, w)) continue;
        return error_set(error, STATUS_FAILED,
                         "stage '%s': individual %" PRId64 " in the database lacks the sums per block of window %zu, "
                         "which 'racing: blocks' requires: an older version of longrope scored it; start a new run "
                         "with -o, or another one with 'racing: bound'",
                         stage->record.name, rival, w);
    }
    stage->rival = rival;
    return STATUS_OK;
}

/* The race of the individual last asked for; out->racing is RACING_NONE where its whole score is required. */
static int enter_race(struct stage *stage, const struct individual *asked, struct race *out, struct error *error) {
    const struct individual *rival = evolve_rival(stage->evolve);
    *out = (struct race){.racing = RACING_NONE};
    if (!rival || stage->config->racing == RACING_NONE) return STATUS_OK;
    *out = (struct race){.racing = stage->config->racing,
                         .risk = stage->config->racing_risk,
                         .candidate = asked->id,
                         .rival = rival->id,
                         .rival_score = rival->score,
                         .rival_nats = &stage->rival_nats};
    return racing_risks(out->racing) ? read_rival_nats(stage, rival->id, error) : STATUS_OK;
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

static int score_individual(struct stage *stage, const struct individual *asked, struct error *error) {
    struct individual individual = *asked;
    struct rope_table table;
    struct race race;
    struct scored scored;
    rope_model_table(&table, &stage->base.searched, stage->record.target_length);
    stage_record_table(&stage->record, &asked->genome, &table);
    int status = enter_race(stage, asked, &race, error);
    if (status != STATUS_OK) return status;
    const struct window_range all = stage_all_windows(stage);
    window_nats_clear(&stage->window_nats);
    status = scorer_score(stage->scorer, &table, &race, all, &stage->window_nats, &scored, error);
    if (status != STATUS_OK) return status;
    individual.scored = true;
    individual.score = perplexity_mean_nats(&stage->scoring, stage->window_nats.nats);
    individual.stopped = !window_nats_complete(&stage->window_nats, all);
    status =
        store_add_individual(stage->context->store, &stage->record, &individual, &scored, &stage->window_nats, error);
    if (status != STATUS_OK) return status;
    if (individual.stopped) {
        evolve_tell_stopped(stage->evolve);
    } else {
        evolve_tell(stage->evolve, individual.score);
    }
    return STATUS_OK;
}

static void report_progress(struct stage *stage, bool milestone) {
    const struct individual *best = evolve_best(stage->evolve);
    char text[160];
    snprintf(text, sizeof text, "iteration %" PRId64 "/%" PRId64 ", best %s %.4f (baselines %.4f)",
             evolve_generation(stage->evolve), stage->record.iterations, stage_score_name(stage),
             best ? exp(best->score) : NAN, exp(stage->best_baseline));
    progress_step(&stage->progress, evolve_scored(stage->evolve), text, milestone);
}

static int score_proposals(struct stage *stage, struct error *error) {
    int64_t generation = evolve_generation(stage->evolve);
    for (const struct individual *asked; (asked = evolve_ask(stage->evolve)) != NULL;) {
        if (asked->generation != generation) report_progress(stage, true);
        generation = asked->generation;
        int status = score_individual(stage, asked, error);
        if (status != STATUS_OK) return status;
        report_progress(stage, false);
    }
    report_progress(stage, true);
    return STATUS_OK;
}

int stage_search(struct stage *stage, struct error *error) {
    int status = make_driver(stage, error);
    if (status == STATUS_OK) status = replay(stage, error);
    if (status != STATUS_OK) return status;
    warn_of_risk(stage);
    progress_begin(&stage->progress, stage->record.name, "evaluations", evolve_scored(stage->evolve),
                   (size_t)stage->record.planned);
    status = score_proposals(stage, error);
    progress_end(&stage->progress);
    return status;
}
