/* The report of a run as a page: one HTML file that holds all it needs, for screens of any width, light or dark, and
 * for paper. It fetches nothing and runs nothing, and forbids browsers to (Content-Security-Policy).
 *
 * Its numbers are those of `longrope show --json` (search/html/cited_value.h); each says where it stands there. */
#ifndef LONGROPE_SEARCH_HTML_PAGE_H
#define LONGROPE_SEARCH_HTML_PAGE_H

#include <stdio.h>
#include <time.h>

#include "eval/base/error.h"
#include "search/html/cited_value.h"
#include "search/html/gnuplot.h"

/* The first bytes of every report, by which one is known again. */
#define HTML_PAGE_MARK "<!DOCTYPE html>\n<!-- longrope report -->\n"

struct html_page {
    FILE *out;
    struct gnuplot gnuplot;
    const char *program; /* name and version of the one that writes */
    const char *run_dir; /* as it was given */
    time_t written;
    struct cited_value overview, generations, genealogy; /* as show --json, --generations and --genealogy print them */
    size_t charts;                                       /* drawn so far */
};

/* Writes the whole page to page->out. Errors are those of chart_draw(). */
int html_page_write(struct html_page *page, struct error *error);

/* ---- its sections, each in a file of its own ---- */

extern const char *const html_style[]; /* CSS, a rule or a few an item, NULL behind the last */

/* Stage `index`: what was searched, what came of it, how it came. */
int html_stage(struct html_page *page, size_t index, struct error *error);

/* Figures of a stage; nothing where there is nothing to draw. */
int html_convergence(struct html_page *page, size_t stage, struct error *error);
int html_lambda(struct html_page *page, size_t stage, struct error *error);
int html_genealogy(struct html_page *page, size_t stage, struct error *error);

/* Perplexity by length and pass keys, or how to measure them. */
int html_measurements(struct html_page *page, struct error *error);

/* The configuration, settings, commands. */
void html_reproduce(struct html_page *page);

#endif
