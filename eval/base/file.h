/* Opens and reads regular files. Errors are one line of what, where and what to do, as error.h says. */
#ifndef LONGROPE_EVAL_FILE_H
#define LONGROPE_EVAL_FILE_H

#include <stddef.h>

#include "eval/base/error.h"

/* Opens a regular file that is not empty; *size is its size in bytes. STATUS_INPUT for a path that
 * cannot be opened, is not a regular file, or is empty; STATUS_FAILED for an error of the machine.
 * The caller closes *descriptor. */
int file_open(const char *path, int *descriptor, size_t *size, struct error *error);

/* All bytes of such a file. Errors as above, STATUS_FAILED for lack of memory. The caller frees *out. */
int file_read(const char *path, unsigned char **out, size_t *size, struct error *error);

#endif
