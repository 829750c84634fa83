#include "search/cli/options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "search/base/text.h"

const struct option_row option_help_row = {
    .name = "help", .letter = 'h', .kind = OPTION_FLAG, .help = "prints this text"};

/* A row, its member of the command's struct, and whether it was given. */
struct slot {
    const struct option_row *row;
    void *member;
    bool given;
};

struct parser {
    const struct option_table *table;
    struct slot slots[OPTIONS_MOST + 1];
    size_t count;
    char **next, **end;        /* words that were not read yet */
    struct string_list *files; /* of the option before, to which further words belong; NULL: none */
    bool help;
    struct error *error;
};

/* ---- Errors ---- */

int options_wrong(const struct option_table *table, struct error *error, const char *format, ...) {
    char message[sizeof error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return error_set(error, STATUS_INPUT, "%s; see longrope %s --help", message, table->command);
}

static int unknown(const struct parser *p, const char *word) {
    const char *names[OPTIONS_MOST + 1];
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->slots[i].row->name) names[count++] = p->slots[i].row->name;
    }
    const char *nearest = strncmp(word, "--", 2) == 0 ? name_nearest(names, count, word + 2) : NULL;
    if (!nearest) return options_wrong(p->table, p->error, "unknown option '%s'", word);
    return error_set(p->error, STATUS_INPUT, "unknown option '%s' (did you mean '--%s'?)", word, nearest);
}

/* "--length N" or, for an operand, "RUN_DIR". */
static void describe(const struct option_row *row, char *out, size_t size) {
    bool both = row->name && row->word;
    snprintf(out, size, "%s%s%s%s", row->name ? "--" : "", row->name ? row->name : "", both ? " " : "",
             row->word ? row->word : "");
}

static int missing(const struct parser *p, const struct slot *slot) {
    char list[256] = "", one[80];
    for (size_t i = 0; i < p->count; i++) {
        const struct slot *other = &p->slots[i];
        if (other != slot && !(other->row->required && other->row->sets & slot->row->sets)) continue;
        describe(other->row, one, sizeof one);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? " or " : "", one);
    }
    return options_wrong(p->table, p->error, "missing %s", list);
}

/* ---- Values ---- */

/* A value, or an item of a list. */
static int is_empty(const struct option_row *row, struct error *error) {
    bool list = row->kind == OPTION_NAMES || row->kind == OPTION_INTEGERS || row->kind == OPTION_NUMBERS;
    return error_set(error, STATUS_INPUT, "%s%s: %s", row->name ? "--" : "", row->name ? row->name : row->word,
                     list ? "an item is empty; separate items by single commas"
                          : "the value is empty; is a variable of the shell not set?");
}

static int read_integer(const struct option_row *row, const char *text, int64_t *out, struct error *error) {
    int64_t value;
    const char *name = row->name;
    if (!*text) return is_empty(row, error);
    if (!text_is_integer(text)) {
        return error_set(error, STATUS_INPUT, "--%s: '%s' is not an integer; write digits only", name, text);
    }
    if (!text_to_integer(text, &value) || value < row->low || value > row->high) {
        return error_set(error, STATUS_INPUT, "--%s: %s is not within %" PRId64 "..%" PRId64, name, text, row->low,
                         row->high);
    }
    *out = value;
    return STATUS_OK;
}

static int read_number(const struct option_row *row, const char *text, double *out, struct error *error) {
    double value;
    const char *name = row->name;
    if (!*text) return is_empty(row, error);
    if (!text_is_number(text) && strchr(text, ',')) {
        return error_set(error, STATUS_INPUT, "--%s: '%s' is not a number; write decimals with a point, as in 0.3",
                         name, text);
    }
    if (!text_is_number(text)) {
        return error_set(error, STATUS_INPUT, "--%s: '%s' is not a number; one within %g..%g is required", name, text,
                         row->least, row->most);
    }
    if (!text_to_number(text, &value) || value < row->least || value > row->most) {
        return error_set(error, STATUS_INPUT, "--%s: %s is not within %g..%g", name, text, row->least, row->most);
    }
    *out = value;
    return STATUS_OK;
}

