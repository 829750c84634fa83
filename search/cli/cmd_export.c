#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/model/model.h"
#include "search/base/atomic_output.h"
#include "search/base/output_path.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"
#include "search/cli/export_options.h"
#include "search/cli/export_print.h"
#include "search/export/export_gguf.h"
#include "search/export/export_hf.h"
#include "search/export/export_source.h"
#include "search/run/short_window.h"
#include "search/store/store.h"

struct exporting {
    const struct export_options *options;
    const char *source;      /* as errors name it */
    char *run_model;         /* the model that the run searched; owned */
    const char *dir;         /* the model's folder or GGUF; NULL if there is none and the format does not require it */
    const char *gguf;        /* what EXPORT_GGUF copies */
    struct factor_file file; /* the source's tables */
    struct model_config model; /* of `dir` */
    struct export_pair pair;   /* except for EXPORT_JSON */
    bool is_run;
    struct short_window window; /* of a run */
    struct export_notes notes;
};

/* Takes --model or, if the format requires a model, the run's own. */
static int find_model(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    e->dir = o->model;
    if (o->model || (o->format != EXPORT_HF && o->format != EXPORT_GGUF)) return STATUS_OK;
    int status = export_source_model(o->sources.items, o->sources.count, o->choice.stage, &e->run_model, error);
    e->dir = e->run_model;
    if (status != STATUS_OK) return status;
    if (!e->dir) {
        return error_set(error, STATUS_INPUT, "missing --model DIR: --format %s requires it, and %s does not state it",
                         export_format_names[o->format], e->source);
    }
    if (access(e->dir, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return error_set(error, STATUS_INPUT,
                         "%.300s: the run's model %.500s does not exist; name its folder with --model DIR", e->source,
                         e->dir);
    }
    return STATUS_OK;
}

static int read_window(struct exporting *e, struct error *error) {
    const struct string_list *sources = &e->options->sources;
    struct store *store = NULL;
    e->is_run = sources->count == 1 && store_exists(sources->items[0]);
    if (!e->is_run) return STATUS_OK;
    int status = store_open(sources->items[0], STORE_READ, &store, error);
    if (status == STATUS_OK) status = short_window_read(store, &e->window, error);
    store_close(store);
    return status;
}

/* The model was good at short inputs; a table for long ones need not be. */
static void note_window(struct exporting *e) {
    const struct export_pair *pair = &e->pair;
    if (pair->recovered || pair->places == EXPORT_SHORT_TWICE) return;
    const struct short_window *w = &e->window;
    bool known = e->is_run && w->measured && strcmp(w->table.name, pair->short_table.used->name) == 0;
    char cost[200];
    snprintf(cost, sizeof cost,
             "what that costs was not measured (longrope eval --length %lld --method none, --factors %s)",
             (long long)pair->switch_length, e->options->sources.count == 1 ? "SOURCE" : "FILE");
    if (known) snprintf(cost, sizeof cost, "perplexity %+.1f %%", 100.0 * short_window_cost(w));
    export_note(&e->notes,
                "no short table: inputs of up to %lld tokens, which the model read well before, get the table for %lld "
                "tokens; %s; %s",
                (long long)pair->switch_length, (long long)pair->long_table.used->max_length, cost,
                pair->places == EXPORT_LONG_TWICE ? "--one-table long asks for that"
                                                  : "a stage of 'kind: recover' searches one (configs/README.md)");
}

/* A model that is a GGUF is what is copied, and has no config.json to write. */
static int find_gguf(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    bool is_gguf = e->dir && model_is_gguf(e->dir);
    e->gguf = o->gguf ? o->gguf : e->dir;
    if (o->format == EXPORT_HF && is_gguf) {
        return error_set(error, STATUS_INPUT,
                         "--format hf: the model %.500s is a GGUF file, not a folder; use --format gguf, or name the "
                         "folder of the same model with --model DIR",
                         e->dir);
    }
    if (o->format != EXPORT_GGUF || o->gguf || is_gguf) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "missing --gguf IN.gguf, which --format gguf requires: the model %.500s is a folder", e->dir);
}

static int open_source(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = find_model(e, error);
    if (status == STATUS_OK) status = find_gguf(e, error);
    if (status == STATUS_OK && e->dir) status = model_read_config(e->dir, &e->model, error);
    if (status == STATUS_OK) status = read_window(e, error);
    if (status != STATUS_OK) return status;
    const struct export_origin origin = {o->original_length, o->rope_theta, o->max_factor, e->dir ? &e->model : NULL};
    return export_source_read(o->sources.items, o->sources.count, o->choice.stage, &origin, &e->file, error);
}

