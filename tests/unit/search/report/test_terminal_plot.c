/* search/terminal_plot: pictures to the last character, in both character sets, also of what is hardly a curve. */
#include "search/report/terminal_plot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Pictures ------------------------------------------------------------------------------------- */

static const char all_unicode[] = "     lambda\n"
                                  "        100 ┤a               ░░░░    ▄█▀\n"
                                  "            │                ░░░░  ▄█▀\n"
                                  "         50 ┤    a           ░░░░▄█▀\n"
                                  "            │                ░░░▄█\n"
                                  "            │                ░▄█▀\n"
                                  "         20 ┤       a        ▄█░░\n"
                                  "            │            ░░▄█▀░░░░░░░░░░\n"
                                  "         10 ┤           a▄█▀░░░░░░░░░░░░\n"
                                  "            │     ░░░░░░█▀░░░░░░░░░░░░░░\n"
                                  "            │     ░░░░▄█▀░░░░░░░░\n"
                                  "          5 ┤     ░░▄█▀░░░░░░░░░a\n"
                                  "            │ ░░░░░█▀░░░░░░░░░░░░\n"
                                  "            │ ░░░░█▀░░░░░       ┊\n"
                                  "          2 ┤░░░▄█▀░░░░░░       ┊\n"
                                  "            │░▄█▀░              ┊\n"
                                  "          1 ┤█▀░░░              ┊      a\n"
                                  "            └┴──────┴───────┴──────┴────\n"
                                  "             0      2       4      6\n"
                                  "                                   pairs\n";

static const char all_ascii[] = "     lambda\n"
                                "        100 +a               ::::    .#'\n"
                                "            |                ::::  .#'\n"
                                "         50 +    a           ::::.#'\n"
                                "            |                :::.#\n"
                                "            |                :.#'\n"
                                "         20 +       a        .#::\n"
                                "            |            ::.#'::::::::::\n"
                                "         10 +           a.#'::::::::::::\n"
                                "            |     ::::::#'::::::::::::::\n"
                                "            |     ::::.#'::::::::\n"
                                "          5 +     ::.#':::::::::a\n"
                                "            | :::::#'::::::::::::\n"
                                "            | ::::#':::::       |\n"
                                "          2 +:::.#'::::::       |\n"
                                "            |:.#':              |\n"
                                "          1 +#':::              |      a\n"
                                "            ++------+-------+------+----\n"
                                "             0      2       4      6\n"
                                "                                   pairs\n";

static const char steps_unicode[] = "          y\n"
                                    "          8 ┤           ▀▀▀▀█\n"
                                    "            │               █\n"
                                    "          7 ┤               █\n"
                                    "            │               █\n"
                                    "          6 ┤               █\n"
                                    "            │               █\n"
                                    "          5 ┤               █\n"
                                    "            │               █\n"
                                    "            │               █\n"
                                    "          4 ┤               ▀▀▀▀▀\n"
                                    "            │\n"
                                    "          3 ┤\n"
                                    "            │\n"
                                    "          2 ┤    ▄                     ▄\n"
                                    "            │    █\n"
                                    "          1 ┤▄▄▄▄█\n"
                                    "            └┴──────┴───────┴──────┴────\n"
                                    "             0      2       4      6\n"
                                    "                                   steps\n";

static const char steps_ascii[] = "          y\n"
                                  "          8 +           ''''#\n"
                                  "            |               #\n"
                                  "          7 +               #\n"
                                  "            |               #\n"
                                  "          6 +               #\n"
                                  "            |               #\n"
                                  "          5 +               #\n"
                                  "            |               #\n"
                                  "            |               #\n"
                                  "          4 +               '''''\n"
                                  "            |\n"
                                  "          3 +\n"
                                  "            |\n"
                                  "          2 +    .                     .\n"
                                  "            |    #\n"
                                  "          1 +....#\n"
                                  "            ++------+-------+------+----\n"
                                  "             0      2       4      6\n"
                                  "                                   steps\n";

