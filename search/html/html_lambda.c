/* The rescale factors of a stage's baselines and best tables, pair by pair. */
#include <math.h>
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* The tables that are drawn, in the order of the legend and of the columns. */
struct tables {
    size_t count;
    struct cited_value factors[16];
    const char *names[16];
    enum chart_colour colours[16];
    int dashes[16];
};

static void add_table(struct tables *tables, const struct cited_value *owner, const char *name,
                      enum chart_colour colour, int dash) {
    struct cited_value factors = cited_get(owner, "factors");
    if (!cited_count(&factors) || tables->count == sizeof tables->factors / sizeof *tables->factors) return;
    tables->factors[tables->count] = factors;
    tables->names[tables->count] = name;
    tables->colours[tables->count] = colour;
    tables->dashes[tables->count++] = dash;
}

static bool same_factors(const struct cited_value *a, const struct cited_value *b) {
    return json_equal(json_object_get(a->json, "factors"), json_object_get(b->json, "factors")) == 1;
}

static void find_tables(const struct cited_value *stage, struct tables *out) {
    struct cited_value baselines = cited_get(stage, "baselines"), best = cited_get(stage, "best");
    struct cited_value exportable = cited_get(stage, "best_exportable");
    *out = (struct tables){.count = 0};
    for (size_t i = 0; i < cited_count(&baselines) && i < CHART_HUES; i++) {
        struct cited_value one = cited_at(&baselines, i);
        add_table(out, &one, cited_get_text(&one, "method"), CHART_FIRST + (enum chart_colour)i, (int)i);
    }
    if (cited_known(&exportable) && !same_factors(&best, &exportable)) {
        add_table(out, &exportable, "best without start tokens", CHART_INK, 5);
    }
    add_table(out, &best, "best", CHART_BEST, 0);
}

static void add_series(struct html_figure *figure, const struct tables *tables) {
    for (size_t t = 0; t < tables->count; t++) {
        size_t count = cited_count(&tables->factors[t]);
        double *x = html_figure_column(figure, count), *y = html_figure_column(figure, count);
        for (size_t i = 0; x && y && i < count; i++) {
            struct cited_value factor = cited_at(&tables->factors[t], i);
            x[i] = (double)i;
            y[i] = cited_number(&factor);
        }
        html_figure_add(figure, tables->names[t],
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
static void put_wavelength(FILE *out, const struct cited_value *stage, size_t pair) {
    struct cited_value theta = cited_get(stage, "rope_theta"), pairs = cited_get(stage, "pairs");
    double value = 2.0 * M_PI * pow(cited_number(&theta), (double)pair / cited_number(&pairs));
    html_computed(out, value, value < 1000.0 ? 1 : 0, "8 * (1 | atan) * pow(%s; %zu / %s)", theta.path, pair,
                  pairs.path);
}

static void put_rows(struct html_page *page, const struct cited_value *stage, const struct tables *tables) {
    int64_t pairs = cited_get_integer(stage, "pairs"), marked = cited_get_integer(stage, "window_pair");
    struct cited_value mark = cited_get(stage, "window_pair");
    FILE *out = page->out;
    for (size_t i = 0; i < (size_t)pairs; i++) {
        fprintf(out, "<tr%s><th scope=\"row\">%zu</th><td class=\"n\">",
                cited_known(&mark) && (int64_t)i == marked ? " class=\"marked\"" : "", i);
        put_wavelength(out, stage, i);
        fputs("</td>", out);
        for (size_t t = 0; t < tables->count; t++) {
            struct cited_value factor = cited_at(&tables->factors[t], i);
            fputs("<td class=\"n\">", out);
            html_number(out, &factor, 2);
            fputs("</td>", out);
        }
        fputs("</tr>\n", out);
    }
}

static void put_caption(FILE *out, const struct cited_value *stage) {
    struct cited_value mark = cited_get(stage, "window_pair");
    fputs("<figcaption>By how much the frequency of each rotary pair is divided, the fastest pair first. ", out);
    if (cited_known(&mark)) {
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

int html_lambda(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages"), stage = cited_at(&stages, index);
    struct cited_value mark = cited_get(&stage, "window_pair");
    struct tables tables;
    struct html_figure figure;
    double low, high;
    find_tables(&stage, &tables);
    if (!tables.count) return STATUS_OK;
    html_figure_begin(page, &figure);
    add_series(&figure, &tables);
    if (!html_figure_range(&figure, &low, &high) || !(low > 0.0)) low = high = 1.0;
    figure.chart.title = "Rescale factors";
    figure.chart.description = "Rescale factor of each rotary pair, logarithmic, for the baselines and the best table; "
                               "the numbers are in the table below.";
    figure.chart.x = chart_axis_for("rotary pair", 0.0, cited_get_number(&stage, "pairs") - 1.0, false);
    figure.chart.x.whole = true;
    figure.chart.y = chart_axis_for("rescale factor \xce\xbb", low, high, true);
    if (cited_known(&mark)) figure.chart.mark = cited_number(&mark);
    int status = html_figure_write(page, &figure, "Rescale factors", error);
    if (status != STATUS_OK) return status;
    put_caption(page->out, &stage);
    put_heads(page->out, &tables);
    put_rows(page, &stage, &tables);
    html_fold_end(page);
    html_figure_end(page);
    return STATUS_OK;
}
