#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "search/base/json.h"
#include "search/report/report.h"
#include "search/report/report_engines.h"
#include "search/report/report_frame.h"
#include "search/report/report_held_out.h"
#include "search/report/report_measurements.h"
#include "search/report/report_setup.h"
#include "search/report/report_short_window.h"

/* ---- what the evaluations cost ---- */

struct cost {
    size_t stopped;  /* individuals that racing cut short */
    size_t failed;   /* individuals with whose tables the model's numbers overflow */
    size_t complete; /* individuals that were scored on all windows */
    size_t scored;   /* windows */
    size_t saved;    /* windows that racing left out, at most */
    size_t computed; /* of `scored`, those not from the cache */
    double whole;    /* evaluations on all windows that `scored` amounts to */
    double seconds;
    double tokens_per_second; /* predictions of the windows computed; NaN where none was */
};

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static bool was_stopped(const struct individual_record *one) {
    return one->individual.stopped && !one->individual.failed;
}

/* Whether racing has fewer windows to save than the stage has. Not with `bayesian`: it scores candidates on single
 * windows, but races only those that it asks for on all. */
static bool races_on_few(const struct stage_view *stage) {
    bool found = false;
    for (size_t i = 0; i < stage->setting_count; i++)
        found = found || strcmp(stage->settings[i].key, "search.first_windows") == 0;
    return found;
}

/* Windows that individuals which racing cut short were not scored on, of those that their generation was scored on.
 * That number only grows, so it is at most what any individual that was not cut short has, of that generation or of a
 * later one. */
static size_t count_saved(const struct stage_view *stage) {
    const struct individual_record *all = stage->individuals;
    const bool few = races_on_few(stage);
    size_t asked = stage->windows, saved = 0;
    for (size_t end = stage->individual_count, begin = end; end > 0; end = begin) {
        for (; begin > 0 && all[begin - 1].individual.generation == all[end - 1].individual.generation; begin--) {
            if (few && !all[begin - 1].individual.stopped) asked = smaller(asked, all[begin - 1].scored.windows);
        }
        for (size_t i = begin; i < end; i++) {
            if (was_stopped(&all[i])) saved += asked - smaller(asked, all[i].scored.windows);
        }
    }
    return saved;
}

static struct cost cost_of(const struct stage_view *stage) {
    struct cost cost = {.saved = count_saved(stage)};
    for (size_t i = 0; i < stage->individual_count; i++) {
        const struct individual_record *one = &stage->individuals[i];
        cost.stopped += was_stopped(one);
        cost.failed += one->individual.failed;
        size_t scored = smaller(one->scored.windows, stage->windows); /* a damaged database may say more */
        cost.scored += scored;
        cost.complete += scored == stage->windows && !one->individual.failed;
        cost.computed += smaller(one->scored.computed, scored);
        if (isfinite(one->scored.seconds)) cost.seconds += one->scored.seconds;
    }
    if (stage->windows) cost.whole = (double)cost.scored / (double)stage->windows;
    double predictions = (double)cost.computed * (double)(stage->record->target_length - 1);
    cost.tokens_per_second = predictions > 0.0 && cost.seconds > 0.0 ? predictions / cost.seconds : NAN;
    return cost;
}

/* ---- for people ---- */

/* The end of the line of evaluations, and a line. */
static void print_cost(FILE *out, const struct stage_view *stage) {
    struct cost cost = cost_of(stage);
    fprintf(out, " on %zu window%s", cost.scored, cost.scored == 1 ? "" : "s");
    if (stage->windows) fprintf(out, ": the work of %.1f evaluations", cost.whole);
    fputc('\n', out);
    size_t cached = cost.scored - cost.computed;
    char saved[32] = "n/a", rate[32] = "n/a";
    if (cost.scored + cost.saved > 0) {
        double share = (double)cost.saved / (double)(cost.scored + cost.saved);
        snprintf(saved, sizeof saved, "%.1f %%", 100.0 * share);
    }
    if (!isnan(cost.tokens_per_second)) snprintf(rate, sizeof rate, "%.0f", cost.tokens_per_second);
    fprintf(out, "  %zu cut short by racing, saving %s of windows; %.1f s, %s tokens/s; %zu window%s from the cache\n",
            cost.stopped, saved, cost.seconds, rate, cached, cached == 1 ? "" : "s");
    if (cost.failed) {
        fprintf(out, "  %zu failed: the model's numbers overflow with their tables, which --scores has\n", cost.failed);
    }
}

/* The share of a rank's time in which it had nothing to compute. */
static double idle_of(const struct rank_record *rank) {
    return rank->present > 0.0 ? fmax(0.0, 1.0 - rank->seconds / rank->present) : 0.0;
}

