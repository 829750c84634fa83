/* Convergence of a stage: the best so far and the spread of each generation against evaluations. */
#include <math.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* Columns of the chart, an item a generation. */
struct spread {
    size_t count;
    double *evaluations, *best, *lower, *median, *upper;
};

static double quartile(const struct datum *generation, size_t which) {
    struct datum quartiles = datum_get(generation, "quartiles"), one = datum_at(&quartiles, which);
    return datum_number(&one);
}

static bool read_spread(const struct datum *generations, struct figure *figure, struct spread *out) {
    size_t count = datum_count(generations);
    *out = (struct spread){.count = count,
                           .evaluations = figure_column(figure, count),
                           .best = figure_column(figure, count),
                           .lower = figure_column(figure, count),
                           .median = figure_column(figure, count),
                           .upper = figure_column(figure, count)};
    if (figure->short_of_memory) return false;
    for (size_t i = 0; i < count; i++) {
        struct datum one = datum_at(generations, i), best = datum_get(&one, "best");
        out->evaluations[i] = datum_get_number(&one, "evaluations");
        out->best[i] = datum_get_number(&best, "perplexity");
        out->lower[i] = quartile(&one, 0);
        out->median[i] = quartile(&one, 1);
        out->upper[i] = quartile(&one, 2);
    }
    return true;
}

static double largest(double a, double b) { return isnan(a) || b > a ? b : a; }

/* What the frame is to hold: the way down of the best, the best baseline, and the spread once the search has begun.
 * The first population may lie far above. */
static void find_frame(const struct spread *spread, double baseline, double *low, double *high) {
    *low = fmin(spread->best[spread->count - 1], baseline);
    *high = largest(spread->best[0], baseline);
    for (size_t i = 0; i < spread->count; i++) {
        if (isnan(*low)) *low = spread->best[i]; /* racing may have stopped all before */
        if (i > 0 && isfinite(spread->upper[i])) *high = largest(*high, spread->upper[i]);
        if (i > 0 && isfinite(spread->median[i])) *high = largest(*high, spread->median[i]);
    }
    if (isnan(*high)) *high = *low;
}

/* Where what racing cut short hides a quartile, it is known to be no lower than all that is drawn. */
static void raise_hidden(struct spread *spread, double top) {
    for (size_t i = 0; i < spread->count; i++) {
        if (isnan(spread->upper[i]) && isfinite(spread->lower[i])) spread->upper[i] = top;
    }
}

static void add_series(struct figure *figure, const struct spread *spread, const struct datum *baseline) {
    const struct chart *chart = &figure->chart;
    double *ends = figure_column(figure, 2), *level = figure_column(figure, 2);
    size_t count = spread->count;
    figure_add(figure, "middle half of a generation",
               &(struct chart_series){.style = CHART_BAND,
                                      .colour = CHART_FIRST,
                                      .count = count,
                                      .x = spread->evaluations,
                                      .y = spread->lower,
                                      .y2 = spread->upper});
    figure_add(
        figure, "its median",
        &(struct chart_series){
            .style = CHART_BOTH, .colour = CHART_FIRST, .count = count, .x = spread->evaluations, .y = spread->median});
    if (ends && level && datum_known(baseline)) {
        char legend[100];
        ends[0] = chart->x.low, ends[1] = chart->x.high;
        level[0] = level[1] = datum_get_number(baseline, "perplexity");
        snprintf(legend, sizeof legend, "%.80s, the best baseline", datum_get_text(baseline, "method"));
        figure_add(figure, legend,
                   &(struct chart_series){
                       .style = CHART_LINE, .colour = CHART_INK, .dash = 1, .count = 2, .x = ends, .y = level});
    }
    figure_add(figure, "best so far",
               &(struct chart_series){.style = count > 1 ? CHART_STEPS : CHART_DOTS,
                                      .colour = CHART_BEST,
                                      .count = count,
                                      .x = spread->evaluations,
                                      .y = spread->best});
}

static void put_row(FILE *out, const struct datum *one) {
    struct datum quartiles = datum_get(one, "quartiles"), best = datum_get(one, "best");
    fputs("<tr>", out);
    html_cell_integer(out, one, "generation");
    html_cell_integer(out, one, "evaluations");
    html_cell_integer(out, one, "individuals");
    html_cell_integer(out, one, "stopped");
    html_cell_perplexity(out, one, "perplexity");
    for (size_t i = 0; i < 3; i++) {
        struct datum quarter = datum_at(&quartiles, i);
        fputs("<td class=\"n\">", out);
        html_perplexity(out, &quarter);
        fputs("</td>", out);
    }
    html_cell_perplexity(out, &best, "perplexity");
    html_cell_integer(out, &best, "id");
    fputs("<td>", out);
    html_get_text(out, &best, "origin");
    fputs("</td></tr>\n", out);
}

static void put_table(struct page *page, const struct datum *generations) {
    fold_begin(page, "The numbers, a row a generation",
               "generation|evaluations so far|individuals|cut short|its best|lower quartile|median|upper quartile|"
               "best so far|individual|origin");
    for (size_t i = 0; i < datum_count(generations); i++) {
        struct datum one = datum_at(generations, i);
        put_row(page->out, &one);
    }
    fold_end(page);
}

int html_convergence(struct page *page, size_t index, struct error *error) {
    struct datum stages = datum_get(&page->overview, "stages"), stage = datum_at(&stages, index);
    struct datum runs = datum_get(&page->generations, "stages"), run = datum_at(&runs, index);
    struct datum generations = datum_get(&run, "generations"), baselines = datum_get(&stage, "baselines");
    struct datum baseline = datum_least(&baselines, "perplexity");
    struct figure figure;
    struct spread spread;
    if (!datum_count(&generations)) return STATUS_OK;
    figure_begin(page, &figure);
    if (read_spread(&generations, &figure, &spread)) {
        double low, high, last = spread.evaluations[spread.count - 1];
        find_frame(&spread, datum_get_number(&baseline, "perplexity"), &low, &high);
        if (!isfinite(low) || !isfinite(high)) low = high = 1.0; /* nothing has a perplexity */
        figure.chart.title = "Convergence";
        figure.chart.description = "Best perplexity so far and quartiles of each generation against evaluations; the "
                                   "numbers are in the table below.";
        figure.chart.x = chart_axis_for("evaluations", 0.0, last, false);
        figure.chart.x.low = 0.0;
        figure.chart.x.whole = true;
        figure.chart.y = chart_axis_for("perplexity", low, high, false);
        raise_hidden(&spread, figure.chart.y.high);
        add_series(&figure, &spread, &baseline);
    }
    int status = figure_write(page, &figure, "Convergence", error);
    if (status != STATUS_OK) return status;
    fputs("<figcaption>Each generation stands at the evaluations made up to its end. Half of its individuals lie in "
          "the band; those that racing cut short count as worse than all others. What lies above the frame is in the "
          "table.</figcaption>\n",
          page->out);
    put_table(page, &generations);
    figure_end(page);
    return STATUS_OK;
}
