/* The files of a model's folder, to be taken along with a changed config.json. */
#ifndef LONGROPE_SEARCH_MODEL_FILES_H
#define LONGROPE_SEARCH_MODEL_FILES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

struct model_file {
    char *name;
    int64_t bytes;
    bool weights; /* tensors or their index, by the name's ending; else tokenizer, generation_config.json, ... */
};

struct model_files {
    size_t count;
    struct model_file *items; /* [count], by name */
};

/* The regular files of `dir` and those that links in it lead to; not hidden ones, folders and config.json.
 * STATUS_INPUT where a link leads nowhere. The caller frees *out, also after an error. */
int model_files_list(const char *dir, struct model_files *out, struct error *error);
void model_files_free(struct model_files *files); /* a zeroed one is allowed */

enum model_files_weights { MODEL_FILES_COPY, MODEL_FILES_LINK, MODEL_FILES_NONE };

/* Puts them into the folder `to`, which has none of them: copies, by reflinks where the file system has them, weights
 * as `weights` says. Links hold absolute paths. Copying says on stderr how far it is when that takes long.
 * STATUS_STOPPED soon after *stop becomes non-zero, STATUS_FAILED where the disk does not let it; what was written so
 * far is left to the caller. */
int model_files_put(const struct model_files *files, const char *dir, const char *to, enum model_files_weights weights,
                    const volatile sig_atomic_t *stop, struct error *error);

#endif
