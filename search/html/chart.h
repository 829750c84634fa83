/* Charts as SVG for a page: lines, bands and points over two axes, drawn by gnuplot.
 *
 * gnuplot receives only numbers and literals of this program. Names of runs, files and labels never reach it; they are
 * in the page beside the chart. The SVG's colours are variables of the page, var(--chart-N) with N an enum
 * chart_colour, so that one drawing serves light and dark pages.
 */
#ifndef LONGROPE_SEARCH_CHART_H
#define LONGROPE_SEARCH_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/html/gnuplot.h"

enum {
    CHART_WIDTH = 520,  /* units of the SVG; text is CHART_TEXT high */
    CHART_HEIGHT = 340, /* so that on a phone, 360 pixels wide, text still has 11 */
    CHART_TEXT = 16,
    CHART_MAX_SERIES = 24,
    CHART_MAX_TICKS = 32
};

enum chart_colour {
    CHART_INK = 1,   /* axes and text */
    CHART_GRID = 2,  /* lines across the frame */
    CHART_MUTED = 3, /* background */
    CHART_BEST = 4,  /* the best table */
    CHART_FIRST = 8, /* the first of CHART_HUES colours for other series */
    CHART_HUES = 7
};

enum chart_style {
    CHART_LINE,  /* through the points */
    CHART_DOTS,  /* the points alone */
    CHART_BOTH,  /* line and points */
    CHART_STEPS, /* y holds until the next point */
    CHART_BAND   /* between y and y2 */
};

/* A line has a gap where x or y is not finite or its magnitude exceeds 1e100. */
struct chart_series {
    enum chart_style style;
    enum chart_colour colour;
    int dash; /* of the line: 0 solid, 1.. other patterns, which differ without colours */
    size_t count;
    const double *x, *y; /* [count] */
    const double *y2;    /* [count] of a CHART_BAND */
};

struct chart_axis {
    const char *label; /* a literal */
    bool log;
    bool whole;       /* values are whole numbers */
    double low, high; /* its ends; of a log axis above 0 */
    /* Positions of ticks; without any they are multiples of 1, 2 or 5 times a power of ten. */
    size_t tick_count;
    double ticks[CHART_MAX_TICKS];
};

struct chart {
    const char *name;        /* [a-z0-9-]+, unique on the page: the prefix of its ids */
    const char *title;       /* for screen readers; any text */
    const char *description; /* likewise */
    struct chart_axis x, y;
    double mark; /* x of a vertical line; NaN: none */
    size_t count;
    struct chart_series series[CHART_MAX_SERIES]; /* [count], drawn in this order */
};

/* An axis for values low..high, low <= high, with a little room at both ends; logarithmic where `log`. */
struct chart_axis chart_axis_for(const char *label, double low, double high, bool log);

/* Writes the chart as an <svg> element. Errors are those of gnuplot_run(), and STATUS_FAILED where its output is not an
 * SVG of gnuplot. */
int chart_draw(const struct chart *chart, const struct gnuplot *gnuplot, FILE *out, struct error *error);

/* The key of the series in a legend: an <svg> element of a text line's height. */
void chart_key(const struct chart_series *series, FILE *out);

#endif
