#include "search/html/html_data.h"

#include <stdlib.h>
#include <string.h>

#include "search/config/config.h"
#include "search/html/html.h"

/* The configuration as the run has stored it, whose files may have moved since. */
static int read_configuration(const struct html_page *page, struct config *out) {
    struct cited_value stored = cited_get(&page->overview, "configuration"), sets = cited_get(&stored, "overrides");
    struct error unknown;
    *out = (struct config){.name = NULL};
    if (!cited_known(&stored)) return STATUS_INPUT;
    size_t count = cited_count(&sets);
    char **overrides = calloc(count + 1, sizeof *overrides);
    bool copied = overrides;
    for (size_t i = 0; copied && i < count; i++) {
        struct cited_value one = cited_at(&sets, i);
        overrides[i] = strdup(cited_text(&one));
        copied = overrides[i];
    }
    int status = copied ? config_read_stored(cited_get_text(&stored, "content"), cited_get_text(&stored, "path"),
                                             overrides, count, out, &unknown)
                        : STATUS_FAILED;
    for (size_t i = 0; overrides && i < count; i++) free(overrides[i]);
    free(overrides);
    return status;
}

void html_data_open(struct html_page *page) {
    page->configuration = calloc(1, sizeof *page->configuration);
    if (page->configuration && read_configuration(page, page->configuration) != STATUS_OK) html_data_close(page);
}

void html_data_close(struct html_page *page) {
    if (page->configuration) config_free(page->configuration);
    free(page->configuration);
    page->configuration = NULL;
}

struct html_data html_data_of(const struct html_page *page, const struct cited_value *stage) {
    const struct config *config = page->configuration;
    const char *name = cited_get_text(stage, "name");
    struct html_data data = {.tokenizer = NULL};
    for (size_t i = 0; config && i < config->stage_count; i++) {
        const struct stage_config *one = &config->stages[i];
        if (strcmp(one->name, name) == 0) data = (struct html_data){one->reads_tokens, one->tokenizer};
    }
    return data;
}

void html_put_tokenizer(FILE *out, const struct html_data *data) {
    if (data->tokenizer) {
        html_printf(out, " --tokenizer {tokenizer}", html_field_text("tokenizer", HTML_WORD, data->tokenizer));
    }
}

void html_put_data(FILE *out, const struct html_data *data) {
    fputs(data->tokens ? " --tokens TOKENS.npy" : " --text TEXT.txt", out);
    if (!data->tokens) html_put_tokenizer(out, data);
}
