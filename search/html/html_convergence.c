/* Convergence of a stage: the best perplexity so far, and the quartiles of each generation, against evaluations. */
#include <math.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* Columns of the chart, one item per generation that is_drawn(). */
struct spread {
    size_t count;
    bool single; /* no generation has a spread: at most one individual of each is scored on all windows */
    double *evaluations, *best, *lower, *median, *upper;
};

static double quartile(const struct cited_value *generation, size_t which) {
    struct cited_value quartiles = cited_get(generation, "quartiles"), one = cited_at(&quartiles, which);
    return cited_number(&one);
}

/* Whether a generation has an individual that is scored on all windows, or that racing stopped. The Bayesian search has
 * many without. */
static bool is_drawn(const struct cited_value *generation) {
    struct cited_value perplexity = cited_get(generation, "perplexity");
    return cited_known(&perplexity) || cited_get_integer(generation, "stopped") > 0;
}

static bool any_is_drawn(const struct cited_value *generations) {
    bool any = false;
    for (size_t i = 0; i < cited_count(generations) && !any; i++) {
        struct cited_value one = cited_at(generations, i);
        any = is_drawn(&one);
    }
    return any;
}

static bool read_spread(const struct cited_value *generations, struct html_figure *figure, struct spread *out) {
    size_t count = cited_count(generations);
    *out = (struct spread){.single = true,
                           .evaluations = html_figure_column(figure, count),
                           .best = html_figure_column(figure, count),
                           .lower = html_figure_column(figure, count),
                           .median = html_figure_column(figure, count),
                           .upper = html_figure_column(figure, count)};
    if (figure->short_of_memory) return false;
    for (size_t i = 0; i < count; i++) {
        struct cited_value one = cited_at(generations, i), best = cited_get(&one, "best");
        if (!is_drawn(&one)) continue;
        size_t at = out->count++;
        out->evaluations[at] = cited_get_number(&one, "evaluations");
        out->best[at] = cited_get_number(&best, "perplexity");
        out->lower[at] = quartile(&one, 0);
        out->median[at] = quartile(&one, 1);
        out->upper[at] = quartile(&one, 2);
        out->single = out->single && out->lower[at] == out->upper[at];
    }
    return true;
}

static double largest(double a, double b) { return isnan(a) || b > a ? b : a; }

/* The frame holds the best so far, the best baseline, and the quartiles from generation 1 on. The first population may
 * lie far above it. */
static void find_frame(const struct spread *spread, double baseline, double *low, double *high) {
    *low = fmin(spread->best[spread->count - 1], baseline);
    *high = largest(spread->best[0], baseline);
    for (size_t i = 0; i < spread->count; i++) {
        if (isnan(*low)) *low = spread->best[i]; /* racing may have stopped all earlier ones */
        if (i > 0 && isfinite(spread->upper[i])) *high = largest(*high, spread->upper[i]);
        if (i > 0 && isfinite(spread->median[i])) *high = largest(*high, spread->median[i]);
    }
    if (isnan(*high)) *high = *low;
}

/* Where a quartile is an individual that racing stopped, its value is unknown, but it is above all that is drawn. */
static void raise_hidden(struct spread *spread, double top) {
    for (size_t i = 0; i < spread->count; i++) {
        if (isnan(spread->upper[i]) && isfinite(spread->lower[i])) spread->upper[i] = top;
    }
}

