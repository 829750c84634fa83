#include "search/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PLAIN_INTERVAL = 10 }; /* seconds between plain lines */

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(struct progress *progress, const char *title, size_t done, size_t planned) {
    double now = seconds_now();
    *progress = (struct progress){.title = title,
                                  .terminal = isatty(STDERR_FILENO) == 1,
                                  .began = now,
                                  .printed = now,
                                  .first = done,
                                  .planned = planned};
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

void progress_step(struct progress *progress, size_t done, const char *what, bool milestone) {
    double now = seconds_now();
    if (!progress->terminal && !milestone && now - progress->printed < PLAIN_INTERVAL) return;
    progress->printed = now;
    double rate = now > progress->began ? (double)(done - progress->first) / (now - progress->began) : 0.0;
    char left[32] = "?";
    if (rate > 0.0) format_duration((double)(progress->planned - done) / rate, left, sizeof left);
    fprintf(stderr, "%s%s: %zu/%zu evaluations, %s, %.1f/s, %s left%s", progress->terminal ? "\r\033[K" : "",
            progress->title, done, progress->planned, what, rate, left, progress->terminal ? "" : "\n");
    fflush(stderr);
}

void progress_end(struct progress *progress) {
    if (progress->terminal) fputc('\n', stderr);
}
