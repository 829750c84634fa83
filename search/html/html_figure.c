#include "search/html/html_figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/html/html.h"

void html_figure_begin(struct html_page *page, struct html_figure *figure) {
    *figure = (struct html_figure){.chart = {.mark = NAN}};
    snprintf(figure->name, sizeof figure->name, "chart-%zu", ++page->charts);
    figure->chart.name = figure->name;
}

double *html_figure_column(struct html_figure *figure, size_t count) {
    double *column = NULL;
    if (figure->column_count < sizeof figure->columns / sizeof *figure->columns) {
        column = malloc((count + 1) * sizeof *column);
    }
    if (!column) {
        figure->short_of_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) column[i] = NAN;
    figure->columns[figure->column_count++] = column;
    return column;
}

void html_figure_add(struct html_figure *figure, const char *legend, const struct chart_series *series) {
    struct chart *chart = &figure->chart;
    if (!series->x || !series->y || chart->count == CHART_MAX_SERIES) return;
    snprintf(figure->legend[chart->count], sizeof *figure->legend, "%s", legend);
    chart->series[chart->count++] = *series;
}

bool html_figure_range(const struct html_figure *figure, double *low, double *high) {
    *low = INFINITY, *high = -INFINITY;
    for (size_t s = 0; s < figure->chart.count; s++) {
        const struct chart_series *series = &figure->chart.series[s];
        for (size_t i = 0; i < series->count; i++) {
            if (!isfinite(series->y[i])) continue;
            *low = fmin(*low, series->y[i]);
            *high = fmax(*high, series->y[i]);
        }
    }
    return *low <= *high;
}

static void put_legend(const struct html_page *page, const struct html_figure *figure) {
    fputs("<ul class=\"legend\">\n", page->out);
    for (size_t i = 0; i < figure->chart.count; i++) {
        if (!*figure->legend[i]) continue;
        fputs("<li>", page->out);
        chart_key(&figure->chart.series[i], page->out);
        html_printf(page->out, "{legend}</li>\n", html_field_text("legend", HTML_NAME, figure->legend[i]));
    }
    fputs("</ul>\n", page->out);
}

int html_figure_write(struct html_page *page, struct html_figure *figure, const char *heading, struct error *error) {
    int status = figure->short_of_memory ? error_memory(error, 0, "the points of a chart") : STATUS_OK;
    if (status == STATUS_OK) {
        fprintf(page->out, "<figure>\n<h3>%s</h3>\n", heading);
        status = chart_draw(&figure->chart, &page->gnuplot, page->out, error);
    }
    if (status == STATUS_OK) put_legend(page, figure);
    for (size_t i = 0; i < figure->column_count; i++) free(figure->columns[i]);
    figure->column_count = 0;
    return status;
}

void html_figure_end(struct html_page *page) { fputs("</figure>\n", page->out); }

/* ---- tables ---- */

void html_table_begin(struct html_page *page, const char *heads) {
    fputs("<div class=\"wide\"><table>\n<thead><tr>", page->out);
    for (const char *head = heads; head; head = strchr(head, '|')) {
        head += head != heads;
        fprintf(page->out, "<th>%.*s</th>", (int)strcspn(head, "|"), head);
    }
    fputs("</tr></thead>\n<tbody>\n", page->out);
}

void html_table_end(struct html_page *page) { fputs("</tbody>\n</table></div>\n", page->out); }

void html_fold_begin(struct html_page *page, const char *summary, const char *heads) {
    fprintf(page->out, "<details><summary>%s</summary>\n", summary);
    html_table_begin(page, heads);
}

void html_fold_end(struct html_page *page) {
    html_table_end(page);
    fputs("</details>\n", page->out);
}
