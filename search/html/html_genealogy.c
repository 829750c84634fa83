/* The ancestors of a stage's best individual. */
#include <math.h>
#include <string.h>

#include "search/html/chart.h"
#include "search/html/html.h"
#include "search/html/html_figure.h"

/* Origins of individuals, each with a colour of its own in the chart. */
struct kind {
    const char *origin, *legend;
};
static const struct kind kinds[] = {{"mutation", "mutation"}, {"crossover", "crossover"}, {"sample", "sample"},
                                    {"model", "model"},       {"file", "factor file"},    {NULL, "closed form"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static size_t kind_of(const struct cited_value *individual) {
    const char *origin = cited_get_text(individual, "origin");
    size_t kind = 0;
    while (kinds[kind].origin && strcmp(kinds[kind].origin, origin) != 0) kind++;
    return kind;
}

/* The individual with this id; ids are in ascending order. A value that is not known where there is none. */
static struct cited_value find(const struct cited_value *genealogy, int64_t id) {
    size_t low = 0, high = cited_count(genealogy);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct cited_value one = cited_at(genealogy, middle);
        int64_t found = cited_get_integer(&one, "id");
        if (found == id) return one;
        if (found < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (struct cited_value){.json = NULL};
}

/* ---- the chart ---- */

/* A line from each parent to its child, three items per line: both ends and a gap. */
static void add_descent(struct html_figure *figure, const struct cited_value *genealogy) {
    size_t count = cited_count(genealogy), most = 6 * count, used = 0;
    double *x = html_figure_column(figure, most), *y = html_figure_column(figure, most);
    if (!x || !y) return;
    for (size_t i = 0; i < count; i++) {
        struct cited_value child = cited_at(genealogy, i), parents = cited_get(&child, "parents");
        for (size_t p = 0; p < cited_count(&parents) && p < 2; p++) {
            struct cited_value link = cited_at(&parents, p), parent = find(genealogy, cited_get_integer(&link, "id"));
            x[used] = cited_get_number(&parent, "generation"), y[used++] = cited_get_number(&parent, "perplexity");
            x[used] = cited_get_number(&child, "generation"), y[used++] = cited_get_number(&child, "perplexity");
            used++;
        }
    }
    html_figure_add(figure, "from parent to child",
                    &(struct chart_series){.style = CHART_LINE, .colour = CHART_MUTED, .count = used, .x = x, .y = y});
}

static void add_kind(struct html_figure *figure, const struct cited_value *genealogy, size_t kind) {
    size_t count = cited_count(genealogy), used = 0;
    double *x = html_figure_column(figure, count), *y = html_figure_column(figure, count);
    for (size_t i = 0; x && y && i < count; i++) {
        struct cited_value one = cited_at(genealogy, i);
        if (kind_of(&one) != kind || i + 1 == count) continue;
        x[used] = cited_get_number(&one, "generation");
        y[used++] = cited_get_number(&one, "perplexity");
    }
    if (!used) return;
    html_figure_add(
        figure, kinds[kind].legend,
        &(struct chart_series){
            .style = CHART_DOTS, .colour = CHART_FIRST + (enum chart_colour)kind, .count = used, .x = x, .y = y});
}

static void add_youngest(struct html_figure *figure, const struct cited_value *genealogy) {
    struct cited_value youngest = cited_at(genealogy, cited_count(genealogy) - 1);
    double *x = html_figure_column(figure, 1), *y = html_figure_column(figure, 1);
    if (!x || !y) return;
    x[0] = cited_get_number(&youngest, "generation");
    y[0] = cited_get_number(&youngest, "perplexity");
    html_figure_add(figure, "the best",
                    &(struct chart_series){.style = CHART_DOTS, .colour = CHART_BEST, .count = 1, .x = x, .y = y});
}

/* The frame holds the ancestors after generation 0; the first population may lie far above it. */
static void find_frame(const struct cited_value *genealogy, double *low, double *high) {
    *low = INFINITY, *high = -INFINITY;
    for (size_t i = 0; i < cited_count(genealogy); i++) {
        struct cited_value one = cited_at(genealogy, i);
        double perplexity = cited_get_number(&one, "perplexity");
        if (!isfinite(perplexity)) continue;
        *low = fmin(*low, perplexity);
        if (cited_get_integer(&one, "generation") > 0) *high = fmax(*high, perplexity);
    }
    *high = fmax(*high, *low * 1.01);
}

static int draw(struct html_page *page, const struct cited_value *genealogy, struct error *error) {
    struct html_figure figure;
    double low, high;
    html_figure_begin(page, &figure);
    struct cited_value youngest = cited_at(genealogy, cited_count(genealogy) - 1);
    find_frame(genealogy, &low, &high);
    if (!isfinite(low)) low = high = 1.0;
    figure.chart.title = "Genealogy of the best";
    figure.chart.description = "The ancestors of the best individual: perplexity against generation, with a line from "
                               "each parent to its child; the numbers are in the table below.";
    figure.chart.x = chart_axis_for("generation", 0.0, cited_get_number(&youngest, "generation"), false);
    figure.chart.x.whole = true;
    figure.chart.y = chart_axis_for("perplexity", low, high, false);
    add_descent(&figure, genealogy);
    for (size_t kind = 0; kind < KINDS; kind++) add_kind(&figure, genealogy, kind);
    add_youngest(&figure, genealogy);
    return html_figure_write(page, &figure, "Genealogy of the best", error);
}

/* ---- the table ---- */

static void put_parents(FILE *out, const struct cited_value *individual) {
    struct cited_value parents = cited_get(individual, "parents");
    for (size_t p = 0; p < cited_count(&parents); p++) {
        struct cited_value parent = cited_at(&parents, p);
        if (p) fputs(" and ", out);
        html_printf(out, "{id} ({genes_differing})", html_get_integer(&parent, "id"),
                    html_get_integer(&parent, "genes_differing"));
    }
}

static void put_row(FILE *out, const struct cited_value *one) {
    bool stopped = cited_get_true(one, "stopped"), failed = cited_get_true(one, "failed");
    fputs("<tr>", out);
    html_cells(
        out, html_get_integer(one, "id"), html_get_integer(one, "generation"), html_get_text(one, HTML_TEXT, "origin"),
        html_get_integer(one, "start_tokens"), html_get_number(one, "attention_factor", 4),
        stopped ? html_field_text("perplexity", HTML_TEXT, failed ? "failed" : "cut short") : html_get_perplexity(one),
        html_get_integer(one, "windows"));
    fputs("<td>", out);
    put_parents(out, one);
    fputs("</td></tr>\n", out);
}

static void put_members(FILE *out, const struct cited_value *stage, const struct cited_value *genealogy) {
    html_printf(
        out, "Individual {individual} and its ancestors: {count} of {genes} genes each.",
        html_get_integer(stage, "individual"),
        html_counted(html_field_computed("count", (double)cited_count(genealogy), 0, "%s | length", genealogy->path),
                     "individual"),
        html_get_integer(stage, "genes"));
}

/* The Bayesian search knows the perplexity of few individuals, and of few ancestors. */
static bool all_known(const struct cited_value *genealogy) {
    bool known = true;
    for (size_t i = 0; i < cited_count(genealogy) && known; i++) {
        struct cited_value one = cited_at(genealogy, i);
        known = isfinite(cited_get_number(&one, "perplexity")) || cited_get_true(&one, "stopped");
    }
    return known;
}

static void put_rows(struct html_page *page, const struct cited_value *genealogy, const char *summary) {
    html_fold_begin(
        page, summary,
        "individual|generation|origin|start tokens|attention|perplexity|windows|parents (genes that differ)");
    for (size_t i = 0; i < cited_count(genealogy); i++) {
        struct cited_value one = cited_at(genealogy, i);
        put_row(page->out, &one);
    }
    html_fold_end(page);
}

int html_genealogy(struct html_page *page, size_t index, struct error *error) {
    struct cited_value stages = cited_get(&page->genealogy, "stages"), stage = cited_at(&stages, index);
    struct cited_value genealogy = cited_get(&stage, "genealogy");
    size_t count = cited_count(&genealogy);
    if (!count) return STATUS_OK;
    if (count == 1 || !all_known(&genealogy)) {
        fputs("<div class=\"full\">\n<p class=\"note\">", page->out);
        put_members(page->out, &stage, &genealogy);
        fputs("</p>\n", page->out);
        put_rows(page, &genealogy, "The numbers, one row per individual");
        fputs("</div>\n", page->out);
        return STATUS_OK;
    }
    int status = draw(page, &genealogy, error);
    if (status != STATUS_OK) return status;
    fputs("<figcaption>", page->out);
    put_members(page->out, &stage, &genealogy);
    fputs(" Ancestors in the first population may lie above the frame.</figcaption>\n", page->out);
    put_rows(page, &genealogy, "The numbers, one row per individual");
    html_figure_end(page);
    return STATUS_OK;
}
