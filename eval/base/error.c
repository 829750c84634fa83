#include "eval/base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    for (char *c = error->message; *c; c++) {
        /* Messages have one line, whatever names and libraries' texts went into them. */
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    }
    return status;
}

int error_memory(struct error *error, double bytes, const char *what) {
    if (!(bytes > 0.0)) return error_set(error, STATUS_FAILED, "out of memory for %s", what);
    return error_set(error, STATUS_FAILED, "out of memory: %.1f MiB for %s could not be allocated",
                     bytes / (1024.0 * 1024.0), what);
}