/* One line per rank, of the first few. */
static void print_ranks(FILE *out, const struct stage_view *stage) {
    enum { MOST = 16 };
    double seconds = 0.0, present = 0.0;
    for (size_t i = 0; i < stage->rank_count; i++) {
        seconds += stage->ranks[i].seconds, present += stage->ranks[i].present;
    }
    if (!stage->rank_count) return;
    fprintf(out, "  on %zu ranks, %.1f %% of their time idle\n", stage->rank_count,
            present > 0.0 ? fmax(0.0, 100.0 * (1.0 - seconds / present)) : 0.0);
    for (size_t i = 0; i < stage->rank_count && i < MOST; i++) {
        const struct rank_record *rank = &stage->ranks[i];
        fprintf(out, "    rank %" PRId64 " on host %s: %" PRId64 " windows in %.1f s, %.1f %% idle\n", rank->rank,
                rank->host, rank->units, rank->seconds, 100.0 * idle_of(rank));
    }
    if (stage->rank_count > MOST) fputs("    all ranks: --json\n", out);
}

static void print_row(FILE *out, const char *name, double nats, const char *note) {
    if (isinf(nats)) {
        fprintf(out, "  %-22s %12s %12s\n", name, "failed", "n/a");
    } else {
        fprintf(out, "  %-22s %12.4f %12.5f%s%s\n", name, exp(nats), nats, *note ? "  " : "", note);
    }
}

static void print_factors(FILE *out, const struct stage_view *stage, const struct individual *individual) {
    enum { A_LINE = 12 };
    struct factor_entry table;
    stage_view_entry(stage, individual, &table);
    fprintf(out, "  rescale factors, fastest pair first (n_hat %" PRId64 ", attention factor %.4f", table.start_tokens,
            table.attention_factor);
    if (individual->genome.critical) fprintf(out, ", critical pair %d", (int)individual->genome.critical);
    fputs("):", out);
    for (int64_t i = 0; i < table.pairs; i++) fprintf(out, "%s%7.2f", i % A_LINE ? " " : "\n    ", table.factors[i]);
    fputc('\n', out);
}

static const struct baseline_record *best_baseline(const struct stage_view *stage) {
    const struct baseline_record *best = NULL;
    for (size_t i = 0; i < stage->baseline_count; i++) {
        const struct baseline_record *one = &stage->baselines[i];
        if (isinf(one->nats_per_token)) continue;
        if (!best || one->nats_per_token < best->nats_per_token) best = one;
    }
    return best;
}

static void print_best(FILE *out, const struct stage_view *stage, const char *name,
                       const struct individual *individual) {
    char note[160] = "";
    const struct baseline_record *baseline = best_baseline(stage);
    double gain = baseline ? 1.0 - exp(individual->score - baseline->nats_per_token) : 0.0;
    int used =
        snprintf(note, sizeof note, "n_hat %" PRId64 ", %s of generation %" PRId64,
                 stage_view_start_tokens(stage, individual), origin_name(individual->origin), individual->generation);
    if (baseline) {
        snprintf(note + used, sizeof note - (size_t)used, "; %.1f %% %s %s", fabs(100.0 * gain),
                 gain >= 0.0 ? "below" : "above", rope_method_name(baseline->method));
    }
    print_row(out, name, individual->score, note);
}

/* After a search with a small budget. Within the window of a model `none` is often the better one, which is no news. */
static void print_defeat(FILE *out, const struct stage_view *stage, const struct individual *found) {
    const struct baseline_record *baseline = best_baseline(stage);
    bool beaten = baseline && baseline->method != ROPE_NONE && baseline->nats_per_token < found->score;
    if (stage->record->state != STAGE_DONE || !beaten) return;
    fprintf(out,
            "  %s is better than what was found; to search on, raise search.evaluations (or iterations) and run the "
            "search\n    again with --resume\n",
            rope_method_name(baseline->method));
}

static int print_stage(const void *state, const struct stage_view *stage, FILE *out, struct error *error) {
    (void)state, (void)error;
    struct stage_best best = stage_view_best(stage);
    int64_t iteration = stage_view_generation(stage), iterations = stage->record->iterations;
    fprintf(out, "  iteration %" PRId64, iteration);
    /* an algorithm may know no last one */
    if (iterations > 0 && iteration <= iterations) fprintf(out, " of %" PRId64, iterations);
    fprintf(out, ", %zu table%s scored", stage->individual_count, stage->individual_count == 1 ? "" : "s");
    if (stage->individual_count) print_cost(out, stage);
    if (!stage->individual_count) fputc('\n', out);
    print_ranks(out, stage);
    if (stage->baseline_count) fprintf(out, "  %-22s %12s %12s\n", "method", "perplexity", "nats/token");
    for (size_t i = 0; i < stage->baseline_count; i++) {
        print_row(out, rope_method_name(stage->baselines[i].method), stage->baselines[i].nats_per_token, "");
    }
    if (!best.any) return STATUS_OK;
    print_best(out, stage, "longrope", best.any);
    if (best.exportable && best.exportable != best.any) {
        print_best(out, stage, "longrope, n_hat = 0", best.exportable);
    }
    print_defeat(out, stage, best.exportable ? best.exportable : best.any);
    report_held_out(out, stage);
    print_factors(out, stage, best.any);
    return STATUS_OK;
}

/* ---- for programs ---- */

