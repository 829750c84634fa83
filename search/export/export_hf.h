/* Writes a folder in Hugging Face's format for transformers, vLLM and SGLang: the files of a model, with a pair of
 * tables in config.json. */
#ifndef LONGROPE_SEARCH_EXPORT_HF_H
#define LONGROPE_SEARCH_EXPORT_HF_H

#include <signal.h>
#include <stdbool.h>

#include "eval/base/error.h"
#include "search/export/export_pair.h"
#include "search/export/model_files.h"

struct export_hf {
    const char *model; /* folder that model_read_config() can read */
    const char *path;  /* folder to write */
    enum model_files_weights weights;
    bool replace; /* an existing folder, as atomic_output_check_folder() allows */
    const struct export_pair *pair;
    const volatile sig_atomic_t *stop;
};

/* `path` is complete or unchanged. Input is checked before anything is written: STATUS_INPUT for a model that lacks a
 * shard of its weights, unless they are not exported, and for a path that exists or is the model's. STATUS_FAILED for
 * errors of the file system, STATUS_STOPPED after a signal. */
int export_hf(const struct export_hf *what, struct export_notes *notes, struct error *error);

#endif
