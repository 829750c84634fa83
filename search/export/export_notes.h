/* What an export has to say besides what it did: where engines do other than what was searched. */
#ifndef LONGROPE_SEARCH_EXPORT_NOTES_H
#define LONGROPE_SEARCH_EXPORT_NOTES_H

#include <stddef.h>

enum { EXPORT_NOTES_MOST = 16, EXPORT_NOTE_SIZE = 512 };

struct export_notes {
    size_t count; /* zeroed is empty */
    char items[EXPORT_NOTES_MOST][EXPORT_NOTE_SIZE];
};

/* One more, of one line. Too long a one is cut; one too many is left out. */
void export_note(struct export_notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All of them on stderr, a line each that begins with "longrope: ". */
void export_notes_print(const struct export_notes *notes);

#endif
