#include "eval/base/python_json.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "\"" PYTHON_JSON_MARK;
enum { MARK = sizeof mark - 1 };

/* ---- numbers ---- */

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

/* The length of the number that the text begins with, by JSON's grammar; 0: none. */
static size_t number_length(const char *text, bool *whole) {
    size_t at = *text == '-', count = digits(text + at);
    if (count == 0 || (text[at] == '0' && count > 1)) return 0;
    at += count;
    *whole = true;
    if (text[at] == '.') {
        count = digits(text + at + 1);
        if (count == 0) return 0;
        at += 1 + count;
        *whole = false;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        size_t sign = text[at + 1] == '+' || text[at + 1] == '-';
        count = digits(text + at + 1 + sign);
        if (count == 0) return 0;
        at += 1 + sign + count;
        *whole = false;
    }
    return at;
}

/* The length of a number that jansson refuses and Python reads; 0 where the text begins with none. */
static size_t odd_number(const char *text) {
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(text, names[i], length) == 0 && !isalnum((unsigned char)text[length])) return length;
    }
    bool whole = false;
    size_t length = number_length(text, &whole);
    if (length == 0) return 0;
    errno = 0;
    bool beyond = whole ? (strtoll(text, NULL, 10), errno == ERANGE) : isinf(strtod(text, NULL));
    return beyond ? length : 0;
}

static bool continues_word(char c) { return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '+' || c == '_'; }

/* ---- texts ---- */

/* The byte behind the string that begins here with its quote, or behind the text. */
static const char *string_end(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) at += *at == '\\' && at + 1 < end;
    return at < end ? at + 1 : end;
}

/* Copies the text, which a zero ends, with such numbers as strings. */
static void rewrite(const char *text, size_t size, FILE *out) {
    const char *end = text + size, *at = text;
    while (at < end) {
        size_t length = at > text && continues_word(at[-1]) ? 0 : odd_number(at);
        const char *next = *at == '"' ? string_end(at, end) : at + (length ? length : 1);
        if (length) fputs(mark, out);
        fwrite(at, 1, (size_t)(next - at), out);
        if (length) fputc('"', out);
        at = next;
    }
}

/* The caller frees *out. */
static bool make_standard(const void *bytes, size_t size, char **out, size_t *out_size) {
    char *text = malloc(size + 1);
    FILE *stream = text ? open_memstream(out, out_size) : NULL;
    if (stream) {
        memcpy(text, bytes, size);
        text[size] = '\0';
        rewrite(text, size, stream);
    }
    free(text);
    return stream && fclose(stream) == 0;
}

json_t *python_json_load(const void *bytes, size_t size, json_error_t *reason, bool *repeats) {
    char *text = NULL;
    size_t length = 0;
    json_t *root = NULL;
    *reason = (json_error_t){0};
    *repeats = false;
    if (make_standard(bytes, size, &text, &length)) {
        root = json_loadb(text, length, JSON_REJECT_DUPLICATES, reason);
        *repeats = !root && reason->text[0] && json_error_code(reason) == json_error_duplicate_key;
    }
    if (*repeats) {
        json_error_t other;
        root = json_loadb(text, length, 0, &other);
        if (!root) *reason = other, *repeats = false;
    }
    free(text);
    return root;
}

void python_json_restore(char *text) {
    const char *end = text + strlen(text), *at = text;
    char *out = text;
    while (at < end) {
        const char *next = *at == '"' ? string_end(at, end) : at + 1;
        size_t length = strncmp(at, mark, MARK) == 0 ? odd_number(at + MARK) : 0;
        bool marked = length > 0 && at + MARK + length + 1 == next;
        const char *from = marked ? at + MARK : at;
        size_t count = marked ? length : (size_t)(next - at);
        memmove(out, from, count);
        out += count;
        at = next;
    }
    *out = '\0';
}
