#include "search/cli/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "search/base/atomic_output.h"
#include "search/base/output_path.h"
#include "search/base/output_stream.h"
#include "search/base/signals.h"
#include "search/ranks/rank_service.h"
#include "search/recipe/score_keys.h"
#include "search/store/store.h"

int session_join(const struct option_table *table, const void *options, struct session *out, struct error *error) {
    size_t size = 0;
    char *text = NULL;
    FILE *command = open_memstream(&text, &size);
    *out = (struct session){.out = stdout};
    if (!command) return error_memory(error, 0, "the command line");
    options_write(table, options, "threads", command);
    int status = fclose(command) == 0 ? ranks_open(text, &out->ranks, error) : error_memory(error, 0, "a text");
    free(text);
    return status;
}

bool session_speaks(const struct session *s) { return ranks_index(s->ranks) == 0; }

void session_end_at_once(const struct session *s, const char *message) {
    signals_end_at_once(session_speaks(s) ? message : "");
}

static int read_clex(struct session *s, struct error *error) {
    double asked = s->options->tables.max_factor;
    if (asked == TABLE_REQUEST_UNSET)
        return model_read_clex(s->options->model, 0.0, &s->config, &s->clex_factors, error);
    if (s->config.rope.type != ROPE_TYPE_CLEX) {
        return error_set(error, STATUS_INPUT, "--max-factor: the rope type of %s is %s, not clex; remove the option",
                         s->options->model, rope_type_name(s->config.rope.type));
    }
    return model_read_clex(s->options->model, asked, &s->config, &s->clex_factors, error);
}

int session_open(const struct model_options *options, struct session *s, struct error *error) {
    s->options = options;
    int status = model_read_config(options->model, &s->config, error);
    if (status == STATUS_OK) status = read_clex(s, error);
    return status == STATUS_OK ? table_source_open(&options->tables, &s->config, &s->tables, error) : status;
}

int session_tokenizer(const struct session *s, struct tokenizer *out, struct error *error) {
    return tokenizer_open(s->options->tokenizer, s->options->model, s->config.vocabulary, out, error);
}

int session_open_log(struct session *s, struct error *error) {
    if (!session_speaks(s)) return STATUS_OK;
    int status = output_stream_check(s->out, error);
    return status == STATUS_OK ? measurement_log_open(s->options->into, s->options->label, &s->log, error) : status;
}

int session_check_output(struct session *s, const char *path, bool replace, struct error *error) {
    const struct model_options *o = s->options;
    const char *factors = o->tables.factors;
    bool run = factors && store_exists(factors);
    const char *const inputs[] = {o->model, o->tokenizer, run ? NULL : factors};
    int status = atomic_output_check_file(path, replace, error);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs && status == STATUS_OK; i++) {
        status = atomic_output_check_input(path, inputs[i], error);
    }
    if (status == STATUS_OK && run) status = store_check_output(factors, path, error);
    if (status == STATUS_OK && o->into) status = store_check_output(o->into, path, error);
    if (output_path_is_stdout(path)) s->out = stderr;
    return status;
}

/* With several ranks the row that is waited for is none of the window's business; the line names the rank. */
static void rank_told(void *state, double start, const char *line) {
    struct session *s = state;
    (void)start;
    progress_clear(&s->progress);
    fprintf(stderr, "%s\n", line);
}

/* Windows are counted from 1. */
static void checkpoint_told(void *state, double start, const char *line) {
    struct session *s = state;
    struct progress *progress = &s->progress;
    progress_clear(progress);
    fprintf(stderr, "%s, window %zu: %s\n", progress->title, progress->done + 1, line);
    if (start > 0.0) progress_continue(progress, start);
}

static struct checkpoints_options checkpoints_of(struct session *s) {
    if (!s->checkpoint) return (struct checkpoints_options){.folder = NULL};
    return (struct checkpoints_options){.folder = s->checkpoint->folder,
                                        .interval = s->checkpoint->every,
                                        .keep = true,
                                        .stop = signals_caught(),
                                        .tell = s->ranks ? rank_told : checkpoint_told,
                                        .tell_state = s};
}

int session_open_checkpoints(struct session *s, const struct checkpoint_options *given, struct error *error) {
    if (!given->folder) return STATUS_OK;
    s->checkpoint = given;
    const struct checkpoints_options options = checkpoints_of(s);
    return s->ranks ? checkpoints_check_folder(given->folder, error)
                    : checkpoints_open(&options, &s->checkpoints, error);
}

static void pass_advanced(void *progress, double fraction) { progress_within(progress, fraction); }

/* ---- ranks and weights ---- */

/* Before minutes of loading: that all ranks are there and have the same kernels. */
static int meet(struct session *s, struct error *error) {
    const enum model_type type = (enum model_type)s->options->type;
    const int64_t stage = 0;
    struct ranks_message message = {.kind = RANKS_END};
    if (!s->ranks) return STATUS_OK;
    if (session_speaks(s)) {
        int status = rank_workers_meet(s->ranks, &type, 1, error);
        return status == STATUS_OK ? rank_workers_begin(s->ranks, &stage, sizeof stage, &s->workers, error) : status;
    }
    int status = rank_service_hello(s->ranks, error);
    while (status == STATUS_OK && message.kind != RANK_STAGE && !s->ended) {
        status = ranks_wait(s->ranks, &message, error);
        s->ended = status == STATUS_OK && message.kind == RANKS_END;
    }
    return status;
}

