#include "eval/base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool continues_character(char c) { return ((unsigned char)c & 0xc0) == 0x80; } /* of UTF-8 */

/* Copies the beginning and the end of `whole`, which does not fit: a path may be long, and what is wrong stands behind
 * it. */
static void shorten(struct error *error, const char *whole) {
    static const char gap[] = " ... ";
    size_t half = (sizeof error->message - sizeof gap) / 2, head = half;
    const char *tail = whole + strlen(whole) - half;
    while (head > 0 && continues_character(whole[head])) head--;
    while (continues_character(*tail)) tail++;
    snprintf(error->message, sizeof error->message, "%.*s%s%s", (int)head, whole, gap, tail);
}

int error_set(struct error *error, int status, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(error->message, sizeof error->message, format, args);
    if (length >= (int)sizeof error->message) {
        char *whole = NULL;
        if (vasprintf(&whole, format, again) >= 0) shorten(error, whole);
        free(whole);
    }
    va_end(again);
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
