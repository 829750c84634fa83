#include "search/html/cited_value.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct datum datum_root(const char *option, const json_t *json) {
    struct datum datum = {.json = json};
    snprintf(datum.path, sizeof datum.path, "%s%s", option, *option ? " " : "");
    return datum;
}

/* Keys are ours and short, and indices have 20 digits at most: there is room for them all. */
__attribute__((format(printf, 3, 4))) static void extend(struct datum *out, const struct datum *of, const char *format,
                                                         ...) {
    size_t used = strlen(of->path);
    va_list args;
    memcpy(out->path, of->path, used + 1);
    va_start(args, format);
    int added = vsnprintf(out->path + used, sizeof out->path - used, format, args);
    va_end(args);
    assert(added >= 0 && used + (size_t)added < sizeof out->path);
    (void)added;
}

struct datum datum_get(const struct datum *of, const char *key) {
    struct datum member = {.json = json_object_get(of->json, key)};
    extend(&member, of, ".%s", key);
    return member;
}

struct datum datum_at(const struct datum *of, size_t index) {
    struct datum item = {.json = json_array_get(of->json, index)};
    extend(&item, of, "[%zu]", index);
    return item;
}

size_t datum_count(const struct datum *array) { return json_array_size(array->json); }

bool datum_known(const struct datum *datum) { return datum->json && !json_is_null(datum->json); }

double datum_number(const struct datum *datum) {
    return json_is_number(datum->json) ? json_number_value(datum->json) : NAN;
}

int64_t datum_integer(const struct datum *datum) { return json_integer_value(datum->json); }

const char *datum_text(const struct datum *datum) {
    const char *text = json_string_value(datum->json);
    return text ? text : "";
}

double datum_get_number(const struct datum *of, const char *key) {
    const json_t *member = json_object_get(of->json, key);
    return json_is_number(member) ? json_number_value(member) : NAN;
}

int64_t datum_get_integer(const struct datum *of, const char *key) {
    return json_integer_value(json_object_get(of->json, key));
}

const char *datum_get_text(const struct datum *of, const char *key) {
    const char *text = json_string_value(json_object_get(of->json, key));
    return text ? text : "";
}

bool datum_get_true(const struct datum *of, const char *key) { return json_is_true(json_object_get(of->json, key)); }

struct datum datum_least(const struct datum *array, const char *key) {
    struct datum least = {.json = NULL};
    double lowest = INFINITY;
    for (size_t i = 0; i < datum_count(array); i++) {
        struct datum one = datum_at(array, i);
        double number = datum_get_number(&one, key);
        if (!(number < lowest)) continue;
        lowest = number;
        least = one;
    }
    return least;
}
