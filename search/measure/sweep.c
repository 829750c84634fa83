#include "search/measure/sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/clock.h"
#include "search/base/progress.h"

/* A window of a row. Those that share are linked: an owner, which is the longest, to all others. */
struct sweep_window {
    size_t row, window;         /* window `window` of that row's scoring */
    size_t table;               /* the first row with the same table */
    struct sweep_window *owner; /* itself where it is computed */
    struct sweep_window *next;  /* the next window of the owner; NULL: the last */
    size_t unit;                /* of an owner, with workers: its number in the list */
    bool known;
};

static const struct window *window_of(const struct sweep *sweep, const struct sweep_window *w) {
    return &sweep->rows[w->row].scoring.windows[w->window];
}

/* ---- What rows share ---- */

static size_t first_with_table(const struct sweep *sweep, size_t row) {
    for (size_t r = 0; r < row; r++) {
        if (rope_same(&sweep->rows[r].table.rope, &sweep->rows[row].table.rope)) return r;
    }
    return row;
}

static int compare(int64_t a, int64_t b) { return (a > b) - (a < b); }

/* By table and position; then owners before the windows they can own: the longest first, then the one that scores most,
 * then the one of the earliest row. */
static int compare_windows(const void *a, const void *b, void *state) {
    const struct sweep_window *v = *(struct sweep_window *const *)a, *w = *(struct sweep_window *const *)b;
    const struct window *s = window_of(state, v), *t = window_of(state, w);
    int order = compare((int64_t)v->table, (int64_t)w->table);
    if (order == 0) order = compare((int64_t)s->document, (int64_t)t->document);
    if (order == 0) order = compare(s->start, t->start);
    if (order == 0) order = compare(t->length, s->length);
    if (order == 0) order = compare(s->skip, t->skip);
    return order ? order : compare((int64_t)v->row, (int64_t)w->row);
}

/* Whether the rows are two requests of one method and length. */
static bool same_request(const struct sweep_row *a, const struct sweep_row *b) {
    return a != b && a->length == b->length && strcmp(a->table.method, b->table.method) == 0;
}

/* Whether all that `small` scores is in `large`, which comes before it. */
static bool covers(const struct sweep *sweep, const struct sweep_window *large, const struct sweep_window *small) {
    const struct window *s = window_of(sweep, large), *t = window_of(sweep, small);
    return large->table == small->table && s->document == t->document && s->start == t->start && s->skip <= t->skip &&
           !same_request(&sweep->rows[large->row], &sweep->rows[small->row]);
}

/* The owner of sorted[at] among the owners before it; itself where there is none. Few windows begin at one place: no
 * more than there are rows. */
static struct sweep_window *find_owner(const struct sweep *sweep, struct sweep_window *const *sorted, size_t at) {
    struct sweep_window *own = sorted[at];
    const struct window *here = window_of(sweep, own);
    for (size_t i = at; i > 0; i--) {
        struct sweep_window *other = sorted[i - 1];
        const struct window *there = window_of(sweep, other);
        if (other->table != own->table || there->document != here->document || there->start != here->start) break;
        if (covers(sweep, other->owner, own)) return other->owner;
    }
    return own;
}

static void link_windows(struct sweep *sweep, struct sweep_window **sorted, size_t count) {
    qsort_r(sorted, count, sizeof(struct sweep_window *), compare_windows, sweep);
    for (size_t i = 0; i < count; i++) {
        struct sweep_window *own = sorted[i];
        own->owner = find_owner(sweep, sorted, i);
        if (own->owner == own) continue;
        own->next = own->owner->next;
        own->owner->next = own;
        sweep->rows[own->row].reused++;
    }
}

