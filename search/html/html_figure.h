/* What the figures of a page have in common: a chart with its legend, and its numbers in a table to unfold. */
#ifndef LONGROPE_SEARCH_HTML_FIGURE_H
#define LONGROPE_SEARCH_HTML_FIGURE_H

#include "search/html/chart.h"
#include "search/html/html_page.h"

/* A chart under way: series are added in the order in which they are drawn. */
struct html_figure {
    struct chart chart;
    char name[32];
    char legend[CHART_MAX_SERIES][160];    /* of each series, any text; "": it stands in none */
    double *columns[3 * CHART_MAX_SERIES]; /* owned */
    size_t column_count;
    bool short_of_memory;
};

/* Zeroed but for its name, which no other figure of the page has. */
void html_figure_begin(struct html_page *page, struct html_figure *figure);
/* A column of NaN for a series' x or y, [count]; freed with the figure. NULL for lack of memory, which
 * html_figure_write() reports: the caller just goes on. */
double *html_figure_column(struct html_figure *figure, size_t count);
/* Adds a series; nothing where a column is NULL or CHART_MAX_SERIES are there. */
void html_figure_add(struct html_figure *figure, const char *legend, const struct chart_series *series);
/* Sets *low and *high to the ends of all finite y so far; false where there are none. */
bool html_figure_range(const struct html_figure *figure, double *low, double *high);

/* <figure>, heading, chart and legend; the caller goes on with a caption and a table, and ends with html_figure_end().
 * Frees the columns, whatever is returned. */
int html_figure_write(struct html_page *page, struct html_figure *figure, const char *heading, struct error *error);
void html_figure_end(struct html_page *page); /* </figure> */

/* Numbers to unfold: <details> with a table that scrolls on its own. `heads` are its columns' names, parted by '|',
 * literals. The caller writes the rows between. */
void html_fold_begin(struct html_page *page, const char *summary, const char *heads);
void html_fold_end(struct html_page *page);
/* A table that is not folded away. */
void html_table_begin(struct html_page *page, const char *heads);
void html_table_end(struct html_page *page);

#endif
