#include "search/measure/choice_tasks.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/array.h"
#include "eval/base/file.h"
#include "eval/text/documents.h"
#include "eval/text/utf8.h"
#include "search/base/text.h"
#include "search/store/store_measurements.h"

/* A line of a file, while it is read. */
struct line {
    const struct choice_reader *reader;
    const char *file;
    size_t number;
    char *place;      /* FILE:NUMBER */
    const char *task; /* of an item without one */
};

static int line_wrong(const struct line *line, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int line_wrong(const struct line *line, struct error *error, const char *format, ...) {
    char what[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return error_set(error, STATUS_INPUT, "%s: %s", line->place, what);
}

/* ---- Members of an item ---- */

static const char required[] = "an item is {\"context\": TEXT, \"choices\": [TEXT, ...], \"answer\": INDEX}";

/* The member; NULL, with *status and the error set, if it is missing or not of that type. */
static const json_t *member(const struct line *line, const json_t *item, const char *name, json_type type,
                            const char *kind, int *status, struct error *error) {
    const json_t *value = json_object_get(item, name);
    *status = STATUS_OK;
    if (value && json_typeof(value) == type) return value;
    *status = value ? line_wrong(line, error, "'%s' is not %s; %s", name, kind, required)
                    : line_wrong(line, error, "has no '%s'; %s", name, required);
    return NULL;
}

/* A text that may be missing. */
static int optional_text(const struct line *line, const json_t *item, const char *name, const char **out,
                         struct error *error) {
    int status = STATUS_OK;
    const json_t *value = json_object_get(item, name);
    if (value) value = member(line, item, name, JSON_STRING, "a text", &status, error);
    if (value) *out = json_string_value(value);
    return status;
}

static int read_answer(const struct line *line, const json_t *item, size_t choices, size_t *out, struct error *error) {
    int status;
    const json_t *value = member(line, item, "answer", JSON_INTEGER, "an integer", &status, error);
    if (!value) return status;
    json_int_t answer = json_integer_value(value);
    if (answer < 0 || (uint64_t)answer >= choices) {
        return line_wrong(line, error,
                          "answer %" JSON_INTEGER_FORMAT " is not an index of the %zu choices; the first choice is 0",
                          answer, choices);
    }
    *out = (size_t)answer;
    return STATUS_OK;
}

static int read_task(const struct line *line, const json_t *item, const char **out, struct error *error) {
    *out = line->task;
    int status = optional_text(line, item, "task", out, error);
    const char *fault = status == STATUS_OK ? store_label_fault(*out) : NULL;
    if (!fault) return status;
    if (*out == line->task) {
        return line_wrong(line, error,
                          "has no 'task', and the file's name, which would stand for it, %s; name the task", fault);
    }
    return line_wrong(line, error, "the name of the 'task' %s; give another one", fault);
}

/* ---- Choices ---- */

static int encode_choice(const struct line *line, const char *context, const char *delimiter, const char *choice,
                         struct choice_text *out, struct error *error) {
    char *continuation;
    if (asprintf(&continuation, "%s%s", delimiter, choice) < 0) {
        return error_memory(error, (double)strlen(choice), "a choice");
    }
    out->characters = (int64_t)text_characters(choice);
    out->bytes = (int64_t)strlen(choice);
    int status = continuation_encode(line->reader->tokenizer, line->place, context, continuation, &out->tokens, error);
    struct document document = {.name = line->place, .count = out->tokens.count, .tokens = out->tokens.tokens};
    free(continuation);
    return status == STATUS_OK ? documents_check(&(struct documents){1, &document}, line->reader->vocabulary, error)
                               : status;
}

static int read_choices(const struct line *line, const json_t *choices, const char *context, const char *delimiter,
                        struct choice_item *out, struct error *error) {
    size_t count = json_array_size(choices);
    out->choices = calloc(count, sizeof *out->choices);
    if (!out->choices) return error_memory(error, (double)count * sizeof *out->choices, "choices");
    out->count = count;
    for (size_t c = 0; c < count; c++) {
        const char *choice = json_string_value(json_array_get(choices, c));
        if (!choice) return line_wrong(line, error, "choice %zu is not a text; %s", c, required);
        if (!*choice) return line_wrong(line, error, "choice %zu is empty; every choice needs a text", c);
        int status = encode_choice(line, context, delimiter, choice, &out->choices[c], error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static int read_item(const struct line *line, const json_t *json, const char **task, struct choice_item *out,
                     struct error *error) {
    const char *delimiter = "";
    int status;
    *out = (struct choice_item){.file = line->file, .line = line->number};
    if (!json_is_object(json)) return line_wrong(line, error, "is not an object; %s", required);
    const json_t *context = member(line, json, "context", JSON_STRING, "a text", &status, error);
    if (!context) return status;
    const json_t *choices = member(line, json, "choices", JSON_ARRAY, "a list", &status, error);
    if (!choices) return status;
    if (json_array_size(choices) == 0)
        return line_wrong(line, error, "'choices' is empty; give the texts to choose from");
    status = read_answer(line, json, json_array_size(choices), &out->answer, error);
    if (status == STATUS_OK) status = read_task(line, json, task, error);
    if (status == STATUS_OK) status = optional_text(line, json, "delimiter", &delimiter, error);
    return status == STATUS_OK ? read_choices(line, choices, json_string_value(context), delimiter, out, error)
                               : status;
}

static void item_free(struct choice_item *item) {
    for (size_t c = 0; c < item->count; c++) free(item->choices[c].tokens.tokens);
    free(item->choices);
}

/* ---- Tasks ---- */

/* The task of that name, which is added if it is new; NULL for lack of memory. `file` as of the task. */
static struct choice_task *task_of(struct choice_tasks *tasks, const char *name, const char *file) {
    for (size_t t = 0; t < tasks->count; t++) {
        if (strcmp(tasks->items[t].name, name) == 0) return &tasks->items[t];
    }
    struct choice_task *grown = array_reserve(tasks->items, &tasks->capacity, tasks->count + 1, sizeof *grown);
    if (!grown) return NULL;
    tasks->items = grown;
    struct choice_task *task = &grown[tasks->count];
    *task = (struct choice_task){.name = strdup(name), .file = file};
    if (!task->name) return NULL;
    tasks->count++;
    return task;
}

static int add_item(const struct line *line, struct choice_tasks *tasks, const char *name,
                    const struct choice_item *item, struct error *error) {
    const char *file = name == line->task ? line->file : NULL;
    struct choice_task *task = task_of(tasks, name, file);
    if (task && file && task->file && strcmp(file, task->file) != 0) {
        return line_wrong(line, error,
                          "has no 'task', and the file's name, '%s', which would stand for it, is also that of %s; "
                          "name the task, or rename a file",
                          name, task->file);
    }
    if (task && file) task->file = file;
    struct choice_item *grown =
        task ? array_reserve(task->items, &task->capacity, task->count + 1, sizeof *grown) : NULL;
    if (!grown) return error_memory(error, 0, "the items");
    task->items = grown;
    grown[task->count++] = *item;
    return STATUS_OK;
}

static int read_object(const struct line *line, const char *text, size_t size, struct choice_tasks *out,
                       struct error *error) {
    json_error_t wrong;
    const char *task = NULL;
    struct choice_item item;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
    if (!json) {
        return line_wrong(line, error, "is not valid JSON at byte %d: %.200s; write one object per line",
                          wrong.position, wrong.text);
    }
    int status = read_item(line, json, &task, &item, error);
    if (status == STATUS_OK) status = add_item(line, out, task, &item, error);
    if (status != STATUS_OK) item_free(&item);
    json_decref(json);
    return status;
}

static int read_line(struct line *line, const char *text, size_t size, struct choice_tasks *out, struct error *error) {
    if (asprintf(&line->place, "%s:%zu", line->file, line->number) < 0) return error_memory(error, 0, "a place");
    int status = utf8_check(line->place, text, size, error);
    if (status == STATUS_OK) status = read_object(line, text, size, out, error);
    free(line->place);
    return status;
}

/* The file's name without its folder and its last ending; the caller frees it. */
static char *name_of_file(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static bool is_blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!strchr(" \t\r", text[i]) || text[i] == '\0') return false;
    }
    return true;
}

static int read_lines(struct line *line, const char *bytes, size_t size, struct choice_tasks *out,
                      struct error *error) {
    size_t items = 0;
    int status = STATUS_OK;
    for (size_t at = 0; at < size && status == STATUS_OK;) {
        const char *end = memchr(bytes + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (bytes + at)) : size - at;
        line->number++;
        if (!is_blank(bytes + at, length)) status = read_line(line, bytes + at, length, out, error), items++;
        at += length + 1;
    }
    if (status != STATUS_OK || items) return status;
    return error_set(error, STATUS_INPUT, "%s: has no item; %s", line->file, required);
}

/* A file of another kind, such as text with a byte order mark, is named as such. */
static int read_file(const struct choice_reader *reader, const char *path, struct choice_tasks *out,
                     struct error *error) {
    unsigned char *bytes;
    size_t size;
    struct line line = {.reader = reader, .file = path};
    int status = file_read(path, &bytes, &size, error);
    if (status != STATUS_OK) return status;
    char *name = name_of_file(path);
    line.task = name;
    if (!name) status = error_memory(error, (double)strlen(path), "a name");
    if (status == STATUS_OK && bytes[0] != '{') status = file_recognise(path, bytes, size, error);
    if (status == STATUS_OK) status = read_lines(&line, (const char *)bytes, size, out, error);
    free(name);
    free(bytes);
    return status;
}

int choice_tasks_read(const struct choice_reader *reader, char *const *paths, size_t count, struct choice_tasks *out,
                      struct error *error) {
    int status = STATUS_OK;
    *out = (struct choice_tasks){0};
    for (size_t p = 0; p < count && status == STATUS_OK; p++) status = read_file(reader, paths[p], out, error);
    return status;
}

void choice_tasks_free(struct choice_tasks *tasks) {
    for (size_t t = 0; t < tasks->count; t++) {
        for (size_t i = 0; i < tasks->items[t].count; i++) item_free(&tasks->items[t].items[i]);
        free(tasks->items[t].items);
        free(tasks->items[t].name);
    }
    free(tasks->items);
    *tasks = (struct choice_tasks){0};
}
