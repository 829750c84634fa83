/* How a run can be made again: with which program, configuration, arithmetic and commands. */
#include <string.h>

#include "search/html/html.h"
#include "search/html/html_figure.h"

/* ---- commands ---- */

static bool is_plain(const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
    return *word && !word[strspn(word, plain)];
}

void html_shell_word(FILE *out, const char *word) {
    const char *from = word;
    if (is_plain(word)) {
        html_text(out, word);
        return;
    }
    html_text(out, "'");
    for (const char *quote; (quote = strchr(from, '\'')); from = quote + 1) {
        html_text_part(out, from, (size_t)(quote - from));
        html_text(out, "'\\''");
    }
    html_text(out, from);
    html_text(out, "'");
}

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
        fputs("LONGROPE_KERNELS=", out);
        html_shell_word(out, kernels);
        fputs(" ", out);
    }
    fputs("longrope search ", out);
    html_shell_word(out, cited_get_text(configuration, "path"));
    for (size_t i = 0; i < cited_count(&overrides); i++) {
        struct cited_value one = cited_at(&overrides, i);
        fputs(" \\\n    --set ", out);
        html_shell_word(out, cited_text(&one));
    }
    fputs(" -o NEW_RUN\n", out);
}

static void put_commands(struct html_page *page, const struct cited_value *configuration) {
    FILE *out = page->out;
    fputs("<h3>Commands</h3>\n<pre>", out);
    if (cited_known(configuration)) put_search(page, configuration);
    fputs("longrope show ", out);
    html_shell_word(out, page->run_dir);
    fputs(" --json                # the numbers of this report\nlongrope show ", out);
    html_shell_word(out, page->run_dir);
    fputs(" --scores              # every individual, as CSV\nlongrope report ", out);
    html_shell_word(out, page->run_dir);
    fputs(" -o report.html      # this report\n</pre>\n", out);
}

/* ---- what was asked ---- */

static void put_configuration(struct html_page *page, const struct cited_value *configuration) {
    FILE *out = page->out;
    if (!cited_known(configuration)) {
        fputs(
            "<p>The file that the run was configured with is not known: an older version began it. What matters of it "
            "stands among the settings.</p>\n",
            out);
        return;
    }
    fputs("<h3>The configuration</h3>\n<p><code>", out);
    html_get_text(out, configuration, "path");
    fputs("</code>, as <code>", out);
    html_get_text(out, configuration, "program");
    fputs("</code> read it; paths in it are relative to its folder.</p>\n<pre>", out);
    html_get_text(out, configuration, "content");
    fputs("</pre>\n", out);
}

static void put_setting(FILE *out, const char *stage, const char *key, const char *value) {
    fputs("<tr><td>", out);
    html_name(out, stage);
    fputs("</td><td><code>", out);
    html_text(out, key);
    fputs("</code></td><td><code>", out);
    html_text(out, value);
    fputs("</code></td></tr>\n", out);
}

static void put_settings(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    fputs("<h3>The settings of each stage</h3>\n", page->out);
    html_table_begin(page, "stage|setting|value");
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), settings = cited_get(&stage, "settings");
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)settings.json, key, value) {
            put_setting(page->out, cited_get_text(&stage, "name"), key, json_string_value(value));
        }
    }
    html_table_end(page);
}

static void put_samples(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    html_fold_begin(page, "The windows of text that each stage was scored on", "stage|document|first token|tokens");
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), samples = cited_get(&stage, "samples");
        for (size_t k = 0; k < cited_count(&samples); k++) {
            struct cited_value one = cited_at(&samples, k);
            fputs("<tr><td>", page->out);
            html_get_name(page->out, &stage, "name");
            fputs("</td><td><code>", page->out);
            html_get_text(page->out, &one, "document");
            fputs("</code></td>", page->out);
            html_cell_integer(page->out, &one, "start");
            html_cell_integer(page->out, &one, "tokens");
            fputs("</tr>\n", page->out);
        }
    }
    html_fold_end(page);
}

void html_reproduce(struct html_page *page) {
    struct cited_value configuration = cited_get(&page->overview, "configuration");
    struct cited_value stages = cited_get(&page->overview, "stages");
    FILE *out = page->out;
    fputs(
        "<section id=\"reproduce\">\n<h2>How to reproduce it</h2>\n"
        "<p>Of one configuration, model, text, number type and instruction set there is one result, bit for bit, with "
        "any number of threads and however often it was interrupted. The fingerprints of model and tokens, the "
        "number type and the instruction set are among the settings.</p>\n",
        out);
    put_commands(page, &configuration);
    put_configuration(page, &configuration);
    if (cited_count(&stages)) {
        put_settings(page);
        put_samples(page);
    }
    fputs("</section>\n", out);
}