static json_t *individual_json(const struct stage_view *stage, const struct individual *individual) {
    if (!individual) return json_null();
    struct factor_entry table;
    stage_view_entry(stage, individual, &table);
    json_t *object = json_pack("{s:o, s:o, s:I, s:f, s:s, s:o}", "perplexity", json_number_or_null(table.perplexity),
                               "factors", json_number_array(table.factors, table.pairs), "start_tokens",
                               (json_int_t)table.start_tokens, "attention_factor", table.attention_factor, "origin",
                               table.origin, "work", json_number_or_null(stage_view_work(stage, individual->work)));
    int32_t critical = individual->genome.critical;
    if (object && critical) json_object_set_new(object, "critical_pair", json_integer(critical));
    if (!object || !table.composed) return object;
    json_object_set_new(object, "base_factors", json_number_array(table.finetuned, table.pairs));
    json_object_set_new(object, "searched_factors", json_number_array(table.searched, table.pairs));
    return object;
}

static json_t *baselines_json(const struct stage_view *stage) {
    json_t *array = json_array();
    for (size_t i = 0; i < stage->baseline_count; i++) {
        const struct baseline_record *one = &stage->baselines[i];
        json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:f}", "method", rope_method_name(one->method),
                                               "perplexity", json_number_or_null(exp(one->nats_per_token)), "factors",
                                               report_baseline_factors_json(stage, one), "attention_factor",
                                               one->table.own_attention_factor * one->table.attention_factor));
    }
    return array;
}

static json_t *cost_json(const struct stage_view *stage) {
    struct cost cost = cost_of(stage);
    return json_pack("{s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:f, s:o}", "stopped", (json_int_t)cost.stopped, "failed",
                     (json_int_t)cost.failed, "complete", (json_int_t)cost.complete, "whole_evaluations", cost.whole,
                     "windows", (json_int_t)cost.scored, "windows_saved", (json_int_t)cost.saved, "windows_cached",
                     (json_int_t)(cost.scored - cost.computed), "seconds", cost.seconds, "tokens_per_second",
                     json_number_or_null(cost.tokens_per_second));
}

static json_t *ranks_json(const struct stage_view *stage) {
    json_t *array = json_array();
    for (size_t i = 0; i < stage->rank_count; i++) {
        const struct rank_record *rank = &stage->ranks[i];
        json_array_append_new(array, json_pack("{s:I, s:o, s:I, s:f, s:f}", "rank", (json_int_t)rank->rank, "host",
                                               json_name(rank->host), "units", (json_int_t)rank->units, "seconds",
                                               rank->seconds, "idle", idle_of(rank)));
    }
    return array;
}

static json_t *machines_json(const struct stage_view *stage) {
    json_t *array = json_array();
    for (size_t i = 0; i < stage->machine_count; i++) {
        const struct machine_record *machine = &stage->machines[i];
        json_array_append_new(array, json_pack("{s:o, s:o, s:I}", "host", json_name(machine->host), "processor",
                                               *machine->processor ? json_name(machine->processor) : json_null(),
                                               "threads", (json_int_t)machine->threads));
    }
    return array;
}

static int stage_json(const void *state, const struct stage_view *stage, json_t **out, struct error *error) {
    (void)state;
    const struct stage_record *record = stage->record;
    struct stage_best best = stage_view_best(stage);
    *out =
        json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "target_length",
                  (json_int_t)record->target_length, "iteration", (json_int_t)stage_view_generation(stage),
                  "iterations", (json_int_t)record->iterations, "evaluations", (json_int_t)stage->individual_count,
                  "best", individual_json(stage, best.any), "best_exportable", individual_json(stage, best.exportable),
                  "baselines", baselines_json(stage), "held_out", report_held_out_json(stage), "cost", cost_json(stage),
                  "ranks", ranks_json(stage), "machines", machines_json(stage));
    json_t *subject = report_setup_json(stage);
    bool whole = json_object_update_missing(*out, subject) == 0; /* not so where either is NULL */
    json_decref(subject);
    if (whole) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return error_memory(error, 0, "the report");
}

static int print_run(struct store *store, const char *stage, FILE *out, struct error *error) {
    int status = stage ? STATUS_OK : report_short_window(store, out, error);
    return status == STATUS_OK ? report_measurements(store, out, error) : status;
}

/* What was measured, and the parts that concern the whole run. */
static int run_json(struct store *store, json_t **out, struct error *error) {
    static const struct {
        const char *key;
        int (*make)(struct store *store, json_t **out, struct error *error);
    } parts[] = {{"configuration", report_configuration_json},
                 {"short_window", report_short_window_json},
                 {"engines", report_engines_json}};
    int status = report_measurements_json(store, out, error);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == STATUS_OK; i++) {
        json_t *part = NULL;
        status = parts[i].make(store, &part, error);
        if (status == STATUS_OK && json_object_set_new(*out, parts[i].key, part) != 0) {
            status = error_memory(error, 0, "the report");
        }
    }
    if (status == STATUS_OK) return STATUS_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

const struct report_view report_view_overview = {
    .print = print_stage, .to_json = stage_json, .print_run = print_run, .run_to_json = run_json};

int report_overview(struct store *store, const struct report_options *options, FILE *out, struct error *error) {
    return report_stages(store, options, &report_view_overview, NULL, out, error);
}
