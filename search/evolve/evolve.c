/* Asking, telling and ranking. Genomes are made a generation at a time, when everything before has been
 * scored, so a generation's genomes can depend only on the scores of earlier ones. */
#include "search/evolve/evolve_state.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/base/trace.h"
#include "eval/perplexity.h"

/* Names --------------------------------------------------------------------------------------- */

const char *const origin_names[ORIGIN_COUNT] = {
    [ORIGIN_PI] = "pi",
    [ORIGIN_NTK] = "ntk",
    [ORIGIN_YARN] = "yarn",
    [ORIGIN_YARN_LAMBDA] = "yarn-lambda",
    [ORIGIN_DYNAMIC_NTK] = "dynamic-ntk",
    [ORIGIN_NTK_PI] = "ntk-pi",
    [ORIGIN_RESONANCE_YARN] = "resonance-yarn",
    [ORIGIN_NONE] = "none",
    [ORIGIN_OWN] = "own",
    [ORIGIN_CRITICAL_NTK] = "critical-ntk",
    [ORIGIN_FILE] = "file",
    [ORIGIN_MUTATION] = "mutation",
    [ORIGIN_CROSSOVER] = "crossover",
    [ORIGIN_SAMPLE] = "sample",
    [ORIGIN_MODEL] = "model",
};

const char *origin_name(enum origin origin) {
    assert((unsigned)origin < ORIGIN_COUNT);
    return origin_names[origin];
}

bool origin_parse(const char *name, enum origin *out) {
    int origin = name_find(origin_names, ORIGIN_COUNT, name);
    if (origin != NAME_UNKNOWN) *out = (enum origin)origin;
    return origin != NAME_UNKNOWN;
}

const char *const algorithm_names[ALGORITHMS] = {
    [ALGORITHM_PAPER] = "paper",       [ALGORITHM_MICROSOFT] = "microsoft", [ALGORITHM_CMA_ES] = "cma-es",
    [ALGORITHM_BAYESIAN] = "bayesian", [ALGORITHM_LONGROPE2] = "longrope2",
};

const char *algorithm_name(enum algorithm algorithm) { return algorithm_names[algorithm]; }

static bool is_genetic(const struct evolve_settings *settings) {
    return settings->algorithm != ALGORITHM_CMA_ES && settings->algorithm != ALGORITHM_BAYESIAN;
}

static const struct individual *individual_or_null(const struct evolve *evolve, int64_t id) {
    return id == EVOLVE_NO_PARENT ? NULL : &evolve->individuals[id];
}

/* Seen genomes -------------------------------------------------------------------------------- */

/* The slot that holds the genome, or the free one where it belongs. */
static size_t *find_slot(const struct evolve *evolve, const struct genome *genome) {
    size_t i = (size_t)genome_hash(genome) & evolve->slot_mask;
    while (evolve->slots[i] != 0 && !genome_equal(&evolve->individuals[evolve->slots[i] - 1].genome, genome)) {
        i = (i + 1) & evolve->slot_mask;
    }
    return &evolve->slots[i];
}

bool evolve_was_proposed(const struct evolve *evolve, const struct genome *genome) {
    return *find_slot(evolve, genome) != 0;
}

/* Making individuals -------------------------------------------------------------------------- */

struct individual *evolve_next_individual(struct evolve *evolve) {
    assert(evolve->count < evolve->capacity);
    return &evolve->individuals[evolve->count];
}

void evolve_request(struct evolve *evolve, size_t individual, size_t count) {
    if (evolve->pending_at == evolve->pending_count) evolve->pending_at = evolve->pending_count = 0;
    assert(evolve->pending_count <= evolve->capacity);
    evolve->pending[evolve->pending_count++] = (struct evolve_pending){individual, count};
}

