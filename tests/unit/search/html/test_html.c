/* Writing HTML: any bytes become text and nothing else, numbers carry all digits and their source, and each field of a
 * template is written where its name stands. */
#include "search/html/html.h"
#include "search/html/html_data.h"

#include "search/base/json.h"
#include "search/base/text.h"
#include "tests/unit/scratch.h"

#include <math.h>

/* What a function writes. */
struct writer {
    FILE *stream;
    char *text;
    size_t size;
};

static FILE *begin(struct writer *writer) {
    writer->stream = open_memstream(&writer->text, &writer->size);
    if (!writer->stream) fail_msg("out of memory");
    return writer->stream;
}

static void ends_as(struct writer *writer, const char *expected) {
    assert_int_equal(fclose(writer->stream), 0);
    assert_string_equal(writer->text, expected);
    free(writer->text);
}

/* ---- text ---- */

static void test_markup_is_escaped(void **state) {
    struct writer writer;
    (void)state;
    html_text(begin(&writer), "<a href=\"x\" title='y'>&amp;</a>");
    ends_as(&writer, "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
}

static void test_other_text_stays(void **state) {
    static const char text[] = "plain, \tNa\xc3\xafve \xce\xbb \xe2\x82\xac \xf0\x9f\x98\x80\n";
    struct writer writer;
    (void)state;
    html_text(begin(&writer), text);
    ends_as(&writer, text);
}

#define LOST "\xef\xbf\xbd"

static void test_controls_and_broken_utf8_are_replaced(void **state) {
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a\x01"
         "b\x1b[31mc\x7f",
         "a" LOST "b" LOST "[31mc" LOST},
        {"\xc2\x85", LOST}, /* C1: next line */
        {"a\xe2\x80\xae"    /* from here on right to left */
         "b\xe2\x81\xa6",   /* isolated */
         "a" LOST "b" LOST},
        {"\xff\xfe", LOST LOST},                   /* never in UTF-8 */
        {"\xc0\xbc", LOST LOST},                   /* '<', overlong */
        {"\xe0\x80\xbc", LOST LOST LOST},          /* likewise */
        {"\xed\xa0\x80", LOST LOST LOST},          /* a surrogate */
        {"\xf4\x90\x80\x80", LOST LOST LOST LOST}, /* beyond U+10FFFF */
        {"\xe2\x82", LOST LOST},                   /* cut off */
        {"\xc3<", LOST "&lt;"},                    /* what follows is not swallowed */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct writer writer;
        html_text(begin(&writer), cases[i].text);
        ends_as(&writer, cases[i].expected);
    }
}

/* Every sequence of up to two bytes: none is read beyond its end, and no markup comes through. */
static void test_all_short_texts(void **state) {
    (void)state;
    for (int a = 1; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char *text = malloc(3); /* of its very size, for the sanitizer */
            struct writer writer;
            text[0] = (char)a, text[1] = (char)b, text[2] = '\0';
            html_text(begin(&writer), text);
            assert_int_equal(fclose(writer.stream), 0);
            assert_null(strpbrk(writer.text, "<>\"'"));
            for (const char *c = writer.text; *c;) {
                assert_true(text_utf8_length(c) > 0);
                c += text_utf8_length(c);
            }
            free(writer.text);
            free(text);
        }
    }
}

static void test_json_name(void **state) {
    (void)state;
    json_t *name = json_name("caf\xc3\xa9\xff.txt");
    assert_string_equal(json_string_value(name), "caf\xc3\xa9" LOST ".txt");
    json_decref(name);
    name = json_name("");
    assert_string_equal(json_string_value(name), "");
    json_decref(name);
}

