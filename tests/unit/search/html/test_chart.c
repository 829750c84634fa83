/* Charts, drawn by programs in gnuplot's place that do as the test wants: what gnuplot is told, what becomes of what
 * it prints, and what is said where it fails. */
#include "search/html/chart.h"

#include "search/base/clock.h"
#include "tests/unit/scratch.h"

#include <math.h>
#include <sys/stat.h>

struct fixture {
    struct scratch scratch;
    char *program, *script; /* in gnuplot's place; where it leaves what it was told */
    struct error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->program = scratch_path(&f->scratch, "drawing");
    f->script = scratch_path(&f->scratch, "script");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f->program);
    free(f->script);
    free(f);
    return 0;
}

/* A shell script; %s in it is the path of f->script. */
static struct gnuplot program(struct fixture *f, const char *commands) {
    char text[800], body[700];
    snprintf(body, sizeof body, commands, f->script);
    int length = snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
    scratch_write(f->program, text, (size_t)length);
    assert_int_equal(chmod(f->program, 0700), 0);
    return (struct gnuplot){f->program, 20.0, NULL};
}

/* The caller frees it. */
static char *read_all(const char *path) {
    enum { MOST = 100000 };
    char *text = calloc(1, MOST);
    FILE *file = fopen(path, "rb");
    if (!file || !text) fail_msg("%s cannot be read", path);
    size_t size = fread(text, 1, MOST - 1, file);
    fclose(file);
    assert_true(size > 0 && size < MOST - 1);
    return text;
}

/* What is drawn of a chart; NULL, with f->error, where that fails. */
static char *draw(struct fixture *f, const struct chart *chart, const struct gnuplot *gnuplot, int *status) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    *status = chart_draw(chart, gnuplot, out, &f->error);
    assert_int_equal(fclose(out), 0);
    if (*status == STATUS_OK) return text;
    free(text);
    return NULL;
}

static const double xs[] = {0, 1, 2, 3}, ys[] = {1.0 / 3, NAN, 2, 1e-300}, highs[] = {1, 2, 3, INFINITY};

static struct chart make_chart(void) {
    struct chart chart = {.name = "c-1", .title = "a <title>", .description = "\"quoted\"", .mark = 1.5, .count = 2};
    chart.x = chart_axis_for("x's label", 0, 3, false);
    chart.y = chart_axis_for("y", 1, 8, true);
    chart.series[0] =
        (struct chart_series){.style = CHART_LINE, .colour = CHART_BEST, .dash = 1, .count = 4, .x = xs, .y = ys};
    chart.series[1] =
        (struct chart_series){.style = CHART_BAND, .colour = CHART_FIRST, .count = 4, .x = xs, .y = xs, .y2 = highs};
    return chart;
}

#define DRAWING                                                                                                        \
    "<?xml?><svg><title>own</title><g id=\"gnuplot_canvas\"><defs><circle id='gpDot'/></defs><title>$data0</title>"    \
    "<use xlink:href='#gpDot' color='rgb(  0,   0,   4)' fill='rgb(0,0,8)' stroke='rgb(1,0,4)'/></g></svg>"

static void test_script_and_svg(void **state) {
    struct fixture *f = *state;
    int status;
    struct gnuplot gnuplot = program(f, "cat >%s; cat <<'END'\n" DRAWING "\nEND");
    struct chart chart = make_chart();
    char *svg = draw(f, &chart, &gnuplot, &status), *script = read_all(f->script);
    if (status != STATUS_OK) fail_msg("%s", f->error.message);
    static const char *const told[] = {"noenhanced",
                                       "set xlabel 'x''s label'",
                                       "set logscale y",
                                       "'1' 1, '2' 2, '5' 5",
                                       "from 1.5, graph 0",
                                       "$data0 << END\n0 0.33333333333333331\n\n2 2\n3 1e-300\nEND\n",
                                       "$data1 << END\n0 0 1\n1 1 2\n2 2 3\n\nEND\n",
                                       "plot $data0 using 1:2 with lines lc rgb '#000004'",
                                       "dt (7,3)",
                                       ", $data1 using 1:2:3 with filledcurves fc rgb '#000008'"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        if (!strstr(script, told[i])) fail_msg("'%s' is not in:\n%s", told[i], script);
    }
    assert_string_equal(
        svg,
        "<svg class=\"chart\" viewBox=\"0 0 520 340\" role=\"img\" aria-labelledby=\"c-1-title\" "
        "aria-describedby=\"c-1-description\">\n<title id=\"c-1-title\">a &lt;title&gt;</title>\n"
        "<desc id=\"c-1-description\">&quot;quoted&quot;</desc>\n"
        "<g id=\"c-1-gnuplot_canvas\"><defs><circle id='c-1-gpDot'/></defs>"
        "<use xlink:href='#c-1-gpDot' color='var(--chart-4)' fill='var(--chart-8)' stroke='rgb(1,0,4)'/></g></svg>\n");
    free(svg);
    free(script);
}

static void test_nothing_to_draw(void **state) {
    struct fixture *f = *state;
    int status;
    struct gnuplot gnuplot = program(f, "cat >%s; cat <<'END'\n" DRAWING "\nEND");
    struct chart chart = make_chart();
    chart.series[0].count = chart.series[1].count = 0;
    free(draw(f, &chart, &gnuplot, &status));
    assert_int_equal(status, STATUS_OK);
    char *script = read_all(f->script);
    assert_non_null(strstr(script, "plot NaN"));
    assert_null(strstr(script, "$data"));
    free(script);
}

