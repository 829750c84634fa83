#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/text/tokenizer.h"
#include "search/base/clock.h"
#include "search/base/npy.h"
#include "search/base/output_stream.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"
#include "search/cli/passkey_options.h"
#include "search/cli/passkey_print.h"
#include "search/cli/session.h"
#include "search/cli/terminal.h"
#include "search/measure/passkey.h"

struct retrieval {
    const struct passkey_options *options;
    struct session session;
    struct tokenizer tokenizer;
    struct passkey_task task;
    struct needle_prompt *first;     /* [lengths] of each its first prompt */
    struct document *first_document; /* [lengths] the same */
    struct chosen_table *tables;     /* [table_source_count()][lengths], in the order in which they are asked */
    struct passkey_asker asker;
    bool unicode;
};

/* ---- Opening: errors that are cheap to find come before the weights are loaded ---- */

static void retrieval_close(struct retrieval *r) {
    session_end_work(&r->session);
    for (size_t l = 0; r->first && l < r->options->lengths.count; l++) needle_prompt_free(&r->first[l]);
    free(r->first), free(r->first_document), free(r->tables), free(r->asker.known);
    tokenizer_close(&r->tokenizer);
    session_close(&r->session);
}

/* A window that can never fit is an error before its prompts are made, which takes as long as it is. */
static int check_memory(const struct model_config *config, int64_t length, struct error *error) {
    const double gib = 1024.0 * 1024.0 * 1024.0;
    double needed = (double)length * (double)config->hidden * sizeof(float); /* the residual stream alone */
    double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (needed <= machine) return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "out of memory: prompts of %" PRId64 " tokens need more than %.0f GiB, and this machine has %.0f; "
                     "give a smaller --length",
                     length, needed / gib, machine / gib);
}

/* The first prompt of a length, which is kept, and one for each further depth: at the last depth a prompt has a line
 * end more, so that other lengths are impossible. */
static int check_length(struct retrieval *r, size_t l, struct error *error) {
    int status = STATUS_OK;
    for (size_t d = 0; d < r->task.depth_count && status == STATUS_OK; d++) {
        struct needle_prompt prompt;
        if (session_speaks(&r->session)) {
            progress_step(&r->session.progress, l * r->task.depth_count + d, "", false);
        }
        status = passkey_prompt(&r->task, r->task.lengths[l], r->task.depths[d], 0, &prompt, error);
        if (d == 0) {
            r->first[l] = prompt;
            r->first_document[l] = (struct document){.count = prompt.count, .tokens = prompt.tokens};
        } else {
            needle_prompt_free(&prompt);
        }
    }
    return status;
}

/* Makes prompts of each length before the weights are loaded, so that an impossible length is an error at once. */
static int check_lengths(struct retrieval *r, struct error *error) {
    const size_t lengths = r->task.length_count;
    int status = STATUS_OK;
    r->first = calloc(lengths, sizeof *r->first);
    r->first_document = calloc(lengths, sizeof *r->first_document);
    if (!r->first || !r->first_document) return error_memory(error, (double)lengths * sizeof *r->first, "prompts");
    for (size_t l = 0; l < lengths && status == STATUS_OK; l++) {
        if (session_speaks(&r->session)) {
            model_warn_sliding(&r->session.config, r->options->model.model, r->task.lengths[l], stderr);
        }
        status = check_memory(&r->session.config, r->task.lengths[l], error);
    }
    progress_begin(&r->session.progress, "checking the lengths", "prompts", 0, lengths * r->task.depth_count);
    for (size_t l = 0; l < lengths && status == STATUS_OK; l++) status = check_length(r, l, error);
    progress_clear(&r->session.progress);
    return status;
}

/* All prompts of the one length, in the order in which they are asked. */
static int save_tokens(struct retrieval *r, struct error *error) {
    const struct passkey_options *o = r->options;
    int64_t length = o->lengths.items[0], count = (int64_t)o->depths.count * o->trials, bytes;
    if (__builtin_mul_overflow(count * (int64_t)sizeof(int32_t), length, &bytes)) bytes = INT64_MAX;
    int32_t *tokens = malloc((size_t)bytes);
    int status = tokens ? STATUS_OK : error_memory(error, (double)bytes, "all prompts");
    progress_begin(&r->session.progress, "writing tokens", "prompts", 0, (size_t)count);
    for (int64_t i = 0; i < count && status == STATUS_OK; i++) {
        struct needle_prompt prompt;
        if (*signals_caught()) status = error_set(error, STATUS_STOPPED, "stopped by %s", signals_name());
        if (status != STATUS_OK) break;
        status = passkey_prompt(&r->task, length, o->depths.items[i / o->trials], i % o->trials, &prompt, error);
        if (status == STATUS_OK) memcpy(tokens + i * length, prompt.tokens, (size_t)length * sizeof *tokens);
        needle_prompt_free(&prompt);
        progress_step(&r->session.progress, (size_t)i + 1, "", false);
    }
    if (status == STATUS_OK) status = npy_write_tokens(o->save_tokens, o->force, tokens, count, length, error);
    progress_clear(&r->session.progress);
    free(tokens);
    return status;
}

