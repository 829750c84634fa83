/* The schema of run.db: its tables, and how a database of an older version gets them. */
#ifndef LONGROPE_SEARCH_STORE_SCHEMA_H
#define LONGROPE_SEARCH_STORE_SCHEMA_H

#include <stdint.h>

#include "search/store/database.h"

enum { STORE_SCHEMA = 5 }; /* SQLite's user_version */

/* Makes the tables in an empty database, in one transaction. */
int store_schema_create(struct database *database, struct error *error);

/* Brings a database of schema `version`, 1..STORE_SCHEMA, to the newest one, in one transaction; one that has it
 * is left alone. Damaged where a row speaks of another one that is not there. Before foreign keys are enforced. */
int store_schema_migrate(struct database *database, int64_t version, struct error *error);

#endif
