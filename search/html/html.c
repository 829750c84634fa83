#include "search/html/html.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "search/base/text.h"

/* ---- text ---- */

/* C0 except tab and newline, DEL, C1, and the marks that change the direction of text. */
static bool is_control(const unsigned char *text, int length) {
    if (length == 1) return (*text < 0x20 && *text != '\t' && *text != '\n') || *text == 0x7f;
    if (length == 2) return text[0] == 0xc2 && text[1] < 0xa0;
    if (length != 3 || text[0] != 0xe2) return false;
    bool embeds = text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae;
    bool isolates = text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9;
    return embeds || isolates;
}

static const char *entity_of(unsigned char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Its first `size` bytes, which cut no character in two. */
static void put_part(FILE *out, const char *text, size_t size) {
    for (const unsigned char *at = (const unsigned char *)text, *end = at + size; at < end;) {
        int length = text_utf8_length((const char *)at);
        const char *entity = entity_of(*at);
        if (!length || is_control(at, length)) {
            fputs("\xef\xbf\xbd", out);
        } else if (entity) {
            fputs(entity, out);
        } else {
            fwrite(at, 1, (size_t)length, out);
        }
        at += length ? length : 1;
    }
}

void html_text(FILE *out, const char *text) { put_part(out, text, strlen(text)); }

/* ---- fields ---- */

struct html_field html_field_text(const char *name, enum html_kind kind, const char *text) {
    return (struct html_field){.name = name, .kind = kind, .text = text};
}

struct html_field html_field_number(const char *name, const struct cited_value *value, int decimals) {
    return html_field_computed(name, cited_number(value), decimals, "%s", value->path);
}

struct html_field html_field_perplexity(const char *name, const struct cited_value *value) {
    double number = cited_number(value);
    return html_field_number(name, value, number < 1000.0 ? 4 : number < 100000.0 ? 1 : 0);
}

struct html_field html_field_computed(const char *name, double value, int decimals, const char *format, ...) {
    struct html_field field = {
        .name = name, .kind = HTML_NUMBER, .known = isfinite(value), .number = value, .decimals = decimals};
    va_list args;
    va_start(args, format);
    int length = vsnprintf(field.source, sizeof field.source, format, args);
    va_end(args);
    assert(length >= 0 && (size_t)length < sizeof field.source);
    (void)length;
    return field;
}

struct html_field html_counted(struct html_field number, const char *noun) {
    number.unit = noun;
    number.several = number.number != 1.0;
    return number;
}

struct html_field html_as_time(struct html_field seconds) {
    seconds.kind = HTML_TIME;
    return seconds;
}

struct html_field html_get_text(const struct cited_value *of, enum html_kind kind, const char *key) {
    return html_field_text(key, kind, cited_get_text(of, key));
}

struct html_field html_get_number(const struct cited_value *of, const char *key, int decimals) {
    struct cited_value member = cited_get(of, key);
    return html_field_number(key, &member, decimals);
}

struct html_field html_get_integer(const struct cited_value *of, const char *key) {
    struct html_field field = html_get_number(of, key, 0);
    field.kind = HTML_INTEGER;
    field.known = json_is_integer(json_object_get(of->json, key));
    field.integer = cited_get_integer(of, key);
    return field;
}

struct html_field html_get_short(const struct cited_value *of, const char *key) {
    double value = cited_get_number(of, key), unit = 1.0;
    int decimals = 0;
    while (decimals < 3 && fabs(round(value * unit) - value * unit) > 1e-9 * fabs(value * unit)) {
        unit *= 10.0;
        decimals++;
    }
    return html_get_number(of, key, decimals);
}

struct html_field html_get_perplexity(const struct cited_value *of) {
    struct cited_value member = cited_get(of, "perplexity");
    return html_field_perplexity("perplexity", &member);
}

/* ---- templates ---- */

/* The tags around each kind of text. */
static const char *const tags[][2] = {
    [HTML_TEXT] = {"", ""}, [HTML_NAME] = {"<span class=\"name\">", "</span>"}, [HTML_CODE] = {"<code>", "</code>"}};

static bool is_number(const struct html_field *field) {
    return field->kind == HTML_NUMBER || field->kind == HTML_INTEGER || field->kind == HTML_TIME;
}

#define NO_BREAK "\xc2\xa0" /* a blank at which no line ends */

enum { MOST_SECONDS = 600 /* that are written as such; more are hours and minutes */ };

static void put_time(FILE *out, const struct html_field *field) {
    fprintf(out, "<data value=\"%.17g\" data-from=\"%s\">", field->number, field->source);
    if (field->number < MOST_SECONDS) {
        fprintf(out, "%.*f</data>" NO_BREAK "s", field->decimals, field->number);
    } else {
        double minutes = floor(field->number / 60.0 + 0.5);
        fprintf(out, "%.0f:%02.0f</data>" NO_BREAK "h", floor(minutes / 60.0), fmod(minutes, 60.0));
    }
}

static void put_number(FILE *out, const struct html_field *field) {
    if (!field->known) {
        fputs("<span class=\"none\">\xe2\x80\x93</span>", out);
    } else if (field->kind == HTML_TIME) {
        put_time(out, field);
    } else if (field->kind == HTML_INTEGER) {
        fprintf(out, "<data value=\"%" PRId64 "\" data-from=\"%s\">%" PRId64 "</data>", field->integer, field->source,
                field->integer);
    } else {
        fprintf(out, "<data value=\"%.17g\" data-from=\"%s\">%.*f</data>", field->number, field->source,
                field->decimals, field->number);
    }
    if (field->unit) {
        fprintf(out, "%s%s%s", *field->unit == '%' ? NO_BREAK : " ", field->unit, field->several ? "s" : "");
    }
}

static void put_field(FILE *out, const struct html_field *field) {
    if (is_number(field)) {
        put_number(out, field);
    } else if (field->kind == HTML_WORD) {
        text_put_word(out, field->text, put_part);
    } else {
        fputs(tags[field->kind][0], out);
        html_text(out, field->text);
        fputs(tags[field->kind][1], out);
    }
}

/* NULL where no field has this name. */
static const struct html_field *find_field(const struct html_field *fields, size_t count, const char *name,
                                           size_t length) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0) return &fields[i];
    }
    return NULL;
}

