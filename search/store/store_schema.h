/* The schema of run.db: its SQL tables. */
#ifndef LONGROPE_SEARCH_STORE_SCHEMA_H
#define LONGROPE_SEARCH_STORE_SCHEMA_H

#include "search/store/database.h"

enum { STORE_SCHEMA = 10 }; /* SQLite's user_version */

/* An SQL table as of one schema version: NAME_V is the table from schema V on, until a later version replaces it. */
enum store_schema_table {
    SCHEMA_END, /* no table: the end of a list */
    SCHEMA_RUN_2,
    SCHEMA_STAGES_2,
    SCHEMA_SETTINGS_2,
    SCHEMA_SAMPLES_2,
    SCHEMA_BASELINES_2,
    SCHEMA_BASELINE_NATS_2,
    SCHEMA_INDIVIDUALS_2,
    SCHEMA_SAMPLE_NATS_2,
    SCHEMA_STAGE_MODELS_3,
    SCHEMA_LENGTHS_4,
    SCHEMA_PASS_KEYS_4,
    SCHEMA_NEEDLES_4,
    SCHEMA_CONFIGURATION_4,
    SCHEMA_PASS_KEYS_5,
    SCHEMA_BASELINE_NATS_6,
    SCHEMA_INDIVIDUALS_6,
    SCHEMA_SAMPLE_NATS_6,
    SCHEMA_CRITICAL_PAIRS_6,
    SCHEMA_INDIVIDUALS_7,
    SCHEMA_RANKS_8,
    SCHEMA_CHOICES_9,
    SCHEMA_MACHINES_10,
    SCHEMA_HELD_OUT_10,
    SCHEMA_HELD_OUT_SAMPLES_10,
    SCHEMA_HELD_OUT_NATS_10,
    SCHEMA_TABLES
};

/* The CREATE TABLE statement of each. Migrations run them too (search/store/store_migration.h), so they are frozen: a
 * new schema version adds statements and changes none. */
extern const char *const store_schema_tables[SCHEMA_TABLES];

/* Creates the tables of the newest schema in an empty database, in one transaction. */
int store_schema_create(struct database *database, struct error *error);

#endif
