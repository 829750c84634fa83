/* Opens and reads regular files. Errors are one line of what, where and what to do, as error.h says. */
#ifndef LONGROPE_EVAL_FILE_H
#define LONGROPE_EVAL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/base/error.h"

/* Opens a regular file that is not empty; *size is its size in bytes. STATUS_INPUT for a path that
 * cannot be opened, is not a regular file, is empty, or is a pointer of Git LFS; STATUS_FAILED for an error of
 * the machine. The caller closes *descriptor. */
int file_open(const char *path, int *descriptor, size_t *size, struct error *error);

/* All bytes of such a file. Errors as above, STATUS_FAILED for lack of memory. The caller frees *out. */
int file_read(const char *path, unsigned char **out, size_t *size, struct error *error);

/* For a reader that did not find what it expected: STATUS_INPUT, with what to do, if the bytes, all or the first of the
 * file, are of another well-known kind, such as a web page, an archive, or text with a byte order mark; else STATUS_OK.
 */
int file_recognise(const char *path, const void *bytes, size_t size, struct error *error);

/* What to do about a path that does not exist because no shell has read it: "~", "~/x", "~name/x", or FOLDER/~/x. NULL
 * for other paths. */
const char *file_home_advice(const char *path);

/* Bytes of the path of the folder that holds the file `path`, with the '/' at its end; 0 where the path names none. */
size_t file_folder_length(const char *path);

/* That path, "." where there is none; NULL for lack of memory. The caller frees it. Because of its '/', system calls
 * say ENOTDIR of a file that stands in the place of the folder. */
char *file_folder(const char *path);

/* Bytes of the path without the '/' and "/." at its end, which change nothing of a folder's path. */
size_t file_trimmed_length(const char *path);

/* Whether both paths lead to one file or folder that exists. */
bool file_is_same(const char *a, const char *b);

/* The same, also of paths to what does not exist yet: then the spelling tells, or the folders that would hold both. */
bool file_will_be_same(const char *a, const char *b);

/* 0 if files and folders can be made in the folder, else errno. Permissions do not tell: root has all of them, also in
 * /proc. So it makes a file without a name, or where the file system has none, a folder that it deletes. A full disk is
 * no obstacle: it may have room later. */
int file_folder_code(const char *folder);

#endif
