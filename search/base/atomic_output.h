/* Files and folders are written as PATH.part and renamed to PATH when they are complete. PATH is never incomplete,
 * whatever fails and whenever the process is killed.
 *
 * What is no regular file, such as a pipe, a terminal or "-", standard output, is written directly. It is never renamed
 * over. A symbolic link stays, and its target is replaced (search/base/output_path.h). */
#ifndef LONGROPE_SEARCH_ATOMIC_OUTPUT_H
#define LONGROPE_SEARCH_ATOMIC_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"

/* STATUS_INPUT if `path` cannot be written, is a folder, or, unless `replace`, is a file that exists. */
int atomic_output_check_file(const char *path, bool replace, struct error *error);

/* STATUS_INPUT if writing `path` would replace `input`, a file or folder that the same command reads, a file in that
 * folder, or a folder with that file. NULL is no input. */
int atomic_output_check_input(const char *path, const char *input, struct error *error);

struct atomic_output_file {
    char *path, *part; /* PATH without links, and PATH.part; part is NULL if PATH is written directly */
    int descriptor;    /* to write to; PATH.part is locked against a second writer; -1: not open */
    bool replace;
};

/* Checks PATH like atomic_output_check_file() and opens it. What a killed writer left at PATH.part is overwritten.
 * STATUS_FAILED for errors of the file system, STATUS_STOPPED if a signal arrives while a named pipe has no reader. The
 * caller ends with atomic_output_close(), which syncs and renames PATH.part, or with atomic_output_discard(), which
 * deletes it. Both free *file. */
int atomic_output_open(const char *path, bool replace, struct atomic_output_file *out, struct error *error);
int atomic_output_close(struct atomic_output_file *file, struct error *error);
void atomic_output_discard(struct atomic_output_file *file); /* a zeroed struct is allowed */

/* Writes a whole file. `write` returns whether it wrote everything to the stream. */
int atomic_output_write_file(const char *path, bool replace, bool (*write)(FILE *stream, const void *what),
                             const void *what, struct error *error);

/* Sets the error for errno `cause` of writing `path`: what happened and what to do. Returns STATUS_FAILED. */
int atomic_output_failed(const char *path, int cause, struct error *error);

/* Syncs the folder that contains `path`, so that its new name survives a power failure. Not all file systems support
 * that; failures are not reported, because the file at `path` is complete without it. */
void atomic_output_sync_parent(const char *path);

/* A folder that contains files only. */
struct atomic_output_folder {
    char *path, *part; /* PATH without links, and PATH.part */
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
