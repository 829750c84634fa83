#include "search/evolve/window_schedule.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/evolve/racing.h"

const double schedule_risk = 0.16; /* of a normal distribution beyond one standard deviation */

/* ---- creating and freeing ---- */

/* Windows of which only the number of predictions is known. */
static struct window *make_windows(size_t count, const int64_t *window_tokens) {
    struct window *windows = calloc(count + 1, sizeof *windows);
    for (size_t w = 0; windows && w < count; w++) windows[w].length = window_tokens[w] + 1;
    return windows;
}

bool window_schedule_open(struct window_schedule *out, size_t first, size_t windows, const int64_t *window_tokens,
                          size_t parents) {
    struct error error;
    *out = (struct window_schedule){.now = windows, .windows = windows};
    if (first == 0 || first >= windows) return true;
    out->now = first;
    out->scoring = (struct scoring){.windows = make_windows(windows, window_tokens), .count = windows};
    out->nats = calloc(parents + 1, sizeof *out->nats);
    if (!out->scoring.windows || !out->nats) return false;
    for (; out->slots < parents; out->slots++) {
        if (window_nats_open(&out->nats[out->slots], &out->scoring, &error) == STATUS_OK) continue;
        window_nats_close(&out->nats[out->slots]);
        return false;
    }
    return true;
}

void window_schedule_close(struct window_schedule *schedule) {
    for (size_t i = 0; i < schedule->slots; i++) window_nats_close(&schedule->nats[i]);
    free(schedule->nats);
    free((struct window *)schedule->scoring.windows);
    *schedule = (struct window_schedule){.now = 0};
}

bool window_schedule_is_partial(const struct window_schedule *schedule) { return schedule->now < schedule->windows; }

/* ---- growing ---- */

void window_schedule_keep(struct window_schedule *schedule, const struct ranked *parent,
                          const struct window_nats *nats) {
    if (!schedule->nats) return;
    struct window_nats *kept = &schedule->nats[parent->slot];
    window_nats_clear(kept);
    for (size_t w = 0; w < schedule->now; w++) {
        size_t blocks = window_nats_block_count(kept, w);
        kept->nats[w] = nats->nats[w];
        assert(!nats->blocks || window_nats_block_count(nats, w) == blocks);
        if (nats->blocks) memcpy(window_nats_blocks(kept, w), window_nats_blocks(nats, w), blocks * sizeof(float));
    }
}

bool window_schedule_is_noisy(const struct window_schedule *schedule, const struct ranking *parents) {
    size_t others = 0, close = 0;
    if (!window_schedule_is_partial(schedule) || parents->count < 2) return false;
    const struct window_nats *best = &schedule->nats[parents->items[0].slot];
    for (size_t i = 1; i < parents->count && !isnan(parents->items[i].mean); i++, others++) {
        const struct window_nats *other = &schedule->nats[parents->items[i].slot];
        close += racing_probability(&schedule->scoring, other, best) >= schedule_risk;
    }
    return others > 0 && 2 * close >= others;
}

size_t window_schedule_next(const struct window_schedule *schedule) {
    size_t next = 0;
    bool all = __builtin_mul_overflow(schedule->now, SCHEDULE_FACTOR, &next) || next > schedule->windows;
    return all ? schedule->windows : next;
}

/* ---- the end ---- */

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t window_schedule_finalists(size_t evaluations) {
    size_t share = evaluations / SCHEDULE_FINALISTS_SHARE;
    if (evaluations == 0 || share > SCHEDULE_FINALISTS) return SCHEDULE_FINALISTS;
    return share ? share : 1;
}

size_t window_schedule_reserve(const struct window_schedule *schedule, size_t evaluations, size_t ranked) {
    return smaller(ranked, window_schedule_finalists(evaluations)) * (schedule->windows - schedule->now);
}
