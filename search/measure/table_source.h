/* The RoPE tables that a command line requests: those of closed-form methods, or of a factor file, per length. */
#ifndef LONGROPE_SEARCH_TABLE_SOURCE_H
#define LONGROPE_SEARCH_TABLE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/model/model.h"
#include "eval/rope.h"
#include "search/base/string_list.h"
#include "search/factors/factors.h"

enum { TABLE_REQUEST_UNSET = -1 };

/* Texts are borrowed. */
struct table_request {
    struct string_list methods;            /* names of closed forms */
    char *factors;                         /* as run_tables_source() takes it; NULL: methods */
    double scale, attention_factor;        /* TABLE_REQUEST_UNSET: the method's or file's own */
    int64_t original_length, start_tokens; /* TABLE_REQUEST_UNSET: the model's, the file's own */
    double max_factor;                     /* of a model of type clex; TABLE_REQUEST_UNSET: the model's */
};

struct table_source {
    const struct table_request *request;
    const struct model_config *config;
    struct factor_file factors; /* count 0: methods are requested */
};

/* One table of a source at one length. */
struct chosen_table {
    const char *method; /* its name, or "factors" */
    const char *name;   /* of the factor file's table; NULL for methods */
    double scale;       /* s */
    struct rope_table rope;
};

/* Reads the factor file, if one is requested; STATUS_INPUT if it does not fit the model. The request and config are
 * borrowed. The caller closes *out, also after a failure. */
int table_source_open(const struct table_request *request, const struct model_config *config, struct table_source *out,
                      struct error *error);
void table_source_close(struct table_source *source); /* a zeroed struct is allowed */

/* Tables per length: the number of methods, or 1 with a factor file. */
size_t table_source_count(const struct table_source *source);

/* Table number `index` for inputs of `length` tokens. Its texts live as long as `source` and request. */
void table_source_get(const struct table_source *source, size_t index, int64_t length, struct chosen_table *out);

#endif
