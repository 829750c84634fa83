/* The RoPE tables that a command line asks for: those of closed-form methods, or a factor file's, at each length. */
#ifndef LONGROPE_SEARCH_TABLE_SOURCE_H
#define LONGROPE_SEARCH_TABLE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/model/model_config.h"
#include "eval/rope.h"
#include "search/base/string_list.h"
#include "search/factors/factors.h"

enum { TABLE_REQUEST_UNSET = -1 };

/* Texts are borrowed. */
struct table_request {
    struct string_list methods;            /* names of closed forms */
    char *factors;                         /* a file or numbers, as factors_read() takes them; NULL: methods */
    double scale, attention_factor;        /* TABLE_REQUEST_UNSET: the method's or file's own */
    int64_t original_length, start_tokens; /* TABLE_REQUEST_UNSET: the model's, the file's own */
};

struct table_source {
    const struct table_request *request;
    const struct model_config *config;
    struct factor_file factors; /* count 0 where methods were asked for */
};

/* One of them at one length. */
struct chosen_table {
    const char *method; /* its name, or "factors" */
    const char *name;   /* of the factor file's table; NULL for methods */
    double scale;       /* s */
    struct rope_table rope;
};

/* Reads the factor file where one is asked for and holds it against the model; STATUS_INPUT where they do not
 * belong together. The request and config are borrowed. The caller closes *out, also after a failure. */
int table_source_open(const struct table_request *request, const struct model_config *config, struct table_source *out,
                      struct error *error);
void table_source_close(struct table_source *source); /* a zeroed struct is allowed */

/* How many tables are asked for at each length: the methods, or one of the factor file. */
size_t table_source_count(const struct table_source *source);

/* The `index`-th of them for inputs of `length` tokens. Its texts live as long as `source` and request. */
void table_source_get(const struct table_source *source, size_t index, int64_t length, struct chosen_table *out);

#endif
