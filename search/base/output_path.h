/* Where the path of an output leads: symbolic links are followed, so that a link survives and its target is written. */
#ifndef LONGROPE_SEARCH_OUTPUT_PATH_H
#define LONGROPE_SEARCH_OUTPUT_PATH_H

#include <stdbool.h>

#include "eval/base/error.h"

enum output_kind {
    OUTPUT_NEW,        /* nothing is there; its folder exists and can be written */
    OUTPUT_FILE,       /* a regular file, whose folder can be written */
    OUTPUT_STREAM,     /* a named pipe or a character device, such as a terminal */
    OUTPUT_DESCRIPTOR, /* "-", standard output, or an open descriptor: /dev/stdout, /dev/fd/3 */
    OUTPUT_FOLDER
};

struct output_path {
    enum output_kind kind;
    char *path;     /* of a file or stream, without links; owned */
    int descriptor; /* OUTPUT_DESCRIPTOR: borrowed */
};

/* STATUS_INPUT for an empty path, a path that ends in '/' or lies in no folder, a loop of links, a socket and a block
 * device. The caller frees *out with output_path_free(), also after an error. */
int output_path_find(const char *path, struct output_path *out, struct error *error);
void output_path_free(struct output_path *path);

/* STATUS_INPUT unless the folder that contains `path` exists and can be written. */
int output_path_check_parent(const char *path, struct error *error);

/* True if what is written to `path` goes to standard output. */
bool output_path_is_stdout(const char *path);

/* What to do about errno `cause` of writing a file: part of a sentence, "free space or choose another folder". */
const char *output_remedy(int cause);

#endif
