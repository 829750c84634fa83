/* Files and folders are written as PATH.part and renamed to PATH when they are complete. PATH is never incomplete,
 * whatever fails and whenever the process is killed. */
#ifndef LONGROPE_SEARCH_ATOMIC_OUTPUT_H
#define LONGROPE_SEARCH_ATOMIC_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"

/* STATUS_INPUT if PATH is empty, is a folder, or, unless `replace`, exists. */
int atomic_output_check_file(const char *path, bool replace, struct error *error);

/* Writes a file and replaces the one at `path`. `write` returns whether it wrote everything to the stream.
 * STATUS_FAILED for a full disk and other errors of the file system. */
int atomic_output_write_file(const char *path, bool (*write)(FILE *stream, const void *what), const void *what,
                             struct error *error);

/* Renames `part` to `path` unless `path` exists: false, with errno set, EEXIST if it does. */
bool atomic_output_rename_new(const char *part, const char *path);

/* Syncs the folder that contains `path`, so that its new name survives a power failure. Not all file systems support
 * that; failures are not reported, because the file at `path` is complete without it. */
void atomic_output_sync_parent(const char *path);

/* A folder that contains files only. */
struct atomic_output_folder {
    char *path, *part; /* PATH without slashes at its end, and PATH.part */
    int lock;          /* descriptor of PATH.part, locked against a second writer; -1: not open */
    bool replace;
};

/* STATUS_INPUT if PATH exists. With `replace` it may be a folder of files that is empty or contains a config.json: no
 * other folder is ever deleted. */
int atomic_output_check_folder(const char *path, bool replace, struct error *error);

/* Checks PATH like atomic_output_check_folder(), and makes an empty PATH.part; files that a killed writer left there
 * are deleted. STATUS_FAILED for errors of the file system. The caller ends with atomic_output_end(), which renames
 * PATH.part, or with atomic_output_abandon(), which deletes it. Both free *folder. */
int atomic_output_begin(const char *path, bool replace, struct atomic_output_folder *out, struct error *error);
int atomic_output_end(struct atomic_output_folder *folder, struct error *error);
void atomic_output_abandon(struct atomic_output_folder *folder); /* a zeroed struct is allowed */

#endif
