#include "search/recipe/rank_simulation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/evolve/racing.h"
#include "search/recipe/score_keys.h"
#include "search/recipe/scorer.h"
#include "search/recipe/simulated_workers.h"
#include "search/recipe/stage_space.h"

const double simulated_spread = 0.02;

enum {
    SHORT_WINDOW = 2 * SCORING_BLOCK,   /* predictions of a simulated window */
    BLOCKS_WINDOW = 128 * SCORING_BLOCK /* where the search looks at its blocks */
};

/* Nats per token, in the order of what tables and texts differ by at windows that are several times the model's. */
static const double level = 2.0, text_difference = 0.3, distance_cost = 0.5, noise = 0.01;

struct simulation {
    const struct simulated_stage *stage;
    struct rope_model rope;
    struct genome_space space;
    double best[ROPE_MAX_PAIRS]; /* ln lambda of the best table */
    struct window *windows;      /* [stage->windows] */
    struct scoring scoring;
    struct score_keys keys;
    struct simulated_workers *workers;
    struct workers interface;
    struct scorer *scorer;
    struct evolve *evolve;
    struct window_nats nats, rival, later_rival;
    size_t expected; /* requests ahead that the scorer knows of */
};

/* ---- made-up nats ---- */

static double scatter(const void *data, size_t size, uint64_t seed) {
    return (double)(XXH3_64bits_withSeed(data, size, seed) >> 11) * 0x1p-52 - 1.0;
}

/* Of the table from the best one: the mean square of the differences of ln lambda. */
static double distance_of(const struct simulation *s, const struct rope_table *table) {
    double distance = 0.0;
    for (int64_t i = 0; i < table->pairs; i++) {
        double off = log(table->factors[i]) - s->best[i];
        distance += off * off / (double)table->pairs;
    }
    return distance;
}

static double per_token(const struct rope_table *table, double distance, size_t window, uint64_t block) {
    size_t bytes = (size_t)table->pairs * sizeof *table->factors;
    return level + text_difference * scatter(&window, sizeof window, 1) + distance_cost * fmin(distance, 4.0) +
           noise * scatter(table->factors, bytes, window * 1000003 + block);
}

static double make_nats(const struct simulation *s, const struct rope_table *table, size_t window, float *blocks) {
    size_t tokens = (size_t)window_tokens(&s->windows[window]);
    bool needed = stage_config_needs_blocks(s->stage->config);
    double distance = distance_of(s, table);
    for (size_t b = 0; b < nats_block_count(tokens); b++) {
        blocks[b] = needed ? (float)(SCORING_BLOCK * per_token(table, distance, window, b + 1)) : 0.0F;
    }
    return (double)tokens * per_token(table, distance, window, 0);
}

static double unit_nats(void *state, const struct work_unit *unit, float *blocks) {
    return make_nats(state, &unit->table, unit->window, blocks);
}

static void fill_in(const struct simulation *s, const struct rope_table *table, size_t window,
                    struct window_nats *out) {
    out->nats[window] = make_nats(s, table, window, window_nats_blocks(out, window));
}

/* ---- setting up ---- */

static int make_space(struct simulation *s, struct error *error) {
    const struct simulated_stage *stage = s->stage;
    struct stage_record record = {.scale = stage->scale,
                                  .attention_factor = 1.0,
                                  .pretrained_length = stage->window,
                                  .rope_theta = stage->model->rope.theta};
    s->rope = rope_model_plain(stage->model->rope.pairs, stage->model->rope.theta);
    for (int64_t i = 0; i < s->rope.pairs; i++) {
        s->best[i] = log(stage->scale) * pow((double)(i + 1) / (double)s->rope.pairs, 1.3);
    }
    return stage_space_lattice(stage->config, s->rope.pairs, &record, &s->space, error);
}

static int make_windows(struct simulation *s, struct error *error) {
    size_t count = s->stage->windows;
    int64_t length = 1 + (stage_config_needs_blocks(s->stage->config) ? BLOCKS_WINDOW : SHORT_WINDOW);
    s->windows = calloc(count, sizeof *s->windows);
    s->keys = (struct score_keys){.hash = XXH3_createState(), .windows = calloc(count, sizeof *s->keys.windows)};
    if (!s->windows || !s->keys.hash || !s->keys.windows) {
        return error_memory(error, (double)count * sizeof *s->windows, "simulated windows");
    }
    for (size_t w = 0; w < count; w++) s->windows[w] = (struct window){.length = length};
    s->scoring = (struct scoring){.windows = s->windows, .count = count};
    int status = window_nats_open(&s->nats, &s->scoring, error);
    if (status == STATUS_OK) status = window_nats_open(&s->rival, &s->scoring, error);
    return status == STATUS_OK ? window_nats_open(&s->later_rival, &s->scoring, error) : status;
}

static int is_hopeless(void *state, int64_t id, const struct window_nats *known, bool *out, struct error *error);
static int expect_ahead(void *state, struct error *error);

