#include "search/html/html_outcome.h"

#include <math.h>
#include <string.h>

bool html_is_scored(const struct cited_value *one) { return isfinite(cited_get_number(one, "perplexity")); }

static struct cited_value nothing(void) { return (struct cited_value){.json = NULL}; }

/* The item of an array of objects whose member `key` is `text`. */
static struct cited_value find(const struct cited_value *array, const char *key, const char *text) {
    for (size_t i = 0; i < cited_count(array); i++) {
        struct cited_value one = cited_at(array, i);
        if (strcmp(cited_get_text(&one, key), text) == 0) return one;
    }
    return nothing();
}

/* The item with the lowest perplexity but that of the search. */
static struct cited_value best_closed_form(const struct cited_value *tables) {
    struct cited_value best = nothing();
    for (size_t i = 0; i < cited_count(tables); i++) {
        struct cited_value one = cited_at(tables, i);
        bool searched = strcmp(cited_get_text(&one, "method"), "longrope") == 0;
        bool better = !best.json || cited_get_number(&one, "perplexity") < cited_get_number(&best, "perplexity");
        if (!searched && html_is_scored(&one) && better) best = one;
    }
    return best;
}

struct html_outcome html_outcome_of(const struct cited_value *stage) {
    struct html_outcome out = {.stage = *stage, .held_out = cited_get(stage, "held_out")};
    struct cited_value tables = cited_get(&out.held_out, "tables"), baselines = cited_get(stage, "baselines");
    struct cited_value exportable = cited_get(stage, "best_exportable"), best = cited_get(stage, "best");
    out.table = find(&tables, "method", "longrope");
    out.measured = html_is_scored(&out.table);
    if (!out.measured) out.table = cited_known(&exportable) ? exportable : best;
    const struct cited_value *others = out.measured ? &tables : &baselines;
    out.rival = best_closed_form(others);
    out.none = find(others, "method", "none");
    return out;
}

struct html_outcome html_outcome_main(const struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages"), engines = cited_get(&page->overview, "engines");
    struct cited_value table = cited_get(&engines, "long");
    struct html_outcome out = {.stage = nothing()};
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value one = cited_at(&stages, i);
        bool wanted =
            !cited_known(&engines) || strcmp(cited_get_text(&one, "name"), cited_get_text(&table, "stage")) == 0;
        struct html_outcome of = html_outcome_of(&one);
        if (wanted && html_is_scored(&of.table)) out = of;
    }
    return out;
}

struct html_outcome html_outcome_recovered(const struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    struct cited_value window = cited_get(&page->overview, "short_window");
    struct cited_value stage = find(&stages, "name", cited_get_text(&window, "table"));
    if (!cited_get_true(&window, "recovered") || !stage.json) return (struct html_outcome){.stage = nothing()};
    return html_outcome_of(&stage);
}

struct html_field html_difference(const char *name, const struct cited_value *a, const struct cited_value *b,
                                  bool *below) {
    double difference = 1.0 - cited_get_number(a, "perplexity") / cited_get_number(b, "perplexity");
    *below = difference >= 0.0;
    struct html_field field = html_field_computed(name, 100.0 * fabs(difference), 1,
                                                  "100 * (1 - %s.perplexity / %s.perplexity | fabs)", a->path, b->path);
    field.unit = "%";
    return field;
}
