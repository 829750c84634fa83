#include "search/measure/passkey.h"

#include <stdlib.h>
#include <string.h>

#include "eval/perplexity.h"
#include "eval/text/documents.h"

int passkey_prompt(const struct passkey_task *task, int64_t length, double depth, int64_t trial,
                   struct needle_prompt *out, struct error *error) {
    const struct needle_position position = {.length = length, .depth = depth, .seed = task->seed, .trial = trial};
    int status = needle_prompt_make(&task->setting, &position, out, error);
    if (status != STATUS_OK) return status;
    char name[] = "the pass-key prompt";
    struct document document = {.name = name, .count = out->count, .tokens = out->tokens};
    status = documents_check(&(struct documents){1, &document}, task->vocabulary, error);
    if (status != STATUS_OK) needle_prompt_free(out);
    return status;
}

/* ---- One prompt ---- */

static void answer_free(struct passkey_answer *answer) { free(answer->tokens), free(answer->arg_max); }

static int answer_open(int64_t count, struct passkey_answer *out, struct error *error) {
    size_t size = (size_t)count * sizeof *out->tokens;
    *out = (struct passkey_answer){.count = count, .tokens = malloc(size), .arg_max = malloc(size)};
    return out->tokens && out->arg_max ? STATUS_OK : error_memory(error, (double)size, "an answer");
}

static void judge(struct passkey_answer *answer) {
    answer->correct = memcmp(answer->tokens, answer->arg_max, (size_t)answer->count * sizeof *answer->tokens) == 0;
}

static int predict(struct forward *forward, const struct rope_table *table, const struct needle_prompt *prompt,
                   struct passkey_answer *out, struct error *error) {
    int status = answer_open(prompt->answer, out, error);
    double *nats = calloc((size_t)prompt->answer, sizeof *nats);
    if (status == STATUS_OK && !nats) status = error_memory(error, (double)prompt->answer * sizeof *nats, "an answer");
    if (status == STATUS_OK) {
        int64_t skip = prompt->count - 1 - prompt->answer;
        memcpy(out->key, prompt->key, sizeof out->key);
        memcpy(out->tokens, prompt->tokens + prompt->count - prompt->answer,
               (size_t)prompt->answer * sizeof *out->tokens);
        status = forward_predict(forward, table, prompt->tokens, prompt->count, skip, nats, out->arg_max, error);
    }
    if (status == STATUS_OK) {
        out->nats = nats_sum(nats, (size_t)out->count);
        judge(out);
    }
    free(nats);
    return status;
}

size_t passkey_prompts(const struct passkey_task *task) { return task->depth_count * (size_t)task->trials; }

/* Prompt number `index` of that length. The caller frees *out with answer_free(), also after a failure. */
static int ask(const struct passkey_task *task, struct forward *forward, const struct rope_table *table, int64_t length,
               size_t index, struct passkey_answer *out, struct error *error) {
    struct needle_prompt prompt;
    double depth = task->depths[index / (size_t)task->trials];
    int status = passkey_prompt(task, length, depth, (int64_t)(index % (size_t)task->trials), &prompt, error);
    if (status == STATUS_OK) status = predict(forward, table, &prompt, out, error);
    needle_prompt_free(&prompt);
    return status;
}

/* ---- Workers ---- */

/* Details of a result: this, then tokens[count] and arg_max[count] of the answer. */
struct told_answer {
    char key[NEEDLE_MOST_DIGITS + 1];
    int64_t count;
};

int passkey_hand_out(const struct passkey_task *task, const struct rope_table *table, size_t length,
                     struct work_list *list, struct error *error) {
    const size_t prompts = passkey_prompts(task);
    int status = STATUS_OK;
    for (size_t i = 0; i < prompts && status == STATUS_OK; i++) {
        status = work_list_add(list, table, length * prompts + i, error);
    }
    return status;
}

static int tell(const struct passkey_answer *answer, void **details, size_t *size, struct error *error) {
    const size_t tokens = (size_t)answer->count * sizeof *answer->tokens;
    struct told_answer *told = calloc(1, sizeof *told + 2 * tokens);
    if (!told) return error_memory(error, (double)tokens, "an answer");
    memcpy(told->key, answer->key, sizeof told->key);
    told->count = answer->count;
    memcpy(told + 1, answer->tokens, tokens);
    memcpy((char *)(told + 1) + tokens, answer->arg_max, tokens);
    *details = told, *size = sizeof *told + 2 * tokens;
    return STATUS_OK;
}

int passkey_compute(const void *state, struct forward *forward, const struct work_unit *unit, double *nats,
                    void **details, size_t *size, struct error *error) {
    const struct passkey_task *task = state;
    const size_t prompts = passkey_prompts(task);
    struct passkey_answer answer = {.count = 0};
    int status =
        ask(task, forward, &unit->table, task->lengths[unit->window / prompts], unit->window % prompts, &answer, error);
    if (status == STATUS_OK) status = tell(&answer, details, size, error);
    *nats = answer.nats;
    answer_free(&answer);
    return status;
}

