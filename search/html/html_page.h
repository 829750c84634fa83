/* The report of a run as one HTML file without external parts, for screens of any width, light or dark, and for paper.
 * It loads nothing and runs nothing, and its Content-Security-Policy forbids both.
 *
 * Its numbers are those of `longrope show --json`; each names its source there (search/html/cited_value.h). */
#ifndef LONGROPE_SEARCH_HTML_PAGE_H
#define LONGROPE_SEARCH_HTML_PAGE_H

#include <stdio.h>
#include <time.h>

#include "eval/base/error.h"
#include "search/html/cited_value.h"
#include "search/html/gnuplot.h"

/* The first bytes of every report; a file that begins with them may be replaced. */
#define HTML_PAGE_MARK "<!DOCTYPE html>\n<!-- longrope report -->\n"

struct config;

struct html_page {
    FILE *out;
    struct gnuplot gnuplot;
    const char *program; /* name and version of the program that writes the page */
    const char *run_dir; /* as it was given */
    time_t written;
    struct cited_value overview, generations, genealogy; /* as show --json, --generations and --genealogy print them */
    size_t charts;                                       /* drawn so far */
    struct config *configuration; /* as the run has stored it; NULL: it cannot be read any more (html_data.h) */
};

/* Writes the whole page to page->out. Errors are those of chart_draw(). */
int html_page_write(struct html_page *page, struct error *error);

/* ---- sections, one file each ---- */

extern const char *const html_style[]; /* CSS in pieces; NULL ends it */

/* The verdict on the whole run, and what it gained, cost and took. */
void html_verdict(struct html_page *page);

/* Commands and factors for inference engines. */
void html_use(struct html_page *page);

/* The terms that the page uses. */
void html_terms(struct html_page *page);

/* Stage `index`: what was searched and found, and its figures. */
int html_stage(struct html_page *page, size_t index, struct error *error);

/* Figures of a stage; nothing where the run holds no data for one. */
int html_convergence(struct html_page *page, size_t stage, struct error *error);
int html_lambda(struct html_page *page, size_t stage, struct error *error);
int html_genealogy(struct html_page *page, size_t stage, struct error *error);

/* Perplexity by length and pass keys, or how to measure them. */
int html_measurements(struct html_page *page, struct error *error);

/* Accuracy in multiple choice; nothing where none was measured. */
void html_choices(struct html_page *page);

/* Commands, configuration and settings. */
void html_reproduce(struct html_page *page);
void html_settings(struct html_page *page);

#endif
