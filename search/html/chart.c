#include "search/html/chart.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/html/html.h"

/* ---- axes ---- */

/* The limit of every axis: beyond it gnuplot's arithmetic would overflow. Values beyond it are gaps. */
#define CHART_MOST 1e100

enum { MOST_STEPS = 7 }; /* of an axis */

static double clamp(double value) { return fmax(-CHART_MOST, fmin(CHART_MOST, value)); }

struct chart_axis chart_axis_for(const char *label, double low, double high, bool log) {
    struct chart_axis axis = {.label = label, .log = log};
    low = log ? fmax(1.0 / CHART_MOST, clamp(low)) : clamp(low);
    high = fmax(low, clamp(high));
    double room = log ? 0.04 * (log10(high) - log10(low)) : 0.04 * (high - low);
    /* all values are equal, or nearly so: no ticks can stand between numbers that differ in their last digits */
    if (!(room > (log ? 1e-10 : 1e-10 * fabs(high)))) room = log ? 0.1 : 0.05 * fabs(high) + 1e-9;
    axis.low = log ? low / pow(10.0, room) : low - room;
    axis.high = log ? high * pow(10.0, room) : high + room;
    return axis;
}

static void put_tick(FILE *script, double value, bool *first) {
    fprintf(script, "%s'%.6g' %.17g", *first ? "" : ", ", value, value);
    *first = false;
}

/* The least of 1, 2 or 5 times a power of ten of which at most MOST_STEPS fit; at least 1 where values are whole. */
static double step_of(const struct chart_axis *axis) {
    double least = (axis->high - axis->low) / MOST_STEPS, decade = pow(10.0, floor(log10(least)));
    double step = 10.0 * decade;
    if (least <= 5.0 * decade) step = 5.0 * decade;
    if (least <= 2.0 * decade) step = 2.0 * decade;
    return axis->whole && step < 1.0 ? 1.0 : step;
}

static void put_linear_ticks(FILE *script, const char *letter, const struct chart_axis *axis) {
    double step = step_of(axis);
    int decimals = step < 1.0 ? (int)ceil(-log10(step) - 1e-9) : 0;
    fprintf(script, "set %stics %.17g\nset format %s '%%.%df'\n", letter, step, letter, decimals);
}

/* Of a log axis that spans less than a decade. */
static void put_narrow_ticks(FILE *script, const struct chart_axis *axis) {
    bool first = true;
    double step = step_of(axis);
    for (double i = ceil(axis->low / step); i * step <= axis->high; i++) put_tick(script, i * step, &first);
}

/* At powers of ten, and at 2 and 5 times these where there is room. */
static void put_wide_ticks(FILE *script, const struct chart_axis *axis) {
    static const double between[] = {1, 2, 5};
    bool first = true;
    int low = (int)floor(log10(axis->low)), high = (int)ceil(log10(axis->high));
    int each = (high - low) / MOST_STEPS + 1, places = high - low <= 4 ? 3 : 1;
    for (int decade = low; decade <= high; decade += each) {
        for (int i = 0; i < places; i++) {
            double value = between[i] * pow(10.0, decade);
            if (value >= axis->low && value <= axis->high) put_tick(script, value, &first);
        }
    }
}

static void put_ticks(FILE *script, const char *letter, const struct chart_axis *axis) {
    bool first = true;
    if (!axis->tick_count && !axis->log) {
        put_linear_ticks(script, letter, axis);
        return;
    }
    fprintf(script, "set %stics (", letter);
    for (size_t i = 0; i < axis->tick_count; i++) put_tick(script, axis->ticks[i], &first);
    if (!axis->tick_count) (axis->high > 5.0 * axis->low ? put_wide_ticks : put_narrow_ticks)(script, axis);
    fputs(")\n", script);
}

/* A literal in gnuplot's quotes; apostrophes are doubled. */
static void put_words(FILE *script, const char *words) {
    fputc('\'', script);
    for (const char *c = words; *c; c++) {
        if (*c == '\'') fputc('\'', script); /* twice */
        fputc(*c, script);
    }
    fputc('\'', script);
}

static void put_axis(FILE *script, const char *letter, const struct chart_axis *axis) {
    assert(isfinite(axis->low) && isfinite(axis->high) && axis->low < axis->high);
    fprintf(script, "set %srange [%.17g:%.17g]\n", letter, axis->low, axis->high);
    if (axis->log) fprintf(script, "set logscale %s\n", letter);
    put_ticks(script, letter, axis);
}

/* ---- data ---- */

