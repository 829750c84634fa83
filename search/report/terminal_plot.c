#include "search/report/terminal_plot.h"

#include <math.h>
#include <string.h>

enum {
    INDENT = 2,
    LABEL_WIDTH = 9, /* of a tick's number */
    HALVES = 2 * PLOT_ROWS,
    MAX_WIDTH = PLOT_MAX_COLUMNS,
    MAX_TICKS = 32
};

/* Differences of such values do not overflow. */
static const double largest = 1e300;

enum cell_kind { CELL_BLANK, CELL_MARK, CELL_BAND, CELL_LETTER, CELL_LINE };

struct cell {
    enum cell_kind kind;
    char letter;
    bool half[2]; /* of a line: its upper and its lower one */
};

/* One axis: numbers low..high, or their logarithms, on positions 0..last. */
struct scale {
    bool log;
    double low, high; /* transformed */
    int last;
};

struct canvas {
    int width; /* columns of the frame */
    struct scale x, y;
    struct cell cells[PLOT_ROWS][MAX_WIDTH]; /* the top row first */
};

/* ---- scales ---- */

/* NaN where the value has no position. */
static double transformed(double value, bool log) { return !log ? value : value > 0.0 ? log10(value) : NAN; }

/* Equal ends are moved apart. */
static struct scale make_y_scale(double low, double high, bool log) {
    double around = log ? 0.1 : fmax(fabs(low) * 0.05, 0.5);
    if (low == high) low -= around, high += around;
    return (struct scale){log, low, high, HALVES - 1};
}

static struct scale make_x_scale(double low, double high, int width) {
    return (struct scale){false, low, low == high ? low + 1.0 : high, width - 1};
}

/* The position of a transformed number; it may lie outside the frame. */
static double position_in(const struct scale *scale, double value) {
    return (value - scale->low) / (scale->high - scale->low) * scale->last;
}

static bool point_of(const struct plot *plot, const struct plot_series *s, size_t i, double *x, double *y) {
    *x = s->x[i];
    *y = transformed(s->y[i], plot->log_y);
    return fabs(*x) <= largest && fabs(*y) <= largest; /* false for NaN */
}

/* The ends of all that is drawn. */
struct range {
    double low, high;
};

