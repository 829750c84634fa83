/* Writes numpy arrays, with which tests and other programs compare single tokens. */
#ifndef LONGROPE_SEARCH_NPY_H
#define LONGROPE_SEARCH_NPY_H

#include <stdint.h>

#include "eval/base/error.h"

/* Writes values[rows][columns] to `path` as numpy's format 1.0, little-endian doubles. STATUS_FAILED, naming the path,
 * if it cannot be written. */
int npy_write(const char *path, const double *values, int64_t rows, int64_t columns, struct error *error);
/* Writes tokens[rows][columns] as little-endian 4-byte integers; errors as above. */
int npy_write_tokens(const char *path, const int32_t *tokens, int64_t rows, int64_t columns, struct error *error);

#endif