bool evolve_add_if_new(struct evolve *evolve, enum origin origin, int64_t first_parent, int64_t second_parent) {
    struct individual *child = evolve_next_individual(evolve);
    size_t *slot = find_slot(evolve, &child->genome);
    if (*slot != 0) {
        evolve->duplicates++;
        return false;
    }
    child->id = (int64_t)evolve->count;
    child->generation = evolve->generation;
    child->origin = origin;
    child->parents[0] = first_parent;
    child->parents[1] = second_parent;
    child->scored = false;
    child->stopped = child->failed = false;
    child->first_window = child->windows = 0;
    child->score = child->mean = NAN;
    child->work = 0;
    evolve_request(evolve, evolve->count, evolve->schedule.now);
    evolve->count++;
    *slot = evolve->count;
    return true;
}

/* Generations --------------------------------------------------------------------------------- */

bool evolve_is_stalled(struct evolve *evolve) {
    bool better = evolve->best != evolve->stall_best,
         stalled = !better && evolve->generation - evolve->stall_since >= EVOLVE_STALLED;
    if (better || stalled) evolve->stall_since = evolve->generation;
    evolve->stall_best = evolve->best;
    return stalled;
}

/* The current generation, whose individuals are those from `first` on. */
static void trace_generation(const struct evolve *evolve, size_t first) {
    const struct individual *best = individual_or_null(evolve, evolve->best);
    TRACE(TRACE_EVOLVE,
          "generation %" PRId64 ": %zu individuals proposed; %zu duplicates retried so far; best so far individual "
          "%" PRId64 ", %.6f nats per token",
          evolve->generation, evolve->count - first, evolve->duplicates, evolve->best, best ? best->mean : NAN);
}

static void make_first_population(struct evolve *evolve, const struct initial_genome *initial, size_t initial_count) {
    /* the others start at the best initial genome, so their first generation is all of them */
    bool genetic = is_genetic(&evolve->settings);
    size_t most = genetic ? evolve->settings.population : initial_count;
    for (size_t i = 0; i < initial_count && evolve->count < most; i++) {
        assert(genome_valid(&evolve->space, &initial[i].genome));
        evolve_next_individual(evolve)->genome = initial[i].genome;
        evolve_add_if_new(evolve, initial[i].origin, EVOLVE_NO_PARENT, EVOLVE_NO_PARENT);
    }
    evolve->initial_count = evolve->count;
    if (genetic) evolve_genetic_population(evolve);
    trace_generation(evolve, 0);
}

/* Makes the next generation; none ends the search. */
static void next_generation(struct evolve *evolve) {
    size_t before = evolve->count;
    if (evolve->bayesian) {
        evolve_bayesian_round(evolve);
        if (evolve->count > before) trace_generation(evolve, before);
        return;
    }
    if ((size_t)evolve->generation >= evolve->settings.iterations) return;
    evolve->generation++;
    if (evolve->cma) {
        evolve_cma_generation(evolve);
    } else {
        evolve_genetic_children(evolve);
    }
    trace_generation(evolve, before);
    if (evolve->count == before) evolve->generation--;
}

/* Few windows first --------------------------------------------------------------------------- */

static bool is_exportable(const struct evolve *evolve, const struct individual *individual) {
    return genome_start_tokens(&evolve->space, &individual->genome) == 0;
}

/* The older one of equals. */
static void note_if_best(const struct evolve *evolve, const struct individual *individual, int64_t *best) {
    const struct individual *before = individual_or_null(evolve, *best);
    if (isnan(individual->mean)) return;
    bool older = before && individual->mean == before->mean && individual->id < before->id;
    if (!before || individual->mean < before->mean || older) *best = individual->id;
}

/* Of those that are ranked by the same windows. */
static void note_best(struct evolve *evolve, const struct individual *individual) {
    note_if_best(evolve, individual, &evolve->best);
    if (is_exportable(evolve, individual)) note_if_best(evolve, individual, &evolve->best_exportable);
}

static bool is_pending(const struct evolve *evolve, size_t id) {
    for (size_t i = evolve->pending_at; i < evolve->pending_count; i++) {
        if (evolve->pending[i].individual == id) return true;
    }
    return false;
}

/* Asks for what an individual lacks of the first `count` windows. */
static void request_more(struct evolve *evolve, size_t id, size_t count) {
    const struct individual *one = &evolve->individuals[id];
    if (!one->stopped && one->windows < count && !is_pending(evolve, id)) evolve_request(evolve, id, count);
}