static bool uses(const char *pattern, const char *name) {
    size_t length = strlen(name);
    for (const char *open = pattern; (open = strchr(open, '{')); open++) {
        if (strncmp(open + 1, name, length) == 0 && open[1 + length] == '}') return true;
    }
    return false;
}

bool html_fill(FILE *out, const char *pattern, const struct html_field *fields, size_t count) {
    const char *at = pattern;
    bool whole = true;
    for (const char *open; (open = strchr(at, '{'));) {
        size_t length = strcspn(open + 1, "}");
        bool closed = open[1 + length] == '}';
        const char *end = open + 1 + length + closed;
        const struct html_field *field = closed ? find_field(fields, count, open + 1, length) : NULL;
        fwrite(at, 1, (size_t)((field ? open : end) - at), out);
        if (field) put_field(out, field);
        whole = whole && field;
        at = end;
    }
    fputs(at, out);
    for (size_t i = 0; i < count; i++) {
        if (uses(pattern, fields[i].name)) continue;
        fprintf(out, "{%s}", fields[i].name);
        whole = false;
    }
    return whole;
}

void html_print(FILE *out, const char *pattern, const struct html_field *fields, size_t count) {
    bool whole = html_fill(out, pattern, fields, count);
    assert(whole);
    (void)whole;
}

void html_print_cells(FILE *out, const struct html_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fputs(is_number(&fields[i]) ? "<td class=\"n\">" : "<td>", out);
        put_field(out, &fields[i]);
        fputs("</td>", out);
    }
}
