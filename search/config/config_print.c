#include "search/config/config_print.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/json.h"
#include "search/base/text.h"
#include "search/config/config_draft.h"

/* ---- values as text ---- */

/* A value as YAML has it; `out` is cut to its size. */
static void value_text(const json_t *value, char *out, size_t size) {
    size_t used = 0;
    snprintf(out, size, "%s", json_is_array(value) ? "[]" : "");
    if (json_is_string(value)) snprintf(out, size, "%s", json_string_value(value));
    if (json_is_integer(value)) snprintf(out, size, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value)) {
        char number[TEXT_NUMBER_SIZE];
        text_of_number(json_real_value(value), number);
        snprintf(out, size, "%s", number);
    }
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value) && used + 1 < size; i++) {
        char item[CONFIG_TEXT_SIZE];
        value_text(json_array_get(value, i), item, sizeof item);
        bool last = i + 1 == json_array_size(value);
        used += (size_t)snprintf(out + used, size - used, "%s%s%s", i ? ", " : "[", item, last ? "]" : "");
    }
}

/* The value of a key in `stage`; of names of stages and other keys without a value of their own, what is written. */
static json_t *key_value(const struct config_key *key, const struct stage_config *stage, const struct yaml_tree *node) {
    bool written = !key->kind->show || key == &config_keys[KEY_CACHE];
    if (!written) return key->kind->show(key, (const char *)stage + key->target);
    if (!node) return json_null();
    if (node->kind == YAML_TREE_SCALAR && *node->scalar) return json_name(node->scalar);
    return key == &config_keys[KEY_FINETUNE] ? json_string("given") : json_integer((json_int_t)node->count);
}

/* The path of the score cache as the search uses it, which no stage holds. */
static json_t *cache_value(const struct config_draft *draft, const char *folder, struct error *error) {
    const struct config_key *key = &config_keys[KEY_CACHE];
    if (!draft->node[KEY_CACHE]) return json_null();
    struct stage_config unused = config_defaults;
    char *path = NULL;
    const struct config_value value = {key, draft->node[KEY_CACHE], folder, &unused};
    json_t *shown = key->kind->read(&value, &path, error) == STATUS_OK ? json_name(path) : json_null();
    free(path);
    return shown;
}

/* ---- defaults ---- */

/* Keys whose value changes defaults of other keys, each with a value that does so. */
static const struct {
    enum config_key_id id;
    const char *value, *words;
} conditions[] = {
    {KEY_TARGET_LENGTH, "524289", "with target_length above 524288"},
    {KEY_ALGORITHM, "paper", "with algorithm: paper"},
    {KEY_ALGORITHM, "microsoft", "with algorithm: microsoft"},
    {KEY_ALGORITHM, "cma-es", "with algorithm: cma-es"},
    {KEY_ALGORITHM, "longrope2", "with algorithm: longrope2"},
    {KEY_CRITICAL_PAIR, "searched", "with critical_pair"},
    {KEY_KIND, "recover", "with kind: recover"},
};
_Static_assert(CONFIG_HALVED_BEYOND == 524288, "the first condition is the smallest length beyond the limit");

/* Appends "; 12 with algorithm: cma-es" for each condition that changes the default. */
static int add_conditional_defaults(const struct config_key *key, char *out, size_t size, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof conditions / sizeof *conditions; i++) {
        char value[] = "xxxxxxxxxxxxxxxx", text[CONFIG_TEXT_SIZE], usual[CONFIG_TEXT_SIZE];
        snprintf(value, sizeof value, "%s", conditions[i].value);
        const struct yaml_tree node = {.kind = YAML_TREE_SCALAR, .where = {"default", 0}, .scalar = value};
        struct config_draft draft = {{NULL}};
        struct stage_config stage;
        draft.node[conditions[i].id] = &node;
        status = config_draft_read(&draft, "", &stage, error);
        json_t *now = key_value(key, &stage, NULL), *before = key_value(key, &config_defaults, NULL);
        value_text(now, text, sizeof text);
        value_text(before, usual, sizeof usual);
        size_t used = strlen(out);
        bool other = key != &config_keys[conditions[i].id] && strcmp(text, usual) != 0;
        if (other) snprintf(out + used, size - used, "; %.100s %s", text, conditions[i].words);
        json_decref(now);
        json_decref(before);
        config_stage_free(&stage);
    }
    return status;
}

