#include "search/export/export_hf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/model/weights.h"
#include "search/base/atomic_output.h"
#include "search/base/signals.h"
#include "search/export/export_config.h"

/* STATUS_INPUT unless every shard exists and contains the tensors of the index. */
static int check_weights(const struct export_hf *what, struct error *error) {
    if (what->weights == MODEL_FILES_NONE) return STATUS_OK;
    struct weights *weights = NULL;
    int status = weights_open(what->model, &weights, error);
    weights_close(weights);
    return status;
}

/* True if the file, with links resolved, is in the folder. */
static bool lies_in(const char *dir, const char *name, const char *folder) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0) return true;
    char *whole = realpath(path, NULL), *slash = whole ? strrchr(whole, '/') : NULL;
    if (slash) *slash = '\0';
    bool inside = slash && file_is_same(*whole ? whole : "/", folder);
    free(whole), free(path);
    return inside;
}

static int refuse_model_folder(const struct export_hf *what, struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: contains the model to export; choose another path", what->path);
}

static int check_path(const struct export_hf *what, struct error *error) {
    int status = atomic_output_check_folder(what->path, what->replace, error);
    if (status == STATUS_OK && file_is_same(what->model, what->path)) return refuse_model_folder(what, error);
    return status;
}

/* The folder that is replaced must not contain a target of the links. */
static int check_links(const struct export_hf *what, const struct model_files *files, struct error *error) {
    if (what->weights != MODEL_FILES_LINK) return STATUS_OK;
    for (size_t i = 0; i < files->count; i++) {
        if (lies_in(what->model, files->items[i].name, what->path)) return refuse_model_folder(what, error);
    }
    return STATUS_OK;
}

static bool write_text(FILE *stream, const void *text) { return fputs(text, stream) != EOF; }

static int write_config(const struct atomic_output_folder *folder, const char *text, struct error *error) {
    char *path = NULL;
    if (asprintf(&path, "%s/config.json", folder->part) < 0) return error_memory(error, 0, "a path");
    int status = atomic_output_write_file(path, true, write_text, text, error);
    free(path);
    return status;
}

static int write_folder(const struct export_hf *what, const struct model_files *files, const char *config,
                        struct error *error) {
    struct atomic_output_folder folder;
    int status = atomic_output_begin(what->path, what->replace, &folder, error);
    if (status != STATUS_OK) return status;
    status = write_config(&folder, config, error);
    if (status == STATUS_OK) {
        status = model_files_put(files, what->model, folder.part, what->weights, what->stop, error);
    }
    if (status == STATUS_OK && *what->stop) status = STATUS_STOPPED;
    if (status == STATUS_OK) return atomic_output_end(&folder, error);
    atomic_output_abandon(&folder);
    if (status == STATUS_STOPPED) {
        return error_set(error, status, "stopped by %s; %s was not written, run the command again", signals_name(),
                         what->path);
    }
    return status;
}

int export_hf(const struct export_hf *what, struct export_notes *notes, struct error *error) {
    struct model_files files = {0};
    char *config = NULL;
    int status = check_path(what, error);
    if (status == STATUS_OK) status = export_config_text(what->model, what->pair, &config, notes, error);
    if (status == STATUS_OK) status = check_weights(what, error);
    if (status == STATUS_OK) status = model_files_list(what->model, &files, error);
    if (status == STATUS_OK) status = check_links(what, &files, error);
    if (status == STATUS_OK) status = write_folder(what, &files, config, error);
    model_files_free(&files);
    free(config);
    return status;
}