/* True where item `i` is a point, false where it is a gap. */
static bool has_point(const struct chart_series *series, size_t i) {
    return fabs(series->x[i]) <= CHART_MOST && fabs(series->y[i]) <= CHART_MOST &&
           (!series->y2 || fabs(series->y2[i]) <= CHART_MOST);
}

/* A block of rows, "x y" or "x y y2"; an empty line where there is a gap. */
static void put_data(FILE *script, const struct chart_series *series, size_t number) {
    fprintf(script, "$data%zu << END\n", number);
    for (size_t i = 0; i < series->count; i++) {
        bool there = has_point(series, i);
        if (there) fprintf(script, "%.17g %.17g", series->x[i], series->y[i]);
        if (there && series->y2) fprintf(script, " %.17g", series->y2[i]);
        fputc('\n', script);
    }
    fputs("END\n", script);
}

/* gnuplot fails on a series without points. */
static bool has_points(const struct chart_series *series) {
    for (size_t i = 0; i < series->count; i++) {
        if (has_point(series, i)) return true;
    }
    return false;
}

/* Lengths of dashes and gaps, in units of the SVG. */
static const char *const dashes[] = {"", "7,3", "2,3", "9,3,2,3", "5,2", "1,2", "12,4", "9,3,2,3,2,3"};
enum { DASHES = sizeof dashes / sizeof *dashes };

static const char *dash_of(const struct chart_series *series) { return dashes[series->dash % DASHES]; }

static bool is_wide(const struct chart_series *series) { return series->colour == CHART_BEST; }

static void put_style(FILE *script, const struct chart_series *series) {
    static const char *const words[] = {[CHART_LINE] = "lines",
                                        [CHART_DOTS] = "points",
                                        [CHART_BOTH] = "linespoints",
                                        [CHART_STEPS] = "steps",
                                        [CHART_BAND] = "filledcurves"};
    fprintf(script, " with %s", words[series->style]);
    if (series->style == CHART_BAND) {
        fprintf(script, " fc rgb '#0000%02x' fs transparent solid 0.25 noborder", (unsigned)series->colour);
        return;
    }
    fprintf(script, " lc rgb '#0000%02x'", (unsigned)series->colour);
    if (series->style != CHART_DOTS) fprintf(script, " lw %g", is_wide(series) ? 3.0 : 1.75);
    if (series->style == CHART_DOTS || series->style == CHART_BOTH) fputs(" pt 7 ps 0.6", script);
    if (*dash_of(series) && series->style != CHART_DOTS) fprintf(script, " dt (%s)", dash_of(series));
}

/* ---- the script ---- */

static void put_frame(FILE *script, const struct chart *chart) {
    fprintf(script,
            "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,%d'\n"
            "set encoding utf8\n"
            "unset key\n"
            "set border 3 lc rgb '#0000%02x'\n"
            "set tics nomirror out scale 0.5 textcolor rgb '#0000%02x'\n"
            "set grid lc rgb '#0000%02x' lw 1 dt solid\n"
            "set tmargin 2\nset bmargin 2.6\nset rmargin 2.2\nset xtics offset 0,0.35\nset ytics offset 0.4,0\n",
            CHART_WIDTH, CHART_HEIGHT, CHART_TEXT, CHART_INK, CHART_INK, CHART_GRID);
    /* above the axis, because a vertical label would take width, which is scarce on a phone */
    fputs("set label 1 ", script);
    put_words(script, chart->y.label);
    fprintf(script, " at character 0.2, screen 0.95 left textcolor rgb '#0000%02x'\nset xlabel ", CHART_INK);
    put_words(script, chart->x.label);
    fprintf(script, " offset 0,0.85 textcolor rgb '#0000%02x'\n", CHART_INK);
    put_axis(script, "x", &chart->x);
    put_axis(script, "y", &chart->y);
    if (isnan(chart->mark)) return;
    fprintf(script, "set arrow 1 from %.17g, graph 0 to %.17g, graph 1 nohead lc rgb '#0000%02x' lw 1.5 dt (3,3)\n",
            chart->mark, chart->mark, CHART_INK);
}

static void put_script(FILE *script, const struct chart *chart) {
    const char *before = "plot";
    put_frame(script, chart);
    for (size_t i = 0; i < chart->count; i++) {
        if (has_points(&chart->series[i])) put_data(script, &chart->series[i], i);
    }
    for (size_t i = 0; i < chart->count; i++) {
        if (!has_points(&chart->series[i])) continue;
        fprintf(script, "%s $data%zu using %s", before, i, chart->series[i].y2 ? "1:2:3" : "1:2");
        put_style(script, &chart->series[i]);
        before = ",";
    }
    if (*before == 'p') fputs("plot NaN", script); /* the frame alone */
    fputc('\n', script);
}

