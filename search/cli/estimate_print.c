#include "search/cli/estimate_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "search/base/json.h"

static double gib(size_t bytes) { return (double)bytes / (1 << 30); }

static double hours(double seconds) { return seconds / 3600.0; }

/* The stage whose fine-tuning has to write the stage's model; NULL if the model exists. */
static const char *awaited_name(const struct estimate *estimate, const struct estimate_stage *stage) {
    return stage->awaits == CONFIG_NO_STAGE ? NULL : estimate->stages[stage->awaits].config->name;
}

static const char *base_name(const struct estimate *estimate, const struct estimate_stage *stage) {
    int base = stage->config->base;
    return base == CONFIG_NO_STAGE ? NULL : estimate->stages[base].config->name;
}

/* ---- text ---- */

static int name_width(const struct estimate *estimate) {
    size_t width = strlen("all stages");
    for (size_t i = 0; i < estimate->stage_count; i++) {
        size_t length = strlen(estimate->stages[i].config->name);
        if (length > width) width = length;
    }
    return (int)width;
}

static void print_costs(FILE *out, double tables, double windows, double tokens, double operations, double seconds,
                        size_t bytes) {
    double time = hours(seconds);
    fprintf(out, " %8.0f %8.0f %9.2e %11.2e %10.4g %9.*f\n", tables, windows, tokens, operations, gib(bytes),
            time < 10.0 ? 4 : 0, time);
}

static void print_stages(const struct estimate *estimate, FILE *out) {
    int width = name_width(estimate);
    fprintf(out, "%-*s  %-7s %8s %7s %8s %8s %8s %9s %11s %10s %9s\n", width, "stage", "kind", "length", "scale",
            "window", "tables", "windows", "tokens", "operations", "memory/GiB", "hours");
    for (size_t i = 0; i < estimate->stage_count; i++) {
        const struct estimate_stage *stage = &estimate->stages[i];
        fprintf(out, "%-*s  %-7s %8" PRId64 " %7.4g %8" PRId64, width, stage->config->name,
                stage_kind_name(stage->config->kind), stage->config->target_length, stage->scale, stage->window);
        print_costs(out, stage->evaluations + stage->baselines, stage->windows, stage->tokens, stage->operations,
                    stage->seconds, estimate_bytes(&stage->memory));
    }
    fprintf(out, "%-*s  %-7s %8s %7s %8s", width, "all stages", "", "", "", "");
    print_costs(out, estimate->evaluations, estimate->windows, estimate->tokens, estimate->operations,
                estimate->seconds, estimate->bytes);
    if (estimate->held_out > 0.0) {
        fprintf(out,
                "beside these, when stages end: at most %.0f windows of text that is held out (data.held_out), %.4f "
                "hours\n",
                estimate->held_out, hours(estimate_all_held_out(estimate)));
    }
}

static void print_model(const struct estimate *estimate, const struct estimate_stage *stage, FILE *out) {
    const char *base = base_name(estimate, stage), *awaited = awaited_name(estimate, stage);
    fprintf(out, "%s: model %s (%s, %s)", stage->config->name, stage->model, number_type_name(stage->kernels->type),
            stage->kernels->name);
    if (base) fprintf(out, ", base %s", base);
    if (stage->config->objective == OBJECTIVE_NEEDLE) fputs(", objective needle", out);
    if (awaited) {
        fprintf(out, "\n  the model does not exist yet: stage %s fine-tunes it; the estimate uses the shape of %s",
                awaited, stage->shape);
    }
    fputc('\n', out);
    if (stage->config->missing)
        fprintf(out, "  the search will not begin without its data: %s\n", stage->config->missing);
}

static void print_memory(const struct estimate *estimate, const struct estimate_stage *stage, FILE *out) {
    const struct estimate_memory *memory = &stage->memory;
    fprintf(out, "  memory/GiB: weights %.4g, window %.4g, first layer %.4g, %d thread%s %.4g\n", gib(memory->weights),
            gib(memory->forward.window), gib(memory->forward.first_layer), estimate->threads,
            estimate->threads == 1 ? "" : "s", gib(memory->forward.threads));
}

