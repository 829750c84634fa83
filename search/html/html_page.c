#include "search/html/html_page.h"

#include <string.h>

#include "search/html/html.h"

static void put_head(struct html_page *page) {
    FILE *out = page->out;
    fputs(HTML_PAGE_MARK, out);
    fputs("<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"generator\" content=\"",
          out);
    html_text(out, page->program);
    fputs("\">\n<title>", out);
    html_get_text(out, &page->overview, "name");
    fputs(" \xe2\x80\x93 longrope</title>\n<style>\n", out);
    for (size_t i = 0; html_style[i]; i++) fputs(html_style[i], out);
    fputs("</style>\n</head>\n<body>\n<main>\n", out);
}

static void put_time(struct html_page *page) {
    char machine[40] = "", people[60] = "";
    struct tm utc;
    if (gmtime_r(&page->written, &utc)) {
        strftime(machine, sizeof machine, "%Y-%m-%dT%H:%M:%SZ", &utc);
        strftime(people, sizeof people, "%Y-%m-%d %H:%M UTC", &utc);
    }
    fprintf(page->out, "<time datetime=\"%s\">%s</time>", machine, people);
}

static void put_header(struct html_page *page) {
    const char *state = cited_get_text(&page->overview, "state");
    bool over = strcmp(state, "done") == 0;
    FILE *out = page->out;
    fputs("<header>\n<p class=\"kind\">LongRoPE search</p>\n<h1>", out);
    html_get_name(out, &page->overview, "name");
    fputs(" <span class=\"state\">", out);
    html_text(out, state);
    fputs("</span></h1>\n<p>", out);
    fputs(over ? "This run is done. Written at " : "<strong>This run is not over.</strong> It is shown as it was at ",
          out);
    put_time(page);
    fputs(" by <code>", out);
    html_text(out, page->program);
    fputs("</code>.</p>\n", out);
}

/* How far each stage is and what it has found; a link to each. */
static void put_contents(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    FILE *out = page->out;
    fputs("<nav><ul>\n", out);
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), best = cited_get(&stage, "best");
        fprintf(out, "<li><a href=\"#stage-%zu\">", i);
        html_get_name(out, &stage, "name");
        fputs("</a> ", out);
        html_get_integer(out, &stage, "evaluations");
        fputs(" of ", out);
        html_get_integer(out, &stage, "planned");
        fputs(" evaluations", out);
        if (cited_known(&best)) {
            struct cited_value perplexity = cited_get(&best, "perplexity");
            fputs(", perplexity ", out);
            html_perplexity(out, &perplexity);
        }
        fputs("</li>\n", out);
    }
    if (!cited_count(&stages)) fputs("<li>No stage has begun yet.</li>\n", out);
    fputs("<li><a href=\"#measurements\">How far it reaches</a></li>\n"
          "<li><a href=\"#reproduce\">How to reproduce it</a></li>\n</ul></nav>\n</header>\n",
          out);
}

static void put_footer(FILE *out) {
    fputs("<footer><p>Every number here is one that <code>longrope show --json</code> prints, rounded; its element has "
          "it "
          "in full (<code>value</code>) and says where it stands there, as jq has it (<code>data-from</code>, led by "
          "the option of show, where it takes one).</p></footer>\n</main>\n</body>\n</html>\n",
          out);
}

int html_page_write(struct html_page *page, struct error *error) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    int status = STATUS_OK;
    put_head(page);
    put_header(page);
    put_contents(page);
    for (size_t i = 0; i < cited_count(&stages) && status == STATUS_OK; i++) status = html_stage(page, i, error);
    if (status == STATUS_OK) status = html_measurements(page, error);
    if (status != STATUS_OK) return status;
    html_reproduce(page);
    put_footer(page->out);
    return STATUS_OK;
}
