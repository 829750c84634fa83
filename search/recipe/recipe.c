#include "search/recipe/recipe.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/base/signals.h"
#include "search/base/text.h"
#include "search/ranks/rank_workers.h"
#include "search/recipe/finetune.h"
#include "search/recipe/old_window.h"
#include "search/recipe/recipe_paths.h"
#include "search/recipe/stage.h"
#include "search/recipe/stage_check.h"
#include "search/recipe/stage_space.h"
#include "search/recipe/stage_windows.h"
#include "search/run/run_tables.h"
#include "search/run/run_view.h"

enum { TUNING_PATIENCE = 300 }; /* seconds that a fine-tuning has for saving its work when a signal stops it */

struct recipe {
    const struct search_context *context;
    bool *done;     /* [stages] */
    size_t waiting; /* stages and fine-tunings whose model does not exist yet */
};

static char *in_run_dir(const struct recipe *recipe, const char *stage, const char *suffix) {
    char *path = NULL;
    return asprintf(&path, "%s/%s%s", recipe->context->run_dir, stage, suffix) < 0 ? NULL : path;
}

/* A model that is missing for another reason is an error of model_load(). */
static bool is_awaited(const struct recipe *recipe, const char *model) {
    return recipe_awaited_from(recipe->context, model) != CONFIG_NO_STAGE;
}

/* ---- fine-tuning ---- */

/* Writes the table for the fine-tuning as a factor file. */
static int write_table(const struct recipe *recipe, const struct stage_config *stage, const char *path,
                       struct error *error) {
    struct factor_entry entry;
    struct stage_record record;
    bool found = false;
    int status = store_find_stage(recipe->context->store, stage->name, &record, &found, error);
    if (status == STATUS_OK) status = run_exportable_table(recipe->context->store, stage->name, &entry, &found, error);
    if (status != STATUS_OK) return status;
    if (!found) return error_set(error, STATUS_FAILED, "stage '%s': it has no table without start tokens", stage->name);
    const struct factor_file file = {.original_length = record.pretrained_length,
                                     .rope_theta = record.rope_theta,
                                     .count = 1,
                                     .tables = &entry,
                                     .exportable_count = 1,
                                     .exportable = &entry};
    return factors_write(path, true, &file, error);
}

static void print_line(const char *begin, const char *path) {
    fputs(begin, stderr);
    text_print_word(stderr, path);
    fputc('\n', stderr);
}

/* With the options that the run was started with: without them its settings would be others. */
static void print_resume(const struct search_context *context) {
    json_t *overrides = json_loads(context->configuration->overrides, 0, NULL), *override;
    size_t i;
    fputs("  longrope search ", stderr);
    text_print_word(stderr, context->config_path);
    fputs(" -o ", stderr);
    text_print_word(stderr, context->run_dir);
    fputs(" --resume", stderr);
    json_array_foreach(overrides, i, override) {
        fputs(" --set ", stderr);
        text_print_word(stderr, json_string_value(override));
    }
    if (context->checkpoints) {
        fputs(" --checkpoint ", stderr);
        text_print_word(stderr, context->checkpoints);
    }
    fputc('\n', stderr);
    json_decref(overrides);
}

static void explain(const struct recipe *recipe, const struct finetune *job) {
    fprintf(stderr, "%s: done; the next step is a model that is fine-tuned with its table at %lld tokens. Fine-tune\n",
            job->stage, (long long)job->length);
    print_line("  ", job->model);
    print_line("with the table in\n  ", job->factors);
    print_line("to\n  ", job->output);
    fputs("for example with (choose text and batch)\n  python configs/finetune/finetune.py --model ", stderr);
    text_print_word(stderr, job->model);
    fputs(" --factors ", stderr);
    text_print_word(stderr, job->factors);
    fprintf(stderr, " --length %lld --out ", (long long)job->length);
    text_print_word(stderr, job->output);
    fputs(" --text TEXT...\nand resume with\n", stderr);
    print_resume(recipe->context);
    fputs("A 'finetune.command' in the configuration does all of this automatically.\n", stderr);
}

