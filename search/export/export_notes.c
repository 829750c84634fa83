#include "search/export/export_notes.h"

#include <stdarg.h>
#include <stdio.h>

void export_note(struct export_notes *notes, const char *format, ...) {
    if (notes->count == EXPORT_NOTES_MOST) return;
    char *out = notes->items[notes->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, EXPORT_NOTE_SIZE, format, arguments);
    va_end(arguments);
    for (char *c = out; *c; c++) { /* names may hold anything */
        if ((unsigned char)*c < ' ' || *c == 127) *c = ' ';
    }
}

void export_notes_print(const struct export_notes *notes) {
    for (size_t i = 0; i < notes->count; i++) fprintf(stderr, "longrope: %s\n", notes->items[i]);
}
