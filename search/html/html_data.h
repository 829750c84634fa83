/* What the commands of a page read: text or tokens, and the tokenizer that the search read text with, where its
 * configuration names one: without it they would fail, or measure other tokens, if the model has none of that kind. */
#ifndef LONGROPE_SEARCH_HTML_DATA_H
#define LONGROPE_SEARCH_HTML_DATA_H

#include "search/html/html_page.h"

/* For one stage; a configuration that cannot be read any more leaves a model's own tokenizer. */
struct html_data {
    bool tokens;           /* the stage reads .npy files */
    const char *tokenizer; /* NULL: the model's own; lives until html_data_close() */
};

/* Sets page->configuration, which is read once for all commands of the page, and frees it. */
void html_data_open(struct html_page *page);
void html_data_close(struct html_page *page);

/* `stage` is an item of "stages" of show --json. */
struct html_data html_data_of(const struct html_page *page, const struct cited_value *stage);

/* Writes " --text TEXT.txt --tokenizer FILE", or " --tokens TOKENS.npy". */
void html_put_data(FILE *out, const struct html_data *data);
/* Writes " --tokenizer FILE", or nothing. */
void html_put_tokenizer(FILE *out, const struct html_data *data);

#endif
