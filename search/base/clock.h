/* Time that only goes on. */
#ifndef LONGROPE_SEARCH_CLOCK_H
#define LONGROPE_SEARCH_CLOCK_H

/* Seconds since some moment; never goes back, whatever happens to the date. */
double clock_seconds(void);

#endif
