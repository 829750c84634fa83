#include "search/html/chart_svg.h"

#include <stdlib.h>
#include <string.h>

#include "search/html/html.h"

/* The drawing begins and ends with these. */
static const char first_tag[] = "<g id=\"gnuplot_canvas\">", last_tag[] = "</svg>";

static void put_opening(const struct chart *chart, FILE *out) {
    fprintf(out,
            "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-title\" "
            "aria-describedby=\"%s-description\">\n",
            CHART_WIDTH, CHART_HEIGHT, chart->name, chart->name);
    fprintf(out, "<title id=\"%s-title\">", chart->name);
    html_text(out, chart->title);
    fprintf(out, "</title>\n<desc id=\"%s-description\">", chart->name);
    html_text(out, chart->description);
    fputs("</desc>\n", out);
}

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* ids and what refers to them: "id='x'" becomes "id='NAME-x'". The length of what was taken, 0: it is none. */
static size_t put_id(const struct chart *chart, const char *at, FILE *out) {
    static const char *const before[] = {" id='", " id=\"", "href='#", "url(#"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        if (!begins(at, before[i])) continue;
        fprintf(out, "%s%s-", before[i], chart->name);
        return strlen(before[i]);
    }
    return 0;
}

/* "rgb(  0,   0,   7)" or "rgb(0,0,7)" becomes "var(--chart-7)". */
static size_t put_colour(const char *at, FILE *out) {
    int red, green, blue, length = 0;
    if (!begins(at, "rgb(") || sscanf(at, "rgb( %d , %d , %d )%n", &red, &green, &blue, &length) != 3) return 0;
    if (!length || red || green || blue < 1 || blue >= CHART_COLOURS) return 0;
    fprintf(out, "var(--chart-%d)", blue);
    return (size_t)length;
}

/* A whole <title> of a plot: it says what the script called its data. */
static size_t skip_title(const char *at) {
    const char *end = begins(at, "<title>") ? strstr(at, "</title>") : NULL;
    return end ? (size_t)(end - at) + strlen("</title>") : 0;
}

int chart_svg_write(const struct chart *chart, const char *svg, FILE *out, struct error *error) {
    const char *at = strstr(svg, first_tag), *end = at ? strstr(at, last_tag) : NULL;
    if (!end) {
        return error_set(error, STATUS_FAILED,
                         "gnuplot has drawn a chart that is no SVG as its versions 5 and 6 make "
                         "them; is the program called gnuplot another one?");
    }
    put_opening(chart, out);
    while (at < end) {
        size_t taken = put_id(chart, at, out);
        if (!taken) taken = put_colour(at, out);
        if (!taken) taken = skip_title(at);
        if (!taken) fputc(*at, out);
        at += taken ? taken : 1;
    }
    fputs("</svg>\n", out);
    return STATUS_OK;
}
