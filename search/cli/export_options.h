/* The command line of `longrope export`. */
#ifndef LONGROPE_SEARCH_EXPORT_OPTIONS_H
#define LONGROPE_SEARCH_EXPORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "search/export/export_pair.h"
#include "search/export/model_files.h"
#include "search/cli/options.h"

extern const char export_usage[]; /* what --help prints, and what the options mean */

enum export_format { EXPORT_HF, EXPORT_GGUF, EXPORT_CSV, EXPORT_JSON, EXPORT_FORMATS };
const char *export_format_name(enum export_format format); /* "hf", "gguf", "csv", "json" */

/* Texts are borrowed from argv. */
struct export_options {
    struct string_list sources; /* at least one */
    enum export_format format;
    const char *model; /* NULL where the format can do without */
    const char *gguf;  /* NULL but for EXPORT_GGUF */
    const char *out;
    struct export_choice choice;
    int64_t original_length; /* 0: not given */
    double rope_theta;       /* 0: not given */
    enum model_files_weights weights;
    bool force, json, help;
};

/* Reads argv, which begins with the command's name. With --help nothing else is checked. The caller frees *out with
 * export_options_free(), also after a failure. */
int export_options_read(int argc, char **argv, struct export_options *out, struct error *error);
void export_options_free(struct export_options *options); /* a zeroed struct is allowed */

#endif
