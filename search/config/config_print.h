/* Prints the keys of a configuration, with their values and the places that these come from, or with their defaults. */
#ifndef LONGROPE_SEARCH_CONFIG_PRINT_H
#define LONGROPE_SEARCH_CONFIG_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "eval/base/error.h"

/* With `path`, every key at the top of the file and in each stage: its value and its source, which is "FILE:LINE",
 * "--set KEY=VALUE", "default", or "follows KEY" for a default that depends on another key. With path NULL, every key
 * with its type, default, range and meaning.
 *
 * As JSON it is an array of {"key", "stage", "value", "source", "type", "default", "range", "meaning"}: "key" as in
 * --set below the top or the stage; "stage" the stage's name, null at the top, and with path NULL the levels at which
 * the key may stand: "run", "stage" or "run or stage"; "value" null where nothing stands for the key, and "value" and
 * "source" null with path NULL; "default", "range" and "meaning" are text, "range" null where any value of the type is
 * accepted.
 *
 * Errors of the configuration are those of config_read(); nothing is printed then. */
int config_print(const char *path, char *const *overrides, size_t override_count, bool json, FILE *out,
                 struct error *error);

#endif
