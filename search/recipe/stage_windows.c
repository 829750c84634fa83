#include "search/recipe/stage_windows.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "eval/text/needle_prompt.h"
#include "eval/text/text_held_out.h"
#include "eval/text/tokenizer.h"

/* ---- text ---- */

/* Words of needles have to become tokens as the text did, also where that was done elsewhere. */
static int open_tokenizer(const struct stage_config *config, const char *model, int64_t vocabulary,
                          struct tokenizer *out, struct error *error) {
    int status = tokenizer_open(config->tokenizer, model, vocabulary, out, error);
    if (status != STATUS_INPUT || !config->tokens.count) return status;
    const struct error why = *error;
    return error_set(error, STATUS_INPUT,
                     "stage '%s': 'objective: needle' has words of its own to tokenize beside those of data.tokens, "
                     "with data.tokenizer: %s",
                     config->name, why.message);
}

static int read_text(const struct stage_config *config, const struct tokenizer *tokenizer, struct documents *out,
                     struct error *error) {
    if (config->tokens.count) return documents_read_npy(config->tokens.items, config->tokens.count, out, error);
    return documents_read_text(config->text.items, config->text.count, tokenizer, out, error);
}

/* ---- needles ---- */

static double next_depth(double depth) {
    const double golden = 0.61803398874989485;
    return fmod(depth + golden, 1.0);
}

static double first_depth(unsigned long seed) {
    const uint64_t words[] = {seed, 0x6e6565646c65}; /* of a stream of its own */
    return (double)(XXH64(words, sizeof words, 0) >> 11) * 0x1p-53;
}

static int make_needle(const struct stage_config *config, const struct tokenizer *tokenizer, double depth,
                       size_t window, struct stage_windows *windows, struct error *error) {
    const struct needle_setting setting = {
        .tokenizer = tokenizer, .form = config->needle.prompt, .digits = config->needle.digits};
    const struct needle_position position = {
        .length = config->target_length, .depth = depth, .seed = config->needle.seed, .trial = (int64_t)window};
    struct window *at = &windows->items[window];
    const struct document *text = &windows->text.items[at->document];
    struct needle_prompt prompt;
    int status = needle_prompt_in_text(&setting, &position, text->tokens + at->start, at->length, &prompt, error);
    if (status != STATUS_OK) return status;
    struct document *document = &windows->needles.items[window];
    *document = (struct document){.name = strdup(text->name), .count = prompt.count, .tokens = prompt.tokens};
    windows->needles.count++;
    *at = (struct window){.document = window, .length = prompt.count, .skip = prompt.count - 1 - prompt.answer};
    struct window_record *record = &windows->records[window];
    record->answer = prompt.answer;
    record->needle = prompt.needle;
    record->depth = depth;
    strcpy(record->key, prompt.key);
    return document->name ? STATUS_OK : error_memory(error, (double)strlen(text->name), "a document's name");
}

static int make_needles(const struct stage_config *config, const struct tokenizer *tokenizer,
                        struct stage_windows *windows, struct error *error) {
    size_t all = windows->count + windows->held_out;
    windows->needles.items = calloc(all, sizeof *windows->needles.items);
    if (!windows->needles.items) return error_memory(error, (double)all * sizeof(struct document), "needles");
    double depth = first_depth(config->needle.seed);
    for (size_t i = 0; i < all; i++, depth = next_depth(depth)) {
        int status = make_needle(config, tokenizer, depth, i, windows, error);
        if (status != STATUS_OK) {
            const struct error why = *error;
            return error_set(error, status, "stage '%s': 'objective: needle': %s", config->name, why.message);
        }
    }
    return STATUS_OK;
}

/* ---- windows that are held out ---- */

