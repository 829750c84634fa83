#include "search/base/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/text.h"

json_t *json_number_or_null(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *json_number_array(const double *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < count; i++) {
        /* json_real() returns NULL for NaN and infinity, and appending NULL fails */
        if (json_array_append_new(array, json_real(values[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

json_t *json_name(const char *text) {
    char *repaired = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&repaired, &size);
    if (!stream) return NULL;
    for (int length; *text; text += length ? length : 1) {
        length = text_utf8_length(text);
        if (length) {
            fwrite(text, 1, (size_t)length, stream);
        } else {
            fputs("\xef\xbf\xbd", stream);
        }
    }
    json_t *string = fclose(stream) == 0 ? json_string(repaired) : NULL;
    free(repaired);
    return string;
}

/* ---- text ---- */

static bool print_value(FILE *stream, const json_t *value, int depth);

/* A real number stays real: "1.0", not "1". */
static bool print_real(FILE *stream, double value) {
    char text[TEXT_NUMBER_SIZE];
    text_of_number(value, text);
    return fprintf(stream, "%s%s", text, strpbrk(text, ".e") ? "" : ".0") > 0;
}

/* Begins the line of an item; `first`: of the first item of a list. */
static bool print_break(FILE *stream, bool first, int depth) {
    return fprintf(stream, "%s\n%*s", first ? "" : ",", 2 * depth, "") > 0;
}

static bool print_string(FILE *stream, const char *text) {
    json_t *string = json_string(text);
    bool printed = string && json_dumpf(string, stream, JSON_ENCODE_ANY) == 0;
    json_decref(string);
    return printed;
}

static bool print_array(FILE *stream, const json_t *array, int depth) {
    size_t count = json_array_size(array);
    bool good = fputc('[', stream) != EOF;
    for (size_t i = 0; i < count && good; i++) {
        good = print_break(stream, i == 0, depth + 1) && print_value(stream, json_array_get(array, i), depth + 1);
    }
    if (good && count) good = print_break(stream, true, depth);
    return good && fputc(']', stream) != EOF;
}

static bool print_object(FILE *stream, const json_t *object, int depth) {
    const char *key;
    json_t *value;
    bool good = fputc('{', stream) != EOF, first = true;
    json_object_foreach((json_t *)object, key, value) {
        good = good && print_break(stream, first, depth + 1) && print_string(stream, key);
        good = good && fputs(": ", stream) != EOF && print_value(stream, value, depth + 1);
        first = false;
    }
    if (good && !first) good = print_break(stream, true, depth);
    return good && fputc('}', stream) != EOF;
}

static bool print_value(FILE *stream, const json_t *value, int depth) {
    if (json_is_object(value)) return print_object(stream, value, depth);
    if (json_is_array(value)) return print_array(stream, value, depth);
    if (json_is_real(value)) return print_real(stream, json_real_value(value));
    return json_dumpf(value, stream, JSON_ENCODE_ANY) == 0;
}

char *json_text(const json_t *value) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    bool good = print_value(stream, value, 0) && fputc('\n', stream) != EOF;
    good = fclose(stream) == 0 && good;
    if (good) return text;
    free(text);
    return NULL;
}
