#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval/text/tokenizer.h"
#include "search/base/clock.h"
#include "search/base/output_stream.h"
#include "search/base/progress.h"
#include "search/base/signals.h"
#include "search/cli/choice_options.h"
#include "search/cli/choice_print.h"
#include "search/cli/commands.h"
#include "search/cli/session.h"
#include "search/measure/choice.h"

struct benchmark {
    const struct choice_options *options;
    struct session session;
    struct choice_tasks tasks;
    struct integer_list lengths;
    int64_t window;              /* what `lengths` has where the options have none */
    struct chosen_table *tables; /* [lengths][table_source_count()], in the order in which they are asked */
    struct choice_work work;
    struct choice_asker asker;
    int width;                /* columns of a task's name */
    int64_t tokens, computed; /* of all sheets: see struct choice_sheet */
};

/* ---- Opening: errors that are cheap to find come before the weights are loaded ---- */

static void benchmark_close(struct benchmark *b) {
    session_end_work(&b->session);
    free(b->tables);
    choice_tasks_free(&b->tasks);
    session_close(&b->session);
}

static int read_tasks(struct benchmark *b, struct error *error) {
    const struct choice_options *o = b->options;
    struct tokenizer tokenizer = {0};
    int status = session_tokenizer(&b->session, &tokenizer, error);
    if (status != STATUS_OK) return status;
    const struct choice_reader reader = {&tokenizer, b->session.config.vocabulary};
    status = choice_tasks_read(&reader, o->tasks.items, o->tasks.count, &b->tasks, error);
    tokenizer_close(&tokenizer);
    b->width = choice_name_width(&b->tasks);
    return status;
}

static int check_lengths(struct benchmark *b, struct error *error) {
    int status = STATUS_OK;
    b->window = b->session.config.window;
    b->lengths = b->options->lengths.count ? b->options->lengths : (struct integer_list){1, &b->window};
    for (size_t l = 0; l < b->lengths.count && status == STATUS_OK; l++) {
        if (session_speaks(&b->session)) {
            model_warn_sliding(&b->session.config, b->options->model.model, b->lengths.items[l], stderr);
        }
        status = choice_check_length(&b->tasks, b->lengths.items[l], error);
    }
    return status;
}

static void tell_of_cut_items(const struct benchmark *b) {
    for (size_t l = 0; l < b->lengths.count; l++) {
        for (size_t t = 0; t < b->tasks.count; t++) {
            int64_t cut = choice_cut_items(&b->tasks.items[t], b->lengths.items[l]);
            if (!cut) continue;
            fprintf(stderr,
                    "%s: %" PRId64 " of %zu items have more than %" PRId64
                    " tokens and lose the beginning of their context\n",
                    b->tasks.items[t].name, cut, b->tasks.items[t].count, b->lengths.items[l]);
        }
    }
}

static int choose_tables(struct benchmark *b, struct error *error) {
    size_t count = table_source_count(&b->session.tables), sheets = count * b->lengths.count;
    b->tables = calloc(sheets, sizeof *b->tables);
    if (!b->tables) return error_memory(error, (double)sheets * sizeof *b->tables, "the tables");
    for (size_t i = 0; i < sheets; i++) {
        table_source_get(&b->session.tables, i % count, b->lengths.items[i / count], &b->tables[i]);
    }
    b->work = (struct choice_work){&b->tasks, b->lengths.items, b->lengths.count};
    return STATUS_OK;
}

/* All choices, each a document and its only window: documents[] and windows[], as many as there are choices. */
static void list_choices(const struct choice_tasks *tasks, struct document *documents, struct window *windows) {
    size_t count = 0;
    for (size_t t = 0; t < tasks->count; t++) {
        for (size_t i = 0; i < tasks->items[t].count; i++) {
            const struct choice_item *item = &tasks->items[t].items[i];
            for (size_t c = 0; c < item->count; c++, count++) {
                const struct continuation *tokens = &item->choices[c].tokens;
                documents[count] = (struct document){.count = tokens->count, .tokens = tokens->tokens};
                windows[count] = (struct window){
                    .document = count, .length = tokens->count, .skip = tokens->count - 1 - tokens->scored};
            }
        }
    }
}

static size_t count_choices(const struct choice_tasks *tasks) {
    size_t count = 0;
    for (size_t t = 0; t < tasks->count; t++) {
        for (size_t i = 0; i < tasks->items[t].count; i++) count += tasks->items[t].items[i].count;
    }
    return count;
}

/* With several ranks, which have to have the same items. */
static int share(struct benchmark *b, struct error *error) {
    struct window_task task = {
        .windows = b->lengths.count * choice_items(&b->tasks), .compute = choice_compute, .state = &b->work};
    size_t count = count_choices(&b->tasks);
    struct document *documents = calloc(count, sizeof *documents);
    struct window *windows = calloc(count, sizeof *windows);
    int status = documents && windows ? STATUS_OK : error_memory(error, (double)count * sizeof *windows, "the items");
    if (status == STATUS_OK) {
        list_choices(&b->tasks, documents, windows);
        const struct documents all = {count, documents};
        status = session_share(&b->session, &task, &(struct scoring){&all, windows, count}, error);
    }
    free(documents), free(windows);
    return status;
}

