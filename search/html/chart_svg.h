/* From what gnuplot prints to an element of a page. */
#ifndef LONGROPE_SEARCH_CHART_SVG_H
#define LONGROPE_SEARCH_CHART_SVG_H

#include <stdio.h>

#include "eval/base/error.h"
#include "search/html/chart.h"

/* Colour N of a chart in gnuplot's script is rgb '#0000NN', in the page var(--chart-N). */
enum { CHART_COLOURS = 32 };

/* Writes gnuplot's document `svg` as an element: with an opening tag, title and description of our own, its ids led by
 * the chart's name, colours as above, and without its titles. STATUS_FAILED where it is not what gnuplot makes. */
int chart_svg_write(const struct chart *chart, const char *svg, FILE *out, struct error *error);

#endif