int session_load(struct session *s, struct error *error) {
    const struct model_options *o = s->options;
    const struct forward_options forward = {.threads = (int)o->threads,
                                            .angles = (enum rope_angles)o->angles,
                                            .stop = signals_caught(),
                                            .progress = pass_advanced,
                                            .progress_state = &s->progress,
                                            .checkpoints = s->checkpoints,
                                            .kept_bytes = s->kept_bytes};
    int status = meet(s, error);
    if (status != STATUS_OK || s->ended) return status;
    session_end_at_once(s, "nothing was printed\n");
    status = model_load_again(o->model, (enum model_type)o->type, &s->config.rope, &s->model, error);
    signals_end_at_once(NULL);
    if (status == STATUS_OK && session_speaks(s)) model_print_notes(s->model, o->model, stderr);
    if (status == STATUS_OK && !s->ranks) status = forward_new(s->model, &forward, &s->forward, error);
    if (status == STATUS_OK && o->json && !(s->results = json_array())) status = error_memory(error, 0, "the results");
    return status;
}

static int lead(struct session *s, const struct window_task *task, const struct rank_loaded *loaded,
                struct error *error) {
    const struct workers *workers = NULL;
    int threads = (int)s->options->threads;
    ranks_print(s->ranks, "one measurement", threads, stderr);
    int status = rank_workers_open(s->workers, task, loaded, threads, &workers, error);
    return status == STATUS_OK ? work_list_new(workers, signals_caught(), &s->list, error) : status;
}

static int serve(struct session *s, const struct window_task *task, const struct rank_loaded *loaded,
                 struct error *error) {
    struct ranks_message message;
    int status = rank_service_run(s->ranks, 0, task, loaded, (int)s->options->threads, &s->ended, error);
    while (status == STATUS_OK && !s->ended) {
        status = ranks_wait(s->ranks, &message, error);
        s->ended = status == STATUS_OK && message.kind == RANKS_END;
    }
    return status;
}

int session_share(struct session *s, struct window_task *task, const struct scoring *windows, struct error *error) {
    struct score_keys keys;
    if (!s->ranks || s->ended) return STATUS_OK;
    task->model = s->model;
    task->angles = (enum rope_angles)s->options->angles;
    task->kept_bytes = s->kept_bytes;
    task->checkpoints = checkpoints_of(s);
    int status = score_keys_open(&keys, s->model, windows, error);
    if (status == STATUS_OK) {
        const struct rank_loaded loaded = score_keys_loaded(&keys);
        status = (session_speaks(s) ? lead : serve)(s, task, &loaded, error);
    }
    score_keys_close(&keys);
    return status;
}

/* ---- results ---- */

/* Of several tables one may make the model's numbers overflow. */
int session_name_failure(const struct chosen_table *table, int64_t length, int status, struct error *error) {
    struct error of_row = *error;
    if (status != STATUS_FAILED) return status;
    return error_set(error, status, "%s%s%s at %" PRId64 " tokens: %s", table->method, table->name ? " " : "",
                     table->name ? table->name : "", length, of_row.message);
}

int session_add_result(struct session *s, json_t *result, struct error *error) {
    bool added = result && json_array_append_new(s->results, result) == 0;
    return added ? output_stream_check(s->out, error) : error_memory(error, 0, "the results");
}

void session_describe(const struct session *s, const struct chosen_table *table, int64_t length, double seconds,
                      struct measurement *out) {
    const struct measurement_setup setup = {.name = table->name ? table->name : table->method,
                                            .model = s->options->model,
                                            .length = length,
                                            .scale = table->scale,
                                            .seconds = seconds,
                                            .table = &table->rope,
                                            .kernels = s->model->kernels,
                                            .angles = (enum rope_angles)s->options->angles};
    measurement_log_describe(&s->log, &setup, out);
}

static int print_results(const struct session *s, struct error *error) {
    json_t *root = json_pack("{s:O}", "results", s->results);
    if (!root) return error_memory(error, 0, "the results");
    json_dumpf(root, s->out, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fputc('\n', s->out);
    json_decref(root);
    return STATUS_OK;
}

int session_end(struct session *s, int status, struct error *error) {
    if (!session_speaks(s)) return status;
    if (status == STATUS_STOPPED) {
        return error_set(error, status, "stopped by %s; %s%s", signals_name(),
                         s->options->json ? "nothing was printed" : "rows that were printed are complete",
                         s->checkpoint ? "; the same command continues at the last checkpoint" : "");
    }
    struct error later; /* the first failure is reported */
    if (status == STATUS_FAILED && json_array_size(s->results) > 0) print_results(s, &later);
    if (status == STATUS_OK && s->results) status = print_results(s, error);
    if (status == STATUS_OK) status = output_stream_flush(s->out, error);
    s->finished = status == STATUS_OK && !ferror(s->out);
    return status;
}

void session_end_work(struct session *s) {
    if (!s->finished) rank_workers_stop(s->workers);
    work_list_free(s->list);
    rank_workers_close(s->workers, s->finished);
    s->list = NULL, s->workers = NULL;
}

void session_close(struct session *s) {
    session_end_work(s);
    json_decref(s->results);
    forward_free(s->forward);
    checkpoints_close(s->checkpoints, s->finished);
    model_free(s->model);
    measurement_log_close(&s->log);
    table_source_close(&s->tables);
    free(s->clex_factors);
}
