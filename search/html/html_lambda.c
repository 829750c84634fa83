/* The rescale factors of a stage's baselines and best tables, pair by pair. */
#include <math.h>
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* The tables that are drawn, in the order of the legend and of the columns. */
struct tables {
    size_t count;
    struct datum factors[16];
    const char *names[16];
    enum chart_colour colours[16];
    int dashes[16];
};

static void add_table(struct tables *tables, const struct datum *owner, const char *name, enum chart_colour colour,
                      int dash) {
    struct datum factors = datum_get(owner, "factors");
    if (!datum_count(&factors) || tables->count == sizeof tables->factors / sizeof *tables->factors) return;
    tables->factors[tables->count] = factors;
    tables->names[tables->count] = name;
    tables->colours[tables->count] = colour;
    tables->dashes[tables->count++] = dash;
}

static bool same_factors(const struct datum *a, const struct datum *b) {
    return json_equal(json_object_get(a->json, "factors"), json_object_get(b->json, "factors")) == 1;
}

static void find_tables(const struct datum *stage, struct tables *out) {
    struct datum baselines = datum_get(stage, "baselines"), best = datum_get(stage, "best");
    struct datum exportable = datum_get(stage, "best_exportable");
    *out = (struct tables){.count = 0};
    for (size_t i = 0; i < datum_count(&baselines) && i < CHART_HUES; i++) {
        struct datum one = datum_at(&baselines, i);
        add_table(out, &one, datum_get_text(&one, "method"), CHART_FIRST + (enum chart_colour)i, (int)i);
    }
    if (datum_known(&exportable) && !same_factors(&best, &exportable)) {
        add_table(out, &exportable, "best without start tokens", CHART_INK, 5);
    }
    add_table(out, &best, "best", CHART_BEST, 0);
}

static void add_series(struct figure *figure, const struct tables *tables) {
    for (size_t t = 0; t < tables->count; t++) {
        size_t count = datum_count(&tables->factors[t]);
        double *x = figure_column(figure, count), *y = figure_column(figure, count);
        for (size_t i = 0; x && y && i < count; i++) {
            struct datum factor = datum_at(&tables->factors[t], i);
            x[i] = (double)i;
            y[i] = datum_number(&factor);
        }
        figure_add(figure, tables->names[t],
                   &(struct chart_series){.style = CHART_LINE,
                                          .colour = tables->colours[t],
                                          .dash = tables->dashes[t],
                                          .count = count,
                                          .x = x,
                                          .y = y});
    }
}

/* ---- the table ---- */

static void put_heads(FILE *out, const struct tables *tables) {
    fputs("<details><summary>The numbers, a row a rotary pair</summary>\n<div class=\"wide\"><table>\n"
          "<thead><tr><th>pair</th><th>wavelength</th>",
          out);
    for (size_t t = 0; t < tables->count; t++) {
        fputs("<th>", out);
        html_text(out, tables->names[t]);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

/* Of a pair in tokens, before any rescaling. */
static void put_wavelength(FILE *out, const struct datum *stage, size_t pair) {
    struct datum theta = datum_get(stage, "rope_theta"), pairs = datum_get(stage, "pairs");
    double value = 2.0 * M_PI * pow(datum_number(&theta), (double)pair / datum_number(&pairs));
    html_computed(out, value, value < 1000.0 ? 1 : 0, "8 * (1 | atan) * pow(%s; %zu / %s)", theta.path, pair,
                  pairs.path);
}

static void put_rows(struct page *page, const struct datum *stage, const struct tables *tables) {
    int64_t pairs = datum_get_integer(stage, "pairs"), marked = datum_get_integer(stage, "window_pair");
    struct datum mark = datum_get(stage, "window_pair");
    FILE *out = page->out;
    for (size_t i = 0; i < (size_t)pairs; i++) {
        fprintf(out, "<tr%s><th scope=\"row\">%zu</th><td class=\"n\">",
                datum_known(&mark) && (int64_t)i == marked ? " class=\"marked\"" : "", i);
        put_wavelength(out, stage, i);
        fputs("</td>", out);
        for (size_t t = 0; t < tables->count; t++) {
            struct datum factor = datum_at(&tables->factors[t], i);
            fputs("<td class=\"n\">", out);
            html_number(out, &factor, 2);
            fputs("</td>", out);
        }
        fputs("</tr>\n", out);
    }
}

static void put_caption(FILE *out, const struct datum *stage) {
    struct datum mark = datum_get(stage, "window_pair");
    fputs("<figcaption>By how much the frequency of each rotary pair is divided, the fastest pair first. ", out);
    if (datum_known(&mark)) {
        fputs("The dashed upright marks pair ", out);
        html_integer(out, &mark);
        fputs(", the first whose wavelength before any rescaling is the window of ", out);
        html_get_integer(out, stage, "pretrained_length");
        fputs(" tokens or longer: right of it the model has never seen a whole turn.", out);
    } else {
        fputs("Each pair turns at least once within the window of ", out);
        html_get_integer(out, stage, "pretrained_length");
        fputs(" tokens.", out);
    }
    fputs("</figcaption>\n", out);
}

int html_lambda(struct page *page, size_t index, struct error *error) {
    struct datum stages = datum_get(&page->overview, "stages"), stage = datum_at(&stages, index);
    struct datum mark = datum_get(&stage, "window_pair");
    struct tables tables;
    struct figure figure;
    double low, high;
    find_tables(&stage, &tables);
    if (!tables.count) return STATUS_OK;
    figure_begin(page, &figure);
    add_series(&figure, &tables);
    if (!figure_range(&figure, &low, &high) || !(low > 0.0)) low = high = 1.0;
    figure.chart.title = "Rescale factors";
    figure.chart.description = "Rescale factor of each rotary pair, logarithmic, for the baselines and the best table; "
                               "the numbers are in the table below.";
    figure.chart.x = chart_axis_for("rotary pair", 0.0, datum_get_number(&stage, "pairs") - 1.0, false);
    figure.chart.x.whole = true;
    figure.chart.y = chart_axis_for("rescale factor \xce\xbb", low, high, true);
    if (datum_known(&mark)) figure.chart.mark = datum_number(&mark);
    int status = figure_write(page, &figure, "Rescale factors", error);
    if (status != STATUS_OK) return status;
    put_caption(page->out, &stage);
    put_heads(page->out, &tables);
    put_rows(page, &stage, &tables);
    fold_end(page);
    figure_end(page);
    return STATUS_OK;
}
