/* The files of a model's folder except config.json: lists them, and copies or links them into another folder. */
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
    bool weights; /* tensors or their index, by the suffix of the name; false for tokenizers and the like */
};

struct model_files {
    size_t count;
    struct model_file *items; /* [count], sorted by name */
};

/* The regular files of `dir`, and the links to such; without hidden files, folders and config.json. STATUS_INPUT for a
 * broken link. The caller frees *out, also after an error. */
int model_files_list(const char *dir, struct model_files *out, struct error *error);
void model_files_free(struct model_files *files); /* a zeroed struct is allowed */

enum model_files_weights { MODEL_FILES_COPY, MODEL_FILES_LINK, MODEL_FILES_NONE };

/* Copies the files into the folder `to`, which must not contain them. Weights are copied, linked with absolute paths,
 * or omitted. Copies are reflinks if the file system supports them; a long copy prints its progress on stderr.
 * STATUS_STOPPED soon after *stop becomes non-zero, STATUS_FAILED for errors of the file system; the files written so
 * far stay in `to`. */
int model_files_put(const struct model_files *files, const char *dir, const char *to, enum model_files_weights weights,
                    const volatile sig_atomic_t *stop, struct error *error);

#endif
