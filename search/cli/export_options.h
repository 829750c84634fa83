/* The command line of `longrope export`. */
#ifndef LONGROPE_SEARCH_EXPORT_OPTIONS_H
#define LONGROPE_SEARCH_EXPORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "search/cli/options.h"
#include "search/export/export_pair.h"
#include "search/export/model_files.h"

enum export_format { EXPORT_HF, EXPORT_GGUF, EXPORT_CSV, EXPORT_JSON, EXPORT_FORMATS };
extern const char *const export_format_names[EXPORT_FORMATS]; /* "hf", "gguf", "csv", "json" */

/* Strings are borrowed from argv. */
struct export_options {
    struct string_list sources; /* at least one */
    int format;                 /* enum export_format */
    char *model;                /* NULL where the format does not need it, and for a run's own */
    char *gguf;                 /* NULL except for EXPORT_GGUF, and there if the model is to be copied */
    char *out;
    struct export_choice choice;
    int64_t original_length; /* 0: not given */
    double rope_theta;       /* 0: not given */
    double max_factor;       /* 0: not given */
    int weights;             /* enum model_files_weights */
    int one_table;           /* 0: long, 1: short; NAME_UNKNOWN: two tables */
    bool force, json;
};

extern const struct option_table export_option_table;

#endif
