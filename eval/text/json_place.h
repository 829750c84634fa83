/* Values of a JSON file and their places in it, for errors. */
#ifndef LONGROPE_EVAL_JSON_PLACE_H
#define LONGROPE_EVAL_JSON_PLACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"

struct json_place {
    const char *path;    /* of the file; borrowed */
    char name[160];      /* in the file, "model.merges[3]", cut if it is longer; "" for the whole */
    const json_t *value; /* borrowed; NULL: absent, or null */
};

struct json_place json_place_member(const struct json_place *object, const char *key);
struct json_place json_place_item(const struct json_place *array, size_t index);

/* STATUS_INPUT with "FILE: PLACE WHAT"; control characters become '?'. */
int json_place_wrong(const struct json_place *place, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What follows is STATUS_INPUT with such a message unless the value is as it says. */

/* An object without keys beside keys[], which ends with a NULL. */
int json_place_check_object(const struct json_place *place, const char *const *keys, struct error *error);
/* *out is borrowed from the JSON. */
int json_place_text(const struct json_place *object, const char *key, const char **out, struct error *error);
/* `otherwise` if it is absent. */
int json_place_flag(const struct json_place *object, const char *key, bool otherwise, bool *out, struct error *error);
int json_place_array(const struct json_place *object, const char *key, struct json_place *out, struct error *error);
/* A token's number, 0 to 2^31-1. */
int json_place_token(const struct json_place *place, int32_t *out, struct error *error);

#endif
