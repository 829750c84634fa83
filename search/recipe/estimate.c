#include "search/recipe/estimate.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/work.h"
#include "search/recipe/finetune.h"
#include "search/recipe/held_out.h"
#include "search/recipe/recipe_paths.h"
#include "search/recipe/stage.h"
#include "search/recipe/stage_base.h"
#include "search/recipe/stage_check.h"

size_t estimate_bytes(const struct estimate_memory *memory) {
    return memory->weights + memory->forward.window + memory->forward.first_layer + memory->forward.threads;
}

/* ---- the model and its shape ---- */

static int read_shape(struct estimate_stage *stage, struct error *error) {
    char *path = NULL;
    if (model_is_gguf(stage->shape)) return model_read_config(stage->shape, &stage->architecture, error);
    if (asprintf(&path, "%s/config.json", stage->shape) < 0) return error_memory(error, 0, "a path");
    bool there = access(path, F_OK) == 0;
    free(path);
    if (there) return model_read_config(stage->shape, &stage->architecture, error);
    return error_set(error, STATUS_INPUT,
                     "stage '%s': there is no %s/config.json, which is all that an estimate needs of a model; put it "
                     "there, or name another folder with --set model=DIR",
                     stage->config->name, stage->shape);
}

static int find_model(const struct search_context *context, size_t index, struct estimate_stage *stage,
                      struct error *error) {
    stage->model = recipe_model(context, index);
    stage->shape = stage->model ? recipe_shape(context, stage->model) : NULL;
    if (!stage->shape) return error_memory(error, 0, "a path");
    stage->awaits = recipe_awaited_from(context, stage->model);
    int status = read_shape(stage, error);
    if (status != STATUS_OK) return status;
    return model_kernels(stage->config->type, stage->architecture.says_bf16, &stage->kernels, error);
}

static int find_finetuning(const struct search_context *context, size_t index, struct estimate_stage *stage,
                           struct error *error) {
    if (!stage->config->finetune.given) return STATUS_OK;
    stage->tune_from = recipe_model_to_finetune(context, index);
    stage->tune_to = recipe_output(context, index);
    if (!stage->tune_from || !stage->tune_to) return error_memory(error, 0, "the paths of a fine-tuning");
    stage->tuned = finetune_is_model(stage->tune_to);
    return STATUS_OK;
}

/* ---- numbers ---- */

/* Predictions of a window that are not scored, at least: an answer has at most a token for each digit and one for the
 * blank before them. */
static int64_t skipped(const struct stage_config *config) {
    int64_t context = config->target_length - 1 - (config->needle.digits + 1);
    return config->objective == OBJECTIVE_NEEDLE && context > 0 ? context
                                                                : 0; /* if it is none, the search will say so */
}

static void count_windows(struct estimate_stage *stage) {
    const struct stage_config *config = stage->config;
    size_t documents = config->text.count + config->tokens.count; /* one of them is 0 */
    stage->windows_per_table = config->samples ? config->samples : documents;
    stage->evaluations = (double)evolve_planned(&config->search, config->initial_count);
    stage->baselines = stage_baselines(config->kind);
    stage->windows = (stage->evaluations + stage->baselines) * (double)stage->windows_per_table;
    stage->held_out = (double)held_out_most_windows(config, stage->windows_per_table);
    stage->tokens = stage->windows * (double)(config->target_length - 1);
    const struct model_config *model = &stage->architecture;
    int64_t length = config->target_length;
    stage->operations = stage->windows * (work_pass(model, length) - work_skipped(model, skipped(config)));
}

static void compare_lengths(const struct search_context *context, struct estimate_stage *stage) {
    const struct stage_config *config = stage->config;
    int64_t base_length = config->base == CONFIG_NO_STAGE ? 0 : context->config->stages[config->base].target_length;
    stage->window = stage_window(config->kind, &stage->architecture, base_length);
    stage->scale = fmax(1.0, (double)config->target_length / (double)stage->window);
}

