/* Any lines as the words of a command: rejected, or options whose values are those that their rows allow. Nothing is
 * run. */
#include <stdlib.h>
#include <string.h>

#include "search/cli/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { MOST_WORDS = 64 };

/* Cuts the text at its line ends. */
static int split(char *text, char *words[MOST_WORDS + 1]) {
    int count = 0;
    for (char *word = text; word && count < MOST_WORDS; words[count++] = word, word = text) {
        text = strchr(word, '\n');
        if (text) *text++ = '\0';
    }
    words[count] = NULL;
    return count;
}

static bool same_integer(const void *member, const void *initial) {
    return memcmp(member, initial, sizeof(int64_t)) == 0;
}

static void check_integers(const struct option_row *row, const struct integer_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] < row->low || list->items[i] > row->high) abort();
    }
}

static void check_numbers(const struct option_row *row, const struct number_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (!(list->items[i] >= row->least && list->items[i] <= row->most)) abort();
    }
}

static void check_texts(const struct string_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->items[i]) == SIZE_MAX) abort(); /* reads all of it */
    }
}

/* `initial` is the member before any word was read: a value that no row allows may stand for "not given". */
static void check_row(const struct option_row *row, const void *member, const void *initial) {
    switch (row->kind) {
    case OPTION_INTEGER:
        if (same_integer(member, initial)) return;
        check_integers(row, &(struct integer_list){1, (int64_t *)member});
        return;
    case OPTION_NUMBER:
        if (same_integer(member, initial)) return;
        check_numbers(row, &(struct number_list){1, (double *)member});
        return;
    case OPTION_INTEGERS:
        check_integers(row, member);
        return;
    case OPTION_NUMBERS:
        check_numbers(row, member);
        return;
    case OPTION_TEXTS:
    case OPTION_FILES:
    case OPTION_WORDS:
    case OPTION_NAMES:
        check_texts(member);
        return;
    default:
        return;
    }
}

static void check_options(const struct option_table *table, const char *options) {
    char *initial = calloc(1, table->size);
    if (!initial) abort();
    if (table->initial) memcpy(initial, table->initial, table->size);
    for (size_t g = 0; g < table->group_count; g++) {
        const struct option_group *group = &table->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            size_t offset = group->offset + group->rows[i].offset;
            check_row(&group->rows[i], options + offset, initial + offset);
        }
    }
    free(initial);
}

static void read_options(const struct option_table *table, int argc, char **argv) {
    bool help = false;
    struct error error = {""};
    char *options = calloc(1, table->size);
    if (!options) abort();
    int status = options_read(table, argc, argv, options, &help, &error);
    if (status == STATUS_OK && !help) check_options(table, options);
    if (status != STATUS_OK && !*error.message) abort();
    options_free(table, options);
    free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char *words[MOST_WORDS + 1];
    char *text = calloc(1, size + 1);
    if (!text) return 0;
    memcpy(text, bytes, size);
    int count = split(text, words);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(words[0], commands[i]->table->command) == 0) read_options(commands[i]->table, count, words);
    }
    free(text);
    return 0;
}
