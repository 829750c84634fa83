/* What the commands of a page read: text or tokens, and the tokenizer that the search read text with, where its
 * configuration names one: without it they would fail, or measure other tokens, if the model has none of that kind. */
#ifndef LONGROPE_SEARCH_HTML_DATA_H
#define LONGROPE_SEARCH_HTML_DATA_H

#include "search/html/html_page.h"

/* For one stage; a configuration that cannot be read any more leaves a model's own tokenizer. */
struct html_data {
    bool tokens;     /* the stage reads .npy files */
    char *tokenizer; /* NULL: the model's own */
};

/* `stage` is an item of "stages" of show --json. The caller frees *out with html_data_free(). */
void html_data_read(const struct html_page *page, const struct cited_value *stage, struct html_data *out);
void html_data_free(struct html_data *data);

/* Writes " --text TEXT.txt --tokenizer FILE", or " --tokens TOKENS.npy". */
void html_put_data(FILE *out, const struct html_data *data);
/* Writes " --tokenizer FILE", or nothing. */
void html_put_tokenizer(FILE *out, const struct html_data *data);

#endif
