#include "search/config/yaml.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "eval/base/file.h"

int yaml_tree_error(const struct yaml_where *where, struct error *error, const char *format, ...) {
    char message[700];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (where->line > 0) return error_set(error, STATUS_INPUT, "%.300s:%d: %s", where->origin, where->line, message);
    return error_set(error, STATUS_INPUT, "--set %.300s: %s", where->origin, message);
}

char *yaml_where_text(const struct yaml_where *where) {
    char *out = NULL;
    int size = where->line > 0 ? asprintf(&out, "%.300s:%d", where->origin, where->line)
                               : asprintf(&out, "--set %.300s", where->origin);
    return size < 0 ? NULL : out;
}

/* ---- the tree ---- */

static struct yaml_tree *tree_new(enum yaml_tree_kind kind, struct yaml_where where) {
    struct yaml_tree *tree = calloc(1, sizeof *tree);
    if (!tree) return NULL;
    tree->kind = kind;
    tree->where = where;
    return tree;
}

static struct yaml_tree *scalar_new(const char *text, size_t length, struct yaml_where where) {
    struct yaml_tree *tree = tree_new(YAML_TREE_SCALAR, where);
    if (!tree) return NULL;
    tree->scalar = strndup(text, length);
    if (tree->scalar) return tree;
    free(tree);
    return NULL;
}

/* Frees all that a node holds, but not the node. */
static void tree_clear(struct yaml_tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->entries[i].key);
        yaml_tree_free(tree->entries[i].value);
    }
    free(tree->entries);
    free(tree->scalar);
}

void yaml_tree_free(struct yaml_tree *tree) {
    if (!tree) return;
    tree_clear(tree);
    free(tree);
}

static struct yaml_entry *find_entry(const struct yaml_tree *tree, const char *key) {
    for (size_t i = 0; tree->kind == YAML_TREE_MAP && i < tree->count; i++) {
        if (strcmp(tree->entries[i].key, key) == 0) return &tree->entries[i];
    }
    return NULL;
}

/* Takes over `value` if it succeeds, and copies the key; the key is NULL for an item of a list. */
static int append(struct yaml_tree *tree, const char *key, struct yaml_where where, struct yaml_tree *value,
                  struct error *error) {
    size_t size = (tree->count + 1) * sizeof *tree->entries;
    struct yaml_entry *entries = realloc(tree->entries, size);
    if (!entries) return error_memory(error, (double)size, "a configuration");
    tree->entries = entries;
    char *copy = key ? strdup(key) : NULL;
    if (key && !copy) return error_memory(error, (double)strlen(key), "a configuration");
    entries[tree->count++] = (struct yaml_entry){copy, where, value};
    return STATUS_OK;
}

/* ---- parsing ---- */

struct builder {
    yaml_parser_t parser;
    const char *origin;
    bool numbered; /* lines are told; not on the command line */
    const char *text;
    size_t size;
    struct error *error;
};

static struct yaml_where where_of(const struct builder *b, const yaml_mark_t *mark) {
    int line = mark->line < INT_MAX ? (int)mark->line + 1 : INT_MAX;
    return (struct yaml_where){b->origin, b->numbered ? line : 0};
}

/* Bytes that are no text are reported by their offset, everything else by line. */
static struct yaml_where where_of_problem(const struct builder *b) {
    yaml_mark_t mark = b->parser.problem_mark;
    if (b->parser.error == YAML_READER_ERROR) {
        mark.line = 0;
        for (size_t i = 0; i < b->size && i < b->parser.problem_offset; i++) mark.line += b->text[i] == '\n';
    }
    return where_of(b, &mark);
}

/* Whether the line of the problem begins with blanks and a tab. */
static bool is_indented_by_tab(const struct builder *b) {
    const char *line = b->text, *end = b->text + b->size;
    for (size_t i = 0; i < b->parser.problem_mark.line && line; i++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (line) line++;
    }
    while (line && line < end && *line == ' ') line++;
    return line && line < end && *line == '\t';
}