static void request_ranked(struct evolve *evolve, const struct ranking *ranking, size_t most, size_t count) {
    for (size_t i = 0; i < ranking->count && i < most; i++) request_more(evolve, ranking->items[i].id, count);
}

static void drop_requests(struct evolve *evolve) { evolve->pending_at = evolve->pending_count = 0; }

static size_t windows_lacking(const struct evolve *evolve, const struct evolve_pending *pending) {
    return pending->count - evolve->individuals[pending->individual].windows;
}

/* No further individual is scored. The best few are scored on all windows, the best one without start tokens among
 * them, which engines need. */
static void finish(struct evolve *evolve) {
    size_t finalists = window_schedule_finalists(evolve->settings.evaluations), others = finalists;
    drop_requests(evolve);
    evolve->phase = EVOLVE_FINISHING;
    if (!window_schedule_is_partial(&evolve->schedule)) return;
    if (evolve->best_exportable != EVOLVE_NO_PARENT) {
        const struct ranked *at = ranking_find(&evolve->elite, (size_t)evolve->best_exportable);
        bool among = at && (size_t)(at - evolve->elite.items) < finalists;
        if (!among) others--, request_more(evolve, (size_t)evolve->best_exportable, evolve->windows);
    }
    request_ranked(evolve, &evolve->elite, others, evolve->windows);
    TRACE(TRACE_EVOLVE, "the best %zu individuals are scored on all windows", evolve->pending_count);
}

/* All of them failed on the windows that they lacked: the best of the others takes their place, of those that are
 * scored on the most windows. */
static void replace_finalists(struct evolve *evolve) {
    const struct individual *best = NULL;
    for (size_t i = 0; i < evolve->count; i++) {
        const struct individual *one = &evolve->individuals[i];
        if (isnan(one->mean) || (best && one->windows < best->windows)) continue;
        if (!best || one->windows > best->windows || one->mean < best->mean) best = one;
    }
    if (!best || evolve->windows - best->windows > evolve_windows_left(evolve)) return;
    evolve_request(evolve, (size_t)best->id, evolve->windows);
}

/* Windows of the budget that are kept for them, if `upcoming` more individuals are scored before. */
static size_t windows_kept(const struct evolve *evolve, size_t upcoming) {
    if (evolve->phase != EVOLVE_SCORING) return 0;
    return window_schedule_reserve(&evolve->schedule, evolve->settings.evaluations, evolve->elite.count + upcoming);
}

/* More windows from now on: whoever is ranked is scored on them. Without the budget for that, the search ends. CMA-ES
 * has learned all that it will from the individuals that are not the best of all. */
static void grow(struct evolve *evolve) {
    size_t next = window_schedule_next(&evolve->schedule), lacking = 0;
    if (!evolve->cma) request_ranked(evolve, &evolve->parents, evolve->parents.count, next);
    request_ranked(evolve, &evolve->elite, evolve->elite.count, next);
    if (evolve->best_exportable != EVOLVE_NO_PARENT) request_more(evolve, (size_t)evolve->best_exportable, next);
    for (size_t i = evolve->pending_at; i < evolve->pending_count; i++)
        lacking += windows_lacking(evolve, &evolve->pending[i]);
    TRACE(TRACE_EVOLVE,
          "generation %" PRId64 ": the parents are within the noise of %zu windows; %zu individuals are scored on %zu",
          evolve->generation, evolve->schedule.now, evolve->pending_count, next);
    const size_t before = evolve->schedule.now;
    evolve->schedule.now = next;
    if (lacking + windows_kept(evolve, 0) <= evolve_windows_left(evolve)) {
        evolve->phase = EVOLVE_GROWING;
        return;
    }
    evolve->schedule.now = before;
    finish(evolve);
}

static void rank_again(struct evolve *evolve, struct ranking *ranking) {
    for (size_t i = 0; i < ranking->count; i++) ranking->items[i].mean = evolve->individuals[ranking->items[i].id].mean;
    ranking_sort(ranking);
}

