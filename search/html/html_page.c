#include "search/html/html_page.h"

#include <math.h>
#include <string.h>

#include "search/html/html.h"

static void put_head(struct html_page *page) {
    FILE *out = page->out;
    fputs(HTML_PAGE_MARK, out);
    html_printf(out,
                "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" "
                "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                "<meta name=\"generator\" content=\"{program}\">\n"
                "<title>{name} \xe2\x80\x93 longrope</title>\n<style>\n",
                html_field_text("program", HTML_TEXT, page->program),
                html_get_text(&page->overview, HTML_TEXT, "name"));
    for (size_t i = 0; html_style[i]; i++) fputs(html_style[i], out);
    fputs("</style>\n</head>\n<body>\n<main>\n", out);
}

static void put_header(struct html_page *page) {
    bool done = strcmp(cited_get_text(&page->overview, "state"), "done") == 0;
    char machine[40] = "", people[60] = "";
    struct tm utc;
    if (gmtime_r(&page->written, &utc)) {
        strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%SZ", &utc);
        strftime(people, sizeof people, "%Y-%m-%d %H:%M UTC", &utc);
    }
    html_printf(
        page->out,
        "<header>\n<p class=\"kind\">LongRoPE search</p>\n<h1>{name} <span class=\"state\">{state}</span></h1>\n",
        html_get_text(&page->overview, HTML_NAME, "name"), html_get_text(&page->overview, HTML_TEXT, "state"));
    fputs(done ? "<p>This run is done."
               : "<p><strong>This run is not finished.</strong> The page shows what it has stored so far.",
          page->out);
    html_printf(page->out, " Written at <time datetime=\"{machine}\">{people}</time> by <code>{program}</code>.</p>\n",
                html_field_text("machine", HTML_TEXT, machine), html_field_text("people", HTML_TEXT, people),
                html_field_text("program", HTML_TEXT, page->program));
}

/* The progress and result of each stage, with a link to its section. */
static void put_contents(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    FILE *out = page->out;
    fputs("<nav><ul>\n", out);
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), best = cited_get(&stage, "best");
        fprintf(out, "<li><a href=\"#stage-%zu\">", i);
        struct cited_value cost = cited_get(&stage, "cost");
        html_printf(out,
                    "{name}</a> {evaluations} tables scored, the work of {whole_evaluations} of {planned} evaluations",
                    html_get_text(&stage, HTML_NAME, "name"), html_get_integer(&stage, "evaluations"),
                    html_get_number(&cost, "whole_evaluations", 1), html_get_integer(&stage, "planned"));
        if (cited_known(&best)) html_printf(out, ", perplexity {perplexity}", html_get_perplexity(&best));
        fputs("</li>\n", out);
    }
    if (!cited_count(&stages)) fputs("<li>No stage has begun yet.</li>\n", out);
    fputs("<li><a href=\"#measurements\">Perplexity and pass keys by length</a></li>\n"
          "<li><a href=\"#reproduce\">How to reproduce this run</a></li>\n</ul></nav>\n</header>\n",
          out);
}

/* What the run's table costs where the model was good before. */
static void put_short_window(struct html_page *page) {
    struct cited_value window = cited_get(&page->overview, "short_window");
    FILE *out = page->out;
    if (!cited_known(&window)) return;
    struct cited_value samples = cited_get(&window, "samples"), cost = cited_get(&window, "cost"),
                       own = cited_get(&window, "own_perplexity");
    html_printf(out, "<p id=\"short-window\">Within the old window of {length} tokens",
                html_get_integer(&window, "length"));
    if (cited_known(&cost)) {
        double share = 100.0 * cited_number(&cost);
        html_printf(
            out,
            ", on {windows} of the search's text: perplexity {own} with the model's own table, {perplexity} with "
            "that of stage {table}, {share} % ",
            html_counted(html_field_number("windows", &samples, 0), "window"), html_field_perplexity("own", &own),
            html_get_perplexity(&window), html_get_text(&window, HTML_NAME, "table"),
            html_field_computed("share", fabs(share), 1, "100 * (%s | fabs)", cost.path));
        fputs(share >= 0.0 ? "more." : "less.", out);
    } else {
        html_printf(out, ", the cost of the table of stage {table} was not measured.",
                    html_get_text(&window, HTML_NAME, "table"));
    }
    if (!cited_get_true(&window, "recovered")) {
        fputs(
            " <strong>No table was searched for the old window:</strong> engines use a table for longer inputs there. "
            "A stage of <code>kind: recover</code> searches one.",
            out);
    }
    fputs("</p>\n", out);
}

static void put_footer(FILE *out) {
    fputs("<footer><p>Every number on this page is a rounded number of <code>longrope show --json</code>. The number's "
          "element holds all digits (<code>value</code>) and its source (<code>data-from</code>): a jq path or "
          "expression, with the option of show in front where one is required.</p></footer>\n</main>\n</body>\n"
          "</html>\n",
          out);
}

int html_page_write(struct html_page *page, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    int status = STATUS_OK;
    put_head(page);
    put_header(page);
    put_contents(page);
    put_short_window(page);
    for (size_t i = 0; i < cited_count(&stages) && status == STATUS_OK; i++) status = html_stage(page, i, error);
    if (status == STATUS_OK) status = html_measurements(page, error);
    if (status != STATUS_OK) return status;
    html_choices(page);
    html_reproduce(page);
    put_footer(page->out);
    return STATUS_OK;
}