static const char tab_hint[] = "; indent with blanks: YAML allows no tabs there";
static const char colon_hint[] = "; write a blank after the ':' of a key, and text that holds ': ' in quotes";
static const char alias_hint[] = "; put a pattern that begins with * in quotes: \"*.txt\"";

static int syntax_error(struct builder *b) {
    const yaml_parser_t *parser = &b->parser;
    if (parser->error == YAML_MEMORY_ERROR) return error_memory(b->error, (double)b->size, "a configuration");
    struct yaml_where where = where_of_problem(b);
    const char *context = parser->context ? parser->context : "";
    const char *problem = parser->problem ? parser->problem : "unreadable";
    char begins[60] = "";
    if (*context && b->numbered && parser->context_mark.line < parser->problem_mark.line) {
        snprintf(begins, sizeof begins, " that begins in line %zu", parser->context_mark.line + 1);
    }
    return yaml_tree_error(&where, b->error, "not valid YAML: %s%s%s%s%s", problem, *context ? " " : "", context,
                           begins,
                           strstr(context, "alias")                      ? alias_hint
                           : is_indented_by_tab(b)                       ? tab_hint
                           : strncmp(problem, "mapping values", 14) == 0 ? colon_hint
                                                                         : "");
}

static int next_event(struct builder *b, yaml_event_t *event) {
    return yaml_parser_parse(&b->parser, event) ? STATUS_OK : syntax_error(b);
}

static int build(struct builder *b, const yaml_event_t *event, int depth, struct yaml_tree **out);

static int build_scalar(struct builder *b, const yaml_event_t *event, struct yaml_tree **out) {
    struct yaml_where where = where_of(b, &event->start_mark);
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(text, '\0', length)) return yaml_tree_error(&where, b->error, "a text holds a NUL character");
    *out = scalar_new(text, length, where);
    return *out ? STATUS_OK : error_memory(b->error, (double)length, "a configuration");
}

/* The next event begins the value that is built and appended. */
static int append_next(struct builder *b, struct yaml_tree *tree, const char *key, struct yaml_where where,
                       const yaml_event_t *event, int depth) {
    struct yaml_tree *value = NULL;
    int status = build(b, event, depth + 1, &value);
    if (status == STATUS_OK) status = append(tree, key, where, value, b->error);
    if (status != STATUS_OK) yaml_tree_free(value);
    return status;
}

static int check_key(struct builder *b, const struct yaml_tree *map, const struct yaml_tree *key) {
    if (key->kind != YAML_TREE_SCALAR) {
        return yaml_tree_error(&key->where, b->error, "a key must be a word, not a list or a map");
    }
    const struct yaml_entry *twice = find_entry(map, key->scalar);
    if (!twice) return STATUS_OK;
    if (!b->numbered) return yaml_tree_error(&key->where, b->error, "'%.80s' is given twice", key->scalar);
    return yaml_tree_error(&key->where, b->error, "'%.80s' is given twice, first in line %d; keep one of them",
                           key->scalar, twice->where.line);
}

static int append_pair(struct builder *b, struct yaml_tree *map, const yaml_event_t *event, int depth) {
    struct yaml_tree *key = NULL;
    yaml_event_t value;
    int status = build(b, event, depth + 1, &key);
    if (status == STATUS_OK) status = check_key(b, map, key);
    if (status == STATUS_OK) status = next_event(b, &value);
    if (status == STATUS_OK) {
        status = append_next(b, map, key->scalar, key->where, &value, depth);
        yaml_event_delete(&value);
    }
    yaml_tree_free(key);
    return status;
}

static int build_items(struct builder *b, yaml_event_type_t end, int depth, struct yaml_tree *tree) {
    for (;;) {
        yaml_event_t event;
        int status = next_event(b, &event);
        if (status != STATUS_OK) return status;
        bool last = event.type == end;
        if (!last && tree->kind == YAML_TREE_MAP) status = append_pair(b, tree, &event, depth);
        if (!last && tree->kind == YAML_TREE_LIST) status = append_next(b, tree, NULL, tree->where, &event, depth);
        yaml_event_delete(&event);
        if (last || status != STATUS_OK) return status;
    }
}

