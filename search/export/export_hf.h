/* A folder in Hugging Face's format that transformers, vLLM and SGLang load: the model's files, with a pair of tables
 * in its config.json. */
#ifndef LONGROPE_SEARCH_EXPORT_HF_H
#define LONGROPE_SEARCH_EXPORT_HF_H

#include <signal.h>
#include <stdbool.h>

#include "eval/base/error.h"
#include "search/export/export_notes.h"
#include "search/export/export_pair.h"
#include "search/export/model_files.h"

struct export_hf {
    const char *model; /* folder that model_read_config() takes */
    const char *path;  /* folder to be made */
    enum model_files_weights weights;
    bool replace; /* a folder that is there, as search/base/atomic_output.h allows */
    const struct export_pair *pair;
    const volatile sig_atomic_t *stop;
};

/* `path` is complete or not there, or as it was. All that is cheap to find wrong is, before anything is written:
 * STATUS_INPUT for a model that lacks a shard of its weights, unless they are left out, for a path that is there and
 * for one that is the model's own. STATUS_FAILED where the disk does not let it, STATUS_STOPPED where a signal came. */
int export_hf(const struct export_hf *what, struct export_notes *notes, struct error *error);

#endif
