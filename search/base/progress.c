#include "search/base/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "search/base/clock.h"

/* Seconds between lines. */
#define PLAIN_INTERVAL 10.0
#define TERMINAL_INTERVAL 0.2

void progress_begin(struct progress *progress, const char *title, const char *steps, size_t done, size_t planned) {
    double now = clock_seconds();
    *progress = (struct progress){.title = title,
                                  .steps = steps,
                                  .terminal = isatty(STDERR_FILENO) == 1,
                                  .began = now,
                                  .printed = now,
                                  .first = (double)done,
                                  .planned = planned,
                                  .done = done};
}

/* "0:07", "12:40" or "3:05:00" */
static void format_duration(double seconds, char *out, size_t size) {
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600) {
        snprintf(out, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(out, size, "%ld:%02ld", whole / 60, whole % 60);
    }
}

/* `done` may be a fraction more than whole steps. */
static void print_line(struct progress *progress, double now, double done, const char *within) {
    double rate = now > progress->began ? (done - progress->first) / (now - progress->began) : 0.0;
    char left[32] = "?";
    if (rate > 0.0) format_duration(((double)progress->planned - done) / rate, left, sizeof left);
    fprintf(stderr, "%s%s: %zu/%zu %s%s%s%s, %.3g/s, %s left%s", progress->terminal ? "\r\033[K" : "", progress->title,
            progress->done, progress->planned, progress->steps, within, *progress->what ? ", " : "", progress->what,
            rate, left, progress->terminal ? "" : "\n");
    fflush(stderr);
    progress->printed = now;
    progress->line = progress->terminal;
}

static bool too_soon(const struct progress *progress, double now) {
    return now - progress->printed < (progress->terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL);
}

void progress_step(struct progress *progress, size_t done, const char *what, bool milestone) {
    double now = clock_seconds();
    progress->done = done;
    snprintf(progress->what, sizeof progress->what, "%s", what);
    if (milestone || !too_soon(progress, now)) print_line(progress, now, (double)done, "");
}

void progress_within(struct progress *progress, double fraction) {
    double now = clock_seconds();
    if (too_soon(progress, now)) return;
    char within[48];
    snprintf(within, sizeof within, " and %.0f %% of the next", 100.0 * fraction);
    print_line(progress, now, (double)progress->done + fraction, within);
}

void progress_continue(struct progress *progress, double fraction) { progress->first += fraction; }

void progress_end(struct progress *progress) {
    if (progress->line) fputc('\n', stderr);
    progress->line = false;
}

void progress_clear(struct progress *progress) {
    if (progress->line) fputs("\r\033[K", stderr);
    progress->line = false;
}
