#include "search/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_is_integer(const char *text) {
    const char *digits = text + (*text == '-');
    size_t count = strspn(digits, "0123456789");
    return count > 0 && !digits[count] && (digits[0] != '0' || count == 1);
}

bool text_to_integer(const char *text, int64_t *out) {
    if (!text_is_integer(text)) return false;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno) return false;
    *out = value;
    return true;
}

/* With the nearest double, which is infinite where the number is too large. */
static bool parse_number(const char *text, double *out) {
    if (!*text || text[strspn(text, "0123456789.eE+-")]) return false; /* no blanks, hexadecimals, nan, inf */
    char *end;
    *out = strtod(text, &end);
    return !*end;
}

bool text_is_number(const char *text) {
    double value;
    return parse_number(text, &value);
}

bool text_to_number(const char *text, double *out) {
    double value;
    if (!parse_number(text, &value) || !isfinite(value)) return false;
    *out = value;
    return true;
}

void text_of_number(double value, char out[TEXT_NUMBER_SIZE]) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, TEXT_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value) return;
    }
}

void text_to_ascii(char *text) {
    for (; *text; text++) {
        if (*text < ' ' || *text > '~') *text = '?';
    }
}

bool text_has_control(const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) return true;
    }
    return false;
}

int text_utf8_length(const char *text) {
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

void text_put_word(FILE *out, const char *word, void (*put)(FILE *out, const char *part, size_t size)) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
    if (*word == '-') put(out, "./", 2);
    if (*word && !word[strspn(word, plain)]) {
        put(out, word, strlen(word));
        return;
    }
    const char *from = word;
    put(out, "'", 1);
    for (const char *quote; (quote = strchr(from, '\'')); from = quote + 1) {
        put(out, from, (size_t)(quote - from));
        put(out, "'\\''", 4);
    }
    put(out, from, strlen(from));
    put(out, "'", 1);
}

static void put_part(FILE *out, const char *part, size_t size) { fwrite(part, 1, size, out); }

void text_print_word(FILE *out, const char *word) { text_put_word(out, word, put_part); }

void text_copy_name(const char *text, char *out, size_t size) {
    static const char replacement[] = "\xef\xbf\xbd";
    size_t used = 0;
    while (*text) {
        int length = text_utf8_length(text);
        size_t bytes = length ? (size_t)length : sizeof replacement - 1;
        if (used + bytes >= size) break;
        memcpy(out + used, length ? text : replacement, bytes);
        used += bytes;
        text += length ? length : 1;
    }
    out[used] = '\0';
}

size_t text_characters(const char *text) {
    size_t count = 0;
    for (; *text; text++) count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}
