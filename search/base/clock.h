/* A clock for durations. */
#ifndef LONGROPE_SEARCH_CLOCK_H
#define LONGROPE_SEARCH_CLOCK_H

/* Seconds since an arbitrary moment. It never decreases, also if the date of the machine is changed. */
double clock_seconds(void);

#endif