static const char one_log[] = "          y\n"
                              "            |\n"
                              "        1.2 +\n"
                              "            |\n"
                              "            |\n"
                              "        1.1 +\n"
                              "            |\n"
                              "            |\n"
                              "          1 +.\n"
                              "            |\n"
                              "            |\n"
                              "            |\n"
                              "        0.9 +\n"
                              "            |\n"
                              "            |\n"
                              "            |\n"
                              "        0.8 +\n"
                              "            ++-------------------------+\n"
                              "             0                         1\n"
                              "                                     one\n";

static const char one_linear[] = "          y\n"
                                 "            |\n"
                                 "        1.4 +\n"
                                 "            |\n"
                                 "            |\n"
                                 "        1.2 +\n"
                                 "            |\n"
                                 "            |\n"
                                 "          1 +.\n"
                                 "            |\n"
                                 "            |\n"
                                 "            |\n"
                                 "        0.8 +\n"
                                 "            |\n"
                                 "            |\n"
                                 "        0.6 +\n"
                                 "            |\n"
                                 "            ++-------------------------+\n"
                                 "             0                         1\n"
                                 "                                     one\n";

static const char flat[] = "          y\n"
                           "            │\n"
                           "        3.6 ┤\n"
                           "            │\n"
                           "        3.4 ┤\n"
                           "            │\n"
                           "        3.2 ┤\n"
                           "            │\n"
                           "          3 ┤▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄\n"
                           "            │\n"
                           "            │\n"
                           "        2.8 ┤\n"
                           "            │\n"
                           "        2.6 ┤\n"
                           "            │\n"
                           "            │\n"
                           "        2.4 ┤\n"
                           "            └┴──────┴───────┴──────┴────\n"
                           "             0      2       4      6\n"
                           "                                    same\n";

/* Drawing -------------------------------------------------------------------------------------- */

static const double x[] = {0, 1, 2, 3, 4, 5, 6, 7};
enum { POINTS = sizeof x / sizeof *x };

/* What is drawn; the caller frees it. */
static char *draw(const struct plot *plot, int columns, bool unicode, bool expected) {
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    assert_non_null(memory);
    assert_int_equal(plot_draw(plot, columns, unicode, memory), expected);
    assert_int_equal(fclose(memory), 0);
    return text;
}

static void assert_picture(const struct plot *plot, int columns, bool unicode, const char *picture) {
    char *drawn = draw(plot, columns, unicode, true);
    assert_string_equal(drawn, picture);
    free(drawn);
}

/* The curve is drawn over letters, letters over the band, the band over the mark. */
static void test_all_styles(void **state) {
    (void)state;
    static const double rising[] = {1, 2, 4, 8, 16, 32, 64, 100}, letters[] = {100, 50, 20, 10, NAN, 5, -1, 1},
                        low[] = {1, 1, 2, 2, 4, 4, 8, 8}, high[] = {2, 4, 8, 8, 16, INFINITY, 16, 16};
    const struct plot_series series[] = {{PLOT_BAND, 0, true, POINTS, x, low, high},
                                         {PLOT_LETTER, 'a', false, POINTS, x, letters, NULL},
                                         {PLOT_LINE, 0, false, POINTS, x, rising, NULL}};
    const struct plot plot = {"pairs", "lambda", true, 5, 3, series};
    assert_picture(&plot, 40, true, all_unicode);
    assert_picture(&plot, 40, false, all_ascii);
}

/* Steps have gaps where numbers are none. Too few columns are PLOT_MIN_COLUMNS. */
static void test_steps_and_gaps(void **state) {
    (void)state;
    static const double values[] = {1, 2, NAN, 8, 4, 4, INFINITY, 2};
    const struct plot_series series = {PLOT_STEPS, 0, false, POINTS, x, values, NULL};
    const struct plot plot = {"steps", "y", false, NAN, 1, &series};
    assert_picture(&plot, 0, true, steps_unicode);
    assert_picture(&plot, -5, false, steps_ascii);
}

