/* How to reproduce a run: commands, configuration, settings and windows of text. */
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* ---- commands ---- */

/* "avx512" of a stage's setting "f32 (avx512)", into name[size]; "" where it says none. */
static void kernels_of(const struct cited_value *stage, char *name, size_t size) {
    struct cited_value settings = cited_get(stage, "settings");
    const char *text = json_string_value(json_object_get(settings.json, "dtype (LONGROPE_KERNELS)"));
    const char *open = text ? strchr(text, '(') : NULL;
    *name = '\0';
    if (open) snprintf(name, size, "%.*s", (int)strcspn(open + 1, ")"), open + 1);
}

static void put_search(struct html_page *page, const struct cited_value *configuration) {
    struct cited_value stages = cited_get(&page->overview, "stages"), first = cited_at(&stages, 0);
    struct cited_value overrides = cited_get(configuration, "overrides");
    char kernels[32];
    FILE *out = page->out;
    kernels_of(&first, kernels, sizeof kernels);
    if (*kernels) {
        html_printf(out, "LONGROPE_KERNELS={kernels} ", html_field_text("kernels", HTML_WORD, kernels));
    }
    html_printf(out, "longrope search {path}", html_get_text(configuration, HTML_WORD, "path"));
    for (size_t i = 0; i < cited_count(&overrides); i++) {
        struct cited_value one = cited_at(&overrides, i);
        html_printf(out, " \\\n    --set {override}", html_field_text("override", HTML_WORD, cited_text(&one)));
    }
    fputs(" -o NEW_RUN\n", out);
}

static void put_commands(struct html_page *page, const struct cited_value *configuration) {
    fputs("<h3>Commands</h3>\n<pre>", page->out);
    if (cited_known(configuration)) put_search(page, configuration);
    html_printf(page->out,
                "longrope show {run} --json                # the numbers of this report\n"
                "longrope show {run} --scores              # every individual, as CSV\n"
                "longrope report {run} -o report.html      # this report\n</pre>\n",
                html_field_text("run", HTML_WORD, page->run_dir));
}

/* ---- the configuration ---- */

static void put_configuration(struct html_page *page, const struct cited_value *configuration) {
    if (!cited_known(configuration)) {
        fputs("<p>The configuration file of this run is unknown: an older version started it. The settings below hold "
              "the values that determine the result.</p>\n",
              page->out);
        return;
    }
    html_printf(page->out,
                "<h3>The configuration</h3>\n<p>{path}, as read by {program}; its paths are relative to its "
                "folder.</p>\n<pre>{content}</pre>\n",
                html_get_text(configuration, HTML_CODE, "path"), html_get_text(configuration, HTML_CODE, "program"),
                html_get_text(configuration, HTML_TEXT, "content"));
}

static void put_windows(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    html_fold_begin(page, "The windows of text that each stage was scored on", "stage|document|first token|tokens");
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), samples = cited_get(&stage, "samples");
        for (size_t k = 0; k < cited_count(&samples); k++) {
            struct cited_value one = cited_at(&samples, k);
            fputs("<tr>", page->out);
            html_cells(page->out, html_get_text(&stage, HTML_NAME, "name"), html_get_text(&one, HTML_CODE, "document"),
                       html_get_integer(&one, "start"), html_get_integer(&one, "tokens"));
            fputs("</tr>\n", page->out);
        }
    }
    html_fold_end(page);
}

void html_reproduce(struct html_page *page) {
    struct cited_value configuration = cited_get(&page->overview, "configuration");
    struct cited_value stages = cited_get(&page->overview, "stages");
    FILE *out = page->out;
    fputs("<section id=\"reproduce\">\n<h2>How to reproduce this run</h2>\n"
          "<p>The configuration, model, text, number type and instruction set determine the result, bit for bit. The "
          "number of threads and interruptions do not change it.</p>\n",
          out);
    put_commands(page, &configuration);
    put_configuration(page, &configuration);
    if (cited_count(&stages)) {
        html_settings(page);
        put_windows(page);
    }
    fputs("</section>\n", out);
}