static void widen(struct range *range, double value) {
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

static bool find_ranges(const struct plot *plot, struct range *x, struct range *y) {
    *x = *y = (struct range){INFINITY, -INFINITY};
    for (size_t s = 0; s < plot->count; s++) {
        const struct plot_series *series = &plot->series[s];
        for (size_t i = 0; i < series->count; i++) {
            double px, py;
            if (series->loose || !point_of(plot, series, i, &px, &py)) continue;
            widen(x, px);
            widen(y, py);
        }
    }
    return x->low <= x->high;
}

/* ---- drawing ---- */

static int clamp(double value, int last) { return value < 0.0 ? 0 : value > last ? last : (int)lround(value); }

static int column_of(const struct canvas *c, double x) { return clamp(position_in(&c->x, x), c->x.last); }

/* Half rows from the bottom, 0..HALVES-1; -1 for what lies outside. */
static int half_of(const struct canvas *c, double y) {
    double at = position_in(&c->y, y);
    return at < -0.5 || at > HALVES - 0.5 ? -1 : clamp(at, HALVES - 1);
}

static void set_half(struct canvas *c, int column, int half) {
    struct cell *cell = &c->cells[PLOT_ROWS - 1 - half / 2][column];
    if (cell->kind != CELL_LINE) *cell = (struct cell){.kind = CELL_LINE};
    cell->half[half % 2 == 0] = true;
}

/* Half rows `from` to `to` of a column, in whichever order. */
static void set_halves(struct canvas *c, int column, double from, double to) {
    int low = clamp(position_in(&c->y, fmin(from, to)), HALVES - 1),
        high = clamp(position_in(&c->y, fmax(from, to)), HALVES - 1);
    if (position_in(&c->y, fmax(from, to)) < -0.5 || position_in(&c->y, fmin(from, to)) > HALVES - 0.5) return;
    for (int half = low; half <= high; half++) set_half(c, column, half);
}

/* From one point to the next, column by column; where the line is steep, a column is filled over its whole rise. */
static void draw_line(struct canvas *c, bool steps, double x0, double y0, double x1, double y1) {
    int first = column_of(c, x0), last = column_of(c, x1);
    double before = y0;
    for (int column = first; column <= last; column++) {
        double share = last == first ? 1.0 : (double)(column - first) / (last - first);
        double y = steps ? (column == last ? y1 : y0) : y0 + share * (y1 - y0);
        double middle = (before + y) / 2.0;
        set_halves(c, column, column == first ? y : steps ? before : middle, y);
        if (!steps && column > first) set_halves(c, column - 1, before, middle);
        before = y;
    }
}

static void draw_curve(struct canvas *c, const struct plot *plot, const struct plot_series *s) {
    double x0 = 0.0, y0 = 0.0;
    bool connected = false;
    for (size_t i = 0; i < s->count; i++) {
        double x, y;
        bool known = point_of(plot, s, i, &x, &y);
        if (known) set_halves(c, column_of(c, x), y, y);
        if (known && connected) draw_line(c, s->style == PLOT_STEPS, x0, y0, x, y);
        connected = known, x0 = x, y0 = y;
    }
}

static void draw_letters(struct canvas *c, const struct plot *plot, const struct plot_series *s) {
    for (size_t i = 0; i < s->count; i++) {
        double x, y;
        if (!point_of(plot, s, i, &x, &y)) continue;
        int half = half_of(c, y);
        if (half < 0) continue;
        c->cells[PLOT_ROWS - 1 - half / 2][column_of(c, x)] = (struct cell){.kind = CELL_LETTER, .letter = s->letter};
    }
}

/* The cells of a column between two heights. */
static void shade(struct canvas *c, int column, double low, double high) {
    double bottom = position_in(&c->y, low), top = isinf(high) ? HALVES - 1 : position_in(&c->y, high);
    if (bottom > HALVES - 0.5 || top < -0.5) return;
    for (int half = clamp(bottom, HALVES - 1); half <= clamp(top, HALVES - 1); half++) {
        c->cells[PLOT_ROWS - 1 - half / 2][column] = (struct cell){.kind = CELL_BAND};
    }
}

/* Each point's band reaches back to the point before. */
static void draw_band(struct canvas *c, const struct plot *plot, const struct plot_series *s) {
    int next = 0;
    for (size_t i = 0; i < s->count; i++) {
        double x, low, high = transformed(s->y2[i], plot->log_y);
        int column = isfinite(s->x[i]) ? column_of(c, s->x[i]) : next - 1;
        if (point_of(plot, s, i, &x, &low) && !isnan(high)) {
            for (int at = next; at <= column; at++) shade(c, at, low, high);
        }
        if (column >= next) next = column + 1;
    }
}

static void draw_mark(struct canvas *c, double x) {
    double at = position_in(&c->x, x);
    if (isnan(x) || at < 0.0 || at > c->x.last) return;
    for (int row = 0; row < PLOT_ROWS; row++) c->cells[row][clamp(at, c->x.last)] = (struct cell){.kind = CELL_MARK};
}

static void draw_series(struct canvas *c, const struct plot *plot) {
    draw_mark(c, plot->mark);
    for (size_t i = 0; i < plot->count; i++) {
        const struct plot_series *s = &plot->series[i];
        if (s->style == PLOT_LETTER) {
            draw_letters(c, plot, s);
        } else if (s->style == PLOT_BAND) {
            draw_band(c, plot, s);
        } else {
            draw_curve(c, plot, s);
        }
    }
}

/* ---- axes ---- */

struct ticks {
    int count;
    int digits;               /* that tell them apart */
    double values[MAX_TICKS]; /* as they are named, not transformed */
};

/* Multiples of 1, 2 or 5 times a power of ten, and no less than `least`; at most `most` of them. */
static void even_ticks(double low, double high, double least, int most, struct ticks *out) {
    static const double steps[] = {1.0, 2.0, 5.0, 10.0};
    double power = fmax(least, pow(10.0, floor(log10((high - low) / most)))), step = power;
    for (int i = 0; i < 4; i++) {
        step = steps[i] * power;
        if (floor(high / step) - ceil(low / step) + 1 <= most) break;
    }
    out->count = 0;
    for (double k = ceil(low / step); k * step <= high && out->count < most; k++) out->values[out->count++] = k * step;
    double digits = floor(log10(fmax(fabs(low), fabs(high)) / step)) + 2.0;
    out->digits = digits < 4.0 ? 4 : digits > 8.0 ? 8 : (int)digits; /* eight and a point are a label's width */
}

/* steps[count] times every `stride`-th power of ten; how many there are, of which `most` are kept. */
static int decades(double low, double high, int stride, int count, int most, struct ticks *out) {
    static const double steps[] = {1.0, 2.0, 5.0};
    int found = 0;
    for (double decade = stride * floor(low / stride); decade <= high; decade += stride) {
        for (int i = 0; i < count; i++) {
            double value = steps[i] * pow(10.0, decade);
            if (log10(value) < low || log10(value) > high) continue;
            if (found < most) out->values[found] = value;
            found++;
        }
    }
    out->count = found < most ? found : most;
    return found;
}

/* Of a logarithmic axis: 1, 2 and 5 times powers of ten, or the powers alone, or some of them; within a decade, where
 * these are few, even ones. */
static void log_ticks(double low, double high, int most, struct ticks *out) {
    static const int strides[] = {1, 2, 5, 10, 20, 50, 100, 200};
    out->digits = 4;
    if (decades(low, high, 1, 3, most, out) > most) {
        for (int i = 0; i < 8 && decades(low, high, strides[i], 1, most, out) > most; i++) continue;
    } else if (out->count < 3) {
        even_ticks(pow(10.0, low), pow(10.0, high), 0.0, most, out);
    }
}

/* The label of each row, "" for most. */
static void label_rows(const struct canvas *c, char labels[PLOT_ROWS][32]) {
    struct ticks ticks;
    enum { MOST = PLOT_ROWS / 2 };
    for (int row = 0; row < PLOT_ROWS; row++) labels[row][0] = '\0';
    if (c->y.log) {
        log_ticks(c->y.low, c->y.high, MOST, &ticks);
    } else {
        even_ticks(c->y.low, c->y.high, 0.0, MOST, &ticks);
    }
    for (int i = 0; i < ticks.count; i++) {
        int half = half_of(c, transformed(ticks.values[i], c->y.log));
        if (half >= 0)
            snprintf(labels[PLOT_ROWS - 1 - half / 2], sizeof *labels, "%.*g", ticks.digits, ticks.values[i] + 0.0);
    }
}

static void print_cell(const struct cell *cell, bool unicode, FILE *out) {
    static const char *const blocks[2][2] = {{" ", "▄"}, {"▀", "█"}}, *const dots[2][2] = {{" ", "."}, {"'", "#"}};
    switch (cell->kind) {
    case CELL_BLANK:
        fputc(' ', out);
        break;
    case CELL_MARK:
        fputs(unicode ? "┊" : "|", out);
        break;
    case CELL_BAND:
        fputs(plot_key(PLOT_BAND, unicode), out);
        break;
    case CELL_LETTER:
        fputc(cell->letter, out);
        break;
    case CELL_LINE:
        fputs((unicode ? blocks : dots)[cell->half[0]][cell->half[1]], out);
        break;
    }
}

/* No line ends in blanks. */
static void print_row(const struct canvas *c, int row, const char *label, bool unicode, FILE *out) {
    int end = c->width;
    while (end > 0 && c->cells[row][end - 1].kind == CELL_BLANK) end--;
    const char *axis = unicode ? (*label ? "┤" : "│") : (*label ? "+" : "|");
    fprintf(out, "%*s%*s %s", INDENT, "", LABEL_WIDTH, label, axis);
    for (int column = 0; column < end; column++) print_cell(&c->cells[row][column], unicode, out);
    fputc('\n', out);
}

/* Writes as many numbers beneath their ticks as fit. */
static void print_x_axis(const struct canvas *c, const char *name, bool unicode, FILE *out) {
    struct ticks ticks;
    bool ticked[MAX_WIDTH] = {false};
    char line[MAX_WIDTH + 64];
    memset(line, ' ', sizeof line);
    int used = 0;
    even_ticks(c->x.low, c->x.high, 1.0, c->width / 12 + 2, &ticks);
    for (int i = 0; i < ticks.count; i++) {
        char text[32];
        int column = column_of(c, ticks.values[i]), length = snprintf(text, sizeof text, "%.8g", ticks.values[i] + 0.0);
        ticked[column] = true;
        int begin = column - length / 2 > used ? column - length / 2 : used;
        if (begin + length > c->width) continue;
        memcpy(line + begin, text, (size_t)length);
        used = begin + length + 1;
    }
    fprintf(out, "%*s%*s %s", INDENT, "", LABEL_WIDTH, "", unicode ? "└" : "+");
    for (int i = 0; i < c->width; i++) fputs(unicode ? (ticked[i] ? "┴" : "─") : (ticked[i] ? "+" : "-"), out);
    fprintf(out, "\n%*s%.*s\n", INDENT + LABEL_WIDTH + 2, "", used > 0 ? used - 1 : 0, line);
    fprintf(out, "%*s\n", INDENT + LABEL_WIDTH + 2 + c->width, name);
}

const char *plot_key(enum plot_style style, bool unicode) {
    return style == PLOT_BAND ? (unicode ? "░" : ":") : unicode ? "▀" : "'";
}

bool plot_draw(const struct plot *plot, int columns, bool unicode, FILE *out) {
    struct canvas canvas = {0};
    struct range x, y;
    char labels[PLOT_ROWS][32];
    if (!find_ranges(plot, &x, &y)) return false;
    columns = columns < PLOT_MIN_COLUMNS ? PLOT_MIN_COLUMNS : columns > PLOT_MAX_COLUMNS ? PLOT_MAX_COLUMNS : columns;
    canvas.width = columns - INDENT - LABEL_WIDTH - 2;
    canvas.x = make_x_scale(x.low, x.high, canvas.width);
    canvas.y = make_y_scale(y.low, y.high, plot->log_y);
    draw_series(&canvas, plot);
    label_rows(&canvas, labels);
    fprintf(out, "%*s%*s\n", INDENT, "", LABEL_WIDTH, plot->y_label);
    for (int row = 0; row < PLOT_ROWS; row++) print_row(&canvas, row, labels[row], unicode, out);
    print_x_axis(&canvas, plot->x_label, unicode, out);
    return true;
}
