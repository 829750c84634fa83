/* The common parts of all figures: a chart with its legend, and a table of its numbers that unfolds. */
#ifndef LONGROPE_SEARCH_HTML_FIGURE_H
#define LONGROPE_SEARCH_HTML_FIGURE_H

#include "search/html/chart.h"
#include "search/html/html_page.h"

/* A chart that is being made: series are added in the order in which they are drawn. */
struct html_figure {
    struct chart chart;
    char name[32];
    char legend[CHART_MAX_SERIES][160];    /* of each series, any text; "": not in the legend */
    double *columns[3 * CHART_MAX_SERIES]; /* owned */
    size_t column_count;
    bool short_of_memory;
};

/* Zeroed except its name, which is unique on the page. */
void html_figure_begin(struct html_page *page, struct html_figure *figure);
/* A column of NaN for a series' x or y, [count]; freed with the figure. NULL for lack of memory, which
 * html_figure_write() reports; until then the caller continues. */
double *html_figure_column(struct html_figure *figure, size_t count);
/* Adds a series; does nothing where a column is NULL or the chart has CHART_MAX_SERIES. */
void html_figure_add(struct html_figure *figure, const char *legend, const struct chart_series *series);
/* Sets *low and *high to the ends of all finite y so far; false where there are none. */
bool html_figure_range(const struct html_figure *figure, double *low, double *high);

/* Writes <figure>, heading, chart and legend; the caller adds a caption and a table, and ends with html_figure_end().
 * Always frees the columns. */
int html_figure_write(struct html_page *page, struct html_figure *figure, const char *heading, struct error *error);
void html_figure_end(struct html_page *page); /* </figure> */

/* A table that unfolds and scrolls. `heads` are the names of its columns, separated by '|'; a literal. The caller
 * writes the rows between begin and end. */
void html_fold_begin(struct html_page *page, const char *summary, const char *heads);
void html_fold_end(struct html_page *page);
/* A table that is not folded away. */
void html_table_begin(struct html_page *page, const char *heads);
void html_table_end(struct html_page *page);

#endif
