#include <inttypes.h>
#include <string.h>

#include "search/cli/options.h"

static void write_words(const struct string_list *list, const char *between, FILE *out) {
    for (size_t i = 0; i < list->count; i++) fprintf(out, "%s%s", i ? between : " ", list->items[i]);
}

static void write_integers(const struct integer_list *list, FILE *out) {
    for (size_t i = 0; i < list->count; i++) fprintf(out, "%s%" PRId64, i ? "," : " ", list->items[i]);
}

static void write_numbers(const struct number_list *list, FILE *out) {
    for (size_t i = 0; i < list->count; i++) fprintf(out, "%s%.17g", i ? "," : " ", list->items[i]);
}

static void write_value(const struct option_row *row, const void *member, FILE *out) {
    const struct option_mark *mark = member;
    switch (row->kind) {
    case OPTION_FLAG:
        break;
    case OPTION_TEXT:
        fprintf(out, " %s", *(char *const *)member);
        break;
    case OPTION_TEXTS:
    case OPTION_FILES:
        write_words(member, " ", out);
        break;
    case OPTION_WORDS:
    case OPTION_NAMES:
        write_words(member, ",", out);
        break;
    case OPTION_NAME:
        fprintf(out, " %s", row->names[*(const int *)member]);
        break;
    case OPTION_INTEGER:
        fprintf(out, " %" PRId64, *(const int64_t *)member);
        break;
    case OPTION_INTEGERS:
        write_integers(member, out);
        break;
    case OPTION_NUMBER:
        fprintf(out, " %.17g", *(const double *)member);
        break;
    case OPTION_NUMBERS:
        write_numbers(member, out);
        break;
    case OPTION_MARK:
        fprintf(out, " %" PRId64, mark->value);
    }
}

static size_t member_size(enum option_kind kind) {
    static const size_t sizes[] = {
        [OPTION_FLAG] = sizeof(bool),
        [OPTION_TEXT] = sizeof(char *),
        [OPTION_TEXTS] = sizeof(struct string_list),
        [OPTION_FILES] = sizeof(struct string_list),
        [OPTION_WORDS] = sizeof(struct string_list),
        [OPTION_NAME] = sizeof(int),
        [OPTION_NAMES] = sizeof(struct string_list),
        [OPTION_INTEGER] = sizeof(int64_t),
        [OPTION_INTEGERS] = sizeof(struct integer_list),
        [OPTION_NUMBER] = sizeof(double),
        [OPTION_NUMBERS] = sizeof(struct number_list),
        [OPTION_MARK] = sizeof(struct option_mark),
    };
    return sizes[kind];
}

/* Whether the member is as it is before any option is read. */
static bool is_untouched(const struct option_table *table, const struct option_row *row, size_t offset,
                         const void *options) {
    const unsigned char *member = (const unsigned char *)options + offset;
    const unsigned char *initial = table->initial ? (const unsigned char *)table->initial + offset : NULL;
    size_t same = 0, size = member_size(row->kind);
    while (same < size && member[same] == (initial ? initial[same] : 0)) same++;
    return same == size;
}

void options_write(const struct option_table *table, const void *options, const char *except, FILE *out) {
    fputs(table->command, out);
    for (size_t g = 0; g < table->group_count; g++) {
        const struct option_group *group = &table->groups[g];
        for (size_t r = 0; r < group->count; r++) {
            const struct option_row *row = &group->rows[r];
            size_t offset = group->offset + row->offset;
            if (is_untouched(table, row, offset, options) || (row->name && strcmp(row->name, except) == 0)) continue;
            if (row->name) fprintf(out, " --%s", row->name);
            write_value(row, (const unsigned char *)options + offset, out);
        }
    }
}
