/* Regular files, opened and read with messages of this program's kind. */
#ifndef LONGROPE_EVAL_FILE_H
#define LONGROPE_EVAL_FILE_H

#include <stddef.h>

#include "eval/base/error.h"

/* Opens a regular file that is not empty and tells its size in bytes. STATUS_INPUT for a path that
 * cannot be opened, is not a regular file, or is empty; STATUS_FAILED where the machine is at fault.
 * The caller closes *descriptor. */
int file_open(const char *path, int *descriptor, size_t *size, struct error *error);

/* All bytes of such a file. Errors as above, STATUS_FAILED for lack of memory. The caller frees *out. */
int file_read(const char *path, unsigned char **out, size_t *size, struct error *error);

#endif
