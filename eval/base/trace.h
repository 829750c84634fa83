/* What rooms decide, one line each on stderr, for people who debug.
 *
 * LONGROPE_TRACE names the rooms, separated by commas: LONGROPE_TRACE=store,race. "all" is every room. Without it
 * nothing is printed and the arguments of TRACE() are not evaluated. Tracing changes no result.
 */
#ifndef LONGROPE_EVAL_TRACE_H
#define LONGROPE_EVAL_TRACE_H

#include <stdbool.h>

enum trace_room {
    TRACE_MODEL,  /* what is loaded, with which kernels */
    TRACE_EVOLVE, /* what the search proposes, keeps and why it changes its step */
    TRACE_RACE,   /* which candidates are given up, after which window */
    TRACE_STORE,  /* databases: what is opened, migrated, waited for */
    TRACE_CACHE,  /* which windows the cache has */
    TRACE_RANKS,  /* which window goes to which process, and what comes back */
    TRACE_RECIPE, /* which stage runs next, on which model, with which table */
    TRACE_EXPORT, /* which tables an export takes */
    TRACE_ROOMS
};

/* Whether LONGROPE_TRACE names the room. It is read once, at the first call. */
bool trace_on(enum trace_room room);

/* "longrope: trace: ROOM: ..." and a newline. */
void trace_line(enum trace_room room, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define TRACE(room, ...)                                                                                               \
    do {                                                                                                               \
        if (trace_on(room)) trace_line(room, __VA_ARGS__);                                                             \
    } while (0)

/* The first name in LONGROPE_TRACE that is not a room, for an error message; NULL if all are. The caller frees it. */
char *trace_unknown_room(void);

extern const char *const trace_room_names[TRACE_ROOMS];

#endif