static int default_text(const struct config_key *key, char *out, size_t size, struct error *error) {
    if (key->standard) {
        snprintf(out, size, "%s", key->standard);
        return STATUS_OK;
    }
    json_t *value = key_value(key, &config_defaults, NULL);
    value_text(value, out, size);
    json_decref(value);
    return add_conditional_defaults(key, out, size, error);
}

/* ---- sources ---- */

/* The key that the default of `id` depends on at this level: without that key, the value would be another one.
 * CONFIG_KEYS: none. */
static int find_followed(const struct config_draft *draft, const char *folder, int id, const json_t *value, int *out,
                         struct error *error) {
    int status = STATUS_OK;
    *out = CONFIG_KEYS;
    for (int other = 0; status == STATUS_OK && other < id; other++) {
        if (!draft->node[other] || config_keys[other].kind->read == NULL || !config_keys[other].kind->show) continue;
        struct config_draft without = *draft;
        struct stage_config stage;
        without.node[KEY_TEXT] = without.node[KEY_TOKENS] = NULL; /* may be thousands; no default depends on them */
        without.node[other] = NULL;
        status = config_draft_read(&without, folder, &stage, error);
        json_t *then = key_value(&config_keys[id], &stage, NULL);
        if (status == STATUS_OK && !json_equal(then, value)) *out = other;
        json_decref(then);
        config_stage_free(&stage);
    }
    return status;
}

/* The caller frees *out. */
static int source_text(const struct config_draft *draft, const char *folder, int id, const json_t *value, char **out,
                       struct error *error) {
    const struct yaml_tree *node = draft->node[id];
    int followed = CONFIG_KEYS, status = STATUS_OK, size;
    if (node && node->where.line > 0) {
        size = asprintf(out, "%s:%d", node->where.origin, node->where.line);
    } else if (node) {
        size = asprintf(out, "--set %s", node->where.origin);
    } else {
        if (config_keys[id].kind->show) status = find_followed(draft, folder, id, value, &followed, error);
        if (id == KEY_MODEL && draft->node[KEY_BASE]) followed = KEY_BASE; /* the model that base was fine-tuned to */
        char path[CONFIG_PATH_SIZE] = "";
        if (followed < CONFIG_KEYS) config_key_path(&config_keys[followed], path);
        size = asprintf(out, "%s%s", followed < CONFIG_KEYS ? "follows " : "default", path);
    }
    if (size >= 0) return status;
    *out = NULL;
    return error_memory(error, 0, "the source of a value");
}

/* ---- rows ---- */

/* Appends a row; takes over stage, value and source. */
static int add_row(json_t *rows, const struct config_key *key, json_t *stage, json_t *value, json_t *source,
                   struct error *error) {
    char path[CONFIG_PATH_SIZE], standard[CONFIG_TEXT_SIZE], range[CONFIG_TEXT_SIZE] = "";
    config_key_path(key, path);
    if (key->kind->range) key->kind->range(key, range, sizeof range);
    int status = default_text(key, standard, sizeof standard, error);
    json_t *row = json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:s}", "key", path, "stage", stage, "value", value,
                            "source", source, "type", key->kind->type, "default", standard, "range",
                            *range ? json_string(range) : json_null(), "meaning", key->meaning);
    bool added = json_array_append_new(rows, row) == 0;
    return status == STATUS_OK && !added ? error_memory(error, 0, "a listing of keys") : status;
}

/* Blocks hold keys and have no value; the presence of `finetune` has a meaning. */
static bool is_listed(const struct config_key *key) { return key->meaning != NULL; }

static int list_level(void *data, bool top, const struct config_draft *draft, const struct stage_config *stage,
                      const char *folder, struct error *error) {
    json_t *rows = data;
    int status = STATUS_OK;
    for (int id = 0; status == STATUS_OK && id < CONFIG_KEYS; id++) {
        const struct config_key *key = &config_keys[id];
        bool here = top ? !config_key_only_in_stages(key) : id != KEY_CACHE && id != KEY_STAGES;
        bool unused = key->in & IN_FINETUNE && !stage->finetune.given;
        if (!is_listed(key) || !here || unused) continue;
        char *source = NULL;
        json_t *value = id == KEY_CACHE ? cache_value(draft, folder, error) : key_value(key, stage, draft->node[id]);
        status = source_text(draft, folder, id, value, &source, error);
        json_t *level = top ? json_null() : json_string(stage->name);
        int added = add_row(rows, key, level, value, json_name(source ? source : ""), error);
        if (status == STATUS_OK) status = added;
        free(source);
    }
    return status;
}

