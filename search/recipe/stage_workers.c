#include "search/recipe/stage_workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/clock.h"
#include "search/recipe/rank_arithmetic.h"
#include "search/recipe/rank_messages.h"
#include "search/recipe/window_thread.h"

struct stage_workers {
    struct ranks *ranks;
    int64_t stage;
    struct window_thread *thread;
    struct workers workers;
    struct rank_record *records; /* [ranks_count()]; NULL until it is open */
    double opened;               /* seconds of the clock */
};

static int malformed(const struct ranks *ranks, size_t rank, struct error *error) {
    char name[RANKS_NAME_SIZE];
    return error_set(error, STATUS_FAILED, "%s sent a message of another size than this program's",
                     ranks_name(ranks, rank, name));
}

/* ---- before the first stage ---- */

static int receive_hellos(struct ranks *ranks, struct rank_arithmetic *all, struct error *error) {
    struct ranks_message message;
    all[0] = rank_arithmetic_own();
    for (size_t missing = ranks_count(ranks) - 1; missing > 0;) {
        int status = ranks_wait(ranks, &message, error);
        if (status != STATUS_OK) return status;
        if (message.kind != RANK_HELLO) continue;
        if (message.size != sizeof *all) return malformed(ranks, message.from, error);
        memcpy(&all[message.from], message.data, sizeof *all);
        missing--;
    }
    return STATUS_OK;
}

static int compare_stage(struct ranks *ranks, const struct stage_config *stage, const struct rank_arithmetic *all,
                         struct error *error) {
    char name[RANKS_NAME_SIZE];
    int status = STATUS_OK;
    for (size_t r = 1; r < ranks_count(ranks) && status == STATUS_OK; r++) {
        status = rank_arithmetic_compare(stage->type, &all[0], &all[r], ranks_name(ranks, r, name), all,
                                         ranks_count(ranks), error);
    }
    return status;
}

int stage_workers_meet(struct ranks *ranks, const struct config *config, struct error *error) {
    if (!ranks) return STATUS_OK;
    struct rank_arithmetic *all = calloc(ranks_count(ranks), sizeof *all);
    if (!all) return error_memory(error, (double)ranks_count(ranks) * sizeof *all, "the kernels of all ranks");
    int status = receive_hellos(ranks, all, error);
    for (size_t s = 0; s < config->stage_count && status == STATUS_OK; s++) {
        status = compare_stage(ranks, &config->stages[s], all, error);
    }
    free(all);
    return status;
}

/* ---- beginning and ending a stage ---- */

int stage_workers_begin(struct ranks *ranks, size_t index, struct stage_workers **out, struct error *error) {
    *out = NULL;
    if (!ranks) return STATUS_OK;
    struct stage_workers *workers = calloc(1, sizeof *workers);
    if (!workers) return error_memory(error, sizeof *workers, "the workers of a stage");
    workers->ranks = ranks;
    workers->stage = (int64_t)index;
    *out = workers;
    return ranks_send_all(ranks, RANK_STAGE, &workers->stage, sizeof workers->stage, error);
}

/* Where a message cannot be sent for lack of memory, RANKS_END follows. */
void stage_workers_close(struct stage_workers *workers) {
    struct error ignored;
    if (!workers) return;
    ranks_send_all(workers->ranks, RANK_CLOSE, NULL, 0, &ignored);
    window_thread_free(workers->thread);
    free(workers->records);
    free(workers);
}

/* ---- what the others have loaded ---- */

static int compare_ready(const struct ranks *ranks, size_t rank, const struct rank_ready *ready,
                         const struct score_keys *keys, struct error *error) {
    bool model = strncmp(ready->model, keys->model, sizeof ready->model) == 0;
    bool arithmetic = strncmp(ready->arithmetic, keys->arithmetic, sizeof ready->arithmetic) == 0;
    bool windows = strncmp(ready->windows, keys->all_windows, sizeof ready->windows) == 0;
    char name[RANKS_NAME_SIZE];
    if (model && arithmetic && windows) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s has loaded %s than rank 0 on host %s; all ranks have to read the same files",
                     ranks_name(ranks, rank, name),
                     !model        ? "another model (weights or config.json)"
                     : !arithmetic ? "the model for other kernels"
                                   : "another text, or other windows of it,",
                     ranks_host(ranks, 0));
}

static int await_others(struct stage_workers *workers, const struct score_keys *keys, struct error *error) {
    struct ranks *ranks = workers->ranks;
    struct ranks_message message;
    for (size_t missing = ranks_count(ranks) - 1; missing > 0;) {
        int status = ranks_wait(ranks, &message, error);
        if (status != STATUS_OK) return status;
        const struct rank_ready *ready = message.data;
        if (message.kind != RANK_READY) continue; /* of an earlier stage */
        if (message.size != sizeof *ready) return malformed(ranks, message.from, error);
        if (ready->stage != workers->stage) continue;
        status = compare_ready(ranks, message.from, ready, keys, error);
        if (status != STATUS_OK) return status;
        missing--;
    }
    return STATUS_OK;
}

