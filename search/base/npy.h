/* Writes numpy arrays: documents as tokens, and what tests and other programs compare. */
#ifndef LONGROPE_SEARCH_NPY_H
#define LONGROPE_SEARCH_NPY_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"

/* Writes values[rows][columns] to `path` as numpy's format 1.0, little-endian doubles. Errors, and what `replace` says,
 * are those of atomic_output_open(). */
int npy_write(const char *path, bool replace, const double *values, int64_t rows, int64_t columns, struct error *error);
/* Writes tokens[rows][columns] as little-endian 4-byte integers; errors as above. */
int npy_write_tokens(const char *path, bool replace, const int32_t *tokens, int64_t rows, int64_t columns,
                     struct error *error);

/* Writes a document, tokens[count], as a one-dimensional array of such integers. */
int npy_write_document(const char *path, bool replace, const int32_t *tokens, int64_t count, struct error *error);

#endif
