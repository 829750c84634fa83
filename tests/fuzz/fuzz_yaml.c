/* Any bytes as a configuration and words of --set: rejected, or stages whose values are within their ranges and that
 * can be printed. The words follow the file, each after a byte that UTF-8 does not have. */
#include <glob.h>
#include <math.h>
#include <string.h>

#include "search/config/config.h"
#include "search/config/config_print.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { WORD = 0xff, MOST_WORDS = 8 };

/* In place of the C library's: patterns of an input must not wander through the disk. Each matches one file, except
 * those that begin with '*'. */
int glob(const char *pattern, int flags, int (*failed)(const char *path, int code), glob_t *found) {
    (void)flags, (void)failed;
    const char *name = strrchr(pattern, '/');
    *found = (glob_t){0};
    if ((name ? name[1] : *pattern) == '*') return GLOB_NOMATCH;
    found->gl_pathv = calloc(2, sizeof *found->gl_pathv);
    if (!found->gl_pathv) return GLOB_NOSPACE;
    found->gl_pathv[0] = strdup(pattern);
    found->gl_pathc = 1;
    return 0;
}

void globfree(glob_t *found) {
    if (found->gl_pathv) free(found->gl_pathv[0]);
    free(found->gl_pathv);
}

/* Cuts `bytes` into the file, whose size it returns, and words, which end with zeroes. */
static size_t split(uint8_t *bytes, size_t size, char *words[MOST_WORDS], size_t *count) {
    uint8_t *word = memchr(bytes, WORD, size), *end = bytes + size;
    size_t file = word ? (size_t)(word - bytes) : size;
    for (*count = 0; word && *count < MOST_WORDS; word = memchr(word, WORD, (size_t)(end - word))) {
        *word++ = '\0';
        words[(*count)++] = (char *)word;
    }
    return file;
}

static void check_stage(const struct config *config, int index) {
    const struct stage_config *stage = &config->stages[index];
    if (!stage->name || !*stage->name || stage->target_length < 2 || stage->lattice_unit < 1) abort();
    if (!stage->model && stage->base == CONFIG_NO_STAGE) abort();
    if (stage->base >= index || stage->finetune.base >= index) abort();
    if (!stage->text.count == !stage->tokens.count && !stage->missing) abort();
    if (stage->start_count < 1 || stage->start_count > GENOME_MAX_STARTS) abort();
    for (size_t i = 1; i < stage->start_count; i++) {
        if (stage->start_tokens[i] <= stage->start_tokens[i - 1]) abort();
    }
    if (stage->initial_count > CONFIG_MAX_INITIAL || stage->search.parents > stage->search.population) abort();
    if (!isfinite(stage->lambda_max) || !isfinite(stage->attention_factor) || !isfinite(stage->racing_risk)) abort();
}

static void check_print(const char *path, char *const *words, size_t count, bool json) {
    char *text = NULL;
    size_t size;
    struct error error;
    FILE *out = open_memstream(&text, &size);
    if (!out || config_print(path, words, count, json, out, &error) != STATUS_OK || fclose(out) != 0 || !size) abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct config config;
    struct error error = {""};
    char *words[MOST_WORDS];
    size_t count;
    uint8_t *copy = calloc(1, size + 1);
    if (!copy) return 0;
    memcpy(copy, bytes, size);
    size_t file = split(copy, size, words, &count);
    struct memory_file input = memory_file_make(copy, file);
    if (config_read_without_data(input.path, words, count, &config, &error) == STATUS_OK) {
        if (config.stage_count < 1 || !config.name) abort();
        for (size_t i = 0; i < config.stage_count; i++) check_stage(&config, (int)i);
        config_free(&config);
    } else if (!*error.message) {
        abort();
    }
    if (config_read(input.path, words, count, &config, &error) == STATUS_OK) {
        config_free(&config);
        check_print(input.path, words, count, true);
        check_print(input.path, words, count, false);
    }
    memory_file_close(&input);
    free(copy);
    return 0;
}
