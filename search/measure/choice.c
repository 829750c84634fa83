#include "search/measure/choice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "eval/perplexity.h"

/* ---- Tasks ---- */

int choice_check_length(const struct choice_tasks *tasks, int64_t length, struct error *error) {
    for (size_t t = 0; t < tasks->count; t++) {
        for (size_t i = 0; i < tasks->items[t].count; i++) {
            const struct choice_item *item = &tasks->items[t].items[i];
            for (size_t c = 0; c < item->count; c++) {
                if (item->choices[c].tokens.scored <= length) continue;
                return error_set(error, STATUS_INPUT,
                                 "%s:%zu: choice %zu has %" PRId64 " tokens, more than the %" PRId64
                                 " of --length; give a larger --length",
                                 item->file, item->line, c, item->choices[c].tokens.scored, length);
            }
        }
    }
    return STATUS_OK;
}

int64_t choice_cut_items(const struct choice_task *task, int64_t length) {
    int64_t items = 0;
    for (size_t i = 0; i < task->count; i++) {
        size_t cut = 0;
        for (size_t c = 0; c < task->items[i].count; c++) cut += task->items[i].choices[c].tokens.count - 1 > length;
        items += cut > 0;
    }
    return items;
}

double choice_chance(const struct choice_task *task) {
    double sum = 0.0;
    for (size_t i = 0; i < task->count; i++) sum += 1.0 / (double)task->items[i].count;
    return sum / (double)task->count;
}

/* ---- One item ---- */

size_t choice_largest(const double *values, size_t count) {
    size_t out = 0;
    for (size_t i = 1; i < count; i++) {
        if (values[i] > values[out]) out = i;
    }
    return out;
}

/* The last token is no input, only predicted. */
static int64_t input_tokens(const struct continuation *tokens, int64_t length) {
    return tokens->count - 1 < length ? tokens->count - 1 : length;
}

static int score(struct forward *forward, const struct rope_table *table, const struct continuation *tokens,
                 int64_t length, double *log_likelihood, struct error *error) {
    int64_t count = input_tokens(tokens, length) + 1;
    double *nats = malloc((size_t)tokens->scored * sizeof *nats);
    if (!nats) return error_memory(error, (double)tokens->scored * sizeof *nats, "the nats of a choice");
    int status = forward_nats(forward, table, tokens->tokens + (tokens->count - count), count,
                              count - 1 - tokens->scored, nats, error);
    if (status == STATUS_OK) *log_likelihood = -nats_sum(nats, (size_t)tokens->scored);
    free(nats);
    return status;
}

static double divisor(const struct choice_text *choice, enum choice_norm norm) {
    return norm == CHOICE_PLAIN ? 1.0 : (double)(norm == CHOICE_BYTES ? choice->bytes : choice->characters);
}

static void choose(const struct choice_item *item, struct choice_answer *answer, double *scores) {
    for (int norm = 0; norm < CHOICE_NORMS; norm++) {
        for (size_t c = 0; c < item->count; c++) {
            scores[c] = answer->log_likelihoods[c] / divisor(&item->choices[c], (enum choice_norm)norm);
        }
        answer->chosen[norm] = choice_largest(scores, item->count);
    }
}

/* out[count of the item]; *computed receives the number of tokens that were computed. */
static int score_all(const struct choice_item *item, struct forward *forward, const struct rope_table *table,
                     int64_t length, double *out, int64_t *computed, struct error *error) {
    int status = STATUS_OK;
    *computed = 0;
    for (size_t c = 0; c < item->count && status == STATUS_OK; c++) {
        status = score(forward, table, &item->choices[c].tokens, length, &out[c], error);
        *computed += forward_computed_rows(forward);
    }
    return status;
}

/* ---- Workers ---- */

size_t choice_items(const struct choice_tasks *tasks) {
    size_t count = 0;
    for (size_t t = 0; t < tasks->count; t++) count += tasks->items[t].count;
    return count;
}

int choice_hand_out(const struct choice_work *work, const struct rope_table *table, size_t length,
                    struct work_list *list, struct error *error) {
    const size_t items = choice_items(work->tasks);
    int status = STATUS_OK;
    for (size_t i = 0; i < items && status == STATUS_OK; i++) {
        status = work_list_add(list, table, length * items + i, error);
    }
    return status;
}