static int make_scorer(struct simulation *s, size_t ranks, struct error *error) {
    const struct simulated_workers_options workers = {.count = ranks,
                                                      .unit_seconds = s->stage->window_seconds,
                                                      .spread = simulated_spread,
                                                      .block_count =
                                                          nats_block_count((size_t)window_tokens(&s->windows[0])),
                                                      .nats = unit_nats,
                                                      .state = s};
    int status = simulated_workers_new(&workers, &s->workers, error);
    if (status != STATUS_OK) return status;
    s->interface = simulated_workers_interface(s->workers);
    const struct scorer_options options = {.scoring = &s->scoring,
                                           .keys = &s->keys,
                                           .blocks = stage_config_needs_blocks(s->stage->config),
                                           .workers = &s->interface,
                                           .hopeless = is_hopeless,
                                           .idle = expect_ahead,
                                           .workers_state = s};
    return scorer_new(&options, &s->scorer, error);
}

static void close_simulation(struct simulation *s) {
    evolve_free(s->evolve);
    scorer_free(s->scorer);
    simulated_workers_free(s->workers);
    window_nats_close(&s->later_rival);
    window_nats_close(&s->rival);
    window_nats_close(&s->nats);
    score_keys_close(&s->keys);
    free(s->windows);
}

/* ---- before the search ---- */

static struct window_range all_windows(const struct simulation *s) {
    return (struct window_range){0, s->scoring.count};
}

static void baseline_table(const struct simulation *s, int method, struct rope_table *out) {
    const struct rope_setting setting = {.model = &s->rope,
                                         .original_length = s->stage->window,
                                         .scale = s->stage->scale,
                                         .length = s->stage->config->target_length};
    rope_closed_form(out, (enum rope_method)method, &setting);
}

static int score_baselines(struct simulation *s, double *nats, struct error *error) {
    struct rope_table table;
    struct scored scored;
    int status = STATUS_OK;
    for (int m = 0; m < s->stage->baselines && status == STATUS_OK; m++) {
        baseline_table(s, m, &table);
        status = scorer_expect(s->scorer, &table, all_windows(s), 0, SCORER_NO_TAG, error);
    }
    for (int m = 0; m < s->stage->baselines && status == STATUS_OK; m++) {
        baseline_table(s, m, &table);
        window_nats_clear(&s->nats);
        status = scorer_score(s->scorer, &table, NULL, all_windows(s), &s->nats, &scored, error);
        memcpy(nats + (size_t)m * s->scoring.count, s->nats.nats, s->scoring.count * sizeof *nats);
    }
    return status;
}

/* Tables that a configuration begins with, whichever they are: they rise from 1 to s, each in another curve. */
static void initial_genome(const struct simulation *s, size_t index, struct initial_genome *out) {
    double factors[ROPE_MAX_PAIRS];
    for (int64_t i = 0; i < s->space.pairs; i++) {
        double at = (double)(i + 1) / (double)s->space.pairs;
        factors[i] = pow(s->stage->scale, pow(at, 0.5 + 0.25 * (double)index));
    }
    out->origin = ORIGIN_FILE;
    genome_from_factors(&s->space, factors, 0, 1.0, &out->genome);
}

static int make_driver(struct simulation *s, const double *baseline_nats, struct error *error) {
    size_t initial_count = s->stage->config->initial_count, known_count = (size_t)s->stage->baselines;
    struct initial_genome initial[CONFIG_MAX_INITIAL];
    struct known_table *known = calloc(known_count + 1, sizeof *known);
    int64_t *tokens = calloc(s->scoring.count, sizeof *tokens);
    for (size_t i = 0; i < initial_count; i++) initial_genome(s, i, &initial[i]);
    for (size_t i = 0; known && i < known_count; i++) {
        struct rope_table table;
        baseline_table(s, (int)i, &table);
        known[i] = (struct known_table){.attention_factor = 1.0, .window_nats = baseline_nats + i * s->scoring.count};
        memcpy(known[i].factors, table.factors, sizeof known[i].factors);
    }
    for (size_t w = 0; tokens && w < s->scoring.count; w++) tokens[w] = window_tokens(&s->windows[w]);
    const struct evolve_problem problem = {.space = &s->space,
                                           .windows = s->scoring.count,
                                           .window_tokens = tokens,
                                           .initial = initial,
                                           .initial_count = initial_count,
                                           .known = known,
                                           .known_count = known_count,
                                           .attention_factor = 1.0,
                                           .quick = true};
    if (known && tokens) s->evolve = evolve_new(&s->stage->config->search, &problem);
    free(known);
    free(tokens);
    return s->evolve ? STATUS_OK : error_memory(error, 0, "the populations of a simulated search");
}

/* ---- the search ---- */

static void candidate_table(const struct simulation *s, const struct individual *individual, struct rope_table *out) {
    rope_model_table(out, &s->rope, s->stage->config->target_length);
    genome_apply(&s->space, &individual->genome, out);
}

