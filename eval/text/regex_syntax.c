#include "eval/text/regex_syntax.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/text/unicode_additions.h"
#include "eval/text/utf8.h"

enum { MOST_DEPTH = 64, MOST_REPEATS = 1000 };

/* A group that is not closed yet. */
struct group {
    bool folds;  /* (?i: */
    bool repeat; /* may be repeated; not (?= and the like */
};

struct translator {
    const char *where, *begin, *at;
    FILE *out;
    struct group groups[MOST_DEPTH]; /* groups[0] is the whole expression */
    int depth;
    bool repeat;  /* what was read last may be repeated */
    char literal; /* what was read last, where it is a letter of a group that folds; else 0 */
    struct error *error;
};

/* A literal character, or a set of characters. */
struct item {
    uint32_t character;
    const char *set; /* "s" or a property; NULL: a character */
    bool complement; /* of the set */
};

static int refuse(const struct translator *t, const char *at, const char *what) {
    return error_set(t->error, STATUS_INPUT, "%s: %s at byte %zu of the regular expression is not supported", t->where,
                     what, (size_t)(at - t->begin));
}

static bool take(struct translator *t, const char *word) {
    size_t length = strlen(word);
    if (strncmp(t->at, word, length) != 0) return false;
    t->at += length;
    return true;
}

/* ---- Sets ---- */

static const char *const properties[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",   "N",        "Nd",      "Nl", "No",
                                         "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",  "Po",       "S",       "Sm", "Sc",
                                         "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Han", "Hiragana", "Katakana"};

enum { PROPERTIES = sizeof properties / sizeof *properties };

static void put_additions(FILE *out, const char *property) {
    const struct unicode_addition *row = NULL;
    while ((row = unicode_additions_next(row, property))) {
        fprintf(out, row->first == row->last ? "\\x{%x}" : "\\x{%x}-\\x{%x}", row->first, row->last);
    }
}

/* What stands between [ and ] for the set, without its complement. PCRE2's \s has U+180E, Oniguruma's has not. */
static void put_set(FILE *out, const char *set) {
    if (strcmp(set, "s") == 0) {
        fputs("\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}", out);
    } else {
        fprintf(out, strlen(set) > 2 ? "\\p{sc:%s}" : "\\p{%s}", set);
        put_additions(out, set);
    }
}

/* \p{NAME}, behind \p or \P. */
static int read_property(struct translator *t, const char *at, struct item *out) {
    char name[16] = "";
    size_t length = *t->at == '{' ? 1 : 0;
    while (length && (isalnum((unsigned char)t->at[length]) || t->at[length] == '^')) length++;
    if (length == 0 || length > sizeof name || t->at[length] != '}') return refuse(t, at, "a property without {NAME}");
    memcpy(name, t->at + 1, length - 1);
    int index = name_find(properties, PROPERTIES, name);
    if (index == NAME_UNKNOWN) {
        char what[64];
        snprintf(what, sizeof what, "the property \\p{%.15s}", name);
        return refuse(t, at, what);
    }
    t->at += length + 1;
    out->set = properties[index];
    return STATUS_OK;
}

/* ---- Literals ---- */

/* Hexadecimal digits, `most` at most and `least` at least. */
static int read_hex(struct translator *t, const char *at, int least, int most, struct item *out) {
    int count = 0;
    for (; count < most && isxdigit((unsigned char)*t->at); count++, t->at++) {
        int digit = isdigit((unsigned char)*t->at) ? *t->at - '0' : tolower((unsigned char)*t->at) - 'a' + 10;
        out->character = out->character << 4 | (uint32_t)digit;
    }
    bool valid = count >= least && (most > 2 || out->character < 0x80); /* beyond: bytes, not characters */
    valid = valid && (out->character < 0xd800 || out->character > 0xdfff);
    return valid ? STATUS_OK : refuse(t, at, "this \\x or \\u");
}