/* An individual that is scored on the windows added. */
static void reconsider(struct evolve *evolve, size_t id) {
    const struct individual *one = &evolve->individuals[id];
    if (isnan(one->mean)) return;
    if (!ranking_find(&evolve->elite, id)) ranking_add(&evolve->elite, id, one->mean);
    note_best(evolve, one);
}

/* The windows that were added are told. A parent that was not among the best few may be now. */
static void settle(struct evolve *evolve) {
    size_t kept[SCHEDULE_FINALISTS + 1], count = 0;
    for (; count < evolve->elite.count; count++) kept[count] = evolve->elite.items[count].id;
    if (evolve->best_exportable != EVOLVE_NO_PARENT) kept[count++] = (size_t)evolve->best_exportable;
    evolve->phase = EVOLVE_SCORING;
    evolve->best = evolve->best_exportable = EVOLVE_NO_PARENT;
    ranking_clear(&evolve->elite);
    if (!evolve->cma) {
        rank_again(evolve, &evolve->parents);
        for (size_t i = 0; i < evolve->parents.count; i++) reconsider(evolve, evolve->parents.items[i].id);
    }
    for (size_t i = 0; i < count; i++) reconsider(evolve, kept[i]);
}

/* Creating and freeing ------------------------------------------------------------------------ */