/* Tokens that differ are at most those of the vocabulary, and at most those that are read. */
static void add_up_memory(const struct search_context *context, struct estimate_stage *stage) {
    double read = (double)stage->windows_per_table * (double)(stage->config->target_length - 1);
    int64_t distinct = (int64_t)fmin((double)stage->architecture.vocabulary, read);
    stage->memory.weights = model_bytes(&stage->architecture, stage->kernels);
    stage->memory.forward =
        forward_memory(&stage->architecture, stage->kernels, stage->config->target_length, distinct, context->threads);
}

static int estimate_stage(const struct search_context *context, size_t index, struct estimate_stage *stage,
                          struct error *error) {
    stage->config = &context->config->stages[index];
    int status = find_model(context, index, stage, error);
    if (status == STATUS_OK) status = stage_check(context->config, index, &stage->architecture, error);
    if (status == STATUS_OK) status = recipe_check_output(context, index, error);
    if (status == STATUS_OK) status = find_finetuning(context, index, stage, error);
    if (status == STATUS_OK && stage->config->missing && stage->config->samples == 0) {
        status = error_set(error, STATUS_INPUT, "%s ('samples: 0' scores a window of each)", stage->config->missing);
    }
    if (status != STATUS_OK) return status;
    stage_warn(context->config, index);
    count_windows(stage);
    compare_lengths(context, stage);
    add_up_memory(context, stage);
    return STATUS_OK;
}

static void add_to_totals(struct estimate *estimate, const struct estimate_stage *stage) {
    size_t bytes = estimate_bytes(&stage->memory);
    estimate->evaluations += stage->evaluations + stage->baselines;
    estimate->windows += stage->windows;
    estimate->tokens += stage->tokens;
    estimate->operations += stage->operations;
    estimate->held_out += stage->held_out;
    if (bytes > estimate->bytes) estimate->bytes = bytes;
}

int estimate_make(const struct config *config, const char *run_dir, int threads, struct estimate *out,
                  struct error *error) {
    const struct search_context context = {
        .config = config, .run_dir = run_dir, .threads = threads > 0 ? threads : omp_get_max_threads()};
    *out = (struct estimate){.name = config->name, .threads = context.threads, .rate = 1e12};
    out->stages = calloc(config->stage_count, sizeof *out->stages);
    if (!out->stages) return error_memory(error, (double)(config->stage_count * sizeof *out->stages), "the stages");
    int status = STATUS_OK;
    for (size_t i = 0; i < config->stage_count && status == STATUS_OK; i++) {
        out->stage_count++;
        status = estimate_stage(&context, i, &out->stages[i], error);
        if (status == STATUS_OK) add_to_totals(out, &out->stages[i]);
    }
    if (status != STATUS_OK) estimate_free(out);
    if (status == STATUS_OK) estimate_set_rate(out, out->rate);
    return status;
}

void estimate_set_rate(struct estimate *estimate, double rate) {
    estimate->rate = rate;
    estimate->measured_threads = 0;
    estimate->seconds = estimate->operations / rate;
    for (size_t i = 0; i < estimate->stage_count; i++) {
        estimate->stages[i].seconds = estimate->stages[i].operations / rate;
    }
}

double estimate_held_out(const struct estimate_stage *stage) {
    return stage->windows > 0.0 ? stage->seconds * stage->held_out / stage->windows : 0.0;
}

double estimate_all_held_out(const struct estimate *estimate) {
    double seconds = 0.0;
    for (size_t i = 0; i < estimate->stage_count; i++) seconds += estimate_held_out(&estimate->stages[i]);
    return seconds;
}

void estimate_free(struct estimate *estimate) {
    for (size_t i = 0; i < estimate->stage_count; i++) {
        struct estimate_stage *stage = &estimate->stages[i];
        free(stage->model), free(stage->shape), free(stage->tune_from), free(stage->tune_to);
    }
    free(estimate->stages);
    *estimate = (struct estimate){0};
}
