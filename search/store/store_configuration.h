/* The configuration of a run as the user gave it: the file, and the settings of each stage as text. */
#ifndef LONGROPE_SEARCH_STORE_CONFIGURATION_H
#define LONGROPE_SEARCH_STORE_CONFIGURATION_H

#include <stddef.h>

#include "eval/base/error.h"
#include "search/store/store.h"

struct configuration_record {
    char *program;   /* "longrope 0.1.0", which read the file */
    char *path;      /* of the file; absolute if it could be resolved */
    char *content;   /* of the file */
    char *overrides; /* JSON array of strings: the values of --set, in order */
};

/* Stores the configuration that the run continues with; it replaces an earlier one. */
int store_put_configuration(struct store *store, const struct configuration_record *record, struct error *error);

/* *found is false if none is stored, as in a run that was last continued with schema 3 or older. The caller frees *out
 * with configuration_record_free(), also after a failure. */
int store_configuration(struct store *store, struct configuration_record *out, bool *found, struct error *error);
void configuration_record_free(struct configuration_record *record);

struct setting_record {
    char key[64], value[1024]; /* cut if the stored text is longer */
};

/* The settings that a stage was started with (store_add_stage()), ordered by key; the caller frees *out with free(). */
int store_settings(struct store *store, const struct stage_record *stage, struct setting_record **out, size_t *count,
                   struct error *error);

#endif