static void set_task(struct retrieval *r) {
    const struct passkey_options *o = r->options;
    r->task = (struct passkey_task){
        .setting = {.tokenizer = &r->tokenizer, .form = (enum needle_form)o->prompt, .digits = o->digits},
        .depths = o->depths.items,
        .depth_count = o->depths.count,
        .trials = o->trials,
        .seed = (uint64_t)o->seed,
        .vocabulary = r->session.config.vocabulary,
        .lengths = o->lengths.items,
        .length_count = o->lengths.count,
    };
}

/* Files of tokens, which a message about tokenizers can suggest, are no way out here. */
static int open_tokenizer(struct retrieval *r, struct error *error) {
    int status = session_tokenizer(&r->session, &r->tokenizer, error);
    if (status != STATUS_INPUT || r->options->model.tokenizer) return status;
    const struct error why = *error;
    return error_set(
        error, STATUS_INPUT,
        "%s. Pass keys are prompts that this command writes itself: they require a tokenizer, --tokenizer FILE "
        "(a tokenizer.json, a SentencePiece model, or a GGUF of the model)",
        why.message);
}

static int choose_tables(struct retrieval *r, struct error *error) {
    size_t lengths = r->task.length_count, sheets = table_source_count(&r->session.tables) * lengths;
    r->tables = calloc(sheets, sizeof *r->tables);
    if (!r->tables) return error_memory(error, (double)sheets * sizeof *r->tables, "the tables");
    for (size_t i = 0; i < sheets; i++) {
        table_source_get(&r->session.tables, i / lengths, r->task.lengths[i % lengths], &r->tables[i]);
    }
    return STATUS_OK;
}

/* That all ranks make the same prompts shows in the first of each length. */
static int share(struct retrieval *r, struct error *error) {
    const size_t lengths = r->task.length_count;
    struct window_task task = {
        .windows = lengths * passkey_prompts(&r->task), .compute = passkey_compute, .state = &r->task};
    struct window *windows = calloc(lengths, sizeof *windows);
    if (!windows) return error_memory(error, (double)lengths * sizeof *windows, "prompts");
    for (size_t l = 0; l < lengths; l++) windows[l] = (struct window){.document = l, .length = r->task.lengths[l]};
    const struct documents documents = {lengths, r->first_document};
    const struct scoring first = {&documents, windows, lengths};
    int status = session_share(&r->session, &task, &first, error);
    free(windows);
    return status;
}

static void prompt_asked(void *state, size_t prompts) { progress_step(state, prompts, "", false); }

static int open_asker(struct retrieval *r, struct error *error) {
    size_t sheets = table_source_count(&r->session.tables) * r->task.length_count;
    int status = STATUS_OK;
    r->asker = (struct passkey_asker){.forward = r->session.forward,
                                      .list = r->session.list,
                                      .known = calloc(sheets, sizeof *r->asker.known),
                                      .asked = prompt_asked,
                                      .state = &r->session.progress};
    if (!r->asker.known) return error_memory(error, (double)sheets * sizeof *r->asker.known, "prompts");
    for (size_t i = 0; i < sheets && r->asker.list && status == STATUS_OK; i++) {
        status = passkey_hand_out(&r->task, &r->tables[i].rope, i % r->task.length_count, r->asker.list, error);
    }
    return status;
}

static int retrieval_open(struct retrieval *r, struct error *error) {
    session_end_at_once(&r->session, "nothing was printed\n"); /* long prompts take a while */
    const bool speaks = session_speaks(&r->session);
    const struct passkey_options *o = r->options;
    int status = session_open(&o->model, &r->session, error);
    if (status == STATUS_OK && o->save_tokens && speaks) {
        status = session_check_output(&r->session, o->save_tokens, o->force, error);
    }
    if (status == STATUS_OK) status = open_tokenizer(r, error);
    set_task(r);
    if (status == STATUS_OK) status = choose_tables(r, error);
    if (status == STATUS_OK) status = check_lengths(r, error);
    signals_end_at_once(NULL);
    if (status == STATUS_OK) status = session_open_log(&r->session, error);
    if (status == STATUS_OK && o->save_tokens && speaks) status = save_tokens(r, error);
    if (status == STATUS_OK) status = session_load(&r->session, error);
    if (status == STATUS_OK) status = share(r, error);
    return status == STATUS_OK ? open_asker(r, error) : status;
}