static const yaml_char_t *tag_of(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag;
    default:
        return NULL;
    }
}

/* Builds the node that `event` begins, with all below it. */
static int build(struct builder *b, const yaml_event_t *event, int depth, struct yaml_tree **out) {
    struct yaml_where where = where_of(b, &event->start_mark);
    if (event->type == YAML_ALIAS_EVENT) {
        return yaml_tree_error(&where, b->error, "aliases, here '*%.80s', are not supported%s",
                               (const char *)event->data.alias.anchor, alias_hint);
    }
    if (tag_of(event)) {
        return yaml_tree_error(&where, b->error, "tags, here '%.80s', are not supported", (const char *)tag_of(event));
    }
    if (depth > YAML_TREE_DEPTH) return yaml_tree_error(&where, b->error, "nested too deep");
    if (event->type == YAML_SCALAR_EVENT) return build_scalar(b, event, out);

    bool map = event->type == YAML_MAPPING_START_EVENT;
    *out = tree_new(map ? YAML_TREE_MAP : YAML_TREE_LIST, where);
    if (!*out) return error_memory(b->error, (double)sizeof **out, "a configuration");
    int status = build_items(b, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth, *out);
    if (status == STATUS_OK) return STATUS_OK;
    yaml_tree_free(*out);
    *out = NULL;
    return status;
}

/* Skips the beginnings and ends of stream and documents: up to a node, a second document or the end. */
static int skip_to_content(struct builder *b, yaml_event_t *event, bool *second) {
    bool ended = false;
    for (;;) {
        int status = next_event(b, event);
        if (status != STATUS_OK) return status;
        *second = ended && event->type == YAML_DOCUMENT_START_EVENT;
        if (*second) return STATUS_OK;
        ended = event->type == YAML_DOCUMENT_END_EVENT;
        bool frame = ended || event->type == YAML_STREAM_START_EVENT || event->type == YAML_DOCUMENT_START_EVENT;
        if (!frame) return STATUS_OK;
        yaml_event_delete(event);
    }
}

/* *out stays NULL where the stream holds no document. */
static int build_stream(struct builder *b, struct yaml_tree **out) {
    yaml_event_t event;
    bool second;
    int status = skip_to_content(b, &event, &second);
    if (status != STATUS_OK) return status;
    if (event.type != YAML_STREAM_END_EVENT) status = build(b, &event, 0, out);
    bool any = event.type != YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    if (!any || status != STATUS_OK) return status;

    status = skip_to_content(b, &event, &second);
    if (status != STATUS_OK) return status;
    struct yaml_where where = where_of(b, &event.start_mark);
    if (second) status = yaml_tree_error(&where, b->error, "a second document begins here; only one is read");
    yaml_event_delete(&event);
    return status;
}

static int parse(const char *text, size_t size, const char *origin, bool numbered, struct yaml_tree **out,
                 struct error *error) {
    struct builder b = {.origin = origin, .numbered = numbered, .text = text, .size = size, .error = error};
    *out = NULL;
    if (!yaml_parser_initialize(&b.parser)) return error_memory(error, (double)size, "a configuration");
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, size);
    int status = build_stream(&b, out);
    yaml_parser_delete(&b.parser);
    if (status == STATUS_OK) return STATUS_OK;
    yaml_tree_free(*out);
    *out = NULL;
    return status;
}

int yaml_tree_parse(const char *text, size_t size, const char *origin, struct yaml_tree **out, struct error *error) {
    int status = parse(text, size, origin, true, out, error);
    if (status != STATUS_OK || *out) return status;
    return error_set(error, STATUS_INPUT, "%.300s: is empty; a configuration needs name, model, data and stages",
                     origin);
}