static struct race race_of(const struct simulation *s, const struct evolve_request *request, struct window_nats *nats) {
    const struct individual *rival = evolve_rival(s->evolve, request);
    if (!rival || s->stage->config->racing == RACING_NONE) return (struct race){.racing = RACING_NONE};
    if (racing_risks(s->stage->config->racing)) {
        struct rope_table table;
        candidate_table(s, rival, &table);
        for (size_t w = 0; w < s->scoring.count; w++) fill_in(s, &table, w, nats);
    }
    return (struct race){.racing = s->stage->config->racing,
                         .risk = s->stage->config->racing_risk,
                         .candidate = request->individual->id,
                         .rival = rival->id,
                         .rival_score = rival->mean,
                         .rival_nats = nats,
                         .quiet = true};
}

static int is_hopeless(void *state, int64_t id, const struct window_nats *known, bool *out, struct error *error) {
    struct simulation *s = state;
    (void)error;
    *out = false;
    /* individuals of a round follow each other */
    size_t at = s->expected ? (size_t)(id - evolve_ahead_at(s->evolve, 0).individual->id) : 0;
    if (at >= s->expected) return STATUS_OK;
    const struct evolve_request request = evolve_ahead_at(s->evolve, at);
    if (request.individual->id != id) return STATUS_OK;
    const struct race race = race_of(s, &request, &s->later_rival);
    const struct scoring on = racing_windows(&s->scoring, evolve_request_range(&request));
    *out = racing_lost(&race, &on, known);
    return STATUS_OK;
}

static int expect_ahead(void *state, struct error *error) {
    struct simulation *s = state;
    int status = STATUS_OK;
    for (size_t ahead = s->evolve ? evolve_ahead(s->evolve) : 0; s->expected < ahead && status == STATUS_OK;
         s->expected++) {
        const struct evolve_request request = evolve_ahead_at(s->evolve, s->expected);
        struct rope_table table;
        candidate_table(s, request.individual, &table);
        status = scorer_expect(s->scorer, &table, evolve_request_range(&request), request.individual->windows,
                               request.individual->id, error);
    }
    return status;
}

static int answer(struct simulation *s, const struct evolve_request *request, struct error *error) {
    const size_t had = request->individual->windows;
    struct rope_table table;
    struct scored scored;
    candidate_table(s, request->individual, &table);
    window_nats_clear(&s->nats);
    for (size_t i = 0; i < had; i++)
        fill_in(s, &table, window_nats_at(&s->nats, evolve_request_range(request), i), &s->nats);
    const struct race race = race_of(s, request, &s->rival);
    int status = scorer_score(s->scorer, &table, &race, evolve_request_range(request), &s->nats, &scored, error);
    if (status != STATUS_OK) return status;
    if (window_nats_complete(&s->nats, evolve_request_range(request))) {
        evolve_tell(s->evolve, &s->nats);
    } else {
        evolve_tell_stopped(s->evolve, &s->nats, had + scored.windows);
    }
    s->expected--;
    return STATUS_OK;
}

static int search(struct simulation *s, struct error *error) {
    double *nats = calloc((size_t)s->stage->baselines * s->scoring.count + 1, sizeof *nats);
    if (!nats) return error_memory(error, (double)s->scoring.count * sizeof *nats, "simulated baselines");
    /* as a stage does: the first population is for ranks that the baselines leave idle */
    const struct stage_config *config = s->stage->config;
    bool early = config->search.algorithm != ALGORITHM_BAYESIAN && config->initial_count > 0;
    int status = early ? make_driver(s, nats, error) : STATUS_OK;
    if (early && status == STATUS_OK) evolve_ask(s->evolve);
    if (status == STATUS_OK) status = score_baselines(s, nats, error);
    if (status == STATUS_OK && !early) status = make_driver(s, nats, error);
    for (const struct evolve_request *request; status == STATUS_OK && (request = evolve_ask(s->evolve)) != NULL;) {
        status = expect_ahead(s, error);
        if (status == STATUS_OK) status = answer(s, request, error);
    }
    free(nats);
    return status;
}

int rank_simulation_run(const struct simulated_stage *stage, size_t ranks, struct simulated_time *out,
                        struct error *error) {
    struct simulation s = {.stage = stage};
    *out = (struct simulated_time){.seconds = 0.0};
    int status = make_space(&s, error);
    if (status == STATUS_OK) status = make_windows(&s, error);
    if (status == STATUS_OK) status = make_scorer(&s, ranks, error);
    if (status == STATUS_OK) status = search(&s, error);
    if (status == STATUS_OK) {
        out->seconds = simulated_workers_now(s.workers);
        out->busy = simulated_workers_busy(s.workers);
        out->windows = (double)evolve_window_scores(s.evolve) + (double)stage->baselines * (double)stage->windows;
    }
    close_simulation(&s);
    return status;
}
