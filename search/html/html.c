#include "search/html/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "search/base/text.h"

/* ---- text ---- */

/* C0 but for tab and newline, DEL, C1; and the marks that turn the direction of what follows. */
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

void html_text(FILE *out, const char *text) { html_text_part(out, text, strlen(text)); }

void html_text_part(FILE *out, const char *text, size_t size) {
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

void html_name(FILE *out, const char *name) {
    fputs("<span class=\"name\">", out);
    html_text(out, name);
    fputs("</span>", out);
}

/* ---- numbers ---- */

static void put_unknown(FILE *out) { fputs("<span class=\"none\">\xe2\x80\x93</span>", out); }

static void put_data(FILE *out, double value, const char *from, int decimals) {
    fprintf(out, "<data value=\"%.17g\" data-from=\"%s\">%.*f</data>", value, from, decimals, value);
}

void html_number(FILE *out, const struct cited_value *datum, int decimals) {
    double value = cited_number(datum);
    if (isfinite(value)) {
        put_data(out, value, datum->path, decimals);
    } else {
        put_unknown(out);
    }
}

void html_integer(FILE *out, const struct cited_value *datum) {
    if (!json_is_integer(datum->json)) {
        put_unknown(out);
        return;
    }
    long long value = cited_integer(datum);
    fprintf(out, "<data value=\"%lld\" data-from=\"%s\">%lld</data>", value, datum->path, value);
}

void html_perplexity(FILE *out, const struct cited_value *datum) {
    double value = cited_number(datum);
    html_number(out, datum, value < 1000.0 ? 4 : value < 100000.0 ? 1 : 0);
}

void html_short(FILE *out, const struct cited_value *datum) {
    double value = cited_number(datum), unit = 1.0;
    int decimals = 0;
    while (decimals < 3 && fabs(round(value * unit) - value * unit) > 1e-9 * fabs(value * unit)) {
        unit *= 10.0;
        decimals++;
    }
    html_number(out, datum, decimals);
}

void html_get_number(FILE *out, const struct cited_value *of, const char *key, int decimals) {
    struct cited_value member = cited_get(of, key);
    html_number(out, &member, decimals);
}

void html_get_integer(FILE *out, const struct cited_value *of, const char *key) {
    struct cited_value member = cited_get(of, key);
    html_integer(out, &member);
}

void html_get_text(FILE *out, const struct cited_value *of, const char *key) {
    html_text(out, cited_get_text(of, key));
}

void html_get_name(FILE *out, const struct cited_value *of, const char *key) {
    html_name(out, cited_get_text(of, key));
}

void html_computed(FILE *out, double value, int decimals, const char *format, ...) {
    char from[512];
    va_list args;
    if (!isfinite(value)) {
        put_unknown(out);
        return;
    }
    va_start(args, format);
    vsnprintf(from, sizeof from, format, args);
    va_end(args);
    put_data(out, value, from, decimals);
}

/* ---- cells ---- */

void html_cell_number(FILE *out, const struct cited_value *of, const char *key, int decimals) {
    fputs("<td class=\"n\">", out);
    html_get_number(out, of, key, decimals);
    fputs("</td>", out);
}

void html_cell_integer(FILE *out, const struct cited_value *of, const char *key) {
    fputs("<td class=\"n\">", out);
    html_get_integer(out, of, key);
    fputs("</td>", out);
}

void html_cell_perplexity(FILE *out, const struct cited_value *of, const char *key) {
    struct cited_value member = cited_get(of, key);
    fputs("<td class=\"n\">", out);
    html_perplexity(out, &member);
    fputs("</td>", out);
}
