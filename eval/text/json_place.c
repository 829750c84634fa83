#include "eval/text/json_place.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message is one line. */
static void hide_controls(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
    }
}

int json_place_wrong(const struct json_place *place, struct error *error, const char *format, ...) {
    char what[512], name[sizeof place->name];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(name, sizeof name, "%s", place->name);
    hide_controls(name);
    hide_controls(what);
    return error_set(error, STATUS_INPUT, "%.400s: %s %s", place->path, name, what);
}

static const json_t *unless_null(const json_t *value) { return json_is_null(value) ? NULL : value; }

struct json_place json_place_member(const struct json_place *object, const char *key) {
    struct json_place out = {.path = object->path, .value = unless_null(json_object_get(object->value, key))};
    snprintf(out.name, sizeof out.name, "%.*s%s%s", (int)sizeof out.name - 64, object->name, *object->name ? "." : "",
             key);
    return out;
}

struct json_place json_place_item(const struct json_place *array, size_t index) {
    struct json_place out = {.path = array->path, .value = unless_null(json_array_get(array->value, index))};
    snprintf(out.name, sizeof out.name, "%.*s[%zu]", (int)sizeof out.name - 32, array->name, index);
    return out;
}

int json_place_check_object(const struct json_place *place, const char *const *keys, struct error *error) {
    const char *key;
    json_t *value;
    if (!json_is_object(place->value)) return json_place_wrong(place, error, "is not an object");
    json_object_foreach((json_t *)place->value, key, value) {
        size_t k = 0;
        while (keys[k] && strcmp(keys[k], key) != 0) k++;
        if (keys[k]) continue;
        return json_place_wrong(place, error, "has the key '%.60s', which is not supported", key);
    }
    return STATUS_OK;
}

int json_place_text(const struct json_place *object, const char *key, const char **out, struct error *error) {
    const struct json_place place = json_place_member(object, key);
    *out = json_string_value(place.value);
    return *out ? STATUS_OK : json_place_wrong(&place, error, "is not a text");
}

int json_place_flag(const struct json_place *object, const char *key, bool otherwise, bool *out, struct error *error) {
    const struct json_place place = json_place_member(object, key);
    *out = place.value ? json_is_true(place.value) : otherwise;
    return !place.value || json_is_boolean(place.value) ? STATUS_OK
                                                        : json_place_wrong(&place, error, "is neither true nor false");
}

int json_place_token(const struct json_place *place, int32_t *out, struct error *error) {
    json_int_t id = json_is_integer(place->value) ? json_integer_value(place->value) : -1;
    if (id < 0 || id > INT32_MAX) return json_place_wrong(place, error, "is not a token's number, 0 to 2^31-1");
    *out = (int32_t)id;
    return STATUS_OK;
}

int json_place_array(const struct json_place *object, const char *key, struct json_place *out, struct error *error) {
    *out = json_place_member(object, key);
    return json_is_array(out->value) ? STATUS_OK : json_place_wrong(out, error, "is not an array");
}