static void test_words_of_a_shell(void **state) {
    static const struct {
        const char *word, *expected;
    } cases[] = {{"results/demo-1.0", "results/demo-1.0"},
                 {"", "&#39;&#39;"},
                 {"a b", "&#39;a b&#39;"},
                 {"$(rm)", "&#39;$(rm)&#39;"},
                 {"it's", "&#39;it&#39;\\&#39;&#39;s&#39;"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct writer writer;
        html_printf(begin(&writer), "{word}", html_field_text("word", HTML_WORD, cases[i].word));
        ends_as(&writer, cases[i].expected);
    }
    char word[6001], expected[6064];
    memset(word, 'x', 6000);
    word[5998] = '\'';
    word[6000] = '\0';
    snprintf(expected, sizeof expected, "&#39;%.5998s&#39;\\&#39;&#39;x&#39;", word);
    struct writer writer;
    html_printf(begin(&writer), "{word}", html_field_text("word", HTML_WORD, word));
    ends_as(&writer, expected);
}

/* ---- numbers ---- */

static json_t *document(void) {
    json_t *json = json_pack("{s:[{s:f, s:i, s:n, s:s}, {s:f}]}", "stages", "perplexity", 3.8469829816534555, "count",
                             7, "none", "name", "a<b", "perplexity", 12345.678);
    assert_non_null(json);
    return json;
}

static void test_numbers_say_where_they_are_from(void **state) {
    (void)state;
    json_t *json = document();
    struct cited_value root = cited_root("", json), stages = cited_get(&root, "stages"), first = cited_at(&stages, 0);
    struct cited_value second = cited_at(&stages, 1), large = cited_get(&second, "perplexity");
    struct writer writer;
    FILE *out = begin(&writer);
    html_printf(out, "{perplexity}{count}{none}", html_get_number(&first, "perplexity", 2),
                html_get_integer(&first, "count"), html_get_number(&first, "none", 2));
    html_printf(out, "{perplexity}", html_get_integer(&first, "perplexity")); /* is not an integer */
    html_printf(out, "{name}{large}", html_get_text(&first, HTML_TEXT, "name"), html_field_perplexity("large", &large));
    html_printf(out, "{eighth}{nan}", html_field_computed("eighth", 1.0 / 8, 1, "1 / %s.eight", first.path),
                html_field_computed("nan", NAN, 1, "0 / 0"));
    ends_as(&writer, "<data value=\"3.8469829816534555\" data-from=\".stages[0].perplexity\">3.85</data>"
                     "<data value=\"7\" data-from=\".stages[0].count\">7</data>"
                     "<span class=\"none\">\xe2\x80\x93</span><span class=\"none\">\xe2\x80\x93</span>a&lt;b"
                     "<data value=\"12345.678\" data-from=\".stages[1].perplexity\">12345.7</data>"
                     "<data value=\"0.125\" data-from=\"1 / .stages[0].eight\">0.1</data>"
                     "<span class=\"none\">\xe2\x80\x93</span>");
    json_decref(json);
}

static void test_short_numbers(void **state) {
    static const struct {
        double value;
        const char *expected;
    } cases[] = {{8, ">8<"}, {1.5, ">1.5<"}, {2.25, ">2.25<"}, {1.0 / 3, ">0.333<"}, {1e6, ">1000000<"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *number = json_real(cases[i].value);
        json_t *json = json_pack("{s:O}", "x", number);
        struct cited_value root = cited_root("--x", json);
        struct writer writer;
        html_printf(begin(&writer), "{x}", html_get_short(&root, "x"));
        assert_int_equal(fclose(writer.stream), 0);
        if (!strstr(writer.text, cases[i].expected)) fail_msg("%s is not in %s", cases[i].expected, writer.text);
        free(writer.text);
        json_decref(json);
        json_decref(number);
    }
}

static void test_counts(void **state) {
    (void)state;
    json_t *json = json_pack("{s:i, s:i, s:i}", "none", 0, "one", 1, "two", 2);
    struct cited_value root = cited_root("", json);
    struct writer writer;
    html_printf(begin(&writer), "{none}, {one}, {two}", html_counted(html_get_integer(&root, "none"), "window"),
                html_counted(html_get_integer(&root, "one"), "window"),
                html_counted(html_get_integer(&root, "two"), "window"));
    ends_as(&writer, "<data value=\"0\" data-from=\".none\">0</data> windows, "
                     "<data value=\"1\" data-from=\".one\">1</data> window, "
                     "<data value=\"2\" data-from=\".two\">2</data> windows");
    json_decref(json);
}

/* ---- templates ---- */

static void test_fields_of_a_template(void **state) {
    struct writer writer;
    (void)state;
    html_printf(begin(&writer), "<p>{name}: {code}, {text}, {code}</p>", html_field_text("text", HTML_TEXT, "{a}<b>"),
                html_field_text("code", HTML_CODE, "x & y"), html_field_text("name", HTML_NAME, "{text}"));
    ends_as(&writer, "<p><span class=\"name\">{text}</span>: <code>x &amp; y</code>, {a}&lt;b&gt;, "
                     "<code>x &amp; y</code></p>");
}

static void test_cells(void **state) {
    struct writer writer;
    (void)state;
    html_cells(begin(&writer), html_field_text("a", HTML_CODE, "<"), html_field_computed("b", 0.5, 1, "1 / 2"));
    ends_as(&writer,
            "<td><code>&lt;</code></td><td class=\"n\"><data value=\"0.5\" data-from=\"1 / 2\">0.5</data></td>");
}

/* A name that is no field's, and a field that the template does not use, are reported and stand in the output. */
static void test_wrong_templates(void **state) {
    static const struct {
        const char *pattern, *expected;
        bool whole;
    } cases[] = {{"{a} and {b}", "1 and 2", true},     {"{a} and {b} and {c}", "1 and 2 and {c}", false},
                 {"{a} and {a}", "1 and 1{b}", false}, {"", "{a}{b}", false},
                 {"{b}{a} {", "21 {", false},          {"{b}{a} {a", "21 {a", false},
                 {"{ab}{a}{b}", "{ab}12", false},      {"{}{a}{b}", "{}12", false}};
    const struct html_field fields[] = {html_field_text("a", HTML_TEXT, "1"), html_field_text("b", HTML_TEXT, "2")};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct writer writer;
        assert_int_equal(html_fill(begin(&writer), cases[i].pattern, fields, 2), cases[i].whole);
        ends_as(&writer, cases[i].expected);
    }
}

/* ---- walking a document ---- */

static void test_what_is_not_there(void **state) {
    (void)state;
    json_t *json = document();
    struct cited_value root = cited_root("--view", json), stages = cited_get(&root, "stages"),
                       third = cited_at(&stages, 2);
    struct cited_value lost = cited_get(&third, "perplexity");
    assert_string_equal(lost.path, "--view .stages[2].perplexity");
    assert_false(cited_known(&third));
    assert_true(isnan(cited_number(&lost)));
    assert_int_equal(cited_count(&lost), 0);
    assert_string_equal(cited_text(&lost), "");
    assert_int_equal(cited_get_integer(&lost, "x"), 0);
    struct cited_value first = cited_at(&stages, 0), none = cited_get(&first, "none");
    assert_false(cited_known(&none));
    json_decref(json);
}

static void test_least(void **state) {
    (void)state;
    json_t *json = json_pack("[{s:n}, {s:f}, {s:f}, {s:f}]", "p", "p", 3.0, "p", 2.0, "p", 2.0), *empty = json_array();
    struct cited_value array = cited_root("", json), least = cited_least(&array, "p"), nothing = cited_root("", empty);
    assert_string_equal(least.path, "[2]");
    least = cited_least(&nothing, "p");
    assert_false(cited_known(&least));
    json_decref(json);
    json_decref(empty);
}

/* One stage reads text with a tokenizer, the other tokens. All commands of a page use what was read once. */
static void test_data_of_stages(void **state) {
    (void)state;
    const char *const yaml = "name: run\nmodel: none\nstages:\n"
                             "  - {name: text, target_length: 64, data: {text: [none.txt], tokenizer: bytes}}\n"
                             "  - {name: tokens, target_length: 64, data: {tokens: [none.npy]}}\n";
    json_t *json = json_pack("{s:{s:s, s:s, s:[]}, s:[{s:s}, {s:s}, {s:s}]}", "configuration", "content", yaml, "path",
                             "/none/run.yaml", "overrides", "stages", "name", "text", "name", "tokens", "name", "gone");
    assert_non_null(json);
    struct html_page page = {.overview = cited_root("", json)};
    struct cited_value stages = cited_get(&page.overview, "stages"), text = cited_at(&stages, 0),
                       tokens = cited_at(&stages, 1), gone = cited_at(&stages, 2);
    html_data_open(&page);
    assert_int_equal(json_object_set_new(json_object_get(json, "configuration"), "content", json_string("")), 0);
    struct html_data data = html_data_of(&page, &text);
    assert_false(data.tokens);
    assert_string_equal(data.tokenizer, "bytes");
    data = html_data_of(&page, &tokens);
    assert_true(data.tokens && !data.tokenizer);
    data = html_data_of(&page, &gone);
    assert_true(!data.tokens && !data.tokenizer);
    html_data_close(&page);
    html_data_open(&page); /* the text is empty now, and no configuration */
    data = html_data_of(&page, &tokens);
    assert_true(!data.tokens && !data.tokenizer);
    html_data_close(&page);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_of_stages),
        cmocka_unit_test(test_markup_is_escaped),
        cmocka_unit_test(test_other_text_stays),
        cmocka_unit_test(test_controls_and_broken_utf8_are_replaced),
        cmocka_unit_test(test_all_short_texts),
        cmocka_unit_test(test_json_name),
        cmocka_unit_test(test_words_of_a_shell),
        cmocka_unit_test(test_numbers_say_where_they_are_from),
        cmocka_unit_test(test_short_numbers),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_fields_of_a_template),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_wrong_templates),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