/* The individuals of all generations. Saturates, so that a plan too large to count is also too large to allocate. */
static size_t whole_plan(const struct evolve_settings *settings, size_t initial_count) {
    bool genetic = is_genetic(settings);
    size_t children = settings->population, planned = 0;
    if ((genetic && __builtin_add_overflow(settings->mutations, settings->crossovers, &children)) ||
        __builtin_mul_overflow(settings->iterations, children, &planned) ||
        __builtin_add_overflow(genetic ? settings->population : initial_count, planned, &planned))
        return SIZE_MAX;
    return planned;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t evolve_planned(const struct evolve_settings *settings, size_t initial_count) {
    size_t plan = settings->algorithm == ALGORITHM_BAYESIAN ? SIZE_MAX : whole_plan(settings, initial_count);
    return settings->evaluations ? smaller(settings->evaluations, plan) : plan;
}

size_t evolve_kept(const struct evolve_settings *settings, size_t windows) {
    if (settings->algorithm == ALGORITHM_BAYESIAN) return evolve_bayesian_kept(windows);
    bool few = settings->first_windows > 0 && settings->first_windows < windows;
    return few ? window_schedule_finalists(settings->evaluations) * (windows - settings->first_windows) : 0;
}

/* Individuals that are made: a generation is made at once, also the one within which the budget ends, and an individual
 * that racing stops, or that is scored on few windows first, may cost a single window. */
static size_t most_made(const struct evolve_settings *settings, const struct evolve_problem *problem) {
    if (settings->algorithm == ALGORITHM_BAYESIAN) return evolve_bayesian_most(settings, problem);
    size_t plan = whole_plan(settings, problem->initial_count), most = 0;
    if (!settings->evaluations || __builtin_mul_overflow(settings->evaluations, problem->windows, &most) ||
        __builtin_add_overflow(most, problem->initial_count, &most) ||
        __builtin_add_overflow(most, settings->population, &most) ||
        __builtin_add_overflow(most, settings->mutations, &most) ||
        __builtin_add_overflow(most, settings->crossovers, &most))
        return plan;
    return smaller(most, plan);
}

static bool allocate_individuals(struct evolve *evolve) {
    if (evolve->capacity > PTRDIFF_MAX / sizeof *evolve->individuals) return false;
    size_t slot_count = 2;
    while (slot_count < 2 * evolve->capacity) slot_count *= 2;
    evolve->slot_mask = slot_count - 1;
    evolve->slots = calloc(slot_count, sizeof *evolve->slots);
    evolve->individuals = calloc(evolve->capacity, sizeof *evolve->individuals);
    evolve->pending = calloc(evolve->capacity + 1, sizeof *evolve->pending);
    return evolve->slots && evolve->individuals && evolve->pending;
}

/* Everything the search will ever need, so that asking and telling cannot fail. The state of the
 * random stream is allocated here because gsl_rng_alloc() ends the program when memory is short. */
static bool allocate(struct evolve *evolve, const struct evolve_problem *problem) {
    if (!allocate_individuals(evolve)) return false;
    if (!ranking_open(&evolve->parents, evolve->settings.parents)) return false;
    if (!ranking_open(&evolve->elite, SCHEDULE_FINALISTS)) return false;
    if (!window_schedule_open(&evolve->schedule, evolve->settings.first_windows, problem->windows,
                              problem->window_tokens, evolve->settings.parents))
        return false;
    evolve->window_tokens = calloc(problem->windows, sizeof *evolve->window_tokens);
    evolve->rng.type = gsl_rng_mt19937;
    evolve->rng.state = calloc(1, gsl_rng_mt19937->size);
    if (evolve->settings.algorithm == ALGORITHM_CMA_ES) {
        evolve->cma = evolve_cma_new(&evolve->settings, &evolve->space, &evolve->at);
        if (!evolve->cma) return false;
    }
    if (evolve->settings.algorithm == ALGORITHM_BAYESIAN) {
        evolve->bayesian = evolve_bayesian_new(&evolve->settings, problem, &evolve->at);
        if (!evolve->bayesian) return false;
    }
    return evolve->window_tokens && evolve->rng.state;
}

static void assert_settings(const struct evolve_settings *settings) {
    assert(settings->population >= 1);
    assert(settings->parents >= 1 && settings->parents <= settings->population);
    assert(settings->algorithm != ALGORITHM_BAYESIAN || settings->first_windows == 0);
    assert(settings->mutation_probability >= 0 && settings->mutation_probability <= 1);
    (void)settings;
}

struct evolve *evolve_new(const struct evolve_settings *settings, const struct evolve_problem *problem) {
    assert_settings(settings);
    assert(problem->windows >= 1 && problem->initial_count + problem->known_count >= 1);
    struct evolve *evolve = calloc(1, sizeof *evolve);
    if (!evolve) return NULL;
    evolve->settings = *settings;
    evolve->space = *problem->space;
    evolve->windows = problem->windows;
    evolve->capacity = most_made(settings, problem);
    evolve->best = evolve->best_exportable = evolve->best_scored = EVOLVE_NO_PARENT;
    evolve->stall_best = EVOLVE_NO_PARENT;
    coordinates_spread(&evolve->at, evolve->space.pairs, (int64_t)settings->knots);
    if (settings->knots > 0 && is_genetic(settings))
        evolve->knot_space = coordinates_space(&evolve->at, &evolve->space);
    if (!allocate(evolve, problem)) {
        evolve_free(evolve);
        return NULL;
    }
    for (size_t w = 0; w < problem->windows; w++) evolve->window_tokens[w] = problem->window_tokens[w];
    /* To GSL a seed of 0 means the generator's default: the stream of 0 is that of 4357. Otherwise
     * it takes the lower 32 bits. */
    gsl_rng_set(&evolve->rng, settings->seed);
    make_first_population(evolve, problem->initial, problem->initial_count);
    return evolve;
}

void evolve_free(struct evolve *evolve) {
    if (!evolve) return;
    free(evolve->individuals);
    free(evolve->pending);
    ranking_close(&evolve->parents);
    ranking_close(&evolve->elite);
    window_schedule_close(&evolve->schedule);
    free(evolve->slots);
    free(evolve->window_tokens);
    free(evolve->rng.state);
    evolve_cma_free(evolve->cma);
    evolve_bayesian_free(evolve->bayesian);
    free(evolve);
}

/* Ask and tell -------------------------------------------------------------------------------- */

size_t evolve_windows_left(const struct evolve *evolve) {
    size_t limit = 0, evaluations = evolve->settings.evaluations;
    if (evaluations == 0 || __builtin_mul_overflow(evaluations, evolve->windows, &limit)) return SIZE_MAX;
    return limit > evolve->window_scores ? limit - evolve->window_scores : 0;
}

static bool is_answered(const struct evolve *evolve) { return evolve->pending_at == evolve->pending_count; }

/* All requests are answered: what follows from that. */
static void go_on(struct evolve *evolve) {
    bool grown = evolve->phase == EVOLVE_GROWING;
    bool last = !evolve->bayesian && (size_t)evolve->generation >= evolve->settings.iterations;
    if (grown) settle(evolve);
    if (!grown && !last && window_schedule_is_noisy(&evolve->schedule, &evolve->parents)) {
        grow(evolve);
        return;
    }
    next_generation(evolve);
    if (is_answered(evolve)) finish(evolve);
}

/* Whether the budget allows the next request. */
static bool is_affordable(const struct evolve *evolve) {
    size_t needed = windows_lacking(evolve, &evolve->pending[evolve->pending_at]) + windows_kept(evolve, 1);
    return needed <= evolve_windows_left(evolve);
}

const struct evolve_request *evolve_ask(struct evolve *evolve) {
    if (evolve->phase == EVOLVE_SCORING && evolve_windows_left(evolve) == 0) finish(evolve);
    if (is_answered(evolve) && evolve->phase != EVOLVE_FINISHING) go_on(evolve);
    if (!is_answered(evolve) && !is_affordable(evolve)) finish(evolve);
    if (is_answered(evolve) && evolve->best_scored == EVOLVE_NO_PARENT) replace_finalists(evolve);
    if (is_answered(evolve)) return NULL;
    const struct evolve_pending *next = &evolve->pending[evolve->pending_at];
    evolve->asked = true;
    evolve->request = (struct evolve_request){&evolve->individuals[next->individual], next->count};
    return &evolve->request;
}

size_t evolve_ahead(const struct evolve *evolve) {
    size_t left = evolve_windows_left(evolve), needed = 0, count = 0;
    if (!evolve->asked) return 0;
    for (size_t i = evolve->pending_at; i < evolve->pending_count; i++, count++) {
        needed += windows_lacking(evolve, &evolve->pending[i]);
        if (needed + windows_kept(evolve, count + 1) > left) break;
    }
    return count;
}

struct evolve_request evolve_ahead_at(const struct evolve *evolve, size_t index) {
    const struct evolve_pending *at = &evolve->pending[evolve->pending_at + index];
    assert(index < evolve_ahead(evolve));
    return (struct evolve_request){&evolve->individuals[at->individual], at->count};
}

struct window_range evolve_request_range(const struct evolve_request *request) {
    return (struct window_range){.first = request->individual->first_window, .count = request->count};
}

bool individual_better(const struct individual *a, const struct individual *b) {
    return !b || ranking_before(a->score, b->score);
}

/* The windows of the individual from its `from`th to its `to`th are told. */
static void take_windows(struct evolve *evolve, struct individual *individual, size_t to,
                         const struct window_nats *nats) {
    size_t from = individual->windows;
    individual->windows = to;
    evolve->window_scores += to - from;
    if (evolve->bayesian) evolve_bayesian_told(evolve, individual, from, to, nats->nats);
    if (!individual->scored) evolve->told++;
    individual->scored = true;
    evolve->pending_at++;
    evolve->asked = false;
}

/* Individuals come in the order of ids, so equals are ranked in that order. */
static void rank(struct evolve *evolve, const struct individual *individual, const struct window_nats *nats) {
    const struct ranked *parent = ranking_add(&evolve->parents, (size_t)individual->id, individual->mean);
    if (parent && !isnan(individual->mean)) window_schedule_keep(&evolve->schedule, parent, nats);
    if (!isnan(individual->mean)) ranking_add(&evolve->elite, (size_t)individual->id, individual->mean);
    note_best(evolve, individual);
}

/* The individual is scored on all windows that it is ranked by, or stopped, which is a mean of NaN. */
static void take_mean(struct evolve *evolve, struct individual *individual, double mean,
                      const struct window_nats *nats) {
    individual->mean = mean;
    if (!individual->stopped && individual->windows == evolve->windows) {
        individual->score = mean;
        individual->work = evolve->window_scores;
        note_if_best(evolve, individual, &evolve->best_scored);
    }
    if (evolve->phase == EVOLVE_SCORING) {
        rank(evolve, individual, nats);
    } else if (evolve->phase == EVOLVE_GROWING && !evolve->cma) {
        const struct ranked *parent = ranking_find(&evolve->parents, (size_t)individual->id);
        if (parent && !isnan(mean)) window_schedule_keep(&evolve->schedule, parent, nats);
    }
}

/* perplexity_mean_nats() adds the windows in the same order: the score is the evaluator's to the last bit. */
static double mean_of(const struct evolve *evolve, const struct window_nats *nats, size_t count) {
    int64_t tokens = 0;
    for (size_t w = 0; w < count; w++) tokens += evolve->window_tokens[w];
    return nats_sum(nats->nats, count) / (double)tokens;
}

void evolve_tell(struct evolve *evolve, const struct window_nats *nats) {
    assert(evolve->asked && nats->windows >= evolve->windows);
    size_t count = evolve->request.count;
    struct individual *individual = &evolve->individuals[evolve->request.individual->id];
    take_windows(evolve, individual, count, nats);
    if (count < evolve->schedule.now) return; /* Bayesian */
    take_mean(evolve, individual, mean_of(evolve, nats, count), nats);
}

void evolve_tell_score(struct evolve *evolve, double score) {
    assert(evolve->asked && evolve->request.count == evolve->windows && !evolve->bayesian && !evolve->schedule.nats);
    struct individual *individual = &evolve->individuals[evolve->request.individual->id];
    take_windows(evolve, individual, evolve->windows, NULL);
    take_mean(evolve, individual, score, NULL);
}

/* The one with the higher mean; NULL if there is none of them, or one has no mean. */
static const struct individual *worse_of(const struct individual *a, const struct individual *b) {
    if (!a || !b || isnan(a->mean) || isnan(b->mean)) return NULL;
    return a->mean < b->mean ? b : a;
}

static const struct individual *last_of(const struct evolve *evolve, const struct ranking *ranking) {
    if (ranking->count < ranking->capacity) return NULL;
    return &evolve->individuals[ranking->items[ranking->count - 1].id];
}

/* Whoever is ranked when the number of windows grows may turn out to be the best, so the elite counts until then. */
const struct individual *evolve_rival(const struct evolve *evolve, const struct evolve_request *request) {
    if (evolve->phase != EVOLVE_SCORING || request->count < evolve->schedule.now) return NULL;
    const struct individual *rival = last_of(evolve, &evolve->parents);
    if (!rival || isnan(rival->mean)) return NULL;
    if (is_exportable(evolve, request->individual))
        rival = worse_of(rival, individual_or_null(evolve, evolve->best_exportable));
    return window_schedule_is_partial(&evolve->schedule) ? worse_of(rival, last_of(evolve, &evolve->elite)) : rival;
}

void evolve_tell_stopped(struct evolve *evolve, const struct window_nats *nats, size_t scored) {
    assert(evolve->asked && evolve_rival(evolve, &evolve->request) && scored < evolve->request.count);
    struct individual *individual = &evolve->individuals[evolve->request.individual->id];
    individual->stopped = true;
    take_windows(evolve, individual, scored, nats);
    take_mean(evolve, individual, NAN, nats);
}

void evolve_tell_failed(struct evolve *evolve, const struct window_nats *nats, size_t scored) {
    assert(evolve->asked && scored >= 1 && scored <= evolve->request.count);
    struct individual *individual = &evolve->individuals[evolve->request.individual->id];
    individual->stopped = individual->failed = true;
    take_windows(evolve, individual, scored, nats);
    take_mean(evolve, individual, NAN, nats);
}

/* Looking ------------------------------------------------------------------------------------- */

int64_t evolve_generation(const struct evolve *evolve) { return evolve->generation; }

size_t evolve_scored(const struct evolve *evolve) { return evolve->told; }

size_t evolve_window_scores(const struct evolve *evolve) { return evolve->window_scores; }

const struct individual *evolve_best(const struct evolve *evolve) {
    return individual_or_null(evolve, evolve->best_scored);
}