static bool is_answer(const struct work_result *result) {
    const struct told_answer *told = result->details;
    if (result->size < sizeof *told || told->count < 1 || told->key[NEEDLE_MOST_DIGITS]) return false;
    size_t tokens = (result->size - sizeof *told) / (2 * sizeof(int32_t));
    return (size_t)told->count == tokens && result->size == sizeof *told + 2 * tokens * sizeof(int32_t);
}

static int take(const struct work_result *result, struct passkey_answer *out, struct error *error) {
    const struct told_answer *told = result->details;
    if (!is_answer(result)) {
        return error_set(error, STATUS_FAILED, "worker %zu answered with %zu bytes, which are no answer to a prompt",
                         result->worker, result->size);
    }
    int status = answer_open(told->count, out, error);
    if (status != STATUS_OK) return status;
    const size_t tokens = (size_t)told->count * sizeof *out->tokens;
    memcpy(out->key, told->key, sizeof out->key);
    memcpy(out->tokens, told + 1, tokens);
    memcpy(out->arg_max, (const char *)(told + 1) + tokens, tokens);
    out->nats = result->nats;
    judge(out);
    return STATUS_OK;
}

/* ---- All prompts of a length ---- */

/* A length and table that are asked. */
struct asking {
    struct passkey_asker *asker;
    size_t prompts;
};

static void tell_progress(const struct passkey_asker *asker, size_t prompts) { asker->asked(asker->state, prompts); }

static void answer_arrived(void *state, size_t number) {
    const struct asking *at = state;
    struct passkey_asker *asker = at->asker;
    asker->known[number / at->prompts]++;
    tell_progress(asker, asker->known[asker->sheets]);
}

static int hear(struct asking *at, size_t index, struct passkey_answer *out, struct error *error) {
    struct passkey_asker *asker = at->asker;
    struct work_result result;
    int status = work_list_hear(asker->list, asker->sheets * at->prompts + index, answer_arrived, at, &result, error);
    return status == STATUS_OK ? take(&result, out, error) : status;
}

int passkey_ask(const struct passkey_task *task, struct passkey_asker *asker, const struct rope_table *table,
                size_t length, struct passkey_sheet *out, struct error *error) {
    struct asking at = {asker, passkey_prompts(task)};
    int status = STATUS_OK;
    *out = (struct passkey_sheet){.depth_count = task->depth_count, .trials = task->trials};
    out->answers = calloc(at.prompts, sizeof *out->answers);
    if (!out->answers) return error_memory(error, (double)at.prompts * sizeof *out->answers, "the answers");
    for (size_t i = 0; i < at.prompts && status == STATUS_OK; i++) {
        status = asker->list ? hear(&at, i, &out->answers[i], error)
                             : ask(task, asker->forward, table, task->lengths[length], i, &out->answers[i], error);
        if (status == STATUS_OK && !asker->list) tell_progress(asker, i + 1);
    }
    if (status == STATUS_OK) asker->sheets++;
    return status;
}

void passkey_sheet_free(struct passkey_sheet *sheet) {
    size_t count = sheet->answers ? sheet->depth_count * (size_t)sheet->trials : 0;
    for (size_t i = 0; i < count; i++) answer_free(&sheet->answers[i]);
    free(sheet->answers);
    *sheet = (struct passkey_sheet){0};
}

/* ---- Sums ---- */

/* Of answers begin..end-1. */
static int64_t count_found(const struct passkey_sheet *sheet, size_t begin, size_t end) {
    int64_t out = 0;
    for (size_t i = begin; i < end; i++) out += sheet->answers[i].correct;
    return out;
}

static double mean_nats(const struct passkey_sheet *sheet, size_t begin, size_t end) {
    double nats = 0.0;
    int64_t tokens = 0;
    for (size_t i = begin; i < end; i++) nats += sheet->answers[i].nats, tokens += sheet->answers[i].count;
    return nats / (double)tokens;
}

int64_t passkey_found(const struct passkey_sheet *sheet, size_t depth) {
    size_t trials = (size_t)sheet->trials;
    return count_found(sheet, depth * trials, (depth + 1) * trials);
}

int64_t passkey_found_total(const struct passkey_sheet *sheet) {
    return count_found(sheet, 0, sheet->depth_count * (size_t)sheet->trials);
}

double passkey_nats(const struct passkey_sheet *sheet, size_t depth) {
    size_t trials = (size_t)sheet->trials;
    return mean_nats(sheet, depth * trials, (depth + 1) * trials);
}

double passkey_nats_total(const struct passkey_sheet *sheet) {
    return mean_nats(sheet, 0, sheet->depth_count * (size_t)sheet->trials);
}