static int find_name(const struct option_row *row, const char *text, int *index, struct error *error) {
    char where[64];
    *index = name_find(row->names, row->name_count, text);
    if (*index != NAME_UNKNOWN) return STATUS_OK;
    snprintf(where, sizeof where, "--%s", row->name);
    return name_unknown(where, row->what, text, row->names, row->name_count, error);
}

static int read_name(const struct option_row *row, const char *text, void *out, struct error *error) {
    int index;
    int status = find_name(row, text, &index, error);
    if (status == STATUS_OK) memcpy(out, &index, sizeof index);
    return status;
}

static int read_words(const struct option_row *row, char *text, struct string_list *out, struct error *error) {
    size_t first = out->count;
    int index, status = string_list_split(out, text, error);
    for (size_t i = first; row->kind == OPTION_NAMES && i < out->count && status == STATUS_OK; i++) {
        if (!*out->items[i]) return is_empty(row, error);
        status = find_name(row, out->items[i], &index, error);
    }
    return status;
}

/* One item, at items[count]. */
static int read_item(const struct option_row *row, const char *text, void *items, size_t count, struct error *error) {
    return row->kind == OPTION_INTEGERS ? read_integer(row, text, (int64_t *)items + count, error)
                                        : read_number(row, text, (double *)items + count, error);
}

/* Each item takes `size` bytes; *items grows. Does not change the text, which may be a row's initial value. */
static int read_items(const struct option_row *row, const char *text, void **items, size_t *count, size_t size,
                      struct error *error) {
    int status = STATUS_OK;
    for (bool more = true; more && status == STATUS_OK;) {
        size_t length = strcspn(text, ",");
        char *item = strndup(text, length);
        void *grown = item ? realloc(*items, (*count + 1) * size) : NULL;
        if (grown) *items = grown;
        status = grown ? read_item(row, item, grown, *count, error)
                       : error_memory(error, (double)((*count + 1) * size), "a list of numbers");
        if (status == STATUS_OK) ++*count;
        free(item);
        more = text[length] == ',';
        text += length + 1;
    }
    return status;
}

static int read_text(const struct option_row *row, char *text, void *out, struct error *error) {
    if (!*text) return is_empty(row, error);
    memcpy(out, &text, sizeof text); /* the member may be a const char * */
    return STATUS_OK;
}

static int read_integers(const struct option_row *row, const char *text, struct integer_list *out,
                         struct error *error) {
    void *items = out->items;
    int status = read_items(row, text, &items, &out->count, sizeof *out->items, error);
    out->items = items;
    return status;
}

static int read_numbers(const struct option_row *row, const char *text, struct number_list *out, struct error *error) {
    void *items = out->items;
    int status = read_items(row, text, &items, &out->count, sizeof *out->items, error);
    out->items = items;
    return status;
}

/* `text` is NULL if the option has no value. */
static int store(struct slot *slot, char *text, struct error *error) {
    const struct option_row *row = slot->row;
    struct option_mark *mark = slot->member;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)slot->member = true;
        return STATUS_OK;
    case OPTION_TEXT:
        return read_text(row, text, slot->member, error);
    case OPTION_TEXTS:
    case OPTION_FILES:
        return *text ? string_list_add(slot->member, text, error) : is_empty(row, error);
    case OPTION_WORDS:
    case OPTION_NAMES:
        return read_words(row, text, slot->member, error);
    case OPTION_NAME:
        return read_name(row, text, slot->member, error);
    case OPTION_INTEGER:
        return read_integer(row, text, slot->member, error);
    case OPTION_INTEGERS:
        return read_integers(row, text, slot->member, error);
    case OPTION_NUMBER:
        return read_number(row, text, slot->member, error);
    case OPTION_NUMBERS:
        return read_numbers(row, text, slot->member, error);
    case OPTION_MARK:
        mark->given = true;
        return text ? read_integer(row, text, &mark->value, error) : STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- Words ---- */

/* The option that a word names in full, as "--name" or "--name=VALUE" after its dashes; NULL: none. */
static const struct option_row *named_in_full(const struct parser *p, const char *name) {
    size_t length = strcspn(name, "=");
    for (size_t i = 0; i < p->count && length; i++) {
        const char *other = p->slots[i].row->name;
        if (other && strlen(other) == length && strncmp(other, name, length) == 0) return p->slots[i].row;
    }
    return NULL;
}

