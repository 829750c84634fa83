/* The settings of all stages: a row per setting, a column per stage. Those that the configuration names stand in a
 * table of their own; the rest, which are defaults and fingerprints, unfold. */
#include <ctype.h>
#include <string.h>

#include "search/base/text.h"
#include "search/html/html.h"
#include "search/html/html_figure.h"
#include "search/html/html_page.h"

/* ---- what the configuration names ---- */

/* Whether `text` has the key `name`, length bytes long: the word with a colon or, in an override, an equals sign
 * behind. */
static bool names_key(const char *text, const char *name, size_t length) {
    if (length == 0) return false; /* strstr finds an empty word at every place, the end of the text too */
    for (const char *at = text; (at = strstr(at, name)); at++) {
        bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        const char *end = at + length;
        while (*end == ' ') end++;
        if (begins && (*end == ':' || *end == '=')) return true;
    }
    return false;
}

/* Also where the file is unknown. A comment that names a key counts: then a default stands among the others. */
static bool is_named(const struct html_page *page, const char *key) {
    struct cited_value configuration = cited_get(&page->overview, "configuration");
    struct cited_value overrides = cited_get(&configuration, "overrides");
    const char *dot = strrchr(key, '.');
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(dot ? dot + 1 : key, " "), dot ? dot + 1 : key);
    if (!cited_known(&configuration)) return true;
    bool named = names_key(cited_get_text(&configuration, "content"), name, strlen(name));
    for (size_t i = 0; i < cited_count(&overrides) && !named; i++) {
        struct cited_value one = cited_at(&overrides, i);
        named = names_key(cited_text(&one), name, strlen(name));
    }
    return named;
}

/* "model (weights and config.json)" and its like: hashes and versions, which are no keys of a configuration. */
static bool is_fingerprint(const char *key) {
    bool type = strncmp(key, "dtype", 5) == 0;
    return (strchr(key, '(') && !type) || strcmp(key, "evaluator") == 0;
}

enum part { NAMED, NOT_NAMED, FINGERPRINTS };

static enum part part_of(const struct html_page *page, const char *key) {
    if (is_fingerprint(key)) return FINGERPRINTS;
    return is_named(page, key) ? NAMED : NOT_NAMED;
}

/* ---- rows ---- */

static const char *setting_of(const struct cited_value *stage, const char *key) {
    struct cited_value settings = cited_get(stage, "settings");
    return json_string_value(json_object_get(settings.json, key));
}

/* Whether an earlier stage has it. */
static bool is_written(const struct cited_value *stages, size_t before, const char *key) {
    for (size_t i = 0; i < before; i++) {
        struct cited_value stage = cited_at(stages, i);
        if (setting_of(&stage, key)) return true;
    }
    return false;
}

/* A number with the fewest digits; other text as it is. */
static void put_value(FILE *out, const char *value) {
    char shorter[TEXT_NUMBER_SIZE];
    double number;
    if (value && strchr(value, '.') && text_to_number(value, &number)) {
        text_of_number(number, shorter);
        value = shorter;
    }
    html_cells(out, html_field_text("value", HTML_CODE, value ? value : "\xe2\x80\x93"));
}

static void put_row(FILE *out, const struct cited_value *stages, const char *key) {
    fputs("<tr>", out);
    html_cells(out, html_field_text("key", HTML_CODE, key));
    for (size_t i = 0; i < cited_count(stages); i++) {
        struct cited_value stage = cited_at(stages, i);
        put_value(out, setting_of(&stage, key));
    }
    fputs("</tr>\n", out);
}

/* Rows of one part whose keys are in a block, or in none where `block` is "". */
static void put_rows(FILE *out, struct html_page *page, enum part part, const char *block) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    size_t length = strlen(block);
    for (size_t i = 0; i < cited_count(&stages); i++) {
        struct cited_value stage = cited_at(&stages, i), settings = cited_get(&stage, "settings");
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)settings.json, key, value) {
            bool inside = length ? strncmp(key, block, length) == 0 && key[length] == '.' : !strchr(key, '.');
            if (part == FINGERPRINTS) inside = true;
            if (!inside || part_of(page, key) != part || is_written(&stages, i, key)) continue;
            put_row(out, &stages, key);
        }
    }
}

static const char *const blocks[] = {"", "data", "needle", "search"};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

static void put_part(FILE *out, struct html_page *page, enum part part) {
    size_t each = part == FINGERPRINTS ? 1 : BLOCKS;
    for (size_t b = 0; b < each; b++) put_rows(out, page, part, blocks[b]);
}

/* ---- the tables ---- */

static void put_heads(FILE *out, const struct cited_value *stages) {
    fputs("<div class=\"wide\"><table class=\"settings\">\n<thead><tr><th>setting</th>", out);
    for (size_t i = 0; i < cited_count(stages); i++) {
        struct cited_value stage = cited_at(stages, i);
        html_printf(out, "<th>{name}</th>", html_get_text(&stage, HTML_NAME, "name"));
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_settings(struct html_page *page) {
    struct cited_value stages = cited_get(&page->overview, "stages");
    FILE *out = page->out;
    fputs("<h3>Settings</h3>\n", out);
    put_heads(out, &stages);
    put_part(out, page, NAMED);
    html_table_end(page);
    fputs("<details><summary>Settings that the configuration does not name: defaults, and what follows from "
          "others</summary>\n",
          out);
    put_heads(out, &stages);
    put_part(out, page, NOT_NAMED);
    html_fold_end(page);
    fputs("<details><summary>Fingerprints of model and text, and the version of the evaluator</summary>\n", out);
    put_heads(out, &stages);
    put_part(out, page, FINGERPRINTS);
    html_fold_end(page);
}