/* ---- as an interface ---- */

static int give(void *state, size_t worker, const struct work_unit *unit, struct error *error) {
    struct stage_workers *workers = state;
    if (worker == 0) return window_thread_give(workers->thread, unit, error);
    return ranks_send(workers->ranks, worker, RANK_UNIT, unit, sizeof *unit, NULL, 0, error);
}

static void cancel(void *state, size_t worker, uint64_t unit) {
    struct stage_workers *workers = state;
    struct error ignored;
    if (worker == 0) {
        window_thread_cancel(workers->thread, unit);
    } else {
        ranks_send(workers->ranks, worker, RANK_CANCEL, &unit, sizeof unit, NULL, 0, &ignored);
    }
}

static int take_result(const struct stage_workers *workers, const struct ranks_message *message,
                       struct work_result *out, bool *taken, struct error *error) {
    const struct rank_result *result = message->data;
    if (message->size < sizeof *result || (message->size - sizeof *result) / sizeof(float) != result->blocks) {
        return malformed(workers->ranks, message->from, error);
    }
    *taken = result->stage == workers->stage;
    *out = (struct work_result){.worker = message->from,
                                .id = result->unit,
                                .seconds = result->seconds,
                                .nats = result->nats,
                                .blocks = (const float *)(result + 1),
                                .block_count = result->blocks};
    return STATUS_OK;
}

static int take_trouble(const struct stage_workers *workers, const struct ranks_message *message,
                        struct work_result *out, bool *taken, struct error *error) {
    const struct rank_trouble *trouble = message->data;
    char name[RANKS_NAME_SIZE];
    if (message->size != sizeof *trouble) return malformed(workers->ranks, message->from, error);
    *taken = trouble->stage == workers->stage;
    *out = (struct work_result){
        .worker = message->from, .id = trouble->unit, .status = (int)trouble->status, .seconds = trouble->seconds};
    error_set(&out->error, out->status, "%s: %s", ranks_name(workers->ranks, message->from, name),
              trouble->error.message);
    return STATUS_OK;
}

static void note(struct stage_workers *workers, const struct work_result *result) {
    struct rank_record *record = &workers->records[result->worker];
    record->units += result->status == STATUS_OK;
    record->seconds += result->seconds;
}

static int take(void *state, struct work_result *out, bool *taken, struct error *error) {
    struct stage_workers *workers = state;
    struct ranks_message message;
    bool received = true;
    *taken = window_thread_take(workers->thread, out);
    while (!*taken && received) {
        int status = ranks_receive(workers->ranks, &message, &received, error);
        if (status == STATUS_OK && received && message.kind == RANK_RESULT) {
            status = take_result(workers, &message, out, taken, error);
        } else if (status == STATUS_OK && received && message.kind == RANK_TROUBLE) {
            status = take_trouble(workers, &message, out, taken, error);
        }
        if (status != STATUS_OK) return status;
    }
    if (*taken) note(workers, out);
    return STATUS_OK;
}

/* Messages are looked for as often. */
static void wait_a_little(void *state) {
    const struct stage_workers *workers = state;
    window_thread_wait(workers->thread, 0.001);
}

int stage_workers_open(struct stage_workers *workers, const struct model *model, const struct scoring *scoring,
                       const struct score_keys *keys, int threads, const struct workers **out, struct error *error) {
    int share = threads ? threads : ranks_threads(workers->ranks);
    int status = window_thread_new(model, scoring, share, &workers->thread, error);
    if (status == STATUS_OK) status = await_others(workers, keys, error);
    workers->workers = (struct workers){workers, ranks_count(workers->ranks), give, cancel, take, wait_a_little};
    *out = &workers->workers;
    if (status != STATUS_OK) return status;
    workers->records = calloc(ranks_count(workers->ranks), sizeof *workers->records);
    workers->opened = clock_seconds();
    return workers->records ? STATUS_OK : error_memory(error, 0, "what ranks do");
}

int stage_workers_records(const struct stage_workers *workers, struct rank_record **out, size_t *count,
                          struct error *error) {
    *count = workers->records ? ranks_count(workers->ranks) : 0;
    *out = calloc(*count + 1, sizeof **out);
    if (!*out) return error_memory(error, (double)*count * sizeof **out, "what ranks do");
    for (size_t r = 0; r < *count; r++) {
        struct rank_record *record = &(*out)[r];
        *record = workers->records[r];
        record->rank = (int64_t)r;
        record->present = clock_seconds() - workers->opened;
        snprintf(record->host, sizeof record->host, "%s", ranks_host(workers->ranks, r));
    }
    return STATUS_OK;
}
