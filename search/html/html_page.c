#include "search/html/html_page.h"

#include <string.h>

#include "search/html/html.h"
#include "search/html/html_data.h"

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

/* Links to the sections, with the progress of each stage. */
static void put_contents(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    FILE *out = page->out;
    fputs("<nav><ul>\n<li><a href=\"#use\">How to use it</a></li>\n<li><a href=\"#terms\">Terms</a></li>\n", out);
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), cost = cited_get(&stage, "cost");
        bool done = strcmp(cited_get_text(&stage, "state"), "done") == 0;
        fprintf(out, "<li><a href=\"#stage-%zu\">", i);
        html_printf(out, "Stage {name}</a>", html_get_text(&stage, HTML_NAME, "name"));
        if (!done) {
            html_printf(out, " {state}: the work of {whole_evaluations} of {planned} evaluations",
                        html_get_text(&stage, HTML_TEXT, "state"), html_get_number(&cost, "whole_evaluations", 1),
                        html_get_integer(&stage, "planned"));
        }
        fputs("</li>\n", out);
    }
    if (!cited_count(&stages)) fputs("<li>No stage has begun yet.</li>\n", out);
    fputs("<li><a href=\"#measurements\">Perplexity and pass keys by length</a></li>\n"
          "<li><a href=\"#reproduce\">How to reproduce this run</a></li>\n</ul></nav>\n</header>\n",
          out);
}

static void put_footer(FILE *out) {
    fputs("<footer><p>Every number on this page is a rounded number of <code>longrope show --json</code>. The number's "
          "element holds all digits (<code>value</code>) and its source (<code>data-from</code>): a jq path or "
          "expression, with the option of show in front where one is required.</p></footer>\n</main>\n</body>\n"
          "</html>\n",
          out);
}

static int put_body(struct html_page *page, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    int status = STATUS_OK;
    put_header(page);
    html_verdict(page);
    put_contents(page);
    html_use(page);
    html_terms(page);
    for (size_t i = 0; i < cited_count(&stages) && status == STATUS_OK; i++) status = html_stage(page, i, error);
    if (status == STATUS_OK) status = html_measurements(page, error);
    if (status != STATUS_OK) return status;
    html_choices(page);
    html_reproduce(page);
    put_footer(page->out);
    return STATUS_OK;
}

int html_page_write(struct html_page *page, struct error *error) {
    put_head(page);
    html_data_open(page);
    int status = put_body(page, error);
    html_data_close(page);
    return status;
}
