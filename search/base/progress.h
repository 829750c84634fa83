/* Progress of long work on stderr, with an estimate of the time left: one line that is rewritten on a terminal, else a
 * plain line every ten seconds. */
#ifndef LONGROPE_SEARCH_PROGRESS_H
#define LONGROPE_SEARCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    const char *title; /* borrowed */
    const char *steps; /* name of the steps, such as "evaluations"; borrowed */
    bool terminal;
    bool line;      /* the terminal shows a line */
    double began;   /* clock_seconds() at the start */
    double printed; /* clock_seconds() when the last line was printed */
    double first;   /* steps that an earlier process finished */
    size_t planned; /* total number of steps, earlier ones included */
    size_t done;    /* last arguments of progress_step() */
    char what[160];
};

/* `done` of `planned` steps were finished by an earlier process. */
void progress_begin(struct progress *progress, const char *title, const char *steps, size_t done, size_t planned);

/* `done` steps are finished. `what` describes the state in a few words, or is "". Prints at most five times per second
 * on a terminal, else every ten seconds, and always if `milestone` is true. */
void progress_step(struct progress *progress, size_t done, const char *what, bool milestone);

/* The fraction 0..1 of the current step is done. Prints as often as progress_step(). */
void progress_within(struct progress *progress, double fraction);

/* An earlier process did the fraction 0..1 of the current step: the rate is that of what follows. */
void progress_continue(struct progress *progress, double fraction);

/* End the output on a terminal: progress_end() keeps the line, progress_clear() erases it. */
void progress_end(struct progress *progress);
void progress_clear(struct progress *progress);

#endif