static void print_finetuning(const struct estimate_stage *stage, FILE *out) {
    const struct stage_config *config = stage->config;
    if (!config->finetune.given) return;
    if (stage->tuned) {
        fprintf(out, "  fine-tuning: done, %s exists\n", stage->tune_to);
        return;
    }
    fprintf(out, "  fine-tuning, not included: %s with the table of this stage at %" PRId64 " tokens, to %s\n",
            stage->tune_from, config->target_length, stage->tune_to);
    if (config->finetune.command) {
        fprintf(out, "  fine-tuning command: %s\n", config->finetune.command);
    } else {
        fputs("  no fine-tuning command: the search prints what to run, and ends with status 75\n", out);
    }
}

/* The stage with the most operations. The run's time depends most on the rate at that stage's length. */
static const struct estimate_stage *costliest(const struct estimate *estimate) {
    const struct estimate_stage *most = &estimate->stages[0];
    for (size_t i = 1; i < estimate->stage_count; i++) {
        if (estimate->stages[i].operations > most->operations) most = &estimate->stages[i];
    }
    return most;
}

static void print_hint(const struct estimate *estimate, FILE *out) {
    enum { LONG_ENOUGH = 32768 }; /* the rate of attention does not change beyond it, and bench would take minutes */
    const struct estimate_stage *stage = costliest(estimate);
    const struct model_config *c = &stage->architecture;
    int64_t length = stage->config->target_length;
    fputs(
        "\nThese are upper bounds: racing and the cache save a part. Operations are those of forward passes, two per\n"
        "multiply-add; hours ",
        out);
    if (estimate->measured_threads) {
        fprintf(out,
                "are those of this machine with %d thread%s, measured now: %.4g GFLOP/s (--rate states another).\nFor "
                "whole "
                "evaluations and other kernels, run\n",
                estimate->measured_threads, estimate->measured_threads == 1 ? "" : "s", estimate->rate / 1e9);
    } else {
        fprintf(out, "assume %.4g GFLOP/s (--rate). To measure this machine, leave --rate out, or run\n",
                estimate->rate / 1e9);
    }
    fprintf(out,
            "  longrope bench --hidden %" PRId64 " --heads %" PRId64 " --kv-heads %" PRId64 " --head-dim %" PRId64
            " --intermediate %" PRId64 " \\\n    --vocabulary %" PRId64 " --layers 2 --length %" PRId64 " --dtype %s\n",
            c->hidden, c->heads, c->kv_heads, c->head_width, c->intermediate, c->vocabulary,
            length < LONG_ENOUGH ? length : (int64_t)LONG_ENOUGH, number_type_name(stage->kernels->type));
}

/* ---- ranks ---- */

static void print_row(const struct rank_estimate *ranks, FILE *out) {
    double time = ranks->seconds / 3600.0;
    fprintf(out, "%6zu %10.*f %10.0f %10.1f %6.1f %8.1f\n", ranks->ranks, time < 10.0 ? 4 : 0, time, ranks->windows,
            100.0 * rank_estimate_efficiency(ranks), 100.0 * ranks->idle, 100.0 * ranks->vain);
}

static void print_total(const struct rank_estimate *ranks, FILE *out) {
    fprintf(out, "%.0f windows in %.4g hours, %.1f %% efficient.\n", ranks->windows, ranks->seconds / 3600.0,
            100.0 * rank_estimate_efficiency(ranks));
}

static void print_sooner(const struct rank_plan_row *row, FILE *out) {
    if (!row->sooner_population) return;
    fprintf(out, "%zu ranks end sooner with --set search.population=%zu: ", row->planned.ranks, row->sooner_population);
    print_total(&row->sooner, out);
}

static void print_advice(const struct rank_plan_row *row, FILE *out) {
    const struct evolve_settings *search = &row->search;
    if (!row->has_advice) return;
    fprintf(out,
            "%zu ranks have enough to do in a larger search,\n"
            "  --set search.algorithm=%s --set search.population=%zu --set search.parents=%zu \\\n"
            "  --set search.iterations=%zu --set search.evaluations=%zu",
            row->planned.ranks, algorithm_name(search->algorithm), search->population, search->parents,
            search->iterations, search->evaluations);
    if (search->knots) fprintf(out, " --set search.knots=%zu", search->knots);
    if (search->algorithm != ALGORITHM_CMA_ES) {
        fprintf(out, " --set search.mutations=%zu --set search.crossovers=%zu", search->mutations, search->crossovers);
    }
    fputs("\nin all stages: ", out);
    print_total(&row->advised, out);
}

