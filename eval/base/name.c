#include "eval/base/name.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 40 };

int name_find(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) return (int)i;
    }
    return NAME_UNKNOWN;
}

static size_t smallest(size_t a, size_t b) { return a < b ? a : b; }

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b, both at most
 * LONGEST_NAME characters long. */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows[3][LONGEST_NAME + 1]; /* two before, one before, this one */
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t na = strlen(a), nb = strlen(b);
    for (size_t j = 0; j <= nb; j++) before[j] = last[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = smallest(last[j - 1] + (a[i - 1] != b[j - 1]), smallest(last[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = smallest(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[nb];
}

const char *name_nearest(const char *const *names, size_t count, const char *name) {
    const char *nearest = NULL;
    size_t least = strlen(name) / 3 + 2; /* a slip in every third letter and one more are still one word */
    for (size_t i = 0; i < count && strlen(name) <= LONGEST_NAME; i++) {
        size_t distance = strlen(names[i]) <= LONGEST_NAME ? edit_distance(name, names[i]) : SIZE_MAX;
        if (distance < least) least = distance, nearest = names[i];
    }
    return nearest;
}

void name_list(const char *const *names, size_t count, const char *word, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++) {
        bool last = i + 1 == count;
        const char *before = i == 0 ? "" : last ? " " : ", ";
        used += (size_t)snprintf(out + used, size - used, "%s%s%s%s", before, i && last ? word : "",
                                 i && last ? " " : "", names[i]);
    }
}

bool name_ends_with(const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

int name_unknown(const char *where, const char *what, const char *name, const char *const *names, size_t count,
                 struct error *error) {
    char list[512], meant[LONGEST_NAME + 32] = "";
    name_list(names, count, "or", list, sizeof list);
    const char *nearest = name_nearest(names, count, name);
    if (nearest) snprintf(meant, sizeof meant, " (did you mean '%s'?)", nearest);
    return error_set(error, STATUS_INPUT, "%s%sunknown %s '%.60s'%s; choose %s", where, *where ? ": " : "", what, name,
                     meant, list);
}