/* What PATH may not be: something that exists, unless it is to be replaced, and never what is read. */
static int check_out(const struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = o->format == EXPORT_HF ? atomic_output_check_folder(o->out, o->force, error)
                                        : atomic_output_check_file(o->out, o->force, error);
    for (size_t i = 0; i < o->sources.count && status == STATUS_OK; i++) {
        const char *source = o->sources.items[i], *equals = strchr(source, '=');
        status = store_exists(source) ? store_check_output(source, o->out, error)
                                      : atomic_output_check_input(o->out, source, error);
        if (status == STATUS_OK && equals) status = atomic_output_check_input(o->out, equals + 1, error);
    }
    if (status == STATUS_OK) status = atomic_output_check_input(o->out, o->gguf, error);
    bool file = o->format != EXPORT_HF; /* export_hf() checks its own folder */
    return status == STATUS_OK && file ? atomic_output_check_input(o->out, e->dir, error) : status;
}

/* ---- the formats ---- */

static int write_json(struct exporting *e, struct error *error) {
    return factors_write(e->options->out, e->options->force, &e->file, error);
}

static int write_csv(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = export_pair_choose_one(&e->file, e->source, &o->choice, e->dir ? &e->model : NULL, &e->pair, error);
    if (status != STATUS_OK) return status;
    if (e->dir && e->model.rope.type != ROPE_TYPE_DEFAULT) {
        export_note(
            &e->notes,
            "these numbers include the model's own rope_scaling (%s), and longrope multiplies what it reads from "
            "such a file by that scaling; for longrope give --format json, which says so",
            rope_type_name(e->model.rope.type));
    }
    return factors_write_numbers(o->out, o->force, e->pair.long_table.factors, e->pair.pairs, error);
}

static int write_hf(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = export_pair_choose(&e->file, e->source, &o->choice, &e->model, &e->pair, error);
    const struct export_hf what = {.model = e->dir,
                                   .path = o->out,
                                   .weights = (enum model_files_weights)o->weights,
                                   .replace = o->force,
                                   .pair = &e->pair,
                                   .stop = signals_caught()};
    if (status == STATUS_OK) status = export_hf(&what, &e->notes, error);
    if (status != STATUS_OK) return status;
    export_pair_note(&e->pair, &e->notes);
    note_window(e);
    return STATUS_OK;
}

static void copied(void *state, double fraction) { progress_step(state, (size_t)(100.0 * fraction), "", false); }

/* The factors by which the model's GGUF file already divides frequencies, [pairs]; NULL if it does not. llama.cpp does
 * not support dynamic NTK and CLEX. */
static const double *own_factors_of(const struct exporting *e, struct rope_table *base) {
    const struct rope_model *rope = &e->model.rope;
    if (rope->type == ROPE_TYPE_DEFAULT || rope_type_varies(rope->type)) return NULL;
    rope_model_table(base, rope, e->pair.long_table.max_length);
    return base->own_factors;
}

static int copy_gguf(const struct exporting *e, struct error *error) {
    struct rope_table base;
    struct progress progress;
    const struct export_pair *pair = &e->pair;
    const struct export_gguf what = {
        .input = e->gguf,
        .output = e->options->out,
        .pairs = pair->pairs,
        .long_factors = pair->long_table.factors,
        .short_factors = pair->short_table.factors,
        .own_factors = own_factors_of(e, &base),
        .attention_factor = pair->long_table.attention_factor,
        .theta = pair->theta,
        .original_length = pair->switch_length,
        .context_length = pair->long_table.max_length,
        .control = {
            .replace = e->options->force, .stop = signals_caught(), .progress = copied, .progress_state = &progress}};
    progress_begin(&progress, "copying the GGUF", "%", 0, 100);
    int status = export_gguf(&what, error);
    progress_clear(&progress);
    return status;
}

static int write_gguf(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = export_pair_choose(&e->file, e->source, &o->choice, &e->model, &e->pair, error);
    if (status == STATUS_OK) status = copy_gguf(e, error);
    if (status != STATUS_OK) return status;
    export_pair_note(&e->pair, &e->notes);
    note_window(e);
    return STATUS_OK;
}

/* ---- the command ---- */

static int export(struct exporting *e, struct error *error) {
    static int (*const writers[EXPORT_FORMATS])(struct exporting *, struct error *) = {
        [EXPORT_HF] = write_hf, [EXPORT_GGUF] = write_gguf, [EXPORT_CSV] = write_csv, [EXPORT_JSON] = write_json};
    const struct export_options *o = e->options;
    int status = open_source(e, error);
    if (status == STATUS_OK) status = check_out(e, error);
    if (status == STATUS_OK) status = writers[o->format](e, error);
    if (status != STATUS_OK) return status;
    const struct export_summary report = {.format = (enum export_format)o->format,
                                          .path = o->out,
                                          .file = &e->file,
                                          .pair = o->format == EXPORT_JSON ? NULL : &e->pair,
                                          .window = e->is_run ? &e->window : NULL,
                                          .notes = &e->notes};
    export_notes_print(&e->notes);
    return export_print(&report, o->json, output_path_is_stdout(o->out) ? stderr : stdout, error);
}

static int export_run(const void *options, struct error *error) {
    struct exporting e = {.options = options};
    const struct string_list *sources = &e.options->sources;
    e.source = sources->count == 1 ? sources->items[0] : "the list of tables";
    int status = export(&e, error);
    factors_free(&e.file);
    free(e.run_model);
    return status;
}

const struct command export_command = {&export_option_table, export_run};
