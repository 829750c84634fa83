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
    for (size_t r = 0; r < sweep->count; r++) {
        struct sweep_row *row = &sweep->rows[r];
        row->window_nats = NULL, row->windows = NULL, row->reused = 0, row->seconds = 0.0;
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
    for (size_t r = 0; r < sweep->count; r++) {
        free(sweep->rows[r].window_nats);
        free(sweep->rows[r].windows);
        sweep->rows[r].window_nats = NULL, sweep->rows[r].windows = NULL;
    }
}

/* ---- Evaluating ---- */

/* Sets the nats of a window from those of its owner's tokens; the sum is perplexity_window()'s. */
static void take_nats(const struct sweep *sweep, struct sweep_window *window, const double *owner_nats) {
    const struct window *own = window_of(sweep, window);
    const double *nats = owner_nats + (own->skip - window_of(sweep, window->owner)->skip);
    sweep->rows[window->row].window_nats[window->window] = nats_sum(nats, (size_t)window_tokens(own));
    window->known = true;
}

/* Computes a window that is its own owner, and with it all that it owns. */
static int compute(struct sweep *sweep, struct sweep_window *window, struct forward *forward, double *token_nats,
                   struct error *error) {
    struct sweep_row *row = &sweep->rows[window->row];
    double began = clock_seconds();
    int status = perplexity_window(forward, &row->table.rope, &row->scoring, window->window,
                                   &row->window_nats[window->window], token_nats, error);
    row->seconds += clock_seconds() - began;
    row->seconds += forward_earlier_seconds(forward);
    if (status != STATUS_OK) return status;
    window->known = true;
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
    int64_t most = most_tokens(sweep, row);
    int status = STATUS_OK;
    assert(!token_nats || sweep->count == 1);
    double *own = token_nats ? NULL : calloc((size_t)most + 1, sizeof *own);
    if (!token_nats && !own) return error_memory(error, (double)most * sizeof *own, "the nats of a window");
    for (size_t s = 0; s < row->scoring.count && status == STATUS_OK; s++) {
        struct sweep_window *window = &row->windows[s];
        if (!window->known) status = compute(sweep, window->owner, forward, token_nats ? token_nats : own, error);
        if (token_nats) token_nats += window_tokens(window_of(sweep, window));
        if (status == STATUS_OK && row->progress) row->progress(row->progress_state, s + 1);
    }
    free(own);
    return status;
}
