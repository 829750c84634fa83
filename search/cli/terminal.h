/* What can be shown where the output goes. */
#ifndef LONGROPE_SEARCH_TERMINAL_H
#define LONGROPE_SEARCH_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Whether text in the user's locale (LC_ALL, LC_CTYPE, LANG) is UTF-8, so that shades and blocks beyond ASCII
 * arrive as what they are, in a terminal as well as in a file. */
bool terminal_shows_unicode(void);

/* As many columns as the environment's COLUMNS says or, without it, as the terminal has that `file` is; `otherwise`
 * where it is none or does not say. */
int terminal_columns(FILE *file, int otherwise);

#endif
