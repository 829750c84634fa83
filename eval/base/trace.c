#include "eval/base/trace.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"

const char *const trace_room_names[TRACE_ROOMS] = {
    [TRACE_MODEL] = "model", [TRACE_EVOLVE] = "evolve", [TRACE_RACE] = "race",     [TRACE_STORE] = "store",
    [TRACE_CACHE] = "cache", [TRACE_RANKS] = "ranks",   [TRACE_RECIPE] = "recipe", [TRACE_EXPORT] = "export"};

enum { ALL_ROOMS = (1 << TRACE_ROOMS) - 1, MASK_READ = 1 << TRACE_ROOMS };

/* Bits of the rooms that `text` names, and the first name in it that is no room. */
static int read_rooms(const char *text, const char **unknown, size_t *unknown_size) {
    int mask = 0;
    *unknown = NULL;
    while (*text) {
        char name[32] = "";
        size_t size = strcspn(text, ",");
        if (size < sizeof name) memcpy(name, text, size);
        int room = name_find(trace_room_names, TRACE_ROOMS, name);
        if (room != NAME_UNKNOWN) {
            mask |= 1 << room;
        } else if (strcmp(name, "all") == 0) {
            mask = ALL_ROOMS;
        } else if (size > 0 && !*unknown) {
            *unknown = text, *unknown_size = size;
        }
        text += size + (text[size] == ',');
    }
    return mask;
}

static const char *setting(void) {
    const char *text = getenv("LONGROPE_TRACE"); /* NOLINT(concurrency-mt-unsafe): nothing sets it */
    return text ? text : "";
}

bool trace_on(enum trace_room room) {
    static atomic_int rooms; /* 0 before the setting is read */
    int mask = atomic_load_explicit(&rooms, memory_order_relaxed);
    if (mask == 0) {
        const char *unknown;
        size_t size;
        mask = read_rooms(setting(), &unknown, &size) | MASK_READ;
        atomic_store_explicit(&rooms, mask, memory_order_relaxed);
    }
    return mask >> (int)room & 1;
}

void trace_line(enum trace_room room, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "longrope: trace: %s: %s\n", trace_room_names[room], line);
}

char *trace_unknown_room(void) {
    const char *unknown;
    size_t size = 0;
    read_rooms(setting(), &unknown, &size);
    return unknown ? strndup(unknown, size) : NULL;
}
