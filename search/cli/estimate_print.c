#include "search/cli/estimate_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

static double gib(size_t bytes) { return (double)bytes / (1 << 30); }

static double hours(double operations, double rate) { return operations / rate / 3600.0; }

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

static void print_costs(FILE *out, double tables, double windows, double tokens, double operations, double rate,
                        size_t bytes) {
    double time = hours(operations, rate);
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
                    estimate->rate, estimate_bytes(&stage->memory));
    }
    fprintf(out, "%-*s  %-7s %8s %7s %8s", width, "all stages", "", "", "", "");
    print_costs(out, estimate->evaluations, estimate->windows, estimate->tokens, estimate->operations, estimate->rate,
                estimate->bytes);
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
    fprintf(
        out,
        "\nThese are upper bounds: racing and the cache save a part. Operations are those of forward passes, two per\n"
        "multiply-add; hours assume %.4g GFLOP/s (--rate). To measure this machine, run\n"
        "  longrope bench --hidden %" PRId64 " --heads %" PRId64 " --kv-heads %" PRId64 " --head-dim %" PRId64
        " --intermediate %" PRId64 " \\\n    --vocabulary %" PRId64 " --layers 2 --length %" PRId64 " --dtype %s\n"
        "and read the GFLOP/s of whole evaluations.\n",
        estimate->rate / 1e9, c->hidden, c->heads, c->kv_heads, c->head_width, c->intermediate, c->vocabulary,
        length < LONG_ENOUGH ? length : (int64_t)LONG_ENOUGH, number_type_name(stage->kernels->type));
}

void estimate_print(const struct estimate *estimate, FILE *out) {
    fprintf(out, "estimated cost of run %s with %d thread%s:\n", estimate->name, estimate->threads,
            estimate->threads == 1 ? "" : "s");
    print_stages(estimate, out);
    fputc('\n', out);
    for (size_t i = 0; i < estimate->stage_count; i++) {
        print_model(estimate, &estimate->stages[i], out);
        print_memory(estimate, &estimate->stages[i], out);
        print_finetuning(&estimate->stages[i], out);
    }
    print_hint(estimate, out);
}

/* ---- JSON ---- */

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
    return json_pack("{s:s, s:s, s:I, s:s?, s:b}", "model", stage->tune_from, "output", stage->tune_to, "length",
                     (json_int_t)stage->config->target_length, "command", stage->config->finetune.command, "done",
                     (int)stage->tuned);
}

static json_t *stage_json(const struct estimate *estimate, const struct estimate_stage *stage) {
    const struct stage_config *config = stage->config;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:s?, s:s, s:s?, s:s, s:s, s:s, s:o, s:i, s:I, s:o, s:o, s:o, "
                     "s:f, s:f, s:o, s:o}",
                     "name", config->name, "kind", stage_kind_name(config->kind), "objective",
                     objective_name(config->objective), "target_length", (json_int_t)config->target_length, "window",
                     (json_int_t)stage->window, "scale", stage->scale, "base", base_name(estimate, stage), "model",
                     stage->model, "awaits", awaited_name(estimate, stage), "shape_of", stage->shape, "dtype",
                     number_type_name(stage->kernels->type), "kernels", stage->kernels->name, "evaluations",
                     count_json(stage->evaluations), "baselines", stage->baselines, "samples",
                     (json_int_t)stage->windows_per_table, "windows", count_json(stage->windows), "tokens",
                     count_json(stage->tokens), "operations", count_json(stage->operations), "hours_at_1_tflops",
                     hours(stage->operations, 1e12), "hours", hours(stage->operations, estimate->rate), "memory",
                     memory_json(&stage->memory), "finetune", finetune_json(stage));
}

static json_t *totals_json(const struct estimate *estimate) {
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:f, s:I}", "evaluations", count_json(estimate->evaluations), "windows",
                     count_json(estimate->windows), "tokens", count_json(estimate->tokens), "operations",
                     count_json(estimate->operations), "hours_at_1_tflops", hours(estimate->operations, 1e12), "hours",
                     hours(estimate->operations, estimate->rate), "memory", (json_int_t)estimate->bytes);
}

int estimate_print_json(const struct estimate *estimate, FILE *out, struct error *error) {
    json_t *stages = json_array();
    int missing = stages == NULL;
    for (size_t i = 0; i < estimate->stage_count && !missing; i++) {
        missing = json_array_append_new(stages, stage_json(estimate, &estimate->stages[i]));
    }
    json_t *root = json_pack("{s:s, s:i, s:f, s:o, s:o}", "name", estimate->name, "threads", estimate->threads, "rate",
                             estimate->rate, "stages", stages, "totals", totals_json(estimate));
    missing = missing || !root || json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) != 0;
    json_decref(root);
    if (missing) return error_memory(error, 0, "the estimate's JSON");
    fputc('\n', out);
    return STATUS_OK;
}