static void test_one_point(void **state) {
    (void)state;
    static const double value = 1.0;
    const struct plot_series series = {PLOT_LINE, 0, false, 1, x, &value, NULL};
    struct plot plot = {"one", "y", true, NAN, 1, &series};
    assert_picture(&plot, 40, false, one_log);
    plot.log_y = false;
    assert_picture(&plot, 40, false, one_linear);
}

static void test_equal_values(void **state) {
    (void)state;
    static const double values[] = {3, 3, 3, 3, 3, 3, 3, 3};
    const struct plot_series series = {PLOT_LINE, 0, false, POINTS, x, values, NULL};
    const struct plot plot = {"same", "y", true, NAN, 1, &series};
    assert_picture(&plot, 40, true, flat);
}

static void test_nothing_to_draw(void **state) {
    (void)state;
    static const double none[] = {NAN, INFINITY, -1, 0, NAN, NAN, NAN, -INFINITY}, one[] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct plot_series series = {PLOT_LINE, 0, false, POINTS, x, none, NULL};
    const struct plot plot = {"none", "y", true, NAN, 1, &series};
    char *drawn = draw(&plot, 80, true, false);
    assert_string_equal(drawn, "");
    free(drawn);
    series = (struct plot_series){PLOT_LINE, 0, false, 0, NULL, NULL, NULL};
    free(draw(&plot, 80, true, false));
    series = (struct plot_series){PLOT_LETTER, 'a', true, POINTS, x, one, NULL}; /* loose: there are no axes for it */
    free(draw(&plot, 80, true, false));
    const struct plot empty = {"none", "y", false, NAN, 0, NULL};
    free(draw(&empty, 80, true, false));
}

/* Whatever the numbers are, a picture has its lines, none of them too wide, and no control characters. */
static void test_any_numbers(void **state) {
    (void)state;
    static const double extremes[] = {0,   1e-323, 1e-300,   1e300, -1e300, 1.7e308,   -1.7e308,
                                      NAN, -0.0,   INFINITY, 1,     3,      1 + 1e-15, 12345678901.0};
    enum { KINDS = sizeof extremes / sizeof *extremes };
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        double values[POINTS], others[POINTS], places[POINTS];
        for (int i = 0; i < POINTS; i++) {
            seed = seed * 1664525u + 1013904223u;
            values[i] = extremes[(seed >> 8) % KINDS];
            others[i] = extremes[(seed >> 16) % KINDS];
            places[i] = round % 3 ? x[i] : (double)i * (round % 2 ? 1e-9 : 1e290);
        }
        const struct plot_series series[] = {{PLOT_BAND, 0, round % 5 == 0, POINTS, places, others, values},
                                             {(enum plot_style)(round % 3), 'q', false, POINTS, places, values, NULL}};
        const struct plot plot = {"x", "y", round % 2 == 0, extremes[round % KINDS], 2, series};
        char *text = NULL;
        size_t size;
        FILE *memory = open_memstream(&text, &size);
        assert_non_null(memory);
        bool drawn = plot_draw(&plot, round % 200, false, memory);
        assert_int_equal(fclose(memory), 0);
        size_t lines = 0;
        for (char *rest = text, *line; *rest && (line = strsep(&rest, "\n")); lines++) {
            assert_true(strlen(line) <= PLOT_MAX_COLUMNS);
            for (const char *c = line; *c; c++) assert_true(*c >= ' ' && *c < 0x7f);
        }
        assert_int_equal(lines, drawn ? PLOT_ROWS + 4 : 0);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_styles),   cmocka_unit_test(test_steps_and_gaps),  cmocka_unit_test(test_one_point),
        cmocka_unit_test(test_equal_values), cmocka_unit_test(test_nothing_to_draw), cmocka_unit_test(test_any_numbers),
    };
    return cmocka_run_group_tests_name("terminal_plot", tests, NULL, NULL);
}
