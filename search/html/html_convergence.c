/* Convergence of a stage: the best perplexity so far, and the quartiles of each generation, against the work. */
#include <math.h>
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* Columns of the chart. x is the work in evaluations or, in a run of an older version that did not store it, the number
 * of individuals. */
struct spread {
    bool timed;   /* x is the work */
    bool partial; /* some individuals are scored on some windows only: quartiles say nothing of a generation */
    bool single;  /* no generation has a spread */
    size_t count; /* generations that is_drawn() */
    double *x, *lower, *median, *upper;
    double *best;       /* of this and all earlier generations */
    size_t steps;       /* improvements, and the end of the search */
    double *at, *level; /* [steps]: x and the best perplexity */
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

static void read_generations(const struct cited_value *generations, struct spread *out) {
    for (size_t i = 0; i < cited_count(generations); i++) {
        struct cited_value one = cited_at(generations, i), best = cited_get(&one, "best");
        if (!is_drawn(&one)) continue;
        size_t at = out->count++;
        out->x[at] = cited_get_number(&one, out->timed ? "work" : "evaluations");
        out->best[at] = cited_get_number(&best, "perplexity");
        if (out->partial) continue;
        out->lower[at] = quartile(&one, 0);
        out->median[at] = quartile(&one, 1);
        out->upper[at] = quartile(&one, 2);
        out->single = out->single && out->lower[at] == out->upper[at];
    }
}

static void read_improvements(const struct cited_value *improvements, struct spread *out) {
    for (size_t i = 0; i < cited_count(improvements); i++) {
        struct cited_value one = cited_at(improvements, i);
        size_t at = out->steps++;
        out->at[at] = out->timed ? cited_get_number(&one, "work") : cited_get_number(&one, "id") + 1.0;
        out->level[at] = cited_get_number(&one, "perplexity");
    }
}

/* `stage` of `show --json` and `run` of `show --generations --json`. */
static bool read_spread(const struct cited_value *stage, const struct cited_value *run, struct html_figure *figure,
                        struct spread *out) {
    struct cited_value generations = cited_get(run, "generations"), improvements = cited_get(run, "improvements");
    struct cited_value cost = cited_get(stage, "cost");
    size_t count = cited_count(&generations), steps = cited_count(&improvements) + 1;
    struct cited_value last = cited_at(&generations, count - 1), work = cited_get(&last, "work");
    *out = (struct spread){.single = true,
                           .timed = cited_known(&work),
                           .x = html_figure_column(figure, count),
                           .best = html_figure_column(figure, count),
                           .lower = html_figure_column(figure, count),
                           .median = html_figure_column(figure, count),
                           .upper = html_figure_column(figure, count),
                           .at = html_figure_column(figure, steps),
                           .level = html_figure_column(figure, steps)};
    if (figure->short_of_memory) return false;
    out->partial = cited_get_integer(&cost, "complete") + cited_get_integer(&cost, "stopped") +
                       cited_get_integer(&cost, "failed") <
                   cited_get_integer(stage, "evaluations");
    read_generations(&generations, out);
    read_improvements(&improvements, out);
    if (!out->steps) return true;
    out->at[out->steps] =
        out->timed ? cited_get_number(&cost, "whole_evaluations") : cited_get_number(stage, "evaluations");
    out->level[out->steps] = out->level[out->steps - 1];
    out->steps++;
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

static void add_baseline(struct html_figure *figure, const struct cited_value *baseline) {
    const struct chart *chart = &figure->chart;
    double *ends = html_figure_column(figure, 2), *level = html_figure_column(figure, 2);
    char legend[100];
    if (!ends || !level || !cited_known(baseline)) return;
    ends[0] = chart->x.low, ends[1] = chart->x.high;
    level[0] = level[1] = cited_get_number(baseline, "perplexity");
    const char *method = cited_get_text(baseline, "method");
    snprintf(legend, sizeof legend, "%.60s, the %s", method,
             strcmp(method, "none") == 0 ? "unchanged model" : "best closed form");
    html_figure_add(
        figure, legend,
        &(struct chart_series){.style = CHART_LINE, .colour = CHART_INK, .dash = 1, .count = 2, .x = ends, .y = level});
}

static void add_series(struct html_figure *figure, const struct spread *spread, const struct cited_value *baseline) {
    if (!spread->partial && !spread->single) {
        html_figure_add(figure, "middle half of each generation",
                        &(struct chart_series){.style = CHART_BAND,
                                               .colour = CHART_FIRST,
                                               .count = spread->count,
                                               .x = spread->x,
                                               .y = spread->lower,
                                               .y2 = spread->upper});
    }
    if (!spread->partial) {
        html_figure_add(figure, spread->single ? "tables scored on all windows" : "median of each generation",
                        &(struct chart_series){.style = spread->single ? CHART_DOTS : CHART_BOTH,
                                               .colour = CHART_FIRST,
                                               .count = spread->count,
                                               .x = spread->x,
                                               .y = spread->median});
    }
    add_baseline(figure, baseline);
    html_figure_add(
        figure, "best so far",
        &(struct chart_series){
            .style = CHART_STEPS, .colour = CHART_BEST, .count = spread->steps, .x = spread->at, .y = spread->level});
    html_figure_add(figure, "",
                    &(struct chart_series){.style = CHART_DOTS,
                                           .colour = CHART_BEST,
                                           .count = spread->steps ? spread->steps - 1 : 0,
                                           .x = spread->at,
                                           .y = spread->level});
}

static void put_row(FILE *out, const struct cited_value *one) {
    struct cited_value quartiles = cited_get(one, "quartiles"), best = cited_get(one, "best");
    struct cited_value lower = cited_at(&quartiles, 0), median = cited_at(&quartiles, 1),
                       upper = cited_at(&quartiles, 2);
    fputs("<tr>", out);
    html_cells(out, html_get_integer(one, "generation"), html_get_short(one, "work"),
               html_get_integer(one, "evaluations"), html_get_integer(one, "individuals"),
               html_get_integer(one, "stopped"), html_get_perplexity(one), html_field_perplexity("lower", &lower),
               html_field_perplexity("median", &median), html_field_perplexity("upper", &upper),
               html_get_perplexity(&best), html_get_integer(&best, "id"), html_get_text(&best, HTML_TEXT, "origin"));
    fputs("</tr>\n", out);
}

static void put_table(struct html_page *page, const struct cited_value *generations) {
    html_fold_begin(page,
                    "The numbers, one row per generation with a table that is scored on all windows or was cut short",
                    "generation|work|individuals so far|individuals|cut short|best of the generation|lower quartile|"
                    "median|upper quartile|best so far|individual|origin");
    for (size_t i = 0; i < cited_count(generations); i++) {
        struct cited_value one = cited_at(generations, i);
        if (is_drawn(&one)) put_row(page->out, &one);
    }
    html_fold_end(page);
}

static void put_improvements(struct html_page *page, const struct cited_value *improvements) {
    html_fold_begin(page, "The tables that were better than all before",
                    "work|individual|generation|origin|perplexity");
    for (size_t i = 0; i < cited_count(improvements); i++) {
        struct cited_value one = cited_at(improvements, i);
        fputs("<tr>", page->out);
        html_cells(page->out, html_get_short(&one, "work"), html_get_integer(&one, "id"),
                   html_get_integer(&one, "generation"), html_get_text(&one, HTML_TEXT, "origin"),
                   html_get_perplexity(&one));
        fputs("</tr>\n", page->out);
    }
    html_fold_end(page);
}

static void put_caption(FILE *out, bool band) {
    fputs("<figcaption>An evaluation is a score on all windows; the scores of single windows add up to evaluations. A "
          "table is drawn at the work of the search when its score on all windows was known.",
          out);
    if (band) {
        fputs(" The band holds half of a generation's individuals; those that racing cut short count as worse than all "
              "others.",
              out);
    }
    fputs(" Values above the frame are in the table.</figcaption>\n", out);
}

int html_convergence(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages"), stage = cited_at(&stages, index);
    struct cited_value runs = cited_get(&page->generations, "stages"), run = cited_at(&runs, index);
    struct cited_value generations = cited_get(&run, "generations"), improvements = cited_get(&run, "improvements");
    struct cited_value baselines = cited_get(&stage, "baselines"), baseline = cited_least(&baselines, "perplexity");
    struct html_figure figure;
    struct spread spread;
    if (!any_is_drawn(&generations)) return STATUS_OK;
    html_figure_begin(page, &figure);
    if (read_spread(&stage, &run, &figure, &spread)) {
        double low, high, last = spread.steps ? spread.at[spread.steps - 1] : spread.x[spread.count - 1];
        find_frame(&spread, cited_get_number(&baseline, "perplexity"), &low, &high);
        if (!isfinite(low) || !isfinite(high)) low = high = 1.0; /* no individual has a perplexity */
        figure.chart.title = "Convergence";
        figure.chart.description = "Best perplexity so far and quartiles of each generation against the work; the "
                                   "numbers are in the tables below.";
        figure.chart.x = chart_axis_for(spread.timed ? "evaluations" : "individuals", 0.0, last, false);
        figure.chart.x.low = 0.0;
        figure.chart.x.whole = true;
        figure.chart.y = chart_axis_for("perplexity", low, high, false);
        raise_hidden(&spread, figure.chart.y.high);
        add_series(&figure, &spread, &baseline);
    }
    int status = html_figure_write(page, &figure, "Convergence", error);
    if (status != STATUS_OK) return status;
    put_caption(page->out, !spread.partial && !spread.single);
    if (cited_count(&improvements)) put_improvements(page, &improvements);
    put_table(page, &generations);
    html_figure_end(page);
    return STATUS_OK;
}
