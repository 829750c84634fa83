#include "search/base/string_list.h"

#include <stdlib.h>
#include <string.h>

int string_list_add(struct string_list *list, char *string, struct error *error) {
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items) return error_memory(error, (double)(list->count + 1) * sizeof *items, "a list of strings");
    list->items = items;
    list->items[list->count++] = string;
    return STATUS_OK;
}

int string_list_split(struct string_list *list, char *text, struct error *error) {
    for (;;) {
        char *comma = strchr(text, ',');
        if (comma) *comma = '\0';
        int status = string_list_add(list, text, error);
        if (status != STATUS_OK || !comma) return status;
        text = comma + 1;
    }
}

int string_list_copy(struct string_list *list, const char *string, struct error *error) {
    char *copy = strdup(string);
    if (!copy) return error_memory(error, (double)strlen(string), "a list of strings");
    int status = string_list_add(list, copy, error);
    if (status != STATUS_OK) free(copy);
    return status;
}

void string_list_free_copies(struct string_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

bool string_list_has(const struct string_list *list, const char *string) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], string) == 0) return true;
    }
    return false;
}