/* Ticks lie at round numbers, whole ones where values are whole, and are at most eight. */
static void test_linear_ticks(void **state) {
    static const struct {
        double low, high;
        bool whole;
        const char *expected;
    } cases[] = {{0, 192, true, "set xtics 50\nset format x '%.0f'"},
                 {0, 2, true, "set xtics 1\nset format x '%.0f'"},
                 {0, 1, false, "set xtics 0.20000000000000001\nset format x '%.1f'"},
                 {3.846, 3.97, false, "set xtics 0.02\nset format x '%.2f'"},
                 {5, 5, false, "set xtics 0.1"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        struct gnuplot gnuplot = program(f, "cat >%s; cat <<'END'\n" DRAWING "\nEND");
        struct chart chart = make_chart();
        chart.x = chart_axis_for("x", cases[i].low, cases[i].high, false);
        chart.x.whole = cases[i].whole;
        free(draw(f, &chart, &gnuplot, &status));
        assert_int_equal(status, STATUS_OK);
        char *script = read_all(f->script);
        if (!strstr(script, cases[i].expected)) fail_msg("'%s' is not in:\n%s", cases[i].expected, script);
        free(script);
    }
}

/* Of the y axis. */
static int count_ticks(const char *script) {
    const char *list = strstr(script, "set ytics (");
    int quotes = 0;
    assert_non_null(list);
    for (size_t i = 0, end = strcspn(list, ")"); i < end; i++) quotes += list[i] == '\'';
    return quotes / 2;
}

/* Every log axis has two to thirteen ticks, wherever and however wide it is. */
static void test_log_ticks(void **state) {
    static const double ratios[] = {1,   1 + 0x1p-52, 1 + 0x1p-49, 1 + 1e-12, 1.001, 1.5, 2,
                                    4.9, 5.1,         50,          1999,      2001,  1e9, 1e90};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        for (double low = 1.0; low < 10.0; low *= 1.37) {
            int status, ticks = 0;
            struct gnuplot gnuplot = program(f, "cat >%s; cat <<'END'\n" DRAWING "\nEND");
            struct chart chart = make_chart();
            chart.y = chart_axis_for("y", low, low * ratios[i], true);
            free(draw(f, &chart, &gnuplot, &status));
            char *script = read_all(f->script);
            ticks = count_ticks(script);
            if (ticks < 2 || ticks > 13) fail_msg("%g..%g has %d ticks", low, low * ratios[i], ticks);
            free(script);
        }
    }
}

static void test_failures(void **state) {
    static const struct {
        const char *commands, *words;
    } cases[] = {
        {"echo 'no such thing' >&2; exit 4 # %s", "failed with status 4|its error output: no such thing"},
        {"exit 0 # %s", "drew nothing|its error output: none"},
        {"kill -SEGV $$ # %s", "was terminated by signal 11"},
        {"echo Hello # %s", "is not an SVG of gnuplot 5 or 6"},
        {"echo '<g id=\"gnuplot_canvas\"> cut off' # %s", "is not an SVG of gnuplot 5 or 6"},
        {"yes 'a long story' | head -n 100000 >&2; exit 1 # %s", "failed with status 1|a long story a long story"},
    };
    struct fixture *f = *state;
    struct chart chart = make_chart();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        struct gnuplot gnuplot = program(f, cases[i].commands);
        assert_null(draw(f, &chart, &gnuplot, &status));
        assert_int_equal(status, STATUS_FAILED);
        assert_message(f->error.message, cases[i].words);
    }
}

static void test_not_installed(void **state) {
    struct fixture *f = *state;
    struct chart chart = make_chart();
    int status;
    assert_null(draw(f, &chart, &(struct gnuplot){"no-such-gnuplot", 20.0, NULL}, &status));
    assert_int_equal(status, STATUS_FAILED);
    assert_message(f->error.message, "no-such-gnuplot: is not installed|apt-get install gnuplot-nox");
}

/* One that hangs is ended when its time is up, or when it is told to stop. */
static void test_patience_and_stop(void **state) {
    struct fixture *f = *state;
    struct chart chart = make_chart();
    const volatile sig_atomic_t stop = 1;
    int status;
    struct gnuplot gnuplot = program(f, "echo $$ >%s; exec sleep 1000");
    gnuplot.patience = 0.3;
    double began = clock_seconds();
    assert_null(draw(f, &chart, &gnuplot, &status));
    assert_true(clock_seconds() - began < 10.0);
    assert_int_equal(status, STATUS_FAILED);
    assert_message(f->error.message, "drew no chart within 0.3 s and was killed");
    char *process = read_all(f->script);
    assert_int_equal(kill(atoi(process), 0), -1); /* it is gone */
    free(process);
    gnuplot.patience = 1000.0;
    gnuplot.stop = &stop;
    began = clock_seconds();
    assert_null(draw(f, &chart, &gnuplot, &status));
    assert_true(clock_seconds() - began < 10.0);
    assert_int_equal(status, STATUS_STOPPED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_script_and_svg, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_draw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_linear_ticks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_ticks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_installed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patience_and_stop, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
