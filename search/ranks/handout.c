#include "search/ranks/handout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct table {
    int64_t id;
    bool held;
    size_t *windows; /* [count]; those from `next` on wait */
    size_t next, count, room;
};

struct load {
    struct handout_unit units[HANDOUT_MOST]; /* [count] */
    bool dropped[HANDOUT_MOST];
    size_t count;
};

struct handout {
    struct table *tables; /* [count], in the order in which they were added */
    size_t count, room;
    struct load *loads; /* [workers] */
    size_t workers;
    bool has_front;
    int64_t front; /* id of a table, which may not be among them */
    uint64_t last; /* id of a unit */
    size_t open;   /* units that wait and may go out: of all tables for which is_open() */
};

int handout_new(size_t workers, struct handout **out, struct error *error) {
    struct handout *handout = calloc(1, sizeof *handout);
    *out = NULL;
    if (handout) handout->loads = calloc(workers, sizeof *handout->loads);
    if (!handout || !handout->loads) {
        handout_free(handout);
        return error_memory(error, (double)workers * sizeof *handout->loads, "the units of workers");
    }
    handout->workers = workers;
    *out = handout;
    return STATUS_OK;
}

void handout_free(struct handout *handout) {
    if (!handout) return;
    for (size_t t = 0; t < handout->count; t++) free(handout->tables[t].windows);
    free(handout->tables);
    free(handout->loads);
    free(handout);
}

/* ---- tables ---- */

static bool is_front(const struct handout *handout, const struct table *table) {
    return handout->has_front && table->id == handout->front;
}

static bool is_open(const struct handout *handout, const struct table *table) {
    return table->next < table->count && (!table->held || is_front(handout, table));
}

/* Of the table, in handout->open. They are not counted anew: with a thousand workers and tables that takes long. */
static size_t open_units(const struct handout *handout, const struct table *table) {
    return table && is_open(handout, table) ? table->count - table->next : 0;
}

static struct table *find(const struct handout *handout, int64_t id) {
    for (size_t t = 0; t < handout->count; t++) {
        if (handout->tables[t].id == id) return &handout->tables[t];
    }
    return NULL;
}

/* Room for one more item; NULL for lack of memory, and `items` is as before. */
static void *grow(void *items, size_t count, size_t *room, size_t size) {
    if (count < *room) return items;
    size_t more = *room ? 2 * *room : 8;
    void *grown = more > *room && more <= PTRDIFF_MAX / size ? realloc(items, more * size) : NULL;
    if (grown) *room = more;
    return grown;
}

static struct table *add_table(struct handout *handout, int64_t id) {
    struct table *grown = grow(handout->tables, handout->count, &handout->room, sizeof *grown);
    if (!grown) return NULL;
    handout->tables = grown;
    handout->tables[handout->count] = (struct table){.id = id};
    return &handout->tables[handout->count++];
}

int handout_add(struct handout *handout, int64_t table, size_t window, struct error *error) {
    struct table *to = find(handout, table);
    if (!to) to = add_table(handout, table);
    size_t *windows = to ? grow(to->windows, to->count, &to->room, sizeof *windows) : NULL;
    if (!windows) return error_memory(error, 0, "the windows of a generation");
    to->windows = windows;
    handout->open -= open_units(handout, to);
    to->windows[to->count++] = window;
    handout->open += open_units(handout, to);
    return STATUS_OK;
}

void handout_to_front(struct handout *handout, int64_t table) {
    const struct table *before = handout->has_front ? find(handout, handout->front) : NULL, *now = find(handout, table);
    if (before == now && handout->has_front) now = NULL;
    handout->open -= open_units(handout, before) + open_units(handout, now);
    handout->has_front = true;
    handout->front = table;
    handout->open += open_units(handout, before) + open_units(handout, now);
}

void handout_hold(struct handout *handout, int64_t table) {
    struct table *held = find(handout, table);
    if (!held) return;
    handout->open -= open_units(handout, held);
    held->held = true;
    handout->open += open_units(handout, held);
}

void handout_drop(struct handout *handout, int64_t table) {
    struct table *gone = find(handout, table);
    for (size_t w = 0; w < handout->workers; w++) {
        struct load *load = &handout->loads[w];
        for (size_t i = 0; i < load->count; i++) load->dropped[i] |= load->units[i].table == table;
    }
    if (!gone) return;
    handout->open -= open_units(handout, gone);
    free(gone->windows);
    handout->count--;
    memmove(gone, gone + 1, (size_t)(handout->tables + handout->count - gone) * sizeof *gone);
}

/* ---- handing out ---- */

/* Whether more units wait than there are workers. */
static bool many_wait(const struct handout *handout) { return handout->open > handout->workers; }

static bool takes_more(const struct handout *handout, const struct load *load) {
    size_t live = 0;
    for (size_t i = 0; i < load->count; i++) live += !load->dropped[i];
    if (load->count == HANDOUT_MOST || live == HANDOUT_DEPTH) return false;
    return live == 0 || many_wait(handout);
}

/* The table that is served next; NULL if none has a unit. */
static struct table *choose(const struct handout *handout) {
    struct table *front = NULL, *other = NULL;
    for (size_t t = 0; t < handout->count; t++) {
        struct table *table = &handout->tables[t];
        if (!is_open(handout, table)) continue;
        if (table->next == 0) return table;
        if (is_front(handout, table)) front = table;
        if (!other) other = table;
    }
    return front ? front : other;
}

bool handout_next(struct handout *handout, size_t worker, struct handout_unit *out) {
    assert(worker < handout->workers);
    struct load *load = &handout->loads[worker];
    struct table *table = handout->open > 0 && takes_more(handout, load) ? choose(handout) : NULL;
    if (!table) return false;
    *out = (struct handout_unit){++handout->last, table->id, table->windows[table->next++]};
    handout->open--;
    load->dropped[load->count] = false;
    load->units[load->count++] = *out;
    return true;
}

enum handout_return handout_done(struct handout *handout, size_t worker, uint64_t id, struct handout_unit *out) {
    assert(worker < handout->workers);
    struct load *load = &handout->loads[worker];
    size_t at = 0;
    while (at < load->count && load->units[at].id != id) at++;
    if (at == load->count) return HANDOUT_UNKNOWN;
    bool dropped = load->dropped[at];
    *out = load->units[at];
    load->count--;
    memmove(&load->units[at], &load->units[at + 1], (load->count - at) * sizeof *load->units);
    memmove(&load->dropped[at], &load->dropped[at + 1], (load->count - at) * sizeof *load->dropped);
    return dropped ? HANDOUT_DROPPED : HANDOUT_WANTED;
}

size_t handout_under_way(const struct handout *handout, size_t worker, struct handout_unit out[HANDOUT_MOST]) {
    assert(worker < handout->workers);
    const struct load *load = &handout->loads[worker];
    memcpy(out, load->units, load->count * sizeof *out);
    return load->count;
}