static int list_keys(json_t *rows, struct error *error) {
    int status = STATUS_OK;
    for (int id = 0; status == STATUS_OK && id < CONFIG_KEYS; id++) {
        const struct config_key *key = &config_keys[id];
        if (!is_listed(key)) continue;
        bool run = !config_key_only_in_stages(key), stage = id != KEY_CACHE && id != KEY_STAGES;
        const char *levels = run && stage ? "run or stage" : run ? "run" : "stage";
        status = add_row(rows, key, json_string(levels), json_null(), json_null(), error);
    }
    return status;
}

/* ---- printing ---- */

static const char *member(const json_t *row, const char *name) {
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

/* One line: text with control characters is quoted as JSON quotes it, and of a long list the first items are shown. */
static void write_value(const json_t *value, FILE *out) {
    enum { MOST_ITEMS = 8 };
    const char *text = json_string_value(value);
    size_t items = json_array_size(value), shown = items > MOST_ITEMS ? MOST_ITEMS : items;
    if (json_is_array(value)) {
        fputc('[', out);
        for (size_t i = 0; i < shown; i++) {
            if (i > 0) fputs(", ", out);
            write_value(json_array_get(value, i), out);
        }
        if (shown < items) fprintf(out, ", ... (%zu more)", items - shown);
        fputc(']', out);
    } else if (text && text_has_control(text)) {
        json_dumpf(value, out, JSON_ENCODE_ANY);
    } else if (text) {
        fputs(*text ? text : "-", out);
    } else {
        char number[CONFIG_TEXT_SIZE];
        value_text(value, number, sizeof number);
        fputs(*number ? number : "-", out);
    }
}

/* Pads with blanks to `width` bytes. */
static int print_column(const json_t *value, int width, FILE *out, struct error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return error_memory(error, 0, "a listing of keys");
    write_value(value, memory);
    bool written = fclose(memory) == 0;
    if (written) fprintf(out, "%-*s", width, text);
    free(text);
    return written ? STATUS_OK : error_memory(error, 0, "a listing of keys");
}

static int print_values(const json_t *rows, FILE *out, struct error *error) {
    size_t i;
    json_t *row;
    const char *level = NULL;
    int status = STATUS_OK;
    json_array_foreach(rows, i, row) {
        const char *stage = member(row, "stage");
        if (status != STATUS_OK) break;
        if (!level || strcmp(level, stage) != 0) {
            fprintf(out, "%s%s%s\n", i ? "\n" : "", *stage ? "stage " : "run", stage);
        }
        level = stage;
        fprintf(out, "  %-27s ", member(row, "key"));
        status = print_column(json_object_get(row, "value"), 30, out, error);
        if (status == STATUS_OK) fputc(' ', out), status = print_column(json_object_get(row, "source"), 0, out, error);
        fputc('\n', out);
    }
    return status;
}

static void print_keys(const json_t *rows, FILE *out) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const char *range = member(row, "range");
        fprintf(out, "%s (%s; %s)\n    %s\n    default: %s\n", member(row, "key"), member(row, "type"),
                member(row, "stage"), member(row, "meaning"), member(row, "default"));
        if (*range) fprintf(out, "    range: %s\n", range);
    }
}

static int print_json(const json_t *rows, FILE *out, struct error *error) {
    char *text = json_text(rows);
    if (!text) return error_memory(error, 0, "a listing of keys");
    fputs(text, out);
    free(text);
    return STATUS_OK;
}

int config_print(const char *path, char *const *overrides, size_t override_count, bool json, FILE *out,
                 struct error *error) {
    json_t *rows = json_array();
    if (!rows) return error_memory(error, 0, "a listing of keys");
    struct config config = {0};
    const struct config_visitor visitor = {list_level, rows};
    int status =
        path ? config_read_visited(path, overrides, override_count, &visitor, &config, error) : list_keys(rows, error);
    if (status == STATUS_OK && json) status = print_json(rows, out, error);
    if (status == STATUS_OK && !json && path) status = print_values(rows, out, error);
    if (status == STATUS_OK && !json && !path) print_keys(rows, out);
    config_free(&config);
    json_decref(rows);
    return status;
}
