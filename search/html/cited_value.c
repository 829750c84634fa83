#include "search/html/cited_value.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cited_value cited_root(const char *option, const json_t *json) {
    struct cited_value value = {.json = json};
    snprintf(value.path, sizeof value.path, "%s%s", option, *option ? " " : "");
    return value;
}

/* Keys are ours and short, and indices have 20 digits at most: there is room for them all. */
__attribute__((format(printf, 3, 4))) static void extend(struct cited_value *out, const struct cited_value *of,
                                                         const char *format, ...) {
    size_t used = strlen(of->path);
    va_list args;
    memcpy(out->path, of->path, used + 1);
    va_start(args, format);
    int added = vsnprintf(out->path + used, sizeof out->path - used, format, args);
    va_end(args);
    assert(added >= 0 && used + (size_t)added < sizeof out->path);
    (void)added;
}

struct cited_value cited_get(const struct cited_value *of, const char *key) {
    struct cited_value member = {.json = json_object_get(of->json, key)};
    extend(&member, of, ".%s", key);
    return member;
}

struct cited_value cited_at(const struct cited_value *of, size_t index) {
    struct cited_value item = {.json = json_array_get(of->json, index)};
    extend(&item, of, "[%zu]", index);
    return item;
}

size_t cited_count(const struct cited_value *array) { return json_array_size(array->json); }

bool cited_known(const struct cited_value *value) { return value->json && !json_is_null(value->json); }

double cited_number(const struct cited_value *value) {
    return json_is_number(value->json) ? json_number_value(value->json) : NAN;
}

int64_t cited_integer(const struct cited_value *value) { return json_integer_value(value->json); }

const char *cited_text(const struct cited_value *value) {
    const char *text = json_string_value(value->json);
    return text ? text : "";
}

double cited_get_number(const struct cited_value *of, const char *key) {
    const json_t *member = json_object_get(of->json, key);
    return json_is_number(member) ? json_number_value(member) : NAN;
}

int64_t cited_get_integer(const struct cited_value *of, const char *key) {
    return json_integer_value(json_object_get(of->json, key));
}

const char *cited_get_text(const struct cited_value *of, const char *key) {
    const char *text = json_string_value(json_object_get(of->json, key));
    return text ? text : "";
}

bool cited_get_true(const struct cited_value *of, const char *key) {
    return json_is_true(json_object_get(of->json, key));
}

struct cited_value cited_least(const struct cited_value *array, const char *key) {
    struct cited_value least = {.json = NULL};
    double lowest = INFINITY;
    for (size_t i = 0; i < cited_count(array); i++) {
        struct cited_value one = cited_at(array, i);
        double number = cited_get_number(&one, key);
        if (!(number < lowest)) continue;
        lowest = number;
        least = one;
    }
    return least;
}