static bool make_row(const struct sweep *sweep, size_t index) {
    struct sweep_row *row = &sweep->rows[index];
    size_t table = first_with_table(sweep, index);
    row->window_nats = calloc(row->scoring.count + 1, sizeof *row->window_nats);
    row->windows = calloc(row->scoring.count + 1, sizeof *row->windows);
    if (!row->window_nats || !row->windows) return false;
    for (size_t s = 0; s < row->scoring.count; s++) {
        row->windows[s] = (struct sweep_window){.row = index, .window = s, .table = table};
    }
    return true;
}

int sweep_open(struct sweep *sweep, struct error *error) {
    size_t count = 0, listed = 0;
    bool made = true;
    sweep->list = NULL, sweep->listed = NULL;
    for (size_t r = 0; r < sweep->count; r++) {
        struct sweep_row *row = &sweep->rows[r];
        row->window_nats = NULL, row->windows = NULL, row->known = 0, row->reused = 0, row->seconds = 0.0;
        count += row->scoring.count;
    }
    for (size_t r = 0; r < sweep->count && made; r++) made = make_row(sweep, r);
    struct sweep_window **sorted = made ? calloc(count + 1, sizeof *sorted) : NULL;
    if (!sorted) return error_memory(error, (double)count * sizeof(struct sweep_window), "the windows");
    for (size_t r = 0; r < sweep->count; r++) {
        struct sweep_row *row = &sweep->rows[r];
        for (size_t s = 0; s < row->scoring.count; s++) sorted[listed++] = &row->windows[s];
    }
    link_windows(sweep, sorted, count);
    free(sorted);
    return STATUS_OK;
}

void sweep_close(struct sweep *sweep) {
    free(sweep->listed);
    sweep->listed = NULL;
    for (size_t r = 0; r < sweep->count; r++) {
        free(sweep->rows[r].window_nats);
        free(sweep->rows[r].windows);
        sweep->rows[r].window_nats = NULL, sweep->rows[r].windows = NULL;
    }
}

/* ---- Workers ---- */

static int list_window(struct sweep *sweep, struct sweep_window *owner, size_t unit, struct error *error) {
    const struct sweep_row *row = &sweep->rows[owner->row];
    owner->unit = unit;
    sweep->listed[unit] = owner;
    return work_list_add(sweep->list, &row->table.rope, row->first_window + owner->window, error);
}

int sweep_hand_out(struct sweep *sweep, struct work_list *list, struct error *error) {
    size_t windows = 0, units = 0;
    int status = STATUS_OK;
    for (size_t r = 0; r < sweep->count; r++) windows += sweep->rows[r].scoring.count;
    sweep->list = list;
    sweep->listed = calloc(windows + 1, sizeof(struct sweep_window *));
    if (!sweep->listed) return error_memory(error, (double)windows * sizeof *sweep->listed, "the windows");
    for (size_t r = 0; r < sweep->count; r++) {
        const struct sweep_row *row = &sweep->rows[r];
        for (size_t s = 0; s < row->scoring.count && status == STATUS_OK; s++) {
            struct sweep_window *owner = row->windows[s].owner;
            bool is_listed = owner->unit < units && sweep->listed[owner->unit] == owner;
            if (!is_listed) status = list_window(sweep, owner, units++, error);
        }
    }
    return status;
}

int sweep_compute(const void *all, struct forward *forward, const struct work_unit *unit, double *nats, void **details,
                  size_t *size, struct error *error) {
    const struct scoring *scoring = all;
    size_t tokens = (size_t)window_tokens(&scoring->windows[unit->window]);
    double *each = malloc((tokens + 1) * sizeof *each);
    *details = each, *size = tokens * sizeof *each;
    if (!each) return error_memory(error, (double)*size, "the nats of a window");
    return perplexity_window(forward, &unit->table, scoring, unit->window, nats, each, error);
}

/* ---- Evaluating ---- */

/* Sets the nats of a window from those of its owner's tokens; the sum is perplexity_window()'s. */
static void take_nats(const struct sweep *sweep, struct sweep_window *window, const double *owner_nats) {
    const struct window *own = window_of(sweep, window);
    const double *nats = owner_nats + (own->skip - window_of(sweep, window->owner)->skip);
    sweep->rows[window->row].window_nats[window->window] = nats_sum(nats, (size_t)window_tokens(own));
    window->known = true;
}