/* Nothing is left, or an option of the command follows: a variable of the shell was empty. */
static bool value_is_missing(const struct parser *p) {
    return p->next == p->end || (strncmp(*p->next, "--", 2) == 0 && named_in_full(p, *p->next + 2));
}

/* Stores the option's value: `value`, which stood in the option's own word, or the next word. */
static int take_value(struct parser *p, struct slot *slot, char *value) {
    const struct option_row *row = slot->row;
    int64_t ignored;
    char name[80];
    describe(row, name, sizeof name);
    if (row->kind == OPTION_FLAG && value) {
        return options_wrong(p->table, p->error, "%s does not take a value", name);
    }
    bool optional = row->kind == OPTION_FLAG || row->kind == OPTION_MARK;
    if (row->kind == OPTION_MARK && !value && p->next < p->end && text_to_integer(*p->next, &ignored)) {
        value = *p->next++;
    }
    if (!optional && !value) {
        if (value_is_missing(p)) return options_wrong(p->table, p->error, "missing value: %s", name);
        value = *p->next++;
    }
    int status = store(slot, value, p->error);
    slot->given = true;
    p->files = row->kind == OPTION_FILES ? slot->member : NULL;
    return status;
}

static int ambiguous(const struct parser *p, const char *name, size_t length) {
    char list[256] = "";
    for (size_t i = 0; i < p->count; i++) {
        const char *other = p->slots[i].row->name;
        if (!other || strncmp(other, name, length) != 0) continue;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s--%s", used ? ", " : "", other);
    }
    return options_wrong(p->table, p->error, "'--%.*s' is not unique: it can be %s", (int)length, name, list);
}

/* "--name" or "--name=value"; the name may be abbreviated if it is unique. */
static int take_long(struct parser *p, char *word) {
    const char *name = word + 2;
    size_t length = strcspn(name, "="), matches = 0;
    struct slot *found = NULL;
    for (size_t i = 0; i < p->count && length; i++) {
        const char *other = p->slots[i].row->name;
        if (!other || strncmp(other, name, length) != 0) continue;
        found = &p->slots[i];
        matches++;
        if (other[length] != '\0') continue;
        matches = 1;
        break;
    }
    if (matches > 1) return ambiguous(p, name, length);
    char *value = name[length] ? word + 2 + length + 1 : NULL;
    if (found) return take_value(p, found, value);
    if (value) value[-1] = '\0';
    return unknown(p, word);
}

static struct slot *find_letter(struct parser *p, char letter) {
    for (size_t i = 0; i < p->count; i++) {
        if (p->slots[i].row->letter == letter) return &p->slots[i];
    }
    return NULL;
}

/* "-x", "-xVALUE", or several flags, "-xy". */
static int take_letters(struct parser *p, char *word) {
    int status = STATUS_OK;
    const struct option_row *meant = word[2] ? named_in_full(p, word + 1) : NULL;
    if (meant) {
        return error_set(p->error, STATUS_INPUT, "unknown option '%s' (did you mean '--%s'?)", word, meant->name);
    }
    for (char *c = word + 1; *c && status == STATUS_OK && !p->help; c++) {
        const char letter[] = {'-', *c, '\0'};
        struct slot *slot = find_letter(p, *c);
        if (!slot) return unknown(p, letter);
        bool flag = slot->row->kind == OPTION_FLAG;
        status = take_value(p, slot, !flag && c[1] ? c + 1 : NULL);
        if (!flag) break;
    }
    return status;
}

/* The dashes of typesetters, which web pages and word processors put in place of "-": U+2010 to U+2015, U+2212. */
static bool begins_with_other_dash(const char *word) {
    return (strncmp(word, "\xe2\x80", 2) == 0 && word[2] >= '\x90' && word[2] <= '\x95') ||
           strncmp(word, "\xe2\x88\x92", 3) == 0;
}

static int take_operand(struct parser *p, char *word, bool plain) {
    if (!plain && begins_with_other_dash(word)) {
        return options_wrong(p->table, p->error, "'%s' begins with a dash that is not '-'; type it again", word);
    }
    if (p->files) return string_list_add(p->files, word, p->error);
    for (size_t i = 0; i < p->count; i++) {
        struct slot *slot = &p->slots[i];
        if (slot->row->name || (slot->given && slot->row->kind != OPTION_TEXTS)) continue;
        slot->given = true;
        return store(slot, word, p->error);
    }
    return options_wrong(p->table, p->error, "unexpected argument '%s'", word);
}

