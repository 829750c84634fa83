/* What the terminal, or the file that output goes to, can show. */
#ifndef LONGROPE_SEARCH_TERMINAL_H
#define LONGROPE_SEARCH_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* True if the user's locale (LC_ALL, LC_CTYPE, LANG) uses UTF-8, so that block characters can be printed, to a terminal
 * or to a file. */
bool terminal_shows_unicode(void);

/* The environment variable COLUMNS, if it is a positive number; else the width of the terminal `file`; `fallback` if
 * `file` is not a terminal or its width is unknown. */
int terminal_columns(FILE *file, int fallback);

#endif