/* Behind a backslash at `at`. */
static int read_escape(struct translator *t, const char *at, struct item *out) {
    static const char letters[] = "aefnrtv", meanings[] = "\a\x1b\f\n\r\t\v";
    char letter = *t->at;
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (letter) t->at++;
    if (found) {
        out->character = (unsigned char)meanings[found - letters];
    } else if (letter && strchr("sdSD", letter)) {
        out->complement = isupper((unsigned char)letter);
        out->set = letter == 's' || letter == 'S' ? "s" : "Nd";
    } else if (letter == 'p' || letter == 'P') {
        out->complement = letter == 'P';
        return read_property(t, at, out);
    } else if (letter == 'x') {
        return read_hex(t, at, 1, 2, out);
    } else if (letter == 'u') {
        return read_hex(t, at, 4, 4, out);
    } else if (ispunct((unsigned char)letter) || letter == ' ') {
        out->character = (unsigned char)letter;
    } else {
        char what[16];
        snprintf(what, sizeof what, isalnum((unsigned char)letter) ? "\\%c" : "a backslash", letter);
        return refuse(t, at, what);
    }
    return STATUS_OK;
}

static int read_item(struct translator *t, struct item *out) {
    const char *at = t->at;
    size_t bytes = 1;
    *out = (struct item){0};
    if (take(t, "\\")) return read_escape(t, at, out);
    out->character = utf8_decode(t->at, &bytes);
    t->at += bytes;
    return STATUS_OK;
}

static void put_literal(FILE *out, uint32_t character) {
    bool plain = character < 0x80 && isalnum((int)character);
    fprintf(out, plain ? "%c" : "\\x{%x}", character);
}

/* Letters beyond ASCII, and pairs that Unicode folds one character to, such as "ss", have several cases. */
static int check_fold(struct translator *t, const char *at, uint32_t character) {
    static const char *const pairs[] = {"ss", "st", "ff", "fi", "fl"};
    if (!t->groups[t->depth].folds) return STATUS_OK;
    if (character >= 0x80) return refuse(t, at, "a character beyond ASCII within (?i:");
    char letter = (char)tolower((int)character);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (t->literal == pairs[i][0] && letter == pairs[i][1])
            return refuse(t, at, "this pair of letters within (?i:");
    }
    t->literal = letter;
    return STATUS_OK;
}

/* ---- [...] ---- */

static int put_range(struct translator *t, const char *at, uint32_t first) {
    struct item last;
    if (!*t->at) return refuse(t, at, "a set without its ]");
    int status = read_item(t, &last);
    if (status != STATUS_OK) return status;
    if (last.set || last.character < first || t->groups[t->depth].folds) return refuse(t, at, "this range");
    fputc('-', t->out);
    put_literal(t->out, last.character);
    return STATUS_OK;
}

/* One character, range or set. */
static int put_member(struct translator *t) {
    const char *at = t->at;
    struct item item;
    if (*at == '[') return refuse(t, at, "a set within a set");
    if (strncmp(at, "&&", 2) == 0) return refuse(t, at, "&& within a set");
    int status = read_item(t, &item);
    if (status != STATUS_OK) return status;
    if (item.set) {
        bool spaces = strcmp(item.set, "s") == 0;
        if (t->groups[t->depth].folds || (item.complement && !spaces)) return refuse(t, at, "this set within a set");
        if (*t->at == '-' && t->at[1] != ']') return refuse(t, at, "this range");
        item.complement ? (void)fputs("\\S\\x{180e}", t->out) : put_set(t->out, item.set);
        return STATUS_OK;
    }
    t->literal = 0;
    status = check_fold(t, at, item.character);
    if (status != STATUS_OK) return status;
    put_literal(t->out, item.character);
    if (*t->at != '-' || t->at[1] == ']') return STATUS_OK;
    t->at++;
    return put_range(t, at, item.character);
}

/* Behind its [. */
static int put_bracket(struct translator *t, const char *at) {
    int status = STATUS_OK;
    fputs(take(t, "^") ? "[^" : "[", t->out);
    if (*t->at == ']') return refuse(t, at, "an empty set");
    while (*t->at && *t->at != ']' && status == STATUS_OK) status = put_member(t);
    if (status == STATUS_OK && !take(t, "]")) return refuse(t, at, "a set without its ]");
    fputc(']', t->out);
    t->repeat = true;
    t->literal = 0;
    return status;
}

/* ---- Groups and repeats ---- */

/* Behind its (. */
static int open_group(struct translator *t, const char *at) {
    static const struct {
        const char *word;
        bool folds, repeat;
    } kinds[] = {{"?:", false, true},  {"?i:", true, true},   {"?>", false, true},   {"?=", false, false},
                 {"?!", false, false}, {"?<=", false, false}, {"?<!", false, false}, {"", false, true}};
    size_t k = 0;
    if (*t->at == '*') return refuse(t, at, "(*");
    while (!take(t, kinds[k].word)) k++;
    if (!*kinds[k].word && *t->at == '?') return refuse(t, at, "this kind of group");
    if (t->depth + 1 == MOST_DEPTH) return refuse(t, at, "a group within 63 others");
    bool folds = t->groups[t->depth].folds || kinds[k].folds;
    t->groups[++t->depth] = (struct group){.folds = folds, .repeat = kinds[k].repeat};
    fprintf(t->out, "(%s", *kinds[k].word ? kinds[k].word : "?:");
    t->repeat = false;
    t->literal = 0;
    return STATUS_OK;
}

