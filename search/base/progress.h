/* Progress of long work on stderr: one line rewritten in place on a terminal, plain lines now and
 * then where there is none, with an estimate of the time left. */
#ifndef LONGROPE_SEARCH_PROGRESS_H
#define LONGROPE_SEARCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    const char *title; /* borrowed */
    const char *steps; /* what is counted, "evaluations"; borrowed */
    bool terminal;
    bool line;      /* there is a line on the terminal */
    double began;   /* when it began, by clock_seconds() */
    double printed; /* and when the last line was printed */
    size_t first;   /* steps that were done already at the start */
    size_t planned; /* steps in all */
    size_t done;    /* as progress_step() said last */
    char what[160]; /* the same */
};

/* `done` of `planned` steps were finished by an earlier process. */
void progress_begin(struct progress *progress, const char *title, const char *steps, size_t done, size_t planned);

/* `done` steps are finished; `what` says how it stands, in a few words, or is "". Prints on a terminal
 * five times a second at most, elsewhere every ten seconds, and whenever `milestone` is true. */
void progress_step(struct progress *progress, size_t done, const char *what, bool milestone);

/* That much, 0..1, of the step after those is done. Prints as often as progress_step(). */
void progress_within(struct progress *progress, double fraction);

/* Ends the line on a terminal; progress_clear() takes it away instead, for other output to follow. */
void progress_end(struct progress *progress);
void progress_clear(struct progress *progress);

#endif
