#include "search/base/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "search/base/atomic_output.h"

struct array {
    const char *type; /* as numpy names it: "<f8" */
    size_t item;      /* bytes */
    const void *values;
    int64_t count;
    char shape[64]; /* "(3, 4)" */
};

static bool write_array(FILE *stream, const void *what) {
    /* 10 bytes of magic, version and length, then the header, padded so that the data is aligned to 64. */
    enum { PREFIX = 10, HEADER = 118 };
    const struct array *array = what;
    char header[HEADER + 1];
    int used = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", array->type,
                        array->shape);
    memset(header + used, ' ', (size_t)(HEADER - used));
    header[HEADER - 1] = '\n';
    const unsigned char prefix[PREFIX] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER, 0};
    size_t count = (size_t)array->count;
    return fwrite(prefix, 1, PREFIX, stream) == PREFIX && fwrite(header, 1, HEADER, stream) == HEADER &&
           fwrite(array->values, array->item, count, stream) == count;
}

int npy_write(const char *path, bool replace, const double *values, int64_t rows, int64_t columns,
              struct error *error) {
    struct array array = {.type = "<f8", .item = sizeof *values, .values = values, .count = rows * columns};
    snprintf(array.shape, sizeof array.shape, "(%" PRId64 ", %" PRId64 ")", rows, columns);
    return atomic_output_write_file(path, replace, write_array, &array, error);
}

int npy_write_tokens(const char *path, bool replace, const int32_t *tokens, int64_t rows, int64_t columns,
                     struct error *error) {
    struct array array = {.type = "<i4", .item = sizeof *tokens, .values = tokens, .count = rows * columns};
    snprintf(array.shape, sizeof array.shape, "(%" PRId64 ", %" PRId64 ")", rows, columns);
    return atomic_output_write_file(path, replace, write_array, &array, error);
}

int npy_write_document(const char *path, bool replace, const int32_t *tokens, int64_t count, struct error *error) {
    struct array array = {.type = "<i4", .item = sizeof *tokens, .values = tokens, .count = count};
    snprintf(array.shape, sizeof array.shape, "(%" PRId64 ",)", count);
    return atomic_output_write_file(path, replace, write_array, &array, error);
}
