#include "search/base/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* `type` as numpy names it: "<f8". */
static int write_array(const char *path, const char *type, size_t item, const void *values, int64_t rows,
                       int64_t columns, struct error *error) {
    /* 10 bytes of magic, version and length, then the header, padded so that the data is aligned to 64. */
    enum { PREFIX = 10, HEADER = 118 };
    char header[HEADER + 1];
    int used =
        snprintf(header, sizeof header,
                 "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 "), }", type, rows, columns);
    memset(header + used, ' ', (size_t)(HEADER - used));
    header[HEADER - 1] = '\n';
    const unsigned char prefix[PREFIX] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER, 0};

    FILE *file = fopen(path, "wb");
    size_t count = (size_t)(rows * columns);
    bool written = file && fwrite(prefix, 1, PREFIX, file) == PREFIX && fwrite(header, 1, HEADER, file) == HEADER &&
                   fwrite(values, item, count, file) == count;
    if (file) written = fclose(file) == 0 && written;
    if (written) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "%s: could not be written: %s", path, strerror(errno));
}

int npy_write(const char *path, const double *values, int64_t rows, int64_t columns, struct error *error) {
    return write_array(path, "<f8", sizeof *values, values, rows, columns, error);
}

int npy_write_tokens(const char *path, const int32_t *tokens, int64_t rows, int64_t columns, struct error *error) {
    return write_array(path, "<i4", sizeof *tokens, tokens, rows, columns, error);
}
