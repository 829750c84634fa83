#include "eval/text/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "eval/text/regex_syntax.h"

/* Backtracking ends with an error instead of taking hours or all memory. A match in ordinary text takes a few hundred
 * steps, one in a run of N blanks as many as N. */
enum { MOST_STEPS = 200000000, MOST_HEAP_KIB = 1 << 18, LEAST_STACK = 1 << 15, MOST_STACK = 1 << 23 };

struct pattern {
    pcre2_code *code; /* NULL: `text` as it is */
    size_t size;
    char *text; /* [size] */
};

struct pattern_memory {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* ---- Making ---- */

static int compile(const char *where, const char *regex, pcre2_compile_context *context, pcre2_code **out,
                   struct error *error) {
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C;
    int code;
    size_t at;
    uint32_t matches_empty = 0;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    *out = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, options, &code, &at, context);
    if (!*out) {
        unsigned char message[128] = "";
        pcre2_get_error_message(code, message, sizeof message);
        return error_set(error, STATUS_INPUT, "%s: PCRE2 does not accept the regular expression: %s", where,
                         (const char *)message);
    }
    if (pcre2_pattern_info(*out, PCRE2_INFO_MATCHEMPTY, &matches_empty) != 0 || matches_empty) {
        return error_set(error, STATUS_INPUT, "%s: a regular expression that matches an empty text is not supported",
                         where);
    }
    pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE); /* where there is no JIT, it is interpreted */
    return STATUS_OK;
}

int pattern_new_regex(const char *where, const char *regex, struct pattern **out, struct error *error) {
    char *translated = NULL;
    *out = calloc(1, sizeof **out);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    int status = *out && context ? STATUS_OK : error_memory(error, sizeof **out, where);
    if (status == STATUS_OK) status = regex_translate(where, regex, &translated, error);
    if (status == STATUS_OK) status = compile(where, translated, context, &(*out)->code, error);
    pcre2_compile_context_free(context);
    free(translated);
    if (status == STATUS_OK) return status;
    pattern_free(*out);
    *out = NULL;
    return status;
}

int pattern_new_text(const char *where, const char *text, struct pattern **out, struct error *error) {
    *out = NULL;
    if (!*text) return error_set(error, STATUS_INPUT, "%s: an empty text is not supported", where);
    *out = calloc(1, sizeof **out);
    if (*out && ((*out)->text = strdup(text))) {
        (*out)->size = strlen(text);
        return STATUS_OK;
    }
    free(*out);
    *out = NULL;
    return error_memory(error, (double)strlen(text), where);
}

void pattern_free(struct pattern *pattern) {
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    free(pattern->text);
    free(pattern);
}

/* ---- Matching ---- */

int pattern_memory_new(struct pattern_memory **out, struct error *error) {
    struct pattern_memory *memory = *out = calloc(1, sizeof *memory);
    if (memory) memory->data = pcre2_match_data_create(1, NULL);
    if (memory) memory->context = pcre2_match_context_create(NULL);
    if (!memory || !memory->data || !memory->context) {
        pattern_memory_free(memory);
        *out = NULL;
        return error_memory(error, sizeof *memory, "matching regular expressions");
    }
    memory->stack = pcre2_jit_stack_create(LEAST_STACK, MOST_STACK, NULL); /* NULL where there is no JIT */
    if (memory->stack) pcre2_jit_stack_assign(memory->context, NULL, memory->stack);
    pcre2_set_match_limit(memory->context, MOST_STEPS);
    pcre2_set_heap_limit(memory->context, MOST_HEAP_KIB);
    return STATUS_OK;
}

void pattern_memory_free(struct pattern_memory *memory) {
    if (!memory) return;
    pcre2_match_data_free(memory->data);
    pcre2_match_context_free(memory->context);
    pcre2_jit_stack_free(memory->stack);
    free(memory);
}

int pattern_find(const struct pattern *pattern, struct pattern_memory *memory, const char *name, const char *text,
                 size_t size, size_t from, struct match *out, struct error *error) {
    *out = (struct match){size, size};
    if (!pattern->code) {
        const char *found = memmem(text + from, size - from, pattern->text, pattern->size);
        if (found) *out = (struct match){(size_t)(found - text), (size_t)(found - text) + pattern->size};
        return STATUS_OK;
    }
    int found =
        pcre2_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, memory->data, memory->context);
    if (found == PCRE2_ERROR_NOMATCH) return STATUS_OK;
    if (found >= 0) {
        const size_t *places = pcre2_get_ovector_pointer(memory->data);
        *out = (struct match){places[0], places[1]};
        return STATUS_OK;
    }
    unsigned char message[128] = "";
    pcre2_get_error_message(found, message, sizeof message);
    return error_set(
        error, found == PCRE2_ERROR_NOMEMORY ? STATUS_FAILED : STATUS_INPUT,
        "%s: a regular expression of the tokenizer fails at byte %zu of a piece of %zu bytes: %s; divide the "
        "text, or give tokens as .npy files",
        name, from, size, (const char *)message);
}
