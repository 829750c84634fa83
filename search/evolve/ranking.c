#include "search/evolve/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ranking_open(struct ranking *out, size_t capacity) {
    *out = (struct ranking){.capacity = capacity, .items = calloc(capacity + 1, sizeof *out->items)};
    for (size_t i = 0; out->items && i < capacity; i++) out->items[i].slot = i;
    return out->items != NULL;
}

void ranking_close(struct ranking *ranking) {
    free(ranking->items);
    *ranking = (struct ranking){.count = 0};
}

bool ranking_before(double a, double b) { return a < b || (isnan(b) && !isnan(a)); }

/* Where an item of that mean belongs among the first `count`: behind its equals. */
static size_t place_of(const struct ranking *ranking, size_t count, double mean) {
    while (count > 0 && ranking_before(mean, ranking->items[count - 1].mean)) count--;
    return count;
}

static void move_to(struct ranking *ranking, size_t at, size_t from) {
    const struct ranked moved = ranking->items[from];
    memmove(&ranking->items[at + 1], &ranking->items[at], (from - at) * sizeof moved);
    ranking->items[at] = moved;
}

const struct ranked *ranking_add(struct ranking *ranking, size_t id, double mean) {
    size_t at = place_of(ranking, ranking->count, mean);
    if (at == ranking->capacity) return NULL;
    if (ranking->count < ranking->capacity) ranking->count++;
    struct ranked *last = &ranking->items[ranking->count - 1]; /* its slot is free */
    last->id = id;
    last->mean = mean;
    move_to(ranking, at, ranking->count - 1);
    return &ranking->items[at];
}

void ranking_sort(struct ranking *ranking) {
    for (size_t i = 1; i < ranking->count; i++) move_to(ranking, place_of(ranking, i, ranking->items[i].mean), i);
}

struct ranked *ranking_find(const struct ranking *ranking, size_t id) {
    for (size_t i = 0; i < ranking->count; i++) {
        if (ranking->items[i].id == id) return &ranking->items[i];
    }
    return NULL;
}

void ranking_clear(struct ranking *ranking) { ranking->count = 0; }