static int run_job(struct recipe *recipe, const struct stage_config *stage, const struct finetune *job,
                   struct error *error) {
    int status =
        write_table(recipe, stage, job->factors, error); /* also for a model that exists: eval may read the table */
    if (status != STATUS_OK) return status;
    if (finetune_is_model(job->output)) {
        TRACE(TRACE_RECIPE, "stage '%s': fine-tuning skipped, %s is a model already", job->stage, job->output);
        return STATUS_OK;
    }
    if (is_awaited(recipe, job->model)) {
        TRACE(TRACE_RECIPE, "stage '%s': its fine-tuning waits for the fine-tuned model %s", job->stage, job->model);
        recipe->waiting++;
        return STATUS_OK;
    }
    store_make_readable(recipe->context->store);
    if (job->command) return finetune_run(job, error);
    explain(recipe, job);
    recipe->waiting++;
    return STATUS_OK;
}

static int finetune(struct recipe *recipe, size_t index, struct error *error) {
    const struct stage_config *stage = &recipe->context->config->stages[index];
    char *model = recipe_model_to_finetune(recipe->context, index);
    char *output = recipe_output(recipe->context, index);
    char *factors = in_run_dir(recipe, stage->name, "-factors.json");
    char *lock = in_run_dir(recipe, stage->name, "-finetune.lock"); /* NAME.lock may be the run's own */
    const struct finetune job = {.stage = stage->name,
                                 .model = model,
                                 .factors = factors,
                                 .output = output,
                                 .command = stage->finetune.command,
                                 .folder = recipe->context->config->folder,
                                 .lock = lock,
                                 .length = stage->target_length,
                                 .threads = recipe->context->threads,
                                 .ranks = recipe->context->ranks,
                                 .stop = recipe->context->stop,
                                 .patience = TUNING_PATIENCE};
    int status = model && output && factors && lock ? run_job(recipe, stage, &job, error)
                                                    : error_memory(error, 0, "the paths of a fine-tuning");
    free(model), free(output), free(factors), free(lock);
    return status;
}

/* ---- stages ---- */

static int write_factors(const struct recipe *recipe, struct error *error) {
    char *path = NULL;
    if (asprintf(&path, "%s/factors.json", recipe->context->run_dir) < 0) return error_memory(error, 0, "a path");
    int status = run_tables_write(recipe->context->store, path, error);
    if (status == STATUS_OK) fprintf(stderr, "wrote %s\n", path);
    free(path);
    return status;
}

/* Whether the table of the stage's base, or that with its attention factor, does not exist yet. */
static bool awaits_table(const struct recipe *recipe, const struct stage_config *stage) {
    const struct config *config = recipe->context->config;
    const struct stage_config *attention = stage_space_attention_from(config, stage);
    return (stage->base != CONFIG_NO_STAGE && !recipe->done[stage->base]) ||
           (attention && !recipe->done[attention - config->stages]);
}

/* Runs the stage, unless its model or a table that it needs does not exist yet. */
static int search(struct recipe *recipe, size_t index, struct error *error) {
    const struct stage_config *stage = &recipe->context->config->stages[index];
    char *model = recipe_model(recipe->context, index);
    if (!model) return error_memory(error, 0, "a path");
    int status = STATUS_OK;
    if (awaits_table(recipe, stage) || is_awaited(recipe, model)) {
        TRACE(TRACE_RECIPE, "stage '%s': waits for a fine-tuned model, its own (%s) or an earlier stage's", stage->name,
              model);
        recipe->waiting++;
    } else {
        status = stage_run(recipe->context, index, model, error);
        recipe->done[index] = status == STATUS_OK;
        if (status == STATUS_OK) status = write_factors(recipe, error);
    }
    free(model);
    return status;
}

static int stopped(const struct search_context *context, struct error *error) {
    bool by_signal = context->stop && *context->stop;
    return error_set(error, STATUS_STOPPED, "stopped by %s; everything scored is saved in %s; resume with --resume",
                     by_signal ? signals_name() : "its fine-tuning command (status 75)", context->run_dir);
}

