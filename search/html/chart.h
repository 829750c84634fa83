/* Charts as SVG for a page: lines, bands and points over two axes, drawn by gnuplot.
 *
 * gnuplot is told numbers, and words that are literals of this program; nothing that a run is called, or a file, ever
 * reaches it: names stand in the page beside the chart. It draws with colours that stand for the page's, so that one
 * drawing serves light and dark pages: its SVG is var(--chart-N), N being an enum chart_colour.
 */
#ifndef LONGROPE_SEARCH_CHART_H
#define LONGROPE_SEARCH_CHART_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/base/error.h"
#include "search/html/gnuplot.h"

enum {
    CHART_WIDTH = 520,  /* units of the SVG, pixels where it is as wide; text has CHART_TEXT */
    CHART_HEIGHT = 340, /* so that on a phone, 360 pixels wide, text still has 11 */
    CHART_TEXT = 16,
    CHART_MAX_SERIES = 24,
    CHART_MAX_TICKS = 32
};

enum chart_colour {
    CHART_INK = 1,   /* axes and text */
    CHART_GRID = 2,  /* lines across the frame */
    CHART_MUTED = 3, /* what stands in the background */
    CHART_BEST = 4,  /* what was found */
    CHART_FIRST = 8, /* the first of CHART_HUES for what else there is */
    CHART_HUES = 7
};

enum chart_style {
    CHART_LINE,  /* through the points */
    CHART_DOTS,  /* the points alone */
    CHART_BOTH,  /* line and points */
    CHART_STEPS, /* y holds until the next point */
    CHART_BAND   /* between y and y2 */
};

/* Where x or y is not finite, or beyond 1e100, the line has a gap. */
struct chart_series {
    enum chart_style style;
    enum chart_colour colour;
    int dash; /* of the line: 0 solid, 1.. others, which are told apart without colours */
    size_t count;
    const double *x, *y; /* [count] */
    const double *y2;    /* [count] of a CHART_BAND */
};

struct chart_axis {
    const char *label; /* a literal */
    bool log;
    bool whole;       /* values are whole numbers */
    double low, high; /* its ends; of a log axis above 0 */
    /* Where they are to be; 0: at multiples of 1, 2 or 5 times a power of ten. */
    size_t tick_count;
    double ticks[CHART_MAX_TICKS];
};

struct chart {
    const char *name;        /* a word [a-z0-9-]+ that no other chart of the page has: its ids begin with it */
    const char *title;       /* for those who do not see it; any text */
    const char *description; /* likewise */
    struct chart_axis x, y;
    double mark; /* x of a vertical line; NaN: none */
    size_t count;
    struct chart_series series[CHART_MAX_SERIES]; /* [count], drawn in this order */
};

/* Room in an axis for values low..high: rounded outwards a little; a log axis where `log`. low <= high. */
struct chart_axis chart_axis_for(const char *label, double low, double high, bool log);

/* Writes the chart as an <svg> element. Errors are those of gnuplot_run(), and STATUS_FAILED where what gnuplot
 * printed is no SVG as it makes them. */
int chart_draw(const struct chart *chart, const struct gnuplot *gnuplot, FILE *out, struct error *error);

/* A line for a legend, an <svg> element as a word is high: how the series looks in the chart. */
void chart_sample(const struct chart_series *series, FILE *out);

#endif