static int close_group(struct translator *t, const char *at) {
    if (t->depth == 0) return refuse(t, at, "a ) without its (");
    t->repeat = t->groups[t->depth--].repeat;
    t->literal = 0;
    fputc(')', t->out);
    return STATUS_OK;
}

/* A number of repeats; -1 if there is none, or it is too large. */
static int read_count(struct translator *t) {
    int out = -1;
    for (; isdigit((unsigned char)*t->at); t->at++) {
        out = 10 * (out < 0 ? 0 : out) + *t->at - '0';
        if (out > MOST_REPEATS) return -1;
    }
    return out;
}

/* Behind its {. Oniguruma takes {n}? as (?:{n})? and {n,m}+ as (?:{n,m})+. */
static int put_interval(struct translator *t, const char *at) {
    int least = read_count(t);
    bool range = take(t, ",");
    int most = range ? read_count(t) : least;
    bool open = range && most < 0;
    if (!take(t, "}") || (least < 0 && open) || (!open && most < least)) return refuse(t, at, "this interval");
    fprintf(t->out, open ? "{%d,}" : "{%d,%d}", least < 0 ? 0 : least, most);
    if (*t->at == '+' || (*t->at == '?' && !range)) return refuse(t, at, "an interval before ? or +");
    return STATUS_OK;
}

static int put_repeat(struct translator *t, char mark) {
    const char *at = t->at - 1;
    if (!t->repeat) return refuse(t, at, "a repeat of nothing");
    int status = STATUS_OK;
    if (mark == '{') {
        status = put_interval(t, at);
    } else {
        fputc(mark, t->out);
        if (take(t, "+")) fputc('+', t->out);
    }
    if (take(t, "?")) fputc('?', t->out);
    t->repeat = false;
    t->literal = 0;
    return status;
}

/* ---- The whole ---- */

static int put_item(struct translator *t) {
    const char *at = t->at;
    struct item item;
    int status = read_item(t, &item);
    if (status != STATUS_OK) return status;
    t->repeat = true;
    if (!item.set) {
        status = check_fold(t, at, item.character);
        put_literal(t->out, item.character);
        return status;
    }
    if (t->groups[t->depth].folds) return refuse(t, at, "a set within (?i:");
    fputs(item.complement ? "[^" : "[", t->out);
    put_set(t->out, item.set);
    fputc(']', t->out);
    return STATUS_OK;
}

static int put_next(struct translator *t) {
    const char *at = t->at;
    if (take(t, "(")) return open_group(t, at);
    if (take(t, ")")) return close_group(t, at);
    if (take(t, "[")) return put_bracket(t, at);
    if (*at == '|' || *at == '^' || *at == '$' || *at == '.') {
        t->at++;
        t->repeat = *at == '.';
        t->literal = 0;
        fputc(*at, t->out);
        return STATUS_OK;
    }
    if (strchr("?*+{", *at)) {
        t->at++;
        return put_repeat(t, *at);
    }
    return put_item(t);
}

int regex_translate(const char *where, const char *regex, char **out, struct error *error) {
    struct translator t = {.where = where, .begin = regex, .at = regex, .error = error};
    size_t size = strlen(regex);
    *out = NULL;
    if (size == 0 || size > REGEX_MOST_BYTES) {
        return error_set(error, STATUS_INPUT, "%s: a regular expression of %zu bytes is not supported", where, size);
    }
    t.out = open_memstream(out, &size);
    if (!t.out) return error_memory(error, 0, where);
    int status = STATUS_OK;
    while (*t.at && status == STATUS_OK) status = put_next(&t);
    if (status == STATUS_OK && t.depth > 0) status = refuse(&t, t.at, "a ( without its )");
    bool failed = ferror(t.out);
    failed = fclose(t.out) != 0 || failed;
    if (status == STATUS_OK && failed) status = error_memory(error, 0, where);
    if (status == STATUS_OK) return status;
    free(*out);
    *out = NULL;
    return status;
}