static void print_plan(const struct rank_plan *plan, FILE *out) {
    fputs("\non several ranks, each at that rate:\n", out);
    fprintf(out, "%6s %10s %10s %10s %6s %8s\n", "ranks", "hours", "windows", "efficiency", "idle", "in vain");
    for (size_t i = 0; i < plan->count; i++) print_row(&plan->rows[i].planned, out);
    fprintf(out, "As configured, at most %zu rank%s %s worth having: with more, efficiency is below %d %%.\n",
            plan->worth.ranks, plan->worth.ranks == 1 ? "" : "s", plan->worth.ranks == 1 ? "is" : "are",
            RANKS_WORTH_PERCENT);
    bool sooner = false;
    for (size_t i = 0; i < plan->count; i++) {
        print_sooner(&plan->rows[i], out);
        print_advice(&plan->rows[i], out);
        sooner = sooner || plan->rows[i].sooner_population;
    }
    if (sooner) {
        fputs("The more tables a search proposes at a time, the more windows it needs for as good a table:\n"
              "twice as many with 8 at a time, four times as many with 32 (results/books).\n",
              out);
    }
    fputs(
        "Simulated: the hand-out is that of a search, scores are made up. Loading and fine-tuning are not included.\n",
        out);
}

void estimate_print(const struct estimate *estimate, const struct rank_plan *plan, FILE *out) {
    fprintf(out, "estimated cost of run %s with %d thread%s:\n", estimate->name, estimate->threads,
            estimate->threads == 1 ? "" : "s");
    print_stages(estimate, out);
    fputc('\n', out);
    for (size_t i = 0; i < estimate->stage_count; i++) {
        print_model(estimate, &estimate->stages[i], out);
        print_memory(estimate, &estimate->stages[i], out);
        print_finetuning(&estimate->stages[i], out);
    }
    if (plan) print_plan(plan, out);
    print_hint(estimate, out);
}

/* ---- JSON ---- */

/* Paths are any bytes. */
static json_t *name_or_null(const char *name) { return name ? json_name(name) : json_null(); }

/* An integer if a double represents it exactly. */
static json_t *count_json(double count) {
    return fabs(count) < 0x1p53 ? json_integer((json_int_t)count) : json_real(count);
}

static json_t *memory_json(const struct estimate_memory *memory) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "weights", (json_int_t)memory->weights, "window",
                     (json_int_t)memory->forward.window, "first_layer", (json_int_t)memory->forward.first_layer,
                     "threads", (json_int_t)memory->forward.threads, "all", (json_int_t)estimate_bytes(memory));
}

static json_t *finetune_json(const struct estimate_stage *stage) {
    if (!stage->config->finetune.given) return json_null();
    return json_pack("{s:o, s:o, s:I, s:o, s:b}", "model", json_name(stage->tune_from), "output",
                     json_name(stage->tune_to), "length", (json_int_t)stage->config->target_length, "command",
                     name_or_null(stage->config->finetune.command), "done", (int)stage->tuned);
}

static json_t *held_out_json(double windows, double seconds) {
    return json_pack("{s:o, s:f}", "windows", count_json(windows), "hours", hours(seconds));
}

static json_t *stage_json(const struct estimate *estimate, const struct estimate_stage *stage) {
    const struct stage_config *config = stage->config;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:s?, s:o, s:s?, s:o, s:s, s:s, s:o, s:i, s:I, s:o, s:o, s:o, "
                     "s:f, s:f, s:o, s:o, s:o, s:o}",
                     "name", config->name, "kind", stage_kind_name(config->kind), "objective",
                     objective_name(config->objective), "target_length", (json_int_t)config->target_length, "window",
                     (json_int_t)stage->window, "scale", stage->scale, "base", base_name(estimate, stage), "model",
                     json_name(stage->model), "awaits", awaited_name(estimate, stage), "shape_of",
                     json_name(stage->shape), "dtype", number_type_name(stage->kernels->type), "kernels",
                     stage->kernels->name, "evaluations", count_json(stage->evaluations), "baselines", stage->baselines,
                     "samples", (json_int_t)stage->windows_per_table, "windows", count_json(stage->windows), "tokens",
                     count_json(stage->tokens), "operations", count_json(stage->operations), "hours_at_1_tflops",
                     hours(stage->operations / 1e12), "hours", hours(stage->seconds), "held_out",
                     held_out_json(stage->held_out, estimate_held_out(stage)), "memory", memory_json(&stage->memory),
                     "finetune", finetune_json(stage), "missing_data", name_or_null(config->missing));
}