static bool same_files(const struct string_list *a, const struct string_list *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

/* Both read the same documents: then positions in them mean the same. */
static bool same_text(const struct stage_config *a, const struct stage_config *b) {
    bool own = !a->tokenizer || !b->tokenizer;
    bool same_tokenizer = own ? a->tokenizer == b->tokenizer : strcmp(a->tokenizer, b->tokenizer) == 0;
    return same_files(&a->text, &b->text) && same_files(&a->tokens, &b->tokens) && same_tokenizer;
}

/* Windows that a stage may not hold out. */
struct used {
    struct window *items; /* [count]; owned */
    size_t count;
};

static int add_used(struct used *used, const struct window *more, size_t count, struct error *error) {
    struct window *items = realloc(used->items, (used->count + count) * sizeof *items);
    if (!items) return error_memory(error, (double)(used->count + count) * sizeof *items, "windows");
    memcpy(items + used->count, more, count * sizeof *items);
    used->items = items;
    used->count += count;
    return STATUS_OK;
}

/* Adds documents as a whole that the stage reads among others, or with another tokenizer: its windows may lie anywhere.
 */
static int add_documents(const struct stage_config *stage, const struct stage_windows *windows, struct used *used,
                         struct error *error) {
    int status = STATUS_OK;
    for (size_t d = 0; d < windows->text.count && status == STATUS_OK; d++) {
        const struct document *document = &windows->text.items[d];
        const struct window whole = {.document = d, .length = document->count};
        bool shared = string_list_has(&stage->text, document->name) || string_list_has(&stage->tokens, document->name);
        if (shared) status = add_used(used, &whole, 1, error);
    }
    return status;
}

/* Adds the windows of stage `base`, and of those that its own model rests on. */
static int add_base(const struct stage_config *config, const struct stage_config *stages, int base,
                    const struct stage_windows *windows, struct used *used, struct error *error) {
    if (base == CONFIG_NO_STAGE) return STATUS_OK;
    const struct stage_config *stage = &stages[base];
    struct window *items = NULL;
    size_t count = 0;
    int status = STATUS_OK;
    if (same_text(config, stage)) {
        status = windows_choose(&windows->text, stage->target_length, stage->samples, &items, &count, error);
        if (status == STATUS_OK) status = add_used(used, items, count, error);
        free(items);
    } else {
        status = add_documents(stage, windows, used, error);
    }
    if (status == STATUS_OK) status = add_base(config, stages, stage->base, windows, used, error);
    return status == STATUS_OK ? add_base(config, stages, stage->finetune.base, windows, used, error) : status;
}

/* Puts windows of other text behind those that are scored, no more than these. */
static int hold_out(const struct stage_config *config, const struct stage_config *stages, struct stage_windows *windows,
                    struct error *error) {
    struct used used = {NULL, 0};
    struct window *items = NULL, *all = NULL;
    size_t wanted = config->held_out < windows->count ? config->held_out : windows->count, count = 0;
    if (wanted == 0) return STATUS_OK;
    int status = add_used(&used, windows->items, windows->count, error);
    if (status == STATUS_OK) status = add_base(config, stages, config->base, windows, &used, error);
    if (status == STATUS_OK) {
        status = windows_hold_out(&windows->text, config->target_length, used.items, used.count, wanted, &items, &count,
                                  error);
    }
    if (status == STATUS_OK && count) {
        all = realloc(windows->items, (windows->count + count) * sizeof *all);
        if (!all) status = error_memory(error, (double)(windows->count + count) * sizeof *all, "windows");
    }
    if (all) {
        memcpy(all + windows->count, items, count * sizeof *all);
        windows->items = all;
        windows->held_out = count;
    }
    free(items);
    free(used.items);
    return status;
}

/* ---- windows ---- */

static int make_records(struct stage_windows *windows, struct error *error) {
    size_t all = windows->count + windows->held_out;
    windows->records = calloc(all, sizeof *windows->records);
    if (!windows->records) return error_memory(error, (double)all * sizeof *windows->records, "the windows");
    for (size_t i = 0; i < all; i++) {
        const struct window *at = &windows->items[i];
        const char *path = windows->text.items[at->document].name;
        const char *slash = strrchr(path, '/'); /* a run is the same wherever its text lies */
        snprintf(windows->records[i].document, sizeof windows->records[i].document, "%s", slash ? slash + 1 : path);
        windows->records[i].start = at->start;
        windows->records[i].tokens = at->length;
    }
    return STATUS_OK;
}

static int tell(const struct stage_config *config, const struct tokenizer *tokenizer, struct stage_windows *windows,
                struct error *error) {
    const struct windows_told told = {.documents = &windows->text,
                                      .windows = windows->items,
                                      .count = windows->count,
                                      .length = config->target_length,
                                      .bos = tokenizer->bos,
                                      .text = config->text.count > 0};
    windows->told = windows_tell(&told);
    return windows->told ? STATUS_OK : error_memory(error, 0, "the text's description");
}

void stage_windows_print(const struct stage_windows *windows, const char *stage, FILE *out) {
    fprintf(out, "%s: %s", stage, windows->told);
    if (windows->held_out) {
        fprintf(out, "; %zu window%s of other text held out", windows->held_out, windows->held_out == 1 ? "" : "s");
    }
    fputc('\n', out);
}

static int make_windows(const struct stage_config *config, const struct stage_config *stages,
                        const struct tokenizer *tokenizer, int64_t vocabulary, struct stage_windows *out,
                        struct error *error) {
    int status = read_text(config, tokenizer, &out->text, error);
    if (status == STATUS_OK) status = documents_check(&out->text, vocabulary, error);
    if (status == STATUS_OK) {
        status = windows_choose(&out->text, config->target_length, config->samples, &out->items, &out->count, error);
    }
    if (status == STATUS_OK) status = hold_out(config, stages, out, error);
    if (status == STATUS_OK) status = tell(config, tokenizer, out, error);
    if (status == STATUS_OK) status = make_records(out, error);
    if (status != STATUS_OK || config->objective != OBJECTIVE_NEEDLE) return status;
    status = make_needles(config, tokenizer, out, error);
    return status == STATUS_OK ? documents_check(&out->needles, vocabulary, error) : status;
}

int stage_windows_open(const struct stage_config *config, const struct stage_config *stages, const char *model,
                       int64_t vocabulary, struct stage_windows *out, struct error *error) {
    *out = (struct stage_windows){.count = 0};
    struct tokenizer tokenizer = {.bos = -1, .eos = -1};
    bool words = config->text.count || config->objective == OBJECTIVE_NEEDLE;
    int status = words ? open_tokenizer(config, model, vocabulary, &tokenizer, error) : STATUS_OK;
    if (status == STATUS_OK) status = make_windows(config, stages, &tokenizer, vocabulary, out, error);
    tokenizer_close(&tokenizer);
    return status;
}

void stage_windows_close(struct stage_windows *windows) {
    documents_free(&windows->text);
    documents_free(&windows->needles);
    free(windows->items);
    free(windows->records);
    free(windows->told);
    *windows = (struct stage_windows){.count = 0};
}

struct scoring stage_windows_scoring(const struct stage_windows *windows) {
    const struct documents *documents = windows->needles.count ? &windows->needles : &windows->text;
    return (struct scoring){.documents = documents, .windows = windows->items, .count = windows->count};
}

struct scoring stage_windows_all(const struct stage_windows *windows) {
    struct scoring all = stage_windows_scoring(windows);
    all.count += windows->held_out;
    return all;
}