static const struct choice_item *item_at(const struct choice_tasks *tasks, size_t index) {
    const struct choice_task *task = tasks->items;
    for (; index >= task->count; task++) index -= task->count;
    return &task->items[index];
}

/* A worker's answer: the log-likelihoods of the choices, then the number of tokens that it computed. */
static size_t answer_size(const struct choice_item *item) { return (item->count + 1) * sizeof(double); }

int choice_compute(const void *state, struct forward *forward, const struct work_unit *unit, double *nats,
                   void **details, size_t *size, struct error *error) {
    const struct choice_work *work = state;
    const size_t items = choice_items(work->tasks);
    const struct choice_item *item = item_at(work->tasks, unit->window % items);
    int64_t computed;
    double *answer = calloc(1, answer_size(item));
    *nats = 0.0;
    if (!answer) return error_memory(error, (double)answer_size(item), "an item");
    *details = answer, *size = answer_size(item);
    int status = score_all(item, forward, &unit->table, work->lengths[unit->window / items], answer, &computed, error);
    answer[item->count] = (double)computed;
    return status;
}

static void answer_arrived(void *state, size_t number) { (void)state, (void)number; }

static int hear(struct choice_asker *asker, const struct choice_item *item, struct choice_answer *out,
                struct error *error) {
    struct work_result result;
    int status = work_list_hear(asker->list, asker->heard++, answer_arrived, NULL, &result, error);
    if (status != STATUS_OK) return status;
    if (result.size != answer_size(item)) {
        return error_set(error, STATUS_FAILED, "worker %zu answered with %zu bytes, which are no answer to %s:%zu",
                         result.worker, result.size, item->file, item->line);
    }
    const double *answer = result.details;
    memcpy(out->log_likelihoods, answer, item->count * sizeof *answer);
    out->computed = (int64_t)answer[item->count];
    return STATUS_OK;
}

/* ---- All items ---- */

static int ask(const struct choice_item *item, struct choice_asker *asker, const struct rope_table *table,
               int64_t length, struct choice_answer *out, struct error *error) {
    double *scores = malloc(item->count * sizeof *scores);
    out->log_likelihoods = malloc(item->count * sizeof *scores);
    int status = scores && out->log_likelihoods ? STATUS_OK
                                                : error_memory(error, (double)item->count * sizeof *scores, "an item");
    if (status == STATUS_OK) {
        status = asker->list
                     ? hear(asker, item, out, error)
                     : score_all(item, asker->forward, table, length, out->log_likelihoods, &out->computed, error);
    }
    if (status == STATUS_OK) choose(item, out, scores);
    free(scores);
    return status;
}

/* Adds an item's answer to the sums of the sheet. */
static void count_answer(struct choice_sheet *sheet, const struct choice_item *item, const struct choice_answer *answer,
                         int64_t length) {
    for (int norm = 0; norm < CHOICE_NORMS; norm++) sheet->correct[norm] += answer->chosen[norm] == item->answer;
    for (size_t c = 0; c < item->count; c++) sheet->tokens += input_tokens(&item->choices[c].tokens, length);
    sheet->computed += answer->computed;
}

int choice_ask(const struct choice_task *task, struct choice_asker *asker, const struct rope_table *table,
               int64_t length, struct choice_sheet *out, struct error *error) {
    *out = (struct choice_sheet){.task = task, .answers = calloc(task->count, sizeof *out->answers)};
    if (!out->answers) return error_memory(error, (double)task->count * sizeof *out->answers, "the answers");
    for (size_t i = 0; i < task->count; i++) {
        int status = ask(&task->items[i], asker, table, length, &out->answers[i], error);
        if (status != STATUS_OK) return status;
        count_answer(out, &task->items[i], &out->answers[i], length);
        asker->answered(asker->state, i + 1);
    }
    return STATUS_OK;
}

void choice_sheet_free(struct choice_sheet *sheet) {
    for (size_t i = 0; sheet->answers && i < sheet->task->count; i++) free(sheet->answers[i].log_likelihoods);
    free(sheet->answers);
    *sheet = (struct choice_sheet){0};
}