static int take_words(struct parser *p) {
    int status = STATUS_OK;
    bool plain = false; /* behind "--" */
    while (p->next < p->end && status == STATUS_OK && !p->help) {
        char *word = *p->next++;
        if (plain || word[0] != '-' || !word[1]) {
            status = take_operand(p, word, plain);
        } else if (strcmp(word, "--") == 0) {
            plain = true;
            p->files = NULL;
        } else {
            status = word[1] == '-' ? take_long(p, word) : take_letters(p, word);
        }
    }
    return status;
}

/* ---- What was given, as a whole ---- */

static const struct slot *given_beside(const struct parser *p, const struct slot *slot) {
    for (size_t i = 0; i < p->count; i++) {
        const struct slot *other = &p->slots[i];
        if (other != slot && other->given && other->row->sets & slot->row->sets) return other;
    }
    return NULL;
}

static bool is_given(const struct parser *p, const char *name) {
    for (size_t i = 0; i < p->count; i++) {
        const struct slot *slot = &p->slots[i];
        if (slot->given && slot->row->name && strcmp(slot->row->name, name) == 0) return true;
    }
    return false;
}

static int check_slot(const struct parser *p, const struct slot *slot) {
    const struct option_row *row = slot->row;
    const struct slot *other = given_beside(p, slot);
    if (slot->given && other) {
        return options_wrong(p->table, p->error, "--%s and --%s exclude each other", row->name, other->row->name);
    }
    if (row->required && !slot->given && !other) return missing(p, slot);
    if (slot->given && row->needs && !is_given(p, row->needs)) {
        return options_wrong(p->table, p->error, "--%s requires --%s", row->name, row->needs);
    }
    return STATUS_OK;
}

/* The values of options that were not given. */
static int set_initial(struct parser *p) {
    int status = STATUS_OK;
    for (size_t i = 0; i < p->count && status == STATUS_OK; i++) {
        struct slot *slot = &p->slots[i];
        /* kinds with an initial value do not write to their text */
        if (slot->row->initial && !slot->given) status = store(slot, (char *)slot->row->initial, p->error);
    }
    return status;
}

/* ---- All of it ---- */

static void add_slots(struct parser *p, const struct option_group *group, void *options) {
    for (size_t i = 0; i < group->count && p->count < OPTIONS_MOST; i++) {
        p->slots[p->count++] =
            (struct slot){.row = &group->rows[i], .member = (char *)options + group->offset + group->rows[i].offset};
    }
}

int options_read(const struct option_table *table, int argc, char **argv, void *options, bool *help,
                 struct error *error) {
    struct parser p = {.table = table, .next = argv + 1, .end = argv + argc, .error = error};
    memset(options, 0, table->size);
    if (table->initial) memcpy(options, table->initial, table->size);
    for (size_t g = 0; g < table->group_count; g++) add_slots(&p, &table->groups[g], options);
    p.slots[p.count++] = (struct slot){.row = &option_help_row, .member = &p.help};
    int status = take_words(&p);
    *help = p.help;
    if (status != STATUS_OK || p.help) return status;
    for (size_t i = 0; i < p.count && status == STATUS_OK; i++) status = check_slot(&p, &p.slots[i]);
    if (status == STATUS_OK) status = set_initial(&p);
    return status == STATUS_OK && table->check ? table->check(table, options, error) : status;
}

static void free_row(const struct option_row *row, void *member) {
    switch (row->kind) {
    case OPTION_TEXTS:
    case OPTION_FILES:
    case OPTION_WORDS:
    case OPTION_NAMES:
        free(((struct string_list *)member)->items);
        break;
    case OPTION_INTEGERS:
        free(((struct integer_list *)member)->items);
        break;
    case OPTION_NUMBERS:
        free(((struct number_list *)member)->items);
        break;
    default:
        break;
    }
}

void options_free(const struct option_table *table, void *options) {
    for (size_t g = 0; g < table->group_count; g++) {
        const struct option_group *group = &table->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            free_row(&group->rows[i], (char *)options + group->offset + group->rows[i].offset);
        }
    }
}
