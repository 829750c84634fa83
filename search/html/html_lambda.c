/* The rescale factors of a stage's baselines and best tables, pair by pair. */
#include <math.h>
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* The factor tables of the stage, in the order of the columns. Three at most are drawn each in a colour of its own:
 * more curves could not be told apart. */
struct lambda_curves {
    size_t count;
    struct cited_value factors[16];
    const char *names[16];
    enum chart_colour colours[16]; /* CHART_MUTED: one of the others, which are one series */
    int dashes[16];
};

static void add_curve(struct lambda_curves *curves, const struct cited_value *owner, const char *name,
                      enum chart_colour colour, int dash) {
    struct cited_value factors = cited_get(owner, "factors");
    if (!cited_count(&factors) || curves->count == sizeof curves->factors / sizeof *curves->factors) return;
    curves->factors[curves->count] = factors;
    curves->names[curves->count] = name;
    curves->colours[curves->count] = colour;
    curves->dashes[curves->count++] = dash;
}

static bool same_factors(const struct cited_value *a, const struct cited_value *b) {
    return json_equal(json_object_get(a->json, "factors"), json_object_get(b->json, "factors")) == 1;
}

static void find_curves(const struct cited_value *stage, struct lambda_curves *out) {
    struct cited_value baselines = cited_get(stage, "baselines"), best = cited_get(stage, "best");
    struct cited_value exportable = cited_get(stage, "best_exportable"), least = cited_least(&baselines, "perplexity");
    *out = (struct lambda_curves){.count = 0};
    for (size_t i = 0; i < cited_count(&baselines) && i < CHART_HUES; i++) {
        struct cited_value one = cited_at(&baselines, i);
        bool first = one.json == least.json;
        add_curve(out, &one, cited_get_text(&one, "method"), first ? CHART_FIRST : CHART_MUTED, first ? 1 : 0);
    }
    if (cited_known(&exportable) && !same_factors(&best, &exportable)) {
        add_curve(out, &exportable, "best without start tokens", CHART_INK, 5);
    }
    add_curve(out, &best, "best", CHART_BEST, 0);
}

/* The points of curve `t`, from column item `used` on; the items behind them. */
static size_t put_points(const struct lambda_curves *curves, size_t t, double *x, double *y, size_t used) {
    for (size_t i = 0; i < cited_count(&curves->factors[t]); i++, used++) {
        struct cited_value factor = cited_at(&curves->factors[t], i);
        x[used] = (double)i;
        y[used] = cited_number(&factor);
    }
    return used;
}

/* The faint curves as one series, with a gap behind each. */
static void add_others(struct html_figure *figure, const struct lambda_curves *curves) {
    size_t most = 0, used = 0;
    for (size_t t = 0; t < curves->count; t++) most += cited_count(&curves->factors[t]) + 1;
    double *x = html_figure_column(figure, most), *y = html_figure_column(figure, most);
    for (size_t t = 0; x && y && t < curves->count; t++) {
        if (curves->colours[t] == CHART_MUTED) used = put_points(curves, t, x, y, used) + 1;
    }
    if (!used) return;
    html_figure_add(figure, "the other closed forms",
                    &(struct chart_series){.style = CHART_LINE, .colour = CHART_MUTED, .count = used, .x = x, .y = y});
}

static void add_series(struct html_figure *figure, const struct lambda_curves *curves) {
    add_others(figure, curves);
    for (size_t t = 0; t < curves->count; t++) {
        if (curves->colours[t] == CHART_MUTED) continue;
        size_t count = cited_count(&curves->factors[t]);
        double *x = html_figure_column(figure, count), *y = html_figure_column(figure, count);
        char legend[100];
        if (x && y) put_points(curves, t, x, y, 0);
        snprintf(legend, sizeof legend, "%.60s%s", curves->names[t],
                 curves->colours[t] != CHART_FIRST       ? ""
                 : strcmp(curves->names[t], "none") == 0 ? ", the unchanged model"
                                                         : ", the best closed form");
        html_figure_add(figure, legend,
                        &(struct chart_series){.style = CHART_LINE,
                                               .colour = curves->colours[t],
                                               .dash = curves->dashes[t],
                                               .count = count,
                                               .x = x,
                                               .y = y});
    }
}

/* ---- the table ---- */

static void put_heads(FILE *out, const struct lambda_curves *curves) {
    fputs("<details><summary>The numbers, one row per rotary pair</summary>\n<div class=\"wide\"><table>\n"
          "<thead><tr><th>pair</th><th>wavelength</th>",
          out);
    for (size_t t = 0; t < curves->count; t++) {
        html_printf(out, "<th>{table}</th>", html_field_text("table", HTML_TEXT, curves->names[t]));
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

/* Of a pair, in tokens, before any rescaling. */
static struct html_field wavelength_of(const struct cited_value *stage, size_t pair) {
    struct cited_value theta = cited_get(stage, "rope_theta"), pairs = cited_get(stage, "pairs");
    double value = 2.0 * M_PI * pow(cited_number(&theta), (double)pair / cited_number(&pairs));
    return html_field_computed("wavelength", value, value < 1000.0 ? 1 : 0, "8 * (1 | atan) * pow(%s; %zu / %s)",
                               theta.path, pair, pairs.path);
}

static void put_rows(FILE *out, const struct cited_value *stage, const struct lambda_curves *curves) {
    int64_t pairs = cited_get_integer(stage, "pairs"), marked = cited_get_integer(stage, "window_pair");
    struct cited_value mark = cited_get(stage, "window_pair");
    for (size_t i = 0; i < (size_t)pairs; i++) {
        fprintf(out, "<tr%s><th scope=\"row\">%zu</th>",
                cited_known(&mark) && (int64_t)i == marked ? " class=\"marked\"" : "", i);
        html_printf(out, "<td class=\"n\">{wavelength}</td>", wavelength_of(stage, i));
        for (size_t t = 0; t < curves->count; t++) {
            struct cited_value factor = cited_at(&curves->factors[t], i);
            html_printf(out, "<td class=\"n\">{factor}</td>", html_field_number("factor", &factor, 2));
        }
        fputs("</tr>\n", out);
    }
}

static void put_caption(FILE *out, const struct cited_value *stage) {
    struct cited_value mark = cited_get(stage, "window_pair");
    fputs("<figcaption>The frequency of each rotary pair is divided by its rescale factor. The "
          "fastest pair is on the left. ",
          out);
    if (cited_known(&mark)) {
        html_printf(out,
                    "The dashed vertical line marks pair {window_pair}, the first pair whose wavelength before "
                    "rescaling is at least the window of {pretrained_length} tokens. The model has never seen a whole "
                    "turn of the pairs to the right of it.</figcaption>\n",
                    html_get_integer(stage, "window_pair"), html_get_integer(stage, "pretrained_length"));
    } else {
        html_printf(out,
                    "Each pair turns at least once within the window of {pretrained_length} tokens.</figcaption>\n",
                    html_get_integer(stage, "pretrained_length"));
    }
}

int html_lambda(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages"), stage = cited_at(&stages, index);
    struct cited_value mark = cited_get(&stage, "window_pair");
    struct lambda_curves curves;
    struct html_figure figure;
    double low, high;
    find_curves(&stage, &curves);
    if (!curves.count) return STATUS_OK;
    html_figure_begin(page, &figure);
    add_series(&figure, &curves);
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
    put_heads(page->out, &curves);
    put_rows(page->out, &stage, &curves);
    html_fold_end(page);
    html_figure_end(page);
    return STATUS_OK;
}