static int run_all(struct recipe *recipe, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; i < recipe->context->config->stage_count && status == STATUS_OK; i++) {
        status = stage_check_budget(recipe->context, i, error);
    }
    for (size_t i = 0; i < recipe->context->config->stage_count && status == STATUS_OK; i++) {
        status = search(recipe, i, error);
        if (status == STATUS_OK && recipe->done[i] && recipe->context->config->stages[i].finetune.given) {
            status = finetune(recipe, i, error);
        }
    }
    if (status == STATUS_OK && !recipe->waiting) status = old_window_measure(recipe->context, error);
    if (status == STATUS_STOPPED) return stopped(recipe->context, error);
    if (status != STATUS_OK || !recipe->waiting) return status;
    return error_set(
        error, STATUS_STOPPED,
        "%zu of the stages and fine-tunings of %s wait for a fine-tuned model, see above; everything else is done "
        "and saved in %s; resume with --resume",
        recipe->waiting, recipe->context->config_path, recipe->context->run_dir);
}

/* The first stage reads its text at once; that of a later one may turn out to be too short for its windows. A folder
 * that a training still fills may have no tokenizer yet. */
static int check_text(const struct search_context *context, size_t index, const char *folder,
                      const struct model_config *model, struct error *error) {
    struct stage_windows windows = {0};
    bool awaited = recipe_awaited_from(context, folder) != CONFIG_NO_STAGE;
    if (index == 0 || awaited || access(folder, F_OK) != 0) return STATUS_OK;
    signals_end_at_once("text was being read; everything scored is saved; resume with --resume\n");
    int status = stage_windows_open(&context->config->stages[index], context->config->stages, folder, model->vocabulary,
                                    &windows, error);
    stage_windows_close(&windows);
    signals_end_at_once(NULL);
    return status;
}

/* Of stages that have begun only where the model goes: what else they need is in the run. A model may be missing until
 * its stage is reached. */
static int check_stage(const struct search_context *context, size_t index, struct error *error) {
    struct stage_record record;
    struct model_config model;
    bool begun = false;
    int status = recipe_check_output(context, index, error);
    if (status != STATUS_OK) return status;
    status = store_find_stage(context->store, context->config->stages[index].name, &record, &begun, error);
    if (status != STATUS_OK || begun) return status;
    char *path = recipe_model(context, index), *shape = path ? recipe_shape(context, path) : NULL;
    bool there = shape && access(shape, F_OK) == 0;
    status = !shape ? error_memory(error, 0, "a path") : there ? model_read_config(shape, &model, error) : STATUS_OK;
    if (status == STATUS_OK) status = stage_check(context->config, index, there ? &model : NULL, error);
    if (status == STATUS_OK && there) status = check_text(context, index, path, &model, error);
    if (status == STATUS_OK) stage_warn(context->config, index);
    free(path);
    free(shape);
    return status;
}

static int meet_ranks(const struct search_context *context, struct error *error) {
    size_t count = context->config->stage_count;
    enum model_type *types = calloc(count, sizeof *types);
    if (!types) return error_memory(error, (double)count * sizeof *types, "the stages");
    for (size_t i = 0; i < count; i++) types[i] = context->config->stages[i].type;
    int status = rank_workers_meet(context->ranks, types, count, error);
    free(types);
    return status;
}

int recipe_run(const struct search_context *context, struct error *error) {
    size_t stages = context->config->stage_count;
    /* now, and not when a stage is reached days later */
    for (size_t i = 0; i < stages; i++) {
        int status = check_stage(context, i, error);
        if (status != STATUS_OK) return status;
    }
    int met = meet_ranks(context, error);
    if (met != STATUS_OK) return met == STATUS_STOPPED ? stopped(context, error) : met;
    struct recipe recipe = {.context = context};
    recipe.done = calloc(stages, sizeof *recipe.done);
    if (!recipe.done) return error_memory(error, (double)stages, "the stages");
    int status = run_all(&recipe, error);
    free(recipe.done);
    return status;
}