static json_t *totals_json(const struct estimate *estimate) {
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:f, s:o, s:I}", "evaluations", count_json(estimate->evaluations),
                     "windows", count_json(estimate->windows), "tokens", count_json(estimate->tokens), "operations",
                     count_json(estimate->operations), "hours_at_1_tflops", hours(estimate->operations / 1e12), "hours",
                     hours(estimate->seconds), "held_out",
                     held_out_json(estimate->held_out, estimate_all_held_out(estimate)), "memory",
                     (json_int_t)estimate->bytes);
}

static json_t *ranks_json(const struct rank_estimate *ranks) {
    return json_pack("{s:I, s:f, s:o, s:f, s:f, s:f}", "ranks", (json_int_t)ranks->ranks, "hours",
                     ranks->seconds / 3600.0, "windows", count_json(ranks->windows), "efficiency",
                     rank_estimate_efficiency(ranks), "idle", ranks->idle, "in_vain", ranks->vain);
}

static json_t *sooner_json(const struct rank_plan_row *row) {
    if (!row->sooner_population) return json_null();
    json_t *sooner = ranks_json(&row->sooner);
    if (sooner && json_object_set_new(sooner, "population", json_integer((json_int_t)row->sooner_population)) == 0) {
        return sooner;
    }
    json_decref(sooner);
    return NULL;
}

static json_t *advice_json(const struct rank_plan_row *row) {
    const struct evolve_settings *search = &row->search;
    if (!row->has_advice) return json_null();
    json_t *advice = ranks_json(&row->advised);
    json_t *settings = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "algorithm", algorithm_name(search->algorithm), "knots",
        (json_int_t)search->knots, "population", (json_int_t)search->population, "parents", (json_int_t)search->parents,
        "mutations", (json_int_t)search->mutations, "crossovers", (json_int_t)search->crossovers, "iterations",
        (json_int_t)search->iterations, "evaluations", (json_int_t)search->evaluations);
    if (advice && json_object_set_new(advice, "search", settings) == 0) return advice;
    json_decref(advice);
    return NULL;
}

static json_t *plan_row_json(const struct rank_plan_row *row) {
    json_t *planned = ranks_json(&row->planned), *sooner = sooner_json(row), *advice = advice_json(row);
    int failed = json_object_set_new(planned, "sooner", sooner);
    if (json_object_set_new(planned, "advice", advice) == 0 && failed == 0) return planned;
    json_decref(planned);
    return NULL;
}

static json_t *plan_json(const struct rank_plan *plan) {
    if (!plan) return json_null();
    json_t *rows = json_array();
    for (size_t i = 0; i < plan->count && rows; i++) {
        if (json_array_append_new(rows, plan_row_json(&plan->rows[i])) == 0) continue;
        json_decref(rows);
        rows = NULL;
    }
    return rows ? json_pack("{s:o, s:o}", "worth", ranks_json(&plan->worth), "planned", rows) : NULL;
}

int estimate_print_json(const struct estimate *estimate, const struct rank_plan *plan, FILE *out, struct error *error) {
    json_t *stages = json_array();
    int missing = stages == NULL;
    for (size_t i = 0; i < estimate->stage_count && !missing; i++) {
        missing = json_array_append_new(stages, stage_json(estimate, &estimate->stages[i]));
    }
    json_t *root = json_pack("{s:s, s:i, s:f, s:b, s:o, s:o, s:o}", "name", estimate->name, "threads",
                             estimate->threads, "rate", estimate->rate, "measured", estimate->measured_threads > 0,
                             "stages", stages, "totals", totals_json(estimate), "ranks", plan_json(plan));
    missing = missing || !root || json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) != 0;
    json_decref(root);
    if (missing) return error_memory(error, 0, "the estimate's JSON");
    fputc('\n', out);
    return STATUS_OK;
}