static void item_answered(void *state, size_t items) { progress_step(state, items, "", false); }

static int open_asker(struct benchmark *b, struct error *error) {
    size_t count = table_source_count(&b->session.tables), sheets = count * b->lengths.count;
    int status = STATUS_OK;
    b->asker = (struct choice_asker){.forward = b->session.forward,
                                     .list = b->session.list,
                                     .answered = item_answered,
                                     .state = &b->session.progress};
    for (size_t i = 0; i < sheets && b->asker.list && status == STATUS_OK; i++) {
        status = choice_hand_out(&b->work, &b->tables[i].rope, i / count, b->asker.list, error);
    }
    return status;
}

static int benchmark_open(struct benchmark *b, struct error *error) {
    b->session.kept_bytes = CHOICE_KEPT_BYTES;
    session_end_at_once(&b->session, "nothing was printed\n"); /* many items take a while */
    int status = session_open(&b->options->model, &b->session, error);
    if (status == STATUS_OK) status = read_tasks(b, error);
    if (status == STATUS_OK) status = check_lengths(b, error);
    if (status == STATUS_OK) status = choose_tables(b, error);
    signals_end_at_once(NULL);
    if (status == STATUS_OK) status = session_open_log(&b->session, error);
    if (status == STATUS_OK && session_speaks(&b->session)) tell_of_cut_items(b);
    if (status == STATUS_OK) status = session_load(&b->session, error);
    if (status == STATUS_OK) status = share(b, error);
    return status == STATUS_OK ? open_asker(b, error) : status;
}

/* ---- Rows ---- */

static int record(const struct benchmark *b, const struct choice_result *result, struct error *error) {
    if (!b->session.log.store) return STATUS_OK;
    const struct choice_sheet *sheet = result->sheet;
    struct choice_record row = {.items = (int64_t)sheet->task->count,
                                .chance = choice_chance(sheet->task),
                                .correct = sheet->correct[CHOICE_PLAIN],
                                .correct_norm = sheet->correct[CHOICE_CHARACTERS],
                                .correct_bytes = sheet->correct[CHOICE_BYTES]};
    snprintf(row.task, sizeof row.task, "%s", sheet->task->name);
    session_describe(&b->session, result->table, result->length, result->seconds, &row.measurement);
    return store_put_choice(b->session.log.store, &row, error);
}

static int show(struct benchmark *b, const struct choice_result *result, struct error *error) {
    if (b->options->model.json) return session_add_result(&b->session, choice_json(result), error);
    choice_print_row(b->session.out, result, b->width);
    return output_stream_flush(b->session.out, error);
}

static int ask_task(struct benchmark *b, const struct chosen_table *table, int64_t length,
                    const struct choice_task *task, struct error *error) {
    struct choice_sheet sheet;
    char title[220];
    snprintf(title, sizeof title, "%s, %s at %" PRId64 " tokens", task->name, table->method, length);
    progress_begin(&b->session.progress, title, "items", 0, task->count);
    int status = choice_ask(task, &b->asker, &table->rope, length, &sheet, error);
    progress_clear(&b->session.progress);
    status = session_name_failure(table, length, status, error);
    if (status == STATUS_OK) {
        const struct choice_result result = {.options = b->options,
                                             .kernels = b->session.model->kernels,
                                             .table = table,
                                             .sheet = &sheet,
                                             .length = length,
                                             .seconds = clock_seconds() - b->session.progress.began};
        b->tokens += sheet.tokens, b->computed += sheet.computed;
        struct error later; /* the first failure is reported; the row is shown also where it cannot be recorded */
        status = record(b, &result, error);
        int shown = show(b, &result, status == STATUS_OK ? error : &later);
        if (status == STATUS_OK) status = shown;
    }
    choice_sheet_free(&sheet);
    return status;
}

static int ask_all(struct benchmark *b, struct error *error) {
    int status = STATUS_OK;
    if (!b->options->model.json) {
        choice_print_heading(b->session.out, b->options, b->session.model->kernels, b->width);
    }
    size_t count = table_source_count(&b->session.tables);
    for (size_t i = 0; i < count * b->lengths.count; i++) {
        for (size_t t = 0; t < b->tasks.count && status == STATUS_OK; t++) {
            status = ask_task(b, &b->tables[i], b->lengths.items[i / count], &b->tasks.items[t], error);
        }
    }
    if (status == STATUS_OK && !b->options->model.json) choice_print_sum(b->session.out, b->tokens, b->computed);
    return status;
}

static int choose(const void *options, struct error *error) {
    struct benchmark b = {.options = options};
    int status = session_join(&choice_option_table, options, &b.session, error);
    struct ranks *ranks = b.session.ranks;
    if (status == STATUS_OK) status = benchmark_open(&b, error);
    if (status == STATUS_OK && session_speaks(&b.session)) status = ask_all(&b, error);
    status = session_end(&b.session, status, error);
    benchmark_close(&b);
    return ranks_end(ranks, status, error);
}

const struct command choice_command = {&choice_option_table, choose};
