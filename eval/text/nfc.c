#include "eval/text/nfc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "eval/base/array.h"
#include "eval/text/utf8.h"

/* Characters that the library does not know. No character between these in a row combines with another. */
static const struct range {
    uint32_t first, last;
} unknown[] = {{0x5c8, 0x5c9},     {0x7fd, 0x7fd},     {0x897, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
               {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1af0},   {0x1df6, 0x1dfa},
               {0xa82c, 0xa82c},   {0x105c9, 0x105e4}, {0x10d24, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
               {0x11382, 0x113d0}, {0x1145e, 0x1145e}, {0x11839, 0x11a99}, {0x11d42, 0x11f42}, {0x1611e, 0x1612f},
               {0x16d63, 0x16ff1}, {0x1d127, 0x1d128}, {0x1d250, 0x1d281}, {0x1e08f, 0x1e6f5}};

static bool is_unknown(uint32_t character) {
    size_t low = 0, high = sizeof unknown / sizeof *unknown;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (character > unknown[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < sizeof unknown / sizeof *unknown && character >= unknown[low].first;
}

/* Characters that are their own normal form and combine with none before them: those below the first combining mark,
 * most ideographs, and what the library does not know. Not all such characters. */
static bool stands_alone(uint32_t character) {
    return character < 0x300 || (character >= 0x3400 && character <= 0x9fff) || is_unknown(character);
}

struct normalizer {
    int32_t *characters; /* of a piece */
    size_t count, capacity;
    int32_t *marks; /* to sort them */
    size_t mark_capacity;
    struct text_buffer *out;
};

static int no_memory(size_t size, struct error *error) { return error_memory(error, (double)size, "a text"); }

static int put(struct normalizer *n, const char *bytes, size_t size, struct error *error) {
    return text_buffer_put(n->out, bytes, size) ? STATUS_OK : no_memory(n->out->size + size, error);
}

static const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

static int decompose(struct normalizer *n, const char *text, size_t size, struct error *error) {
    enum { MOST = 8 }; /* no character decomposes to as many */
    n->count = 0;
    for (size_t at = 0, bytes; at < size; at += bytes) {
        int32_t *grown = array_reserve(n->characters, &n->capacity, n->count + MOST, sizeof *grown);
        if (!grown) return no_memory(size, error);
        n->characters = grown;
        int32_t character = (int32_t)utf8_decode(text + at, &bytes);
        utf8proc_ssize_t parts = utf8proc_decompose_char(character, grown + n->count, MOST, options, NULL);
        if (parts < 1 || parts > MOST) grown[n->count] = character, parts = 1;
        n->count += (size_t)parts;
    }
    return STATUS_OK;
}

static unsigned class_of(int32_t character) { return utf8proc_get_property(character)->combining_class & 0xff; }

/* Sorts marks[count] by class, and else as they stand. */
static int sort_marks(struct normalizer *n, int32_t *marks, size_t count, struct error *error) {
    size_t begins[257] = {0};
    int32_t *copy = array_reserve(n->marks, &n->mark_capacity, count, sizeof *copy);
    if (!copy) return no_memory(count * sizeof *copy, error);
    n->marks = copy;
    memcpy(copy, marks, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) begins[class_of(copy[i]) + 1]++;
    for (size_t c = 0; c < 256; c++) begins[c + 1] += begins[c];
    for (size_t i = 0; i < count; i++) marks[begins[class_of(copy[i])]++] = copy[i];
    return STATUS_OK;
}

static int sort_all_marks(struct normalizer *n, struct error *error) {
    int status = STATUS_OK;
    for (size_t begin = 0, end; begin < n->count && status == STATUS_OK; begin = end + 1) {
        for (end = begin; end < n->count && class_of(n->characters[end]) > 0;) end++;
        if (end - begin > 1) status = sort_marks(n, n->characters + begin, end - begin, error);
    }
    return status;
}

static int put_normal(struct normalizer *n, const char *text, size_t size, struct error *error) {
    int status = decompose(n, text, size, error);
    if (status == STATUS_OK) status = sort_all_marks(n, error);
    if (status != STATUS_OK) return status;
    utf8proc_ssize_t count = utf8proc_normalize_utf32(n->characters, (utf8proc_ssize_t)n->count, options);
    for (utf8proc_ssize_t i = 0; i < count && status == STATUS_OK; i++) {
        char bytes[UTF8_MOST_BYTES];
        status = put(n, bytes, utf8_encode((uint32_t)n->characters[i], bytes), error);
    }
    return status;
}

/* A piece: from a character to the next that stands alone. */
static int put_piece(struct normalizer *n, const char *text, size_t size, size_t *length, struct error *error) {
    size_t bytes, characters = 1;
    uint32_t first = utf8_decode(text, &bytes);
    for (*length = bytes; *length < size && !is_unknown(first); *length += bytes, characters++) {
        if (stands_alone(utf8_decode(text + *length, &bytes))) break;
    }
    bool normal = characters == 1 && stands_alone(first);
    return normal ? put(n, text, *length, error) : put_normal(n, text, *length, error);
}

int nfc_make(const char *text, size_t size, struct text_buffer *out, struct error *error) {
    struct normalizer n = {.out = out};
    int status = STATUS_OK;
    out->size = 0;
    for (size_t at = 0, length; at < size && status == STATUS_OK; at += length) {
        status = put_piece(&n, text + at, size - at, &length, error);
    }
    free(n.characters);
    free(n.marks);
    return status;
}
