/* How to use what a run found: the commands, and the factors for those who write config.json themselves. */
#include <inttypes.h>
#include <string.h>

#include "search/base/text.h"
#include "search/html/html.h"
#include "search/html/html_data.h"
#include "search/html/html_outcome.h"
#include "search/html/html_page.h"

/* ---- the commands ---- */

static bool is_gguf(const char *model) {
    size_t length = strlen(model);
    return length > 5 && strcmp(model + length - 5, ".gguf") == 0;
}

/* Of the tables that were found, or of the closed forms beside them. */
static void put_eval(struct html_page *page, const struct html_data *data, const char *model,
                     const struct cited_value *engines, bool found) {
    FILE *out = page->out;
    html_printf(out, "longrope eval --model {model}", html_field_text("model", HTML_WORD, model));
    html_put_data(out, data);
    html_printf(out, " --length {original_length},{max_length}", html_get_integer(engines, "original_length"),
                html_get_integer(engines, "max_length"));
    if (found) {
        html_printf(out, " --factors {run}\n", html_field_text("run", HTML_WORD, page->run_dir));
    } else {
        fputs(" --method none,yarn\n", out);
    }
}

static void put_commands(struct html_page *page, const struct cited_value *engines) {
    struct html_outcome outcome = html_outcome_main(page);
    const char *stated = cited_get_text(&outcome.stage, "model"), *model = *stated ? stated : "MODEL";
    struct html_field run = html_field_text("run", HTML_WORD, page->run_dir);
    struct html_data data = html_data_of(page, &outcome.stage);
    FILE *out = page->out;
    fputs("<pre>", out);
    if (!is_gguf(model)) {
        html_printf(out,
                    "# transformers, vLLM (with --max-model-len {max_length}), SGLang\n"
                    "longrope export {run} --format hf --out NEW_MODEL\n",
                    run, html_get_integer(engines, "max_length"));
    }
    html_printf(out, "# llama.cpp (with -c {max_length})\nlongrope export {run} --format gguf", run,
                html_get_integer(engines, "max_length"));
    if (!is_gguf(model)) fputs(" --gguf MODEL.gguf", out);
    fputs(" --out NEW.gguf\n# to judge the tables on text of your own, and the closed forms beside them\n", out);
    put_eval(page, &data, model, engines, true);
    put_eval(page, &data, model, engines, false);
    fputs("</pre>\n", out);
}

/* ---- the factors ---- */

enum { A_LINE = 12 };

static void put_factors(FILE *out, const char *key, const struct cited_value *table, const char *end) {
    struct cited_value factors = cited_get(table, "factors");
    fprintf(out, "  \"%s\": [", key);
    for (size_t i = 0; i < cited_count(&factors); i++) {
        struct cited_value one = cited_at(&factors, i);
        char number[TEXT_NUMBER_SIZE];
        text_of_number(cited_number(&one), number);
        fprintf(out, "%s%s%s", i ? "," : "", i % A_LINE ? " " : "\n    ", number);
    }
    fprintf(out, "]%s\n", end);
}

static void put_scaling(FILE *out, const struct cited_value *engines) {
    struct cited_value short_table = cited_get(engines, "short"), long_table = cited_get(engines, "long");
    char factor[TEXT_NUMBER_SIZE], attention[TEXT_NUMBER_SIZE];
    text_of_number(cited_get_number(engines, "factor"), factor);
    text_of_number(cited_get_number(engines, "attention_factor"), attention);
    fprintf(out,
            "<pre id=\"rope-scaling\">\"max_position_embeddings\": %" PRId64
            ",\n\"rope_scaling\": {\n  \"rope_type\": \"longrope\",\n  \"factor\": %s,\n  \"attention_factor\": %s,\n",
            cited_get_integer(engines, "max_length"), factor, attention);
    if (!cited_get_true(engines, "formula")) { /* what vLLM and SGLang read in place of it */
        fprintf(out, "  \"short_mscale\": %s,\n  \"long_mscale\": %s,\n", attention, attention);
    }
    fprintf(out, "  \"original_max_position_embeddings\": %" PRId64 ",\n",
            cited_get_integer(engines, "original_length"));
    put_factors(out, "short_factor", &short_table, ",");
    put_factors(out, "long_factor", &long_table, "");
    fputs("}\n</pre>\n", out);
}

static void put_explanation(FILE *out, const struct cited_value *engines) {
    struct cited_value short_table = cited_get(engines, "short"), long_table = cited_get(engines, "long");
    bool one = strcmp(cited_get_text(&short_table, "stage"), cited_get_text(&long_table, "stage")) == 0;
    html_printf(out,
                "<h3>The factors</h3>\n<p>The export writes these numbers into <code>config.json</code>. The long "
                "table is that of stage "
                "{long}, for up to {max_length} tokens. ",
                html_field_text("long", HTML_NAME, cited_get_text(&long_table, "stage")),
                html_get_integer(engines, "max_length"));
    if (one) {
        html_printf(out, "It also takes the place of the short table, for inputs of up to {original_length} tokens.",
                    html_get_integer(engines, "original_length"));
    } else {
        html_printf(out, "Inputs of up to {original_length} tokens use the short table, that of stage {short}.",
                    html_get_integer(engines, "original_length"),
                    html_field_text("short", HTML_NAME, cited_get_text(&short_table, "stage")));
    }
    html_printf(out,
                " transformers and SGLang choose by the length of the input; vLLM and llama.cpp choose once, by the "
                "length that they were started with. Both tables have the attention factor {attention_factor}.</p>\n",
                html_get_number(engines, "attention_factor", 4));
}

void html_use(struct html_page *page) {
    struct cited_value engines = cited_get(&page->overview, "engines");
    fputs("<section id=\"use\">\n<h2>How to use it</h2>\n", page->out);
    if (!cited_known(&engines)) {
        fputs("<p>Nothing can be exported yet: inference engines take the tables of finished stages that extend the "
              "window, without start tokens.</p>\n</section>\n",
              page->out);
        return;
    }
    put_commands(page, &engines);
    put_explanation(page->out, &engines);
    put_scaling(page->out, &engines);
    fputs("</section>\n", page->out);
}
