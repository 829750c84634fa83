/* Curves drawn with characters: lines in half blocks, bands as shade, points as letters, over two axes. Without Unicode
 * the halves are ' and . and both of them #, the shade is a colon. No colours, no cursor movement: it is text. */
#ifndef LONGROPE_SEARCH_TERMINAL_PLOT_H
#define LONGROPE_SEARCH_TERMINAL_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    PLOT_ROWS = 16, /* of the frame */
    PLOT_MIN_COLUMNS = 40,
    PLOT_MAX_COLUMNS = 120 /* in all, axis included */
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
    bool loose;  /* it does not widen the axes, and is cut off at the frame */
    size_t count;
    const double *x, *y; /* [count], x ascending; axes name whole x */
    const double *y2;    /* [count] of a PLOT_BAND; infinity: to the frame */
};

struct plot {
    const char *x_label, *y_label; /* ASCII */
    bool log_y;
    double mark; /* x of an upright line in the background; NaN: none */
    size_t count;
    const struct plot_series *series; /* [count] */
};

/* Draws the plot, PLOT_MIN_COLUMNS..PLOT_MAX_COLUMNS columns wide, as near to `columns` as that is, each line indented
 * by two blanks. False, with nothing drawn, where no series has a point to draw. */
bool plot_draw(const struct plot *plot, int columns, bool unicode, FILE *out);

/* What stands for a style in a picture, for a legend. */
const char *plot_sample(enum plot_style style, bool unicode);

#endif
