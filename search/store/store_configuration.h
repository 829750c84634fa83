/* What a run was asked to do, as it was asked: the configuration's file, and the settings of each stage in words. */
#ifndef LONGROPE_SEARCH_STORE_CONFIGURATION_H
#define LONGROPE_SEARCH_STORE_CONFIGURATION_H

#include <stddef.h>

#include "eval/base/error.h"
#include "search/store/store.h"

struct configuration_record {
    char *program;   /* "longrope 0.1.0": which one read it */
    char *path;      /* of the file, absolute where that can be told */
    char *content;   /* of the file */
    char *overrides; /* JSON array of strings: the values of --set, in their order */
};

/* Keeps the configuration that the run goes on with, in the place of an earlier one. */
int store_put_configuration(struct store *store, const struct configuration_record *record, struct error *error);

/* *found is false where none was kept: the run was last worked on with schema 3 or older. The caller frees with
 * configuration_record_free(), whatever is returned. */
int store_configuration(struct store *store, struct configuration_record *out, bool *found, struct error *error);
void configuration_record_free(struct configuration_record *record);

struct setting_record {
    char key[64], value[1024]; /* cut where the database has longer ones */
};

/* The settings that a stage was begun with (store_add_stage()), by key; the caller frees *out with free(). */
int store_settings(struct store *store, const struct stage_record *stage, struct setting_record **out, size_t *count,
                   struct error *error);

#endif
