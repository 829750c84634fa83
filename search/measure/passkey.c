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

static int answer_open(const struct needle_prompt *prompt, struct passkey_answer *out, struct error *error) {
    size_t size = (size_t)prompt->answer * sizeof *out->tokens;
    *out = (struct passkey_answer){.count = prompt->answer, .tokens = malloc(size), .arg_max = malloc(size)};
    if (!out->tokens || !out->arg_max) return error_memory(error, (double)size, "an answer");
    memcpy(out->key, prompt->key, sizeof out->key);
    memcpy(out->tokens, prompt->tokens + prompt->count - prompt->answer, size);
    return STATUS_OK;
}

static int ask(struct forward *forward, const struct rope_table *table, const struct needle_prompt *prompt,
               struct passkey_answer *out, struct error *error) {
    int status = answer_open(prompt, out, error);
    double *nats = calloc((size_t)prompt->answer, sizeof *nats);
    if (status == STATUS_OK && !nats) status = error_memory(error, (double)prompt->answer * sizeof *nats, "an answer");
    if (status == STATUS_OK) {
        int64_t skip = prompt->count - 1 - prompt->answer;
        status = forward_predict(forward, table, prompt->tokens, prompt->count, skip, nats, out->arg_max, error);
    }
    if (status == STATUS_OK) {
        out->nats = nats_sum(nats, (size_t)out->count);
        out->correct = memcmp(out->tokens, out->arg_max, (size_t)out->count * sizeof *out->tokens) == 0;
    }
    free(nats);
    return status;
}

/* ---- All prompts of a length ---- */

int passkey_ask(const struct passkey_task *task, struct forward *forward, const struct rope_table *table,
                int64_t length, void (*asked)(void *state, size_t prompts), void *state, struct passkey_sheet *out,
                struct error *error) {
    size_t count = task->depth_count * (size_t)task->trials;
    *out = (struct passkey_sheet){.depth_count = task->depth_count, .trials = task->trials};
    out->answers = calloc(count, sizeof *out->answers);
    if (!out->answers) return error_memory(error, (double)count * sizeof *out->answers, "the answers");
    for (size_t i = 0; i < count; i++) {
        struct needle_prompt prompt;
        double depth = task->depths[i / (size_t)task->trials];
        int status = passkey_prompt(task, length, depth, (int64_t)(i % (size_t)task->trials), &prompt, error);
        if (status == STATUS_OK) status = ask(forward, table, &prompt, &out->answers[i], error);
        needle_prompt_free(&prompt);
        if (status != STATUS_OK) return status;
        if (asked) asked(state, i + 1);
    }
    return STATUS_OK;
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
