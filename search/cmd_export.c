#include <stdio.h>

#include "eval/model.h"
#include "search/aside.h"
#include "search/commands.h"
#include "search/export_hf.h"
#include "search/export_options.h"
#include "search/export_report.h"
#include "search/export_source.h"
#include "search/signals.h"

struct exporting {
    const struct export_options *options;
    const char *source;        /* what messages call it */
    struct factor_file file;   /* the source's tables */
    struct model_config model; /* of --model, where it is given */
    struct export_pair pair;   /* but for EXPORT_JSON */
    struct export_notes notes;
};

/* What plain tables do not say, the model may. Of a longrope scaling of its own they do not say whether they know. */
static void ask_model(struct factor_file *file, const struct model_config *model) {
    if (file->rope_theta == 0.0) file->rope_theta = model->rope.theta;
    if (file->original_length == 0 && model->rope.type != ROPE_TYPE_LONGROPE) file->original_length = model->window;
}

static int open_source(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = o->model ? model_read_config(o->model, &e->model, error) : STATUS_OK;
    if (status == STATUS_OK) {
        status = export_source_read(o->sources.items, o->sources.count, &o->origin, &e->file, error);
    }
    if (status == STATUS_OK && o->model) status = factors_check(&e->file, e->source, &e->model.rope, error);
    if (status == STATUS_OK && o->model) ask_model(&e->file, &e->model);
    return status;
}

/* ---- the formats ---- */

static int write_json(struct exporting *e, struct error *error) {
    int status = aside_check_file(e->options->out, e->options->force, error);
    return status == STATUS_OK ? factors_write(e->options->out, &e->file, error) : status;
}

static int write_csv(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = aside_check_file(o->out, o->force, error);
    if (status == STATUS_OK) {
        status = export_pair_choose_one(&e->file, e->source, &o->choice, o->model ? &e->model : NULL, &e->pair, error);
    }
    if (status != STATUS_OK) return status;
    return factors_write_numbers(o->out, e->pair.beyond.factors, e->pair.pairs, error);
}

static int write_hf(struct exporting *e, struct error *error) {
    const struct export_options *o = e->options;
    int status = export_pair_choose(&e->file, e->source, &o->choice, &e->model, &e->pair, error);
    const struct export_hf what = {.model = o->model,
                                   .path = o->out,
                                   .weights = o->weights,
                                   .replace = o->force,
                                   .pair = &e->pair,
                                   .stop = signals_caught()};
    return status == STATUS_OK ? export_hf(&what, &e->notes, error) : status;
}

static int write_gguf(struct exporting *e, struct error *error) {
    (void)e;
    return error_set(error, STATUS_FAILED, "gguf");
}

/* ---- the command ---- */

static int export(struct exporting *e, struct error *error) {
    static int (*const writers[EXPORT_FORMATS])(struct exporting *, struct error *) = {
        [EXPORT_HF] = write_hf, [EXPORT_GGUF] = write_gguf, [EXPORT_CSV] = write_csv, [EXPORT_JSON] = write_json};
    const struct export_options *o = e->options;
    int status = open_source(e, error);
    if (status == STATUS_OK) status = writers[o->format](e, error);
    if (status != STATUS_OK) return status;
    const struct export_report report = {.format = o->format,
                                         .path = o->out,
                                         .file = &e->file,
                                         .pair = o->format == EXPORT_JSON ? NULL : &e->pair,
                                         .notes = &e->notes};
    export_notes_print(&e->notes);
    return export_report_print(&report, o->json, stdout, error);
}

int cmd_export(int argc, char **argv, struct error *error) {
    struct export_options options;
    struct exporting exporting = {.options = &options};
    int status = export_options_read(argc, argv, &options, error);
    if (status == STATUS_OK && options.help) {
        fputs(export_usage, stdout);
    } else if (status == STATUS_OK) {
        exporting.source = options.sources.count == 1 ? options.sources.items[0] : "the list of tables";
        status = export(&exporting, error);
    }
    factors_free(&exporting.file);
    export_options_free(&options);
    return status;
}
