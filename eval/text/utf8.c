#include "eval/text/utf8.h"

#include <stdbool.h>

static unsigned byte_at(const char *text, size_t size, size_t i) { return i < size ? (unsigned char)text[i] : 0; }

static bool follows(const char *text, size_t size, size_t count) {
    for (size_t i = 1; i <= count; i++) {
        if ((byte_at(text, size, i) & 0xc0) != 0x80) return false;
    }
    return true;
}

size_t utf8_character_bytes(const char *text, size_t size) {
    unsigned first = byte_at(text, size, 0), second = byte_at(text, size, 1);
    if (size == 0) return 0;
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(text, size, 1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        bool odd = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f);
        return follows(text, size, 2) && !odd ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        bool odd = (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
        return follows(text, size, 3) && !odd ? 4 : 0;
    }
    return 0;
}

int utf8_check(const char *name, const char *text, size_t size, struct error *error) {
    if (size > INT32_MAX) {
        return error_set(error, STATUS_INPUT, "%s: is larger than 2 GiB; split it, or give tokens as .npy files", name);
    }
    for (size_t at = 0, bytes; at < size; at += bytes) {
        bytes = utf8_character_bytes(text + at, size - at);
        if (bytes) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: byte %zu is not UTF-8 (0x%02x); convert the text, with iconv -f ENCODING -t UTF-8 say",
                         name, at, (unsigned char)text[at]);
    }
    return STATUS_OK;
}

uint32_t utf8_decode(const char *text, size_t *bytes) {
    const unsigned char *byte = (const unsigned char *)text;
    *bytes = byte[0] < 0x80 ? 1 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if (*bytes == 1) return byte[0];
    uint32_t out = byte[0] & (0x7fu >> *bytes);
    for (size_t i = 1; i < *bytes; i++) out = out << 6 | (byte[i] & 0x3f);
    return out;
}

size_t utf8_encode(uint32_t character, char out[UTF8_MOST_BYTES]) {
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t bytes = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = bytes; i-- > 1; character >>= 6) out[i] = (char)(0x80 | (character & 0x3f));
    out[0] = (char)(marks[bytes] | character);
    return bytes;
}
