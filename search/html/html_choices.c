/* Accuracy in multiple choice, as `longrope choice --into` stored it. */
#include "search/html/html.h"
#include "search/html/html_figure.h"

/* "45.0 ± 3.5", in %. */
static void put_accuracy(FILE *out, const struct cited_value *one, const char *accuracy, const char *error) {
    struct cited_value mean = cited_get(one, accuracy), deviation = cited_get(one, error);
    html_printf(out, "<td class=\"n\">{mean}",
                html_field_computed("mean", 100.0 * cited_number(&mean), 1, "100 * %s", mean.path));
    if (cited_known(&deviation)) {
        html_printf(out, " ± {error}",
                    html_field_computed("error", 100.0 * cited_number(&deviation), 1, "100 * %s", deviation.path));
    }
    fputs("</td>", out);
}

void html_choices(struct html_page *page) {
    struct cited_value choices = cited_get(&page->overview, "choices");
    FILE *out = page->out;
    if (!cited_count(&choices)) return;
    fputs("<section id=\"choices\">\n<h2>Accuracy in multiple choice</h2>\n<p>Short benchmarks show what an extension "
          "costs. Shares in %, with standard errors: of items whose answer has the largest log-likelihood (acc), the "
          "largest per character (acc_norm), and per byte (acc_bytes).</p>\n",
          out);
    html_table_begin(page, "label|task|tokens|items|guessing|acc|acc_norm|acc_bytes");
    for (size_t i = 0; i < cited_count(&choices); i++) {
        struct cited_value one = cited_at(&choices, i), chance = cited_get(&one, "chance");
        fputs("<tr>", out);
        html_cells(out, html_get_text(&one, HTML_NAME, "label"), html_get_text(&one, HTML_NAME, "task"),
                   html_get_integer(&one, "length"), html_get_integer(&one, "items"),
                   html_field_computed("chance", 100.0 * cited_number(&chance), 1, "100 * %s", chance.path));
        put_accuracy(out, &one, "accuracy", "standard_error");
        put_accuracy(out, &one, "accuracy_norm", "standard_error_norm");
        put_accuracy(out, &one, "accuracy_bytes", "standard_error_bytes");
        fputs("</tr>\n", out);
    }
    html_table_end(page);
    fputs("</section>\n", out);
}
