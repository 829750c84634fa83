/* Progress of long work on stderr: one line rewritten in place on a terminal, plain lines now and
 * then where there is none, with an estimate of the time left. */
#ifndef LONGROPE_SEARCH_PROGRESS_H
#define LONGROPE_SEARCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    const char *title; /* borrowed */
    bool terminal;
    double began;   /* seconds_now() at the start */
    double printed; /* and when the last line was printed */
    size_t first;   /* steps that were done already at the start */
    size_t planned; /* steps in all */
};

/* Seconds since some moment, never going back. */
double seconds_now(void);

/* `done` of `planned` steps were finished by an earlier process. */
void progress_begin(struct progress *progress, const char *title, size_t done, size_t planned);

/* `done` steps are finished; `what` says how it stands, in a few words. Prints on a terminal each
 * time, elsewhere every ten seconds, and whenever `milestone` is true. */
void progress_step(struct progress *progress, size_t done, const char *what, bool milestone);

/* Ends the line on a terminal. */
void progress_end(struct progress *progress);

#endif