/* ---- from gnuplot's document to an element of the page ---- */

/* Colour N is rgb '#0000NN' in gnuplot's script and var(--chart-N) in the page. */
enum { CHART_COLOURS = 32 };

/* What is kept of the document begins and ends with these. */
static const char first_tag[] = "<g id=\"gnuplot_canvas\">", last_tag[] = "</svg>";

static void put_opening(const struct chart *chart, FILE *out) {
    fprintf(out, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" ", CHART_WIDTH, CHART_HEIGHT);
    html_printf(out,
                "role=\"img\" aria-labelledby=\"{name}-title\" aria-describedby=\"{name}-description\">\n"
                "<title id=\"{name}-title\">{title}</title>\n<desc id=\"{name}-description\">{description}</desc>\n",
                html_field_text("name", HTML_TEXT, chart->name), html_field_text("title", HTML_TEXT, chart->title),
                html_field_text("description", HTML_TEXT, chart->description));
}

static bool starts_with(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* Ids and references to them: "id='x'" becomes "id='NAME-x'". The number of bytes read, 0 where there is no id. */
static size_t put_id(const struct chart *chart, const char *at, FILE *out) {
    static const char *const before[] = {" id='", " id=\"", "href='#", "url(#"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        if (!starts_with(at, before[i])) continue;
        fprintf(out, "%s%s-", before[i], chart->name);
        return strlen(before[i]);
    }
    return 0;
}

/* "rgb(  0,   0,   7)" or "rgb(0,0,7)" becomes "var(--chart-7)". */
static size_t put_colour(const char *at, FILE *out) {
    int red, green, blue, length = 0;
    if (!starts_with(at, "rgb(") || sscanf(at, "rgb( %d , %d , %d )%n", &red, &green, &blue, &length) != 3) return 0;
    if (!length || red || green || blue < 1 || blue >= CHART_COLOURS) return 0;
    fprintf(out, "var(--chart-%d)", blue);
    return (size_t)length;
}

/* A whole <title> of a plot, which holds the name of its data in the script. */
static size_t skip_title(const char *at) {
    const char *end = starts_with(at, "<title>") ? strstr(at, "</title>") : NULL;
    return end ? (size_t)(end - at) + strlen("</title>") : 0;
}

/* Writes gnuplot's document `svg` as an element with an opening tag, title and description of its own. Ids begin with
 * the chart's name, colours are variables of the page, and gnuplot's titles are left out. STATUS_FAILED where it is not
 * a document as gnuplot makes it. */
static int put_svg(const struct chart *chart, const char *svg, FILE *out, struct error *error) {
    const char *at = strstr(svg, first_tag), *end = at ? strstr(at, last_tag) : NULL;
    if (!end) {
        return error_set(error, STATUS_FAILED,
                         "gnuplot printed a document that is not an SVG of gnuplot 5 or 6; is the program named "
                         "gnuplot another program?");
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

/* ---- the chart ---- */

int chart_draw(const struct chart *chart, const struct gnuplot *gnuplot, FILE *out, struct error *error) {
    char *script = NULL, *svg = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&script, &size);
    if (!memory) return error_memory(error, 0, "a chart");
    put_script(memory, chart);
    bool whole = !ferror(memory);
    whole = fclose(memory) == 0 && whole;
    int status = whole ? gnuplot_run(gnuplot, script, size, &svg, error) : error_memory(error, (double)size, "a chart");
    if (status == STATUS_OK) status = put_svg(chart, svg, out, error);
    free(script);
    free(svg);
    return status;
}

void chart_key(const struct chart_series *series, FILE *out) {
    fprintf(out, "<svg class=\"sample\" viewBox=\"0 0 36 12\" aria-hidden=\"true\">");
    if (series->style == CHART_BAND) {
        fprintf(out, "<path d=\"M0 1h36v10H0z\" fill=\"var(--chart-%d)\" fill-opacity=\"0.25\"/>", series->colour);
    } else if (series->style != CHART_DOTS) {
        fprintf(out, "<path d=\"M0 6h36\" stroke=\"var(--chart-%d)\" stroke-width=\"%g\"", series->colour,
                is_wide(series) ? 3.0 : 2.0);
        if (*dash_of(series)) fprintf(out, " stroke-dasharray=\"%s\"", dash_of(series));
        fputs("/>", out);
    }
    if (series->style == CHART_DOTS || series->style == CHART_BOTH) {
        fprintf(out, "<circle cx=\"18\" cy=\"6\" r=\"3.5\" fill=\"var(--chart-%d)\"/>", series->colour);
    }
    fputs("</svg>", out);
}
