#include "eval/text/text_held_out.h"

#include <stdbool.h>
#include <stdlib.h>

/* Stretches of text without a used window, as documents for windows_choose(). */
struct gaps {
    struct documents documents; /* [count]; items have no name, and tokens[count] of the text */
    struct {
        size_t document;
        int64_t start;
    } * from;       /* [count] */
    bool mirrored;  /* windows begin at the end of each */
    size_t windows; /* that they hold */
};

static bool is_used(const struct window *used, size_t used_count, size_t document) {
    for (size_t i = 0; i < used_count; i++) {
        if (used[i].document == document) return true;
    }
    return false;
}

/* The first used window of the document that ends behind `at`; NULL: none does. */
static const struct window *next_used(const struct window *used, size_t used_count, size_t document, int64_t at) {
    const struct window *next = NULL;
    for (size_t i = 0; i < used_count; i++) {
        const struct window *one = &used[i];
        if (one->document != document || one->start + one->length <= at) continue;
        if (!next || one->start < next->start) next = one;
    }
    return next;
}

static void add_gap(struct gaps *gaps, const struct documents *documents, size_t document, int64_t start, int64_t end,
                    int64_t length) {
    if (end - start < length) return;
    size_t at = gaps->documents.count++;
    gaps->documents.items[at] =
        (struct document){.count = end - start, .tokens = documents->items[document].tokens + start};
    gaps->from[at].document = document;
    gaps->from[at].start = start;
    gaps->windows += (size_t)((end - start) / length);
}

static void find_unused(const struct documents *documents, int64_t length, const struct window *used, size_t used_count,
                        struct gaps *gaps) {
    for (size_t d = 0; d < documents->count; d++) {
        if (!is_used(used, used_count, d)) add_gap(gaps, documents, d, 0, documents->items[d].count, length);
    }
}

static void find_between(const struct documents *documents, int64_t length, const struct window *used,
                         size_t used_count, struct gaps *gaps) {
    gaps->mirrored = true;
    for (size_t d = 0; d < documents->count; d++) {
        const struct window *next;
        for (int64_t at = 0; at < documents->items[d].count; at = next ? next->start + next->length : INT64_MAX) {
            next = next_used(used, used_count, d, at);
            add_gap(gaps, documents, d, at, next ? next->start : documents->items[d].count, length);
        }
    }
}

static int choose(const struct gaps *gaps, int64_t length, size_t wanted, struct window **out, size_t *count,
                  struct error *error) {
    if (wanted > gaps->windows) wanted = gaps->windows;
    if (wanted == 0) return STATUS_OK;
    int status = windows_choose(&gaps->documents, length, wanted, out, count, error);
    for (size_t i = 0; status == STATUS_OK && i < *count; i++) {
        struct window *one = &(*out)[i];
        size_t gap = one->document;
        if (gaps->mirrored) one->start = gaps->documents.items[gap].count - length - one->start;
        one->document = gaps->from[gap].document;
        one->start += gaps->from[gap].start;
    }
    return status;
}

int windows_hold_out(const struct documents *documents, int64_t length, const struct window *used, size_t used_count,
                     size_t wanted, struct window **out, size_t *count, struct error *error) {
    size_t most = documents->count + used_count + 1;
    struct gaps gaps = {.documents = {.items = calloc(most, sizeof *gaps.documents.items)},
                        .from = calloc(most, sizeof *gaps.from)};
    *out = NULL;
    *count = 0;
    int status = gaps.documents.items && gaps.from ? STATUS_OK
                                                   : error_memory(error, (double)most * 64.0, "windows of other text");
    if (status == STATUS_OK) find_unused(documents, length, used, used_count, &gaps);
    if (status == STATUS_OK && gaps.windows == 0) find_between(documents, length, used, used_count, &gaps);
    if (status == STATUS_OK) status = choose(&gaps, length, wanted, out, count, error);
    free(gaps.documents.items);
    free(gaps.from);
    return status;
}