int yaml_tree_read(const char *path, struct yaml_tree **out, struct error *error) {
    *out = NULL;
    int descriptor;
    size_t size;
    int status = file_open(path, &descriptor, &size, error);
    if (status != STATUS_OK) return status;
    close(descriptor);
    if (size > YAML_TREE_BYTES) { /* probably weights: do not read the file to find that out */
        return error_set(error, STATUS_INPUT, "%.300s: is larger than 1 MiB, too large for a configuration", path);
    }
    unsigned char *text;
    status = file_read(path, &text, &size, error);
    if (status != STATUS_OK) return status;
    status = yaml_tree_parse((const char *)text, size, path, out, error);
    free(text);
    return status;
}

/* ---- setting ---- */

/* An empty value, as of "search:" with nothing below it, can become a map. */
static bool become_map(struct yaml_tree *tree) {
    if (tree->kind == YAML_TREE_SCALAR && !*tree->scalar) {
        free(tree->scalar);
        tree->scalar = NULL;
        tree->kind = YAML_TREE_MAP;
    }
    return tree->kind == YAML_TREE_MAP;
}

static int find_item(struct yaml_tree *list, const char *name, struct yaml_where where, struct yaml_entry **out,
                     struct error *error) {
    size_t digits = strspn(name, "0123456789");
    size_t index = digits > 0 && digits < 10 && !name[digits] ? (size_t)strtoul(name, NULL, 10) : SIZE_MAX;
    if (index < list->count) {
        *out = &list->entries[index];
        return STATUS_OK;
    }
    if (list->count == 0) return yaml_tree_error(&where, error, "there is no item '%.80s': the list is empty", name);
    return yaml_tree_error(&where, error, "there is no item '%.80s': the list has items 0 to %zu", name,
                           list->count - 1);
}

/* The entry `name` of a map or a list; made, with an empty value, where a map has none. */
static int enter(struct yaml_tree *tree, const char *name, struct yaml_where where, struct yaml_entry **out,
                 struct error *error) {
    if (!*name) return yaml_tree_error(&where, error, "a key in the path is empty");
    if (tree->kind == YAML_TREE_LIST) return find_item(tree, name, where, out, error);
    if (!become_map(tree)) {
        return yaml_tree_error(&where, error, "there is no '%.80s' below the single value '%.80s'", name, tree->scalar);
    }
    *out = find_entry(tree, name);
    if (*out) return STATUS_OK;
    struct yaml_tree *value = scalar_new("", 0, where);
    if (!value) return error_memory(error, (double)sizeof *value, "a configuration");
    int status = append(tree, name, where, value, error);
    if (status != STATUS_OK) {
        yaml_tree_free(value);
        return status;
    }
    *out = &tree->entries[tree->count - 1];
    return STATUS_OK;
}

/* Walks `path`, which is cut apart at its dots, and puts `value` at its end; takes it over on success. */
static int put(struct yaml_tree *root, char *path, struct yaml_where where, struct yaml_tree *value,
               struct error *error) {
    struct yaml_tree *tree = root;
    struct yaml_entry *entry = NULL;
    for (char *name = path, *rest; name; name = rest) {
        rest = strchr(name, '.');
        if (rest) *rest++ = '\0';
        int status = enter(tree, name, where, &entry, error);
        if (status != STATUS_OK) return status;
        tree = entry->value;
    }
    yaml_tree_free(tree);
    entry->value = value;
    entry->where = where;
    return STATUS_OK;
}

int yaml_tree_set(struct yaml_tree *root, const char *assignment, struct error *error) {
    struct yaml_where where = {assignment, 0};
    const char *equals = strchr(assignment, '=');
    if (!equals) return yaml_tree_error(&where, error, "write it as key.path=value");

    struct yaml_tree *value = NULL;
    int status = parse(equals + 1, strlen(equals + 1), assignment, false, &value, error);
    if (status != STATUS_OK) return status;
    if (!value) value = scalar_new("", 0, where);
    char *path = strndup(assignment, (size_t)(equals - assignment));
    status = path && value ? put(root, path, where, value, error)
                           : error_memory(error, (double)strlen(assignment), "a configuration");
    if (status != STATUS_OK) yaml_tree_free(value);
    free(path);
    return status;
}