static void count_known(struct sweep *sweep, const struct sweep_window *owner) {
    for (const struct sweep_window *w = owner; w; w = w->next) sweep->rows[w->row].known++;
}

/* The row that is scored. */
struct scored_row {
    struct sweep *sweep;
    const struct sweep_row *row;
};

static void tell_progress(const struct sweep_row *row) {
    if (row->progress) row->progress(row->progress_state, row->known);
}

static void unit_arrived(void *state, size_t number) {
    struct scored_row *at = state;
    count_known(at->sweep, at->sweep->listed[number]);
    tell_progress(at->row);
}

/* The nats of a window and of its tokens that a worker computed. */
static int hear(struct scored_row *at, const struct sweep_window *window, double *token_nats, struct error *error) {
    const struct sweep *sweep = at->sweep;
    size_t size = (size_t)window_tokens(window_of(sweep, window)) * sizeof *token_nats;
    struct work_result result;
    int status = work_list_hear(sweep->list, window->unit, unit_arrived, at, &result, error);
    if (status != STATUS_OK) return status;
    if (result.size != size) {
        return error_set(error, STATUS_FAILED, "worker %zu answered with %zu bytes of nats, and not with %zu",
                         result.worker, result.size, size);
    }
    if (size) memcpy(token_nats, result.details, size);
    sweep->rows[window->row].window_nats[window->window] = result.nats;
    return STATUS_OK;
}

/* Computes a window that is its own owner, and with it all that it owns. */
static int compute(struct scored_row *at, struct sweep_window *window, struct forward *forward, double *token_nats,
                   struct error *error) {
    struct sweep *sweep = at->sweep;
    struct sweep_row *row = &sweep->rows[window->row];
    double began = clock_seconds();
    int status = sweep->list ? hear(at, window, token_nats, error)
                             : perplexity_window(forward, &row->table.rope, &row->scoring, window->window,
                                                 &row->window_nats[window->window], token_nats, error);
    row->seconds += clock_seconds() - began;
    if (!sweep->list) row->seconds += forward_earlier_seconds(forward);
    if (status != STATUS_OK) return status;
    window->known = true;
    if (!sweep->list) count_known(sweep, window);
    for (struct sweep_window *w = window->next; w; w = w->next) take_nats(sweep, w, token_nats);
    return STATUS_OK;
}

/* The most tokens that an owner of one of the row's windows scores. */
static int64_t most_tokens(const struct sweep *sweep, const struct sweep_row *row) {
    int64_t most = 0;
    for (size_t s = 0; s < row->scoring.count; s++) {
        int64_t tokens = window_tokens(window_of(sweep, row->windows[s].owner));
        if (tokens > most) most = tokens;
    }
    return most;
}

int sweep_score(struct sweep *sweep, size_t index, struct forward *forward, double *token_nats, struct error *error) {
    struct sweep_row *row = &sweep->rows[index];
    struct scored_row at = {sweep, row};
    int64_t most = most_tokens(sweep, row);
    int status = STATUS_OK;
    assert(!token_nats || sweep->count == 1);
    double *own = token_nats ? NULL : calloc((size_t)most + 1, sizeof *own);
    if (!token_nats && !own) return error_memory(error, (double)most * sizeof *own, "the nats of a window");
    for (size_t s = 0; s < row->scoring.count && status == STATUS_OK; s++) {
        struct sweep_window *window = &row->windows[s];
        if (!window->known) status = compute(&at, window->owner, forward, token_nats ? token_nats : own, error);
        if (token_nats) token_nats += window_tokens(window_of(sweep, window));
        if (status == STATUS_OK) tell_progress(row);
    }
    free(own);
    return status;
}
