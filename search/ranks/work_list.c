#include "search/ranks/work_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/trace.h"
#include "search/ranks/handout.h"

enum { TABLE = 0 }; /* of the hand-out: the list is one table, whose windows are the units */

/* A list may have millions of items. Few results, which have room for a message each, wait to be heard. */
struct item {
    const struct rope_table *table;
    size_t window;
    struct work_result *result; /* owned, with its details, from when it comes until it is heard; else NULL */
};

struct work_list {
    const struct workers *workers;
    const volatile sig_atomic_t *stop;
    struct handout *handout;
    struct item *items; /* [count] */
    size_t count, room;
    struct work_result *heard; /* last; owned, with its details */
};

static void result_free(struct work_result *result) {
    if (result) free((void *)result->details);
    free(result);
}

int work_list_new(const struct workers *workers, const volatile sig_atomic_t *stop, struct work_list **out,
                  struct error *error) {
    *out = NULL;
    struct work_list *list = calloc(1, sizeof *list);
    if (!list) return error_memory(error, sizeof *list, "a list of windows");
    list->workers = workers;
    list->stop = stop;
    int status = handout_new(workers->count, &list->handout, error);
    if (status != STATUS_OK) {
        work_list_free(list);
        return status;
    }
    *out = list;
    return STATUS_OK;
}

static void cancel_all(const struct work_list *list) {
    const struct workers *workers = list->workers;
    struct handout_unit units[HANDOUT_MOST];
    for (size_t w = 0; w < workers->count; w++) {
        size_t count = handout_under_way(list->handout, w, units);
        for (size_t i = 0; i < count; i++) workers->cancel(workers->state, w, units[i].id);
    }
}

void work_list_free(struct work_list *list) {
    if (!list) return;
    if (list->handout) cancel_all(list);
    for (size_t i = 0; i < list->count; i++) result_free(list->items[i].result);
    result_free(list->heard);
    free(list->items);
    handout_free(list->handout);
    free(list);
}

int work_list_add(struct work_list *list, const struct rope_table *table, size_t window, struct error *error) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct item *grown = realloc(list->items, room * sizeof *grown);
        if (!grown) return error_memory(error, (double)room * sizeof *grown, "a list of windows");
        list->items = grown;
        list->room = room;
    }
    list->items[list->count] = (struct item){.table = table, .window = window};
    return handout_add(list->handout, TABLE, list->count++, error);
}

/* ---- working ---- */

static int hand_out(struct work_list *list, struct error *error) {
    const struct workers *workers = list->workers;
    struct handout_unit unit;
    for (size_t w = 0; w < workers->count; w++) {
        while (handout_next(list->handout, w, &unit)) {
            const struct item *item = &list->items[unit.window];
            const struct work_unit work = {unit.id, item->window, *item->table};
            TRACE(TRACE_RANKS, "worker %zu: gets unit %" PRIu64 " (window %zu)", w, unit.id, item->window);
            int status = workers->give(workers->state, w, &work, error);
            if (status != STATUS_OK) return status;
        }
    }
    return STATUS_OK;
}

/* Whom results are told to when they come. */
struct listener {
    void (*arrived)(void *state, size_t number);
    void *state;
};

static int keep(struct work_list *list, const struct work_result *result, const struct listener *listener,
                struct error *error) {
    struct handout_unit unit;
    if (handout_done(list->handout, result->worker, result->id, &unit) != HANDOUT_WANTED) return STATUS_OK;
    struct item *item = &list->items[unit.window];
    TRACE(TRACE_RANKS, "worker %zu: unit %" PRIu64 " (window %zu) %s", result->worker, unit.id, item->window,
          result->status == STATUS_OK ? "is scored" : "failed");
    size_t size = result->status == STATUS_OK ? result->size : 0;
    void *details = size ? malloc(size) : NULL;
    item->result = malloc(sizeof *item->result);
    if (!item->result || (size && !details)) {
        free(details);
        free(item->result);
        item->result = NULL;
        return error_memory(error, (double)(size + sizeof *item->result), "a result");
    }
    if (size) memcpy(details, result->details, size);
    *item->result = *result;
    item->result->details = details;
    listener->arrived(listener->state, unit.window);
    return STATUS_OK;
}

/* Takes what has come, and hands out units; *any: something came. Does not wait. */
static int exchange(struct work_list *list, const struct listener *listener, bool *any, struct error *error) {
    const struct workers *workers = list->workers;
    struct work_result result;
    bool taken = false;
    int status = STATUS_OK;
    *any = false;
    do {
        status = workers->take(workers->state, &result, &taken, error);
        if (status == STATUS_OK && taken) status = keep(list, &result, listener, error);
        *any = *any || taken;
    } while (status == STATUS_OK && taken);
    if (status == STATUS_OK && list->stop && *list->stop) return error_set(error, STATUS_STOPPED, "stopped");
    return status == STATUS_OK ? hand_out(list, error) : status;
}

int work_list_hear(struct work_list *list, size_t number, void (*arrived)(void *state, size_t number), void *state,
                   struct work_result *out, struct error *error) {
    const struct workers *workers = list->workers;
    const struct listener listener = {arrived, state};
    struct item *item = &list->items[number];
    bool any = false;
    /* also where the result is there: workers get their next units */
    int status = exchange(list, &listener, &any, error);
    while (status == STATUS_OK && !item->result) {
        if (!any) workers->wait(workers->state);
        status = exchange(list, &listener, &any, error);
    }
    if (status != STATUS_OK) return status;
    result_free(list->heard);
    list->heard = item->result;
    item->result = NULL;
    *out = *list->heard;
    if (out->status != STATUS_OK) *error = out->error;
    return out->status;
}
