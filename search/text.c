#include "search/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 40 };

bool parse_integer(const char *text, int64_t *out) {
    const char *digits = text + (*text == '-');
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || digits[count] || (digits[0] == '0' && count > 1)) return false;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno) return false;
    *out = value;
    return true;
}

bool parse_number(const char *text, double *out) {
    if (!*text || text[strspn(text, "0123456789.eE+-")]) return false; /* no blanks, hexadecimals, nan, inf */
    char *end;
    double value = strtod(text, &end);
    if (*end || !isfinite(value)) return false;
    *out = value;
    return true;
}

void number_text(double value, char out[NUMBER_TEXT_SIZE]) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, NUMBER_TEXT_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value) return;
    }
}

int utf8_length(const char *text) {
    static const struct {
        unsigned char first, last, low, high; /* of the first byte, and what the second may be */
        int length;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*bytes < forms[i].first || *bytes > forms[i].last) continue;
        if (forms[i].length > 1 && (bytes[1] < forms[i].low || bytes[1] > forms[i].high)) return 0;
        for (int k = 2; k < forms[i].length; k++) {
            if (bytes[k] < 0x80 || bytes[k] > 0xbf) return 0;
        }
        return forms[i].length;
    }
    return 0;
}

bool parse_model_type(const char *text, enum model_type *out) {
    static const char *const names[] = {[MODEL_AUTO] = "auto", [MODEL_F32] = "f32", [MODEL_BF16] = "bf16"};
    for (int type = MODEL_AUTO; type <= MODEL_BF16; type++) {
        if (strcmp(text, names[type]) != 0) continue;
        *out = (enum model_type)type;
        return true;
    }
    return false;
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

const char *nearest_name(const char *word, const char *const *names, size_t count) {
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 2; /* a slip in every third letter and one more are still one word */
    for (size_t i = 0; i < count && strlen(word) <= LONGEST_NAME; i++) {
        size_t distance = strlen(names[i]) <= LONGEST_NAME ? edit_distance(word, names[i]) : SIZE_MAX;
        if (distance < least) least = distance, nearest = names[i];
    }
    return nearest;
}