static void add_series(struct html_figure *figure, const struct spread *spread, const struct cited_value *baseline) {
    const struct chart *chart = &figure->chart;
    double *ends = html_figure_column(figure, 2), *level = html_figure_column(figure, 2);
    size_t count = spread->count;
    if (!spread->single) {
        html_figure_add(figure, "middle half of each generation",
                        &(struct chart_series){.style = CHART_BAND,
                                               .colour = CHART_FIRST,
                                               .count = count,
                                               .x = spread->evaluations,
                                               .y = spread->lower,
                                               .y2 = spread->upper});
    }
    html_figure_add(figure, spread->single ? "tables scored on all windows" : "median of each generation",
                    &(struct chart_series){.style = spread->single ? CHART_DOTS : CHART_BOTH,
                                           .colour = CHART_FIRST,
                                           .count = count,
                                           .x = spread->evaluations,
                                           .y = spread->median});
    if (ends && level && cited_known(baseline)) {
        char legend[100];
        ends[0] = chart->x.low, ends[1] = chart->x.high;
        level[0] = level[1] = cited_get_number(baseline, "perplexity");
        snprintf(legend, sizeof legend, "%.80s, the best baseline", cited_get_text(baseline, "method"));
        html_figure_add(figure, legend,
                        &(struct chart_series){
                            .style = CHART_LINE, .colour = CHART_INK, .dash = 1, .count = 2, .x = ends, .y = level});
    }
    html_figure_add(figure, "best so far",
                    &(struct chart_series){.style = count > 1 ? CHART_STEPS : CHART_DOTS,
                                           .colour = CHART_BEST,
                                           .count = count,
                                           .x = spread->evaluations,
                                           .y = spread->best});
}

static void put_row(FILE *out, const struct cited_value *one) {
    struct cited_value quartiles = cited_get(one, "quartiles"), best = cited_get(one, "best");
    struct cited_value lower = cited_at(&quartiles, 0), median = cited_at(&quartiles, 1),
                       upper = cited_at(&quartiles, 2);
    fputs("<tr>", out);
    html_cells(out, html_get_integer(one, "generation"), html_get_integer(one, "evaluations"),
               html_get_integer(one, "individuals"), html_get_integer(one, "stopped"), html_get_perplexity(one),
               html_field_perplexity("lower", &lower), html_field_perplexity("median", &median),
               html_field_perplexity("upper", &upper), html_get_perplexity(&best), html_get_integer(&best, "id"),
               html_get_text(&best, HTML_TEXT, "origin"));
    fputs("</tr>\n", out);
}

static void put_table(struct html_page *page, const struct cited_value *generations) {
    html_fold_begin(page,
                    "The numbers, one row per generation with a table that is scored on all windows or was cut short",
                    "generation|evaluations so far|individuals|cut short|best of the generation|lower quartile|median|"
                    "upper quartile|"
                    "best so far|individual|origin");
    for (size_t i = 0; i < cited_count(generations); i++) {
        struct cited_value one = cited_at(generations, i);
        if (is_drawn(&one)) put_row(page->out, &one);
    }
    html_fold_end(page);
}

int html_convergence(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages"), stage = cited_at(&stages, index);
    struct cited_value runs = cited_get(&page->generations, "stages"), run = cited_at(&runs, index);
    struct cited_value generations = cited_get(&run, "generations"), baselines = cited_get(&stage, "baselines");
    struct cited_value baseline = cited_least(&baselines, "perplexity");
    struct html_figure figure;
    struct spread spread;
    if (!any_is_drawn(&generations)) return STATUS_OK;
    html_figure_begin(page, &figure);
    if (read_spread(&generations, &figure, &spread)) {
        double low, high, last = spread.evaluations[spread.count - 1];
        find_frame(&spread, cited_get_number(&baseline, "perplexity"), &low, &high);
        if (!isfinite(low) || !isfinite(high)) low = high = 1.0; /* no individual has a perplexity */
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
    int status = html_figure_write(page, &figure, "Convergence", error);
    if (status != STATUS_OK) return status;
    fputs("<figcaption>Each generation is drawn at the number of evaluations up to its end. The band holds half of its "
          "individuals; individuals that racing cut short count as worse than all others. Generations without a table "
          "that is scored on all windows are left out. The table also holds the values above the frame.</figcaption>\n",
          page->out);
    put_table(page, &generations);
    html_figure_end(page);
    return STATUS_OK;
}