/* ---- Rows ---- */

static int record(const struct retrieval *r, const struct passkey_result *result, struct error *error) {
    if (!r->session.log.store) return STATUS_OK;
    const struct passkey_options *o = r->options;
    struct passkey_record *rows = calloc(o->depths.count, sizeof *rows);
    if (!rows) return error_memory(error, (double)o->depths.count * sizeof *rows, "the results");
    for (size_t d = 0; d < o->depths.count; d++) {
        session_describe(&r->session, result->table, result->length, result->seconds, &rows[d].measurement);
        rows[d].depth = o->depths.items[d];
        rows[d].digits = o->digits;
        rows[d].trials = o->trials;
        rows[d].correct = passkey_found(result->sheet, d);
        rows[d].seed = o->seed;
        snprintf(rows[d].wording, sizeof rows[d].wording, "%s", needle_form_names[o->prompt]);
    }
    int status = store_put_passkeys(r->session.log.store, rows, o->depths.count, error);
    free(rows);
    return status;
}

static int show(struct retrieval *r, const struct passkey_result *result, struct error *error) {
    if (r->options->model.json) return session_add_result(&r->session, passkey_json(result), error);
    passkey_print_row(r->session.out, result, r->unicode);
    return output_stream_flush(r->session.out, error);
}

/* The `index`-th table at the `length`-th length. */
static int ask_length(struct retrieval *r, size_t index, size_t length, struct error *error) {
    const struct chosen_table *table = &r->tables[index * r->task.length_count + length];
    const size_t prompts = passkey_prompts(&r->task);
    struct passkey_sheet sheet;
    char title[64];
    snprintf(title, sizeof title, "%s at %" PRId64 " tokens", table->method, r->task.lengths[length]);
    progress_begin(&r->session.progress, title, "prompts", r->asker.known[r->asker.sheets], prompts);
    int status = passkey_ask(&r->task, &r->asker, &table->rope, length, &sheet, error);
    progress_clear(&r->session.progress);
    status = session_name_failure(table, r->task.lengths[length], status, error);
    if (status == STATUS_OK) {
        const struct passkey_result result = {.options = r->options,
                                              .kernels = r->session.model->kernels,
                                              .table = table,
                                              .sheet = &sheet,
                                              .length = r->task.lengths[length],
                                              .seconds = clock_seconds() - r->session.progress.began};
        struct error later; /* the first failure is reported; the row is shown also where it cannot be recorded */
        status = record(r, &result, error);
        int shown = show(r, &result, status == STATUS_OK ? error : &later);
        if (status == STATUS_OK) status = shown;
    }
    passkey_sheet_free(&sheet);
    return status;
}

/* One RoPE table after the other, so that the rows of its lengths form a heat map. */
static int ask_all(struct retrieval *r, struct error *error) {
    const struct passkey_options *o = r->options;
    int status = STATUS_OK;
    if (!o->model.json) passkey_print_setting(r->session.out, o, r->session.model->kernels);
    for (size_t t = 0; t < table_source_count(&r->session.tables) && status == STATUS_OK; t++) {
        if (!o->model.json)
            passkey_print_heading(r->session.out, o,
                                  o->model.tables.factors ? "factors" : o->model.tables.methods.items[t]);
        for (size_t l = 0; l < r->task.length_count && status == STATUS_OK; l++) status = ask_length(r, t, l, error);
    }
    return status;
}

static int retrieve(const void *options, struct error *error) {
    struct retrieval r = {.options = options, .unicode = terminal_shows_unicode()};
    int status = session_join(&passkey_option_table, options, &r.session, error);
    struct ranks *ranks = r.session.ranks;
    if (status == STATUS_OK) status = retrieval_open(&r, error);
    if (status == STATUS_OK && session_speaks(&r.session)) status = ask_all(&r, error);
    status = session_end(&r.session, status, error);
    retrieval_close(&r);
    return ranks_end(ranks, status, error);
}

const struct command passkey_command = {&passkey_option_table, retrieve};
