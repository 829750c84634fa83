/* Curves drawn with characters over two axes: lines in half blocks, bands as shade, points as letters. Without Unicode
 * the upper half is ', the lower half ., both are #, and the shade is a colon. The output is plain text without colours
 * or cursor movement. */
#ifndef LONGROPE_SEARCH_TERMINAL_PLOT_H
#define LONGROPE_SEARCH_TERMINAL_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    PLOT_ROWS = 16, /* of the frame */
    PLOT_MIN_COLUMNS = 40,
    PLOT_MAX_COLUMNS = 120 /* of the picture, axis included */
};

enum plot_style {
    PLOT_LINE,   /* through the points */
    PLOT_STEPS,  /* y holds until the next point */
    PLOT_LETTER, /* the letter at each point */
    PLOT_BAND    /* between y and y2, to the next point */
};

/* Later series are drawn over earlier ones. A point whose x or y is not finite, or beyond 1e300 (or not above 0,
 * where y is a logarithm) is left out, and a line has a gap there. */
struct plot_series {
    enum plot_style style;
    char letter; /* of PLOT_LETTER, ASCII */
    bool loose;  /* does not widen the axes; cut off at the frame */
    size_t count;
    const double *x, *y; /* [count], x ascending; axes name whole x */
    const double *y2;    /* [count] of a PLOT_BAND; infinity: to the frame */
};

struct plot {
    const char *x_label, *y_label; /* ASCII */
    bool log_y;
    double mark; /* x of a vertical line in the background; NaN: none */
    size_t count;
    const struct plot_series *series; /* [count] */
};

/* Draws the plot, `columns` wide within PLOT_MIN_COLUMNS..PLOT_MAX_COLUMNS, each line indented by two blanks. False,
 * with nothing drawn, where no series has a point. */
bool plot_draw(const struct plot *plot, int columns, bool unicode, FILE *out);

/* The key of a style in a legend: one character. */
const char *plot_key(enum plot_style style, bool unicode);

#endif
