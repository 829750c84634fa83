/* Files and folders that are written aside, as PATH.part, and put in their place when they are complete: at PATH there
 * is never half of one, whatever fails and whenever the process is killed. */
#ifndef LONGROPE_SEARCH_ATOMIC_OUTPUT_H
#define LONGROPE_SEARCH_ATOMIC_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"

/* STATUS_INPUT where PATH is empty, or something is there: a folder always, a file unless `replace`. */
int atomic_output_check_file(const char *path, bool replace, struct error *error);

/* Writes a file: `write` gets a stream and says whether it wrote all. It takes the place of a file that is there.
 * STATUS_FAILED where the disk does not let it. */
int atomic_output_write_file(const char *path, bool (*write)(FILE *stream, const void *what), const void *what,
                             struct error *error);

/* A folder of files, without folders in it. */
struct atomic_output_folder {
    char *path, *part; /* PATH without slashes at its end, and PATH.part */
    int lock;          /* PATH.part opened, and locked against a second writer; -1: none */
    bool replace;
};

/* STATUS_INPUT where PATH is there, unless `replace` and it is a folder that holds a config.json, or nothing, and no
 * folder: nothing else is ever taken away. */
int atomic_output_check_folder(const char *path, bool replace, struct error *error);

/* The same, and makes PATH.part, empty, or empties what a killed writer left there. STATUS_FAILED where the disk does
 * not let it. The caller ends with atomic_output_end(), or atomic_output_abandon(), which takes PATH.part away. */
int atomic_output_begin(const char *path, bool replace, struct atomic_output_folder *out, struct error *error);
int atomic_output_end(struct atomic_output_folder *folder,
                      struct error *error);                      /* frees *folder, whatever is returned */
void atomic_output_abandon(struct atomic_output_folder *folder); /* a zeroed one is allowed */

#endif
